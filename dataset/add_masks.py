"""Add masks of people to a data set that has none.

    python -m dataset.add_masks ROOT [--detector_weights PATH]

ROOT holds `labels/NAME.mat` and `frames/NAME/`. In every frame the detector looks for the annotated person and writes
`masks/NAME/NNNNNN.png`, grey, white where the person is. Frames in which it does not find this person get no mask. Existing
masks stay, so the command can be stopped and started at any time.
"""
import argparse
import os
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from dataset.frames import frame_files, frame_names, read_frame
from dataset.penn_layout import frame_mask, read_annotations
from pose import DETECTORS, detector_class, find_people
from pose.masks import mask_of, write_mask
from utils.errors import UserError, command


def add_masks(root, detector):
    """Write the masks of a data set.

    Args:
        root: pathlib.Path.
        detector: :class:`pose.detector.Detector` that finds masks.
    Returns:
        Counter of the masks `written` and `kept`, and of the frames in which the annotated person is `unseen`.
    Raises:
        UserError: no annotations, or frames that do not fit them or cannot be read.
    """
    counts = Counter()
    for annotation in tqdm(read_annotations(root), desc="videos", unit="video"):
        folder = root / "frames" / annotation.video
        try:
            files = frame_files(frame_names(folder), len(annotation.joints))
        except (OSError, ValueError) as error:
            raise UserError(f"{folder}: these frames are needed ({getattr(error, 'strerror', None) or error})") from None
        for number, name in sorted(files.items()):
            path = frame_mask(folder / name)
            if path.is_file():
                counts["kept"] += 1
                continue
            picture = read_frame(folder / name, annotation.video)
            person = detector.find_again(picture, annotation.joints[number - 1], annotation.visibility[number - 1])
            mask = None if person is None else mask_of(picture, person)
            if mask is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_mask(path, mask)
            counts["unseen" if mask is None else "written"] += 1
    return counts


def main():
    masking = [name for name in DETECTORS if detector_class(name).finds_masks]
    parser = argparse.ArgumentParser(prog="python -m dataset.add_masks", description=__doc__.splitlines()[0])
    parser.add_argument("root", metavar="ROOT", help="folder that holds labels/ and frames/")
    parser.add_argument("--detector", choices=masking, default=masking[0], help="which finds the masks (default: %(default)s)")
    parser.add_argument("--detector_weights", metavar="PATH", help="its weights, a wheel or a folder (default: downloaded once)")
    options = parser.parse_args()
    detector = find_people(options.detector, weights=options.detector_weights)
    counts = add_masks(Path(os.path.expanduser(options.root)), detector)
    print(f"{counts['written']} masks written, {counts['kept']} existed, {counts['unseen']} frames without a mask, because the "
          "annotated person is not found in them")


if __name__ == "__main__":
    command(main)
