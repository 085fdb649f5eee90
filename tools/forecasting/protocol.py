"""The protocol of Chao et al. ("Forecasting Human Dynamics from Static Images", CVPR 2017), which TP-RNN follows (Chiu et al.,
"Action-Agnostic Human Pose Forecasting", WACV 2019): which frames are predicted, in which coordinates, and the score.

All 15 actions and the annotations' own split count. Every frame of a video is the source of a row. Its 16 targets lie
floor((n - 1) / 17) frames apart in a video of n frames (at least one); where the video ends before, its last frame repeats.
Coordinates are normalised by the box of all joints of the video. A predicted joint is right if it lies within 0.05 of the longer
side of the box; the score, PCK@0.05, is the share of the right ones among the joints that are visible.

Axes: N rows, T = 16 steps, J = 13 joints.
"""
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dataset.penn_action import find_labels, read_annotation

STEPS = 16
RADIUS = 0.1              # of [-1, 1], which the longer side of the box fills: 0.05 of it


class Rows(NamedTuple):
    """Rows of one part of the split."""

    poses: torch.Tensor      # (N, T + 2, J, 2) float32: the frame one stride before the source, the source, the targets
    visible: torch.Tensor    # (N, T, J) bool, of the targets
    action: torch.Tensor     # (N,) int64, number among all names of actions in alphabetical order


def normalised(joints):
    """Joints (n, J, 2) of a video, pixels -> [-1, 1]: the longer side of the box of all of them fills it."""
    low, high = joints.min((0, 1)), joints.max((0, 1))
    return 2 * (joints - (low + high) / 2) / max(1e-6, (high - low).max())


def video_rows(annotation):
    """The rows of a :class:`dataset.penn_action.Annotation`: (poses, visible) as in :class:`Rows`, arrays."""
    count = len(annotation.joints)
    stride, source = max(1, (count - 1) // (STEPS + 1)), np.arange(count)[:, None]
    frames = (source + stride * np.arange(-1, STEPS + 1)).clip(0, count - 1)         # (n, T + 2)
    return normalised(annotation.joints)[frames].astype(np.float32), annotation.visibility[frames[:, 2:]]


def read_rows(root):
    """The rows of all annotations under a folder: ({True: training, False: test} of :class:`Rows`, names of the actions)."""
    annotations = [read_annotation(path) for path in find_labels(Path(root))]
    names, found = sorted({annotation.action for annotation in annotations}), {}
    for train in (True, False):
        parts = [(*video_rows(each), np.full(len(each.joints), names.index(each.action)))
                 for each in annotations if each.train == train]
        poses, visible, action = (torch.from_numpy(np.concatenate(part)) for part in zip(*parts))
        found[train] = Rows(poses, visible, action)
    return found, names


def pck(predicted, rows):
    """PCK@0.05 of poses (N, T, J, 2) at each step: (T,), percent."""
    right = ((predicted - rows.poses[:, 2:]).norm(dim=-1) < RADIUS) & rows.visible
    return 100 * right.sum((0, 2)) / rows.visible.sum((0, 2))
