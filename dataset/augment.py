"""Augmentation for generators: random changes of a window's pictures and poses together (mirror, colours, geometry).

Axes: n pictures, S their side, J = 13 joints. Pictures have values in [-1, 1], poses are normalised.
"""
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from pose.skeleton import mirror_pose

# probabilities: mirrored, brightness and contrast kept, colour channels permuted, moved
MIRRORED, PLAIN, SHUFFLED, MOVED = 0.5, 0.25, 0.3, 0.2
GAIN, OFFSET = 0.12, 0.1                                   # standard deviations; drawn for each channel and once for all
# of moved pictures: range of the scale, standard deviation of the rotation (radians), largest shift (normalised)
SCALES, TURN, SHIFT = (0.8, 1.3), 0.12, 0.2
WIDTH, SPOT, HOLE = 0.5, 0.15, 0.6                         # probabilities: mask of another width, with a spot; the spot is a hole
SPOT_RADII = (0.015, 0.07)                                 # fractions of the picture's side
JITTERED, STEADIER = 0.3, 2 / 3                            # probability of jittered joints; deviation of targets to source


class Change(NamedTuple):
    """The changes of a window."""

    mirror: bool
    channels: tuple            # old channels of red, green and blue
    gain: torch.Tensor         # (3, 1, 1) factor of each channel
    offset: torch.Tensor       # (3, 1, 1), added after the factor
    matrix: torch.Tensor | None    # (2, 3): point p of the result was at `matrix @ (p, 1)`; None: nothing moves


NOTHING = Change(False, (0, 1, 2), torch.ones(3, 1, 1), torch.zeros(3, 1, 1), None)


def draw_change(random):
    """Draw a :class:`Change` with a numpy Generator, always with the same number of random numbers."""
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
    """Change pictures (n, 3, S, S) in [-1, 1]. Outside the picture its border is repeated."""
    pictures = pictures[:, list(change.channels)] * change.gain + change.offset
    return _moved(pictures.flip(-1) if change.mirror else pictures, change, "bilinear", "border").clamp(-1, 1)


def change_masks(masks, change, mode="nearest"):
    """Change masks (n, 1, S, S) in [0, 1], which are 0 outside the picture. `mode` is torch's "nearest" or "bilinear"."""
    return _moved(masks.flip(-1) if change.mirror else masks, change, mode, "zeros")


def roughen(mask, random):
    """Add the typical errors of a detector to a mask (1, S, S): thinner or thicker by a pixel, with a hole or a patch.

    `random` is a numpy Generator, which always draws the same number of random numbers.
    """
    width, spot, hole = random.random(3) < (WIDTH, SPOT, HOLE)
    thicker, place, radius = random.random() < 0.5, random.random(), random.uniform(*SPOT_RADII)
    if width:
        mask = F.max_pool2d(mask, 3, 1, 1) if thicker else -F.max_pool2d(-mask, 3, 1, 1)
    inside = (mask[0] > 0.5).nonzero()
    if spot and len(inside):
        rows, columns = (torch.arange(side) for side in mask.shape[1:])
        row, column = inside[int(place * len(inside))]
        near = (rows[:, None] - row).square() + (columns - column).square() <= (radius * mask.shape[-1]) ** 2
        mask = torch.where(near, 0.0 if hole else 1.0, mask)
    return mask


def change_poses(poses, change):
    """Change poses (n, J, 2); mirroring swaps left and right joints. Joints may end up outside the picture."""
    if change.mirror:
        poses = mirror_pose(poses)
    if change.matrix is not None:
        matrix = change.matrix.to(poses)
        poses = (poses - matrix[:, 2]) @ torch.linalg.inv(matrix[:, :2]).T
    return poses


def jitter_poses(poses, deviation, random):
    """Add the typical errors of a detector to poses (n, J, 2), source first, with probability `JITTERED`.

    `deviation` is the standard deviation of the source's joints, normalised; targets, which come from whole videos, have less.
    `random` is a numpy Generator, which always draws the same number of random numbers.
    """
    chosen, noise = random.random() < JITTERED, torch.from_numpy(random.normal(0, 1, poses.shape)).to(poses)
    noise[1:] *= STEADIER
    return poses + deviation * noise if chosen and deviation else poses


def _moved(pictures, change, mode, outside):
    if change.matrix is None:
        return pictures
    grid = F.affine_grid(change.matrix.to(pictures).expand(len(pictures), -1, -1), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, mode, outside, align_corners=False)
