"""Draw what is still bad in sampled motions: one line for each fault, true motion beside two samples.

    python -m tools.motion_strip poses.npz docs/motion.jpg

The file of poses is what a test writes with `--save_poses`. For each of `FAULTS` the rows of its action are ordered by the size
of the fault, and the row at `RANK` is drawn: worse than most others, but not the worst. Of its samples the one with the median
distance to the truth and the nearest one are drawn.

Axes: N rows, K samples, T steps, J = 13 joints.
"""
import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from evaluation.motion_metrics import bone_change, joint_distance, onset_step, smoothed, wrist_speeds
from evaluation.row_files import read_poses
from pose.drawing import MIDDLE, draw_skeleton
from utils.errors import UserError, command
from utils.media import write_image
from utils.transform import to_pixels

RANK = 0.9                      # share of an action's rows whose fault is smaller than that of the row that is drawn
SHOWN = 6                       # poses of a motion, the source among them
SIDE, GAP, TITLE = 72, 12, 18   # pixels: side of a pose, between two motions, height of a line of text


def wrists(poses, source):
    """Speeds of the wrists, (..., T, 2), in smoothed poses (..., T, J, 2) that follow source (..., J, 2)."""
    return wrist_speeds(smoothed(poses, source), source)


def early(samples, truth, starts, source):
    """By how many steps the median of the samples begins before the truth: (N,)."""
    return onset_step(truth, source) - onset_step(samples, starts).median(1).values


def slow(samples, truth, starts, source):
    """By how much the largest speed of a wrist is smaller than in the truth: (N,)."""
    return wrists(truth, source).amax((-1, -2)) - wrists(samples, starts).amax((-1, -2)).mean(1)


def restless(samples, truth, starts, source):
    """By how much the wrists' paths are longer than in the truth: (N,)."""
    return wrists(samples, starts).sum((-1, -2)).mean(1) - wrists(truth, source).sum((-1, -2))


def elastic(samples, truth, starts, source):
    """By how much more the bones change their length in the picture than in the truth: (N,)."""
    return bone_change(samples, starts).mean(1) - bone_change(truth, source)


FAULTS = (("golf_swing", "the samples begin before the truth", early), ("baseball_pitch", "the hands are too slow", slow),
          ("pullup", "the samples move more than the truth", restless),
          ("tennis_serve", "arms and legs change their lengths", elastic))


def drawn_motion(motion, steps):
    """The poses of a motion (T + 1, J, 2) at some steps, side by side: (SIDE, len(steps) * SIDE, 3) uint8."""
    blank = np.full((SIDE, SIDE, 3), 24, np.uint8)
    return np.concatenate([draw_skeleton(blank, to_pixels(motion[step], SIDE).numpy()) for step in steps], 1)


def written(picture, text, left):
    """Write a text on the first line of a picture, in place, `left` pixels from its side."""
    cv2.putText(picture, text, (left + 2, TITLE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, MIDDLE, 1, cv2.LINE_AA)


def worse_row(fault):
    """The number of the row at `RANK` of the faults (N,)."""
    return int(fault.argsort()[round(RANK * (len(fault) - 1))])


def strip_line(poses, action, title, fault):
    """The line of one fault, a picture, or None without rows of the action; `poses` as :func:`read_poses` returns them."""
    chosen = poses["action"] == action
    if not chosen.any():
        return None
    samples, truth = (torch.from_numpy(poses[name][chosen]).float() for name in ("samples", "truth"))
    source, truth = truth[:, 0], truth[:, 1:]
    row = worse_row(fault(samples, truth, source[:, None].expand(-1, samples.shape[1], -1, -1), source))
    order = joint_distance(samples[row], truth[row]).mean(-1).argsort()              # (K,)
    steps = np.linspace(0, truth.shape[1], SHOWN).round().astype(int)
    motions = [drawn_motion(torch.cat([source[row, None], motion]), steps)
               for motion in (truth[row], samples[row, order[len(order) // 2]], samples[row, order[0]])]
    gap = np.zeros((SIDE, GAP, 3), np.uint8)
    line = np.concatenate([motions[0], gap, motions[1], gap, motions[2]], 1)
    head = np.zeros((TITLE, line.shape[1], 3), np.uint8)
    video, frame = (str(poses[name][chosen][row]) for name in ("video", "frame"))
    for number, text in enumerate((f"{action}: {title} (video {video}, frame {frame})", "a sample: the median one",
                                   "the nearest sample")):
        written(head, text, number * (motions[0].shape[1] + GAP))
    return np.concatenate([head, line])


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.motion_strip", description=__doc__.splitlines()[0])
    parser.add_argument("poses", help="file of poses that a test wrote with --save_poses")
    parser.add_argument("picture", type=Path, help="JPEG or PNG to write")
    options = parser.parse_args()
    if options.picture.suffix not in (".jpg", ".png"):
        raise UserError(f"{options.picture}: name a picture that ends in .jpg or .png")
    poses = read_poses(options.poses)
    lines = [line for line in (strip_line(poses, *fault) for fault in FAULTS) if line is not None]
    if not lines:
        raise UserError(f"{options.poses}: it holds none of the actions {', '.join(action for action, *_ in FAULTS)}")
    write_image(options.picture, np.concatenate(lines))
    print(f"{options.picture}: {len(lines)} lines, each the truth, the median sample and the nearest one")
    return 0


if __name__ == "__main__":
    command(main)
