"""Ten body parts: where each part lies in a picture, and the affine map that moves it from one pose to another.

A part is a segment between two joints or means of joints. Its map rotates and stretches the segment onto the target's segment and
keeps the width, so that a foreshortened arm does not get thin. The torso's width follows the shoulders and hips.

Sources: Balakrishnan, Zhao, Dalca, Durand, Guttag: Synthesizing Images of Humans in Unseen Poses, CVPR 2018 (a body as moved
layers); Siarohin, Sangineto, Lathuiliere, Sebe: Deformable GANs for Pose-based Human Image Generation, CVPR 2018 (one affine map
for each part).

A joint that is not finite is missing, and a part with a missing joint does not move. No function returns NaN.

Axes: B batch, J = 13 joints, K = 10 parts, C channels, P side of a picture. Coordinates are normalised: -1 and 1 are the
picture's outer edges, `pixel = (p + 1) / 2 * P`, and pixel centres lie at halves.
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F

from networks.layers import constant
from pose.skeleton import HIPS, SHOULDERS


class Part(NamedTuple):
    """One part of the body."""

    start: tuple               # joints (pose.skeleton.JOINTS) whose mean is its start
    end: tuple                 # joints whose mean is its end
    radius: float              # half of its width, as a fraction of the torso's length
    beyond: float              # how far it extends past its end, as a fraction of its length: hands and feet have no joints
    order: float               # initial depth order: parts with higher numbers lie in front
    stretch: float             # limit of the factor by which its length changes
    solid: bool = False        # arms, whose core is always opaque


PARTS = {
    "head": Part((1, 2), (0, 0), 0.5, 0.6, 1.0, 1.25), "torso": Part((1, 2), (7, 8), 0.6, 0.0, 0.0, 2.0),
    "left_upper_arm": Part((1, 1), (3, 3), 0.26, 0.0, 1.5, 2.0, True),
    "right_upper_arm": Part((2, 2), (4, 4), 0.26, 0.0, 1.5, 2.0, True),
    "left_forearm": Part((3, 3), (5, 5), 0.23, 0.35, 2.0, 2.0, True),
    "right_forearm": Part((4, 4), (6, 6), 0.23, 0.35, 2.0, 2.0, True),
    "left_thigh": Part((7, 7), (9, 9), 0.3, 0.0, 0.3, 2.0), "right_thigh": Part((8, 8), (10, 10), 0.3, 0.0, 0.3, 2.0),
    "left_shin": Part((9, 9), (11, 11), 0.25, 0.14, 0.2, 2.0), "right_shin": Part((10, 10), (12, 12), 0.25, 0.14, 0.2, 2.0),
}
K = len(PARTS)
NAMES = list(PARTS)
TORSO = NAMES.index("torso")
FOREARMS = (NAMES.index("left_forearm"), NAMES.index("right_forearm"))     # one after the other
ARMS = slice(NAMES.index("left_upper_arm"), FOREARMS[1] + 1)
ENDS = tuple((part.start, part.end) for part in PARTS.values())
TORSO_DEPTH = 0.35             # width of a torso seen from the side, as a fraction of its length
POINT = 1e-3                   # a shorter segment has no direction
SHORTEST_TORSO = 0.1           # normalised; lower limit of the length that scales all radii


def full_precision(tensor):
    """A context without autocast: in bfloat16 a coordinate is off by one pixel of 256."""
    return torch.autocast(tensor.device.type, enabled=False)


def column(like, field):
    """One field of all parts as a tensor (K,) of the dtype and device of `like`."""
    return constant(tuple(getattr(part, field) for part in PARTS.values()), like.device, like.dtype)


def segments(pose):
    """The ends of all parts of a pose (B, J, 2), hands and feet included.

    Returns:
        starts and ends (B, K, 2, 2), 0 where a joint is missing; and (B, K) bool, False for those parts.
    """
    ends = pose[:, constant(ENDS, pose.device)].mean(3)                                     # (B, K, 2, 2)
    present = ends.isfinite().flatten(2).all(-1)                                            # (B, K)
    ends = torch.where(present[..., None, None], ends, 0)
    start, end = ends.unbind(2)
    return torch.stack([start, end + column(pose, "beyond")[:, None] * (end - start)], 2), present


def torso_length(*poses):
    """Length (B,) of the longest torso among poses (B, J, 2) of the same people, at least `SHORTEST_TORSO`."""
    ends = torch.stack([segments(pose)[0][:, TORSO] for pose in poses])                     # (poses, B, 2, 2)
    square = (ends[..., 1, :] - ends[..., 0, :]).square().sum(-1).amax(0)                   # (B,)
    return square.clamp(min=SHORTEST_TORSO ** 2).sqrt()


def torso_width(pose, length):
    """Apparent width (B,) of the torso: the mean of shoulders and hips, and never less than its depth."""
    square = sum((pose[:, right] - pose[:, left]).square().sum(-1) for left, right in (SHOULDERS, HIPS)) / 2
    return (torch.where(square.isfinite(), square, 0) + (TORSO_DEPTH * length).square()).sqrt()


def part_maps(source_pose, target_pose):
    """The affine map of each part between two poses (B, J, 2).

    Returns:
        (B, K, 2, 3) `[m | t]`: the point p of the target picture shows the point `m p + t` of the source picture.
    """
    with full_precision(source_pose):
        (source, in_source), (target, in_target) = segments(source_pose), segments(target_pose)
        a, b = source[:, :, 1] - source[:, :, 0], target[:, :, 1] - target[:, :, 0]         # (B, K, 2) each
        directed = in_source & in_target & (a.square().sum(-1) > POINT ** 2) & (b.square().sum(-1) > POINT ** 2)
        unit = constant((1, 0), a.device, a.dtype)
        a, b = (torch.where(directed[..., None], ends, unit) for ends in (a, b))
        long_a, long_b = a.square().sum(-1).sqrt(), b.square().sum(-1).sqrt()               # (B, K) each
        most = column(a, "stretch")
        along = torch.minimum(torch.maximum(long_a / long_b, 1 / most), most)
        across = torch.ones_like(along)
        scale = torso_length(source_pose, target_pose)
        width = (torso_width(source_pose, scale) / torso_width(target_pose, scale)).clamp(0.5, 2)
        across = torch.where(torch.arange(K, device=a.device) == TORSO, width[:, None], across)
        turn_a, turn_b = axes(a / long_a[..., None]), axes(b / long_b[..., None])           # (B, K, 2, 2) each
        matrix = turn_a * torch.stack([along, across], -1)[..., None, :] @ turn_b.mT
        # a part whose stretch is limited stays attached to the body at its start
        shift = source[:, :, 0] - (matrix @ target[:, :, 0, :, None])[..., 0]               # (B, K, 2)
        moved = torch.cat([matrix, shift[..., None]], -1)
        return torch.where((in_source & in_target)[..., None, None], moved, torch.eye(2, 3, out=moved.new_empty(2, 3)))


def axes(direction):
    """Rotations (B, K, 2, 2) whose first column is a unit vector (B, K, 2)."""
    x, y = direction.unbind(-1)
    return torch.stack([torch.stack([x, -y], -1), torch.stack([y, x], -1)], -2)


def picture_points(size, like):
    """Pixel centres (height, width, 2), as x and y, of a picture of `size` (height, width), of the dtype and device of `like`."""
    y, x = (torch.arange(0.5, side, dtype=like.dtype, device=like.device) * (2 / side) - 1 for side in size)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def distances(pose, scale, size, farthest=12.0):
    """Squared distance of each pixel to each part's segment, in units of the part's radius.

    Args:
        pose: (B, J, 2).
        scale: (B,) length of the torso, see :func:`torso_length`.
        size: (height, width) of the result.
        farthest: upper limit, and the distance to a missing part.
    Returns:
        (B, K, height, width).
    """
    with full_precision(pose):
        ends, present = segments(pose)
        start, along = ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]                         # (B, K, 2) each
        square = along.square().sum(-1).clamp(min=POINT ** 2)                               # (B, K)
        radius = scale[:, None] * column(scale, "radius")                                   # (B, K)
        points = picture_points(size, pose)                                                 # (H, W, 2)
        x, y = (points[..., axis] - start[..., axis, None, None] for axis in (0, 1))        # (B, K, H, W) each
        dx, dy = along[..., 0, None, None], along[..., 1, None, None]
        nearest = ((x * dx + y * dy) / square[..., None, None]).clamp(0, 1)                 # position along the segment
        distance = (x - nearest * dx).square() + (y - nearest * dy).square()
        near = (distance / radius[..., None, None].square()).clamp(max=farthest)
        return torch.where(present[..., None, None], near, farthest)


def movement(source_pose, target_pose):
    """Largest displacement (B, K) of the joints of each part, normalised; 0 where a joint is missing."""
    square = (target_pose - source_pose).square().sum(-1)                                   # (B, J)
    square = torch.where(square.isfinite(), square, 0)
    return square[:, constant(ENDS, square.device)].amax((-1, -2)).sqrt()


def move_parts(layers, maps, size, shifts=0):
    """Move the layers of all parts to their places in a target picture.

    Args:
        layers: (B, K, 4, P, P) colours and alpha of each part.
        maps: (B, K, 2, 3) of :func:`part_maps`.
        size: (height, width) of the target picture.
        shifts: (B, K, 2, height, width) added to the points of the source that are looked up, normalised.
    Returns:
        colours (B, K, 3, height, width) and alphas (B, K, height, width), which are 0 outside the source picture.
    """
    with full_precision(layers):
        points = F.pad(picture_points(size, maps).flatten(0, 1), (0, 1), value=1)           # (h w, 3)
        grid = (maps @ points.mT).unflatten(3, size) + shifts                               # (B, K, 2, h, w)
        inside = (grid.abs() <= 1).all(2)
        moved = F.grid_sample(layers.flatten(0, 1), grid.flatten(0, 1).movedim(1, -1), padding_mode="border",
                              align_corners=False).unflatten(0, maps.shape[:2])
        return moved[:, :, :3], moved[:, :, 3].clamp(0, 1) * inside
