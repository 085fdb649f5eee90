"""Which joints of a list's windows are visible. Only the annotations tell: a list has no such column."""
from pathlib import Path

import numpy as np
import torch

from dataset.pair_list import Window
from dataset.penn_layout import read_annotation

ROUNDED = 1               # pixels; the published lists hold whole numbers


def visibility(dataset, rows):
    """Whether the joints of N windows are visible, (N, T + 1, J) bool, source first, from `labels/VIDEO.mat`.

    Without an annotation, or with one that does not hold the poses of the list, all joints of a video count as visible.

    Args:
        dataset: :class:`dataset.image_loader2.PennActionPairs`.
        rows: (N,) indices of the windows.
    """
    videos, poses = {}, dataset.rows.poses[rows]
    for place, row in enumerate(rows):
        videos.setdefault(dataset.frame_path(row, 0).parent.name, []).append(place)
    visible = np.ones(poses.shape[:-1], bool)
    for video, places in videos.items():
        path = Path(dataset.data_root) / "labels" / f"{video}.mat"
        if path.is_file():
            numbers = np.array([[Window.of(frame, frame).numbers[1] for frame in dataset.rows.frames[rows[place]]]
                                for place in places])
            visible[places] = annotated_visibility(read_annotation(path), numbers, poses[places])
    return torch.from_numpy(visible)


def annotated_visibility(annotation, numbers, poses):
    """The visibility of poses (n, T + 1, J, 2) in frames with these numbers (n, T + 1).

    The number of the first frame, 1 in Penn Action and elsewhere often 0, is the one with which the annotated poses fit best.
    """
    def error(first):
        there = annotation.visibility[numbers - first]
        return np.abs(annotation.joints[numbers - first] - poses)[there].max(initial=0)

    possible = range(numbers.max() - len(annotation.joints) + 1, numbers.min() + 1)
    best = min(sorted(possible, key=lambda first: abs(first - 1)), key=error, default=None)
    return annotation.visibility[numbers - best] if best is not None and error(best) < ROUNDED else True
