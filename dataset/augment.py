"""Changes of a row's pictures and poses that keep true what a generator learns from it: mirror, colours, geometry.

Axes: n pictures, S their side, J = 13 joints. Pictures are in [-1, 1], poses normalised, pixel centres at halves.
"""
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from pose.skeleton import mirror_pose

MIRRORED, PLAIN, SHUFFLED, MOVED = 0.5, 0.25, 0.3, 0.2     # shares of rows: mirrored, of true colours, channels mixed, moved
GAIN, OFFSET = 0.12, 0.1                                   # deviations, of each channel and of all alike
SCALES, TURN, SHIFT = (0.8, 1.3), 0.12, 0.2                # of the part of the picture that is shown; radians, normalised


class Change(NamedTuple):
    """What happens to a row."""

    mirror: bool
    channels: tuple            # which channel becomes red, green and blue
    gain: torch.Tensor         # (3, 1, 1), and then
    offset: torch.Tensor       # (3, 1, 1) are applied to the channels
    matrix: torch.Tensor | None    # (2, 3): the result's point p shows the point `matrix @ (p, 1)`; None: nothing moves


NOTHING = Change(False, (0, 1, 2), torch.ones(3, 1, 1), torch.zeros(3, 1, 1), None)


def draw_change(random):
    """A :class:`Change` that follows from a numpy Generator, of which it always takes as many numbers."""
    mirror, plain, shuffled, moved = random.random(4) < (MIRRORED, PLAIN, SHUFFLED, MOVED)
    channels = random.permutation(3)
    gain, offset = (random.normal(0, deviation, (3, 1, 1)) + random.normal(0, deviation) for deviation in (GAIN, OFFSET))
    scale, turn, shift = random.uniform(*SCALES), random.normal(0, TURN), random.uniform(-SHIFT, SHIFT, 2)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    matrix = torch.tensor([[cos, -sin, shift[0]], [sin, cos, shift[1]]], dtype=torch.float32)
    return Change(bool(mirror), tuple(channels.tolist()) if shuffled else (0, 1, 2),
                  torch.ones(3, 1, 1) if plain else torch.from_numpy(1 + gain).float(),
                  torch.zeros(3, 1, 1) if plain else torch.from_numpy(offset).float(), matrix if moved else None)


def change_pictures(pictures, change):
    """(n, 3, S, S) -> (n, 3, S, S) in [-1, 1]; what comes in from outside shows the border."""
    pictures = pictures[:, list(change.channels)] * change.gain + change.offset
    return _moved(pictures.flip(-1) if change.mirror else pictures, change, "bilinear", "border").clamp(-1, 1)


def change_masks(masks, change):
    """(n, 1, S, S) of 0 and 1 -> the same; outside there is nothing."""
    return _moved(masks.flip(-1) if change.mirror else masks, change, "nearest", "zeros")


def change_poses(poses, change):
    """(n, J, 2) -> (n, J, 2); of a mirrored person left and right change names. Joints may come to lie outside the picture."""
    if change.mirror:
        poses = mirror_pose(poses)
    if change.matrix is not None:
        matrix = change.matrix.to(poses)
        poses = (poses - matrix[:, 2]) @ torch.linalg.inv(matrix[:, :2]).T
    return poses


def _moved(pictures, change, mode, outside):
    if change.matrix is None:
        return pictures
    grid = F.affine_grid(change.matrix.to(pictures).expand(len(pictures), -1, -1), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, mode, outside, align_corners=False)
