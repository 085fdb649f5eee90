"""Let people who wave begin at rest.

    python -m dataset.from_rest ROOT OUT --actions wave_one_hand,wave_two_hands

Films of waving often begin in the middle of it, so a pose module that learns from them alone does not know how the arms of a
person at rest get there. OUT gets a copy of ROOT's annotations. In those of the named actions, every arm that is up in the first
frame hangs at first and then swings up sideways; as many frames are cut off at the end. The pictures stay as they are, so OUT
is for the pose module alone.
"""
import argparse
import os
from collections import Counter
from pathlib import Path

import numpy as np

from dataset.penn_action import plain
from dataset.penn_layout import RATES, label_bytes, read_annotations
from pose.skeleton import ELBOWS, HIPS, SHOULDERS, WRISTS
from utils.errors import UserError, command
from utils.files import write_bytes

STILL, RISE = (1, 2, 3, 4), (7, 8, 9, 10, 11)     # numbers of frames, which change from video to video
HANGING = np.radians(8)                           # angle between a hanging arm and straight down, outwards
UP = 0.6                                          # an arm is up if its wrist is above this fraction of shoulder to hip


def from_rest(joints, still, rise):
    """Prepend `still` + `rise` frames at rest to a motion: joints (n, J, 2) in pixels -> its first n frames, (n, J, 2)."""
    ease = np.concatenate([np.zeros(still), np.linspace(0, 1, rise, endpoint=False)])
    ease = (ease * ease * (3 - 2 * ease))[:, None]                                   # (still + rise, 1)
    before = np.repeat(joints[:1], len(ease), 0)
    for shoulder, elbow, wrist, hip in zip(SHOULDERS, ELBOWS, WRISTS, HIPS):
        low = joints[0, shoulder, 1] + UP * (joints[0, hip, 1] - joints[0, shoulder, 1])
        if joints[0, wrist, 1] > low:
            continue
        outwards = np.sign(joints[0, shoulder, 0] - joints[0, list(SHOULDERS), 0].mean()) or 1.0
        for start, end in ((shoulder, elbow), (elbow, wrist)):
            limbs = joints[:, end] - joints[:, start]                                # (n, 2)
            long, now = np.quantile(np.linalg.norm(limbs, axis=-1), 0.9), np.linalg.norm(limbs[0])
            angle = np.arctan2(outwards * limbs[0, 0], limbs[0, 1])                  # from straight down, outwards
            angle += 2 * np.pi * (angle < -np.pi / 4)                                # a hand above the head got there sideways
            angle, length = HANGING + ease * (angle - HANGING), long + ease * (now - long)
            before[:, end] = before[:, start] + length * np.concatenate([outwards * np.sin(angle), np.cos(angle)], 1)
    return np.concatenate([before, joints])[:len(joints)]


def convert(root, out, actions):
    """Write the annotations of `root` into `out`, those of the named actions from rest: (files, changed files).

    Raises:
        UserError: no annotations, or none of one of the actions.
    """
    changed, names, files = Counter(), {plain(name) for name in actions}, {}
    for annotation in read_annotations(root):
        action, joints, visible = plain(annotation.action), annotation.joints, annotation.visibility
        if action in names:
            changed[action] += 1
            still, rise = STILL[changed[action] % len(STILL)], RISE[changed[action] % len(RISE)]
            joints = from_rest(joints, still, rise)
            visible = np.concatenate([np.repeat(visible[:1], still + rise, 0), visible])[:len(visible)]
        size = annotation.size[::-1]
        files[f"{annotation.video}.mat"] = label_bytes(annotation.action, "front", joints, size, annotation.train, visible)
    for name in actions:
        if plain(name) not in changed:
            raise UserError(f"{root}: there is no video of {name}; --actions names the actions that are to begin at rest")
    (out / "labels").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_bytes(out / "labels" / name, content)
    if (root / RATES).is_file():
        write_bytes(out / RATES, (root / RATES).read_bytes())
    return len(files), changed.total()


def main():
    parser = argparse.ArgumentParser(prog="python -m dataset.from_rest", description=__doc__.splitlines()[0])
    parser.add_argument("root", metavar="ROOT", help="folder that holds labels/")
    parser.add_argument("out", metavar="OUT", help="folder whose labels/ are written")
    parser.add_argument("--actions", required=True, metavar="A,B,...", help="names of the actions whose clips begin at rest")
    options = parser.parse_args()
    root, out = (Path(os.path.expanduser(folder)) for folder in (options.root, options.out))
    if root.resolve() == out.resolve():
        parser.error("OUT is ROOT; the annotations would be overwritten")
    written, changed = convert(root, out, [name.strip() for name in options.actions.split(",")])
    print(f"{written} annotations written, {changed} of them begin at rest now")


if __name__ == "__main__":
    command(main)
