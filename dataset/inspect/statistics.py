"""How the poses of a list move, and which of its rows look wrong.

Axes: N rows, T + 1 frames (source first), J = 13 joints, all in pixels of the frame. A row's *size* is the longer side of the box
around all its joints. Thresholds are fractions of it, because people fill different parts of a frame.
"""
from typing import NamedTuple

import numpy as np

from pose.skeleton import ANKLES, ELBOWS, HIPS, KNEES, SHOULDERS, WRISTS

STATIC = 0.004             # windows with a smaller mean displacement per step count as static
JUMP = 0.5                 # displacement of a joint in one step, against the rest of the body
BONE = 0.25                # change of a bone's length in one step; perspective changes it too, but more slowly
SWAP_WIDTH = 0.06          # left and right joints that are closer than this are not compared
SWAP_GAIN = 0.4            # sides are swapped if exchanging them leaves less than this fraction of the motion
OUTSIDE = 0.02             # tolerance for joints outside the frame, as a fraction of its longer side
GROUPS = {"arms": (SHOULDERS, ELBOWS, WRISTS), "legs": (HIPS, KNEES, ANKLES)}
BONES = tuple((start, end) for first, second in ((SHOULDERS, ELBOWS), (ELBOWS, WRISTS), (HIPS, KNEES), (KNEES, ANKLES))
              for start, end in zip(first, second))


class Findings(NamedTuple):
    """Measurements of N rows."""

    displacement: np.ndarray   # (N,) mean displacement of a joint per step, pixels
    relative: np.ndarray       # (N,) the same, as a fraction of the row's size
    static: np.ndarray         # (N,) bool
    reasons: dict              # problem -> (N,) float, how large it is; 0: none


def measure(poses, frame_size=None, same_frame=None):
    """Measure rows; returns :class:`Findings`.

    Args:
        poses: (N, T + 1, 13, 2) pixels, source first.
        frame_size: (N, 2) h, w of the rows' frames, NaN where unknown; None: unknown.
        same_frame: (N,) bool, whether a row has the same frame twice; None: no row does.
    """
    flat = poses.reshape(len(poses), -1, 2)
    size = np.maximum((flat.max(1) - flat.min(1)).max(-1), 1.0)[:, None]                     # (N, 1)
    moves = np.diff(poses, axis=1)                                                           # (N, T, J, 2)
    lengths = np.linalg.norm(moves, axis=-1)
    displacement = lengths.mean((1, 2))
    static = displacement / size[:, 0] < STATIC
    own = np.linalg.norm(moves - np.median(moves, 2, keepdims=True), axis=-1).max((1, 2))    # relative to the body
    limbs = np.stack([np.linalg.norm(poses[:, :, start] - poses[:, :, end], axis=-1) for start, end in BONES], -1)
    bones = np.abs(np.diff(limbs, axis=1)).max((1, 2))                                       # (N,) largest change
    reasons = {"stands still": static * (1 - displacement / size[:, 0]),
               "a joint jumps": np.where(own > JUMP * size[:, 0], own / size[:, 0], 0),
               "a bone changes its length": np.where(bones > BONE * size[:, 0], bones / size[:, 0], 0),
               "sides are swapped between frames": swaps(poses, size)}
    if same_frame is not None:
        reasons["one frame is there twice"] = same_frame.astype(float)
    if frame_size is not None:
        limit = frame_size[:, None, None, ::-1]                                              # (N, 1, 1, 2) w, h
        slack = OUTSIDE * np.nan_to_num(frame_size.max(1), nan=np.inf)
        beyond = np.nan_to_num(np.maximum(-poses, poses - limit).max((1, 2, 3)), nan=-np.inf)
        reasons["a joint lies outside the frame"] = np.where(beyond > slack, beyond / size[:, 0], 0)
    return Findings(displacement, displacement / size[:, 0], static, reasons)


def swaps(poses, size):
    """(N,) how much exchanging left and right would shorten the motion of a step, as a fraction of the size (N, 1).

    Arms and legs are judged separately, because detectors often swap only one of them.
    """
    worst = np.zeros(len(poses))
    for pairs in GROUPS.values():
        left, right = (poses[:, :, [pair[side] for pair in pairs]] for side in (0, 1))       # (N, T + 1, 3, 2)
        kept = _shift(left, left) + _shift(right, right)                                     # (N, T)
        swapped = _shift(left, right) + _shift(right, left)
        apart = np.linalg.norm(left - right, axis=-1).mean(-1)                               # (N, T + 1)
        wide = np.minimum(apart[:, 1:], apart[:, :-1]) > SWAP_WIDTH * size
        worst = np.maximum(worst, np.where(wide & (swapped < SWAP_GAIN * kept), (kept - swapped) / size, 0).max(1))
    return worst


def _shift(before, after):
    """Mean displacement (N, T) from joints in a frame to joints in the next one."""
    return np.linalg.norm(after[:, 1:] - before[:, :-1], axis=-1).mean(-1)


def suspicious(findings):
    """Dict from row numbers to their problems, the worst row of each problem first, then the second of each, ..."""
    found = {}
    orders = [[(name, row) for row in np.argsort(-amount, kind="stable")[:np.count_nonzero(amount)].tolist()]
              for name, amount in findings.reasons.items()]
    for place in range(max(map(len, orders), default=0)):
        for order in orders:
            if place < len(order):
                name, row = order[place]
                found.setdefault(row, []).append(name)
    return found
