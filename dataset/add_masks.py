"""Add masks of people to a data set that has none.

    python -m dataset.add_masks ROOT [--detector_weights PATH]

ROOT holds `labels/NAME.mat` and `frames/NAME/`. The detector looks at every frame around the annotated pose and writes
`masks/NAME/NNNNNN.png`, grey, white where the person is, under the frame's name. Frames in which it does not see the annotated
person get none. Masks that are there stay, so the command can be stopped and started at any time.
"""
import argparse
import os
from pathlib import Path

from tqdm import tqdm

from dataset.frames import frame_files, frame_names, read_frame
from dataset.penn_action import find_labels, read_annotation
from dataset.penn_layout import frame_mask
from pose import DETECTORS, detector_class, find_people
from pose.masks import mask_of, write_mask
from utils.errors import UserError, command


def add_masks(root, detector):
    """Write the masks of a data set.

    Args:
        root: pathlib.Path.
        detector: :class:`pose.detector.Detector` that finds masks.
    Returns:
        numbers of masks that were written, that were there, and of frames in which the annotated person was not seen.
    Raises:
        UserError: no annotations, or frames that do not fit to them or cannot be read.
    """
    written, there, unseen = 0, 0, 0
    for label in tqdm(find_labels(root), desc="videos", unit="video"):
        annotation, folder = read_annotation(label), root / "frames" / label.stem
        try:
            files = frame_files(frame_names(folder), len(annotation.joints))
        except (OSError, ValueError) as error:
            raise UserError(f"{folder}: the frames of {label} are needed ({getattr(error, 'strerror', None) or error})") from None
        for number, name in sorted(files.items()):
            path = frame_mask(folder / name)
            if path.is_file():
                there += 1
                continue
            picture = read_frame(folder / name, label)
            person = detector.find_again(picture, annotation.joints[number - 1], annotation.visibility[number - 1])
            mask = None if person is None else mask_of(picture, person)
            if mask is None:
                unseen += 1
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mask(path, mask)
            written += 1
    return written, there, unseen


def main():
    masking = [name for name in DETECTORS if detector_class(name).finds_masks]
    parser = argparse.ArgumentParser(prog="python -m dataset.add_masks", description=__doc__.splitlines()[0])
    parser.add_argument("root", metavar="ROOT", help="folder that holds labels/ and frames/")
    parser.add_argument("--detector", choices=masking, default=masking[0], help="which finds the masks (default: %(default)s)")
    parser.add_argument("--detector_weights", metavar="PATH", help="its weights, a wheel or a folder (default: downloaded once)")
    options = parser.parse_args()
    detector = find_people(options.detector, weights=options.detector_weights)
    written, there, unseen = add_masks(Path(os.path.expanduser(options.root)), detector)
    print(f"{written} masks written, {there} were there" + (f", {unseen} frames without: the annotated person is not seen in them"
                                                          if unseen else ""))


if __name__ == "__main__":
    command(main)
