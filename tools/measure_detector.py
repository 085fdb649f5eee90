"""Measure how well BlazePose finds people, against a data set's own joints and masks.

    python -m tools.measure_detector --root DIR [--every 4] [--clips N] [--weights PATH]

Measured are single pictures, the first and the middle frame of every fourth clip, and whole videos, in which people are followed
and smoothed as in `dataset.from_video`. Distances are divided by the length of the annotated torso: the median over visible
joints, and the median and the 90 % quantile of the frames' means. Masks with refined edges are compared at a threshold of 0.5, if
the data set has any (masks/NNNN/*.png beside frames/); a frame in which no mask is found has an IoU of 0. Frames a second are of
processor time, without the edges of masks.
"""
import argparse
import json
import os
import time
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from dataset.from_video.tracking import clean, main_person
from dataset.penn_action import find_labels, read_annotation
from pose.blazepose import BlazePose
from pose.masks import mask_of
from pose.skeleton import torso_vector
from utils.errors import UserError, command

FPS = 25                     # assumed frames a second of the videos: smoothing then spans five frames


class Scores:
    """Measurements of many frames."""

    def __init__(self):
        self.missed, self.joints, self.means, self.overlaps, self.seconds, self.frames = 0, [], [], [], 0.0, 0

    def timed(self, detect, picture):
        start = time.process_time()
        people = detect(picture)
        self.seconds += time.process_time() - start
        return people

    def add(self, joints, mask, annotated, visible, true_mask):
        """Compare joints (13, 2) and mask (h, w) found, or None and None, with the annotation."""
        self.frames += 1
        if true_mask is not None:
            one, other = mask > 0.5 if mask is not None else np.zeros(true_mask.shape, bool), true_mask > 0.5
            self.overlaps.append(float((one & other).sum() / max(1, (one | other).sum())))
        if joints is None:
            self.missed += 1
            return
        length = np.linalg.norm(torso_vector(annotated))
        distances = np.linalg.norm(joints - annotated, axis=1)[visible] / max(length, 1.0)
        self.joints += distances.tolist()
        self.means += [float(distances.mean())] if len(distances) else []

    def summary(self):
        """The results: name -> number."""
        def quantile(values, at):
            return round(float(np.quantile(values, at)), 4) if values else None
        return {"frames": self.frames, "missed": self.missed, "joint_median": quantile(self.joints, 0.5),
                "frame_median": quantile(self.means, 0.5), "frame_90": quantile(self.means, 0.9),
                "mask_iou_median": quantile(self.overlaps, 0.5),
                "mask_iou_10": quantile(self.overlaps, 0.1), "frames_per_second": round(self.frames / max(self.seconds, 1e-9), 1)}


def frame(root, name, number):
    """Frame `number`, from 0, of a clip: (h, w, 3) uint8 RGB, and its mask (h, w) float32 in [0, 1] or None."""
    path = root / "frames" / name / f"{number + 1:06d}.jpg"
    picture = cv2.imread(str(path))
    if picture is None:
        raise UserError(f"{path}: this frame is missing or cannot be read")
    mask = cv2.imread(str(root / "masks" / name / f"{number + 1:06d}.png"), cv2.IMREAD_GRAYSCALE)
    return np.ascontiguousarray(picture[..., ::-1]), None if mask is None else mask / np.float32(255)


def measure(root, clips, blazepose):
    """Scores of single pictures (the most prominent person) and of whole videos (the main person), as JSON data."""
    pictures, videos = Scores(), Scores()
    for name, joints, visible in tqdm(clips, unit="clip", disable=None, leave=False):
        frames = [frame(root, name, number) for number in range(len(joints))]
        for number in (0, len(joints) // 2):
            picture, mask = frames[number]
            people = pictures.timed(blazepose.detect, picture)
            found = (people[0].joints, mask_of(picture, people[0], people[1:])) if people else (None, None)
            pictures.add(*found, joints[number], visible[number], mask)
        tracker, times = blazepose.tracker(), np.arange(len(joints)) / FPS
        people = [videos.timed(tracker.detect, picture) for picture, _ in frames]
        persons = main_person(people, times)
        track = clean(persons, times)
        for number, (picture, mask) in enumerate(frames):
            person, others = persons[number], [other for other in people[number] if other is not persons[number]]
            videos.add(track.joints[number] if track.present[number] else None,
                       None if person is None else mask_of(picture, person, others), joints[number], visible[number], mask)
    return {"pictures": pictures.summary(), "videos": videos.summary()}


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.measure_detector", description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="data set in Penn Action's layout, with masks if there are any")
    parser.add_argument("--every", type=int, default=4, help="measure every Nth clip (default: %(default)s)")
    parser.add_argument("--clips", type=int, help="largest number of clips")
    parser.add_argument("--weights", help="wheel of mediapipe, or folder of its two files")
    options = parser.parse_args()
    root = Path(os.path.expanduser(options.root))
    annotations = [(path.stem, read_annotation(path)) for path in find_labels(root)[::max(1, options.every)][:options.clips]]
    clips = [(name, annotation.joints, annotation.visibility) for name, annotation in annotations]
    print(json.dumps(measure(root, clips, BlazePose(options.weights)), indent=2))


if __name__ == "__main__":
    command(main)
