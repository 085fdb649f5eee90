"""The body as ten parts of a picture: where each part lies, and how it moves from one pose to another.

A part is a segment between two joints or joint means. It moves by an affine map: its segment is turned and stretched onto the
target's segment, while its width keeps its scale, so that a foreshortened arm does not get thin. The torso's width follows the
shoulders and hips, and the head keeps its shape.

Sources: Balakrishnan, Zhao, Dalca, Durand, Guttag: Synthesizing Images of Humans in Unseen Poses, CVPR 2018 (a body as moved
layers); Siarohin, Sangineto, Lathuiliere, Sebe: Deformable GANs for Pose-based Human Image Generation, CVPR 2018 (one affine map
for each part).

Joints that are not finite are missing, and a part with a missing joint keeps its place. No function returns NaN.

Axes: B batch, J = 13 joints, K = 10 parts, C channels, P side of a picture. Coordinates are normalised: -1 and 1 are the
picture's outer edges, `pixel = (p + 1) / 2 * P`, and pixel centres lie at halves.
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F

from pose.skeleton import HIPS, SHOULDERS


class Part(NamedTuple):
    """One part of the body; lengths in shares of the torso's length, or of the part's own where it says so."""

    start: tuple               # joints (pose.skeleton.JOINTS) whose mean is where the part begins
    end: tuple                 # joints whose mean is where it ends
    radius: float              # half of its width
    beyond: float              # how far it reaches past its end, in shares of its own length: hands and feet have no joints
    order: float               # before training: parts with higher numbers lie in front
    stretch: float             # the largest factor by which it grows or shrinks in length
    solid: bool = False        # arms: whole around their middle, also where they are not seen


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
FOREARMS = (NAMES.index("left_forearm"), NAMES.index("right_forearm"))
ARMS = [k for k, part in enumerate(PARTS.values()) if part.solid]
DEPTH = 0.35                   # of a torso seen from the side, in shares of its length: so wide it is at least
POINT = 1e-3                   # a shorter segment has no direction
SHORTEST_TORSO = 0.1           # normalised; radii are taken from no shorter one


def full_precision(tensor):
    """A `with` block without autocast: a coordinate in bfloat16 is off by a pixel of 256."""
    return torch.autocast(tensor.device.type, enabled=False)


def column(like, field):
    """One field of all parts as a tensor (K,) of the kind of `like`."""
    return like.new_tensor([getattr(part, field) for part in PARTS.values()])


def segments(pose):
    """Find the ends of all parts.

    Args:
        pose: (B, J, 2).
    Returns:
        starts and ends (B, K, 2, 2), hands and feet included, 0 where a joint is missing; (B, K) bool, whether it is there.
    """
    ends = pose[:, [[part.start, part.end] for part in PARTS.values()]].mean(3)             # (B, K, 2, 2)
    present = ends.isfinite().flatten(2).all(-1)                                            # (B, K)
    ends = torch.where(present[..., None, None], ends, 0)
    start, end = ends.unbind(2)
    return torch.stack([start, end + column(pose, "beyond")[:, None] * (end - start)], 2), present


def torso_length(*poses):
    """Length of the longest torso (B,) among some poses (B, J, 2) of the same people, at least `SHORTEST_TORSO`."""
    ends = torch.stack([segments(pose)[0][:, TORSO] for pose in poses])                     # (poses, B, 2, 2)
    square = (ends[..., 1, :] - ends[..., 0, :]).square().sum(-1).amax(0)                   # (B,)
    return square.clamp(min=SHORTEST_TORSO ** 2).sqrt()


def torso_width(pose, length):
    """How wide a torso appears (B,): the mean of shoulders and hips, and never less than its depth."""
    square = sum((pose[:, right] - pose[:, left]).square().sum(-1) for left, right in (SHOULDERS, HIPS)) / 2
    return (torch.where(square.isfinite(), square, 0) + (DEPTH * length).square()).sqrt()


def part_maps(source_pose, target_pose):
    """Find where each part's pixels come from.

    Args:
        source_pose, target_pose: (B, J, 2).
    Returns:
        (B, K, 2, 3) `[m | t]`: the point p of the target picture shows the point `m p + t` of the source picture.
    """
    with full_precision(source_pose):
        (source, in_source), (target, in_target) = segments(source_pose), segments(target_pose)
        a, b = source[:, :, 1] - source[:, :, 0], target[:, :, 1] - target[:, :, 0]         # (B, K, 2) each
        directed = in_source & in_target & (a.square().sum(-1) > POINT ** 2) & (b.square().sum(-1) > POINT ** 2)
        unit = a.new_tensor([1, 0])
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
        # a part that is stretched less than its segment grows from its start, where it joins the body
        shift = source[:, :, 0] - (matrix @ target[:, :, 0, :, None])[..., 0]               # (B, K, 2)
        moved = torch.cat([matrix, shift[..., None]], -1)
        return torch.where((in_source & in_target)[..., None, None], moved, torch.eye(2, 3).to(moved))


def axes(direction):
    """The matrices (B, K, 2, 2) whose columns are unit vectors (B, K, 2) and the vectors at right angles to them."""
    x, y = direction.unbind(-1)
    return torch.stack([torch.stack([x, -y], -1), torch.stack([y, x], -1)], -2)


def picture_points(size, like):
    """Centres of the pixels of a picture of `size` (height, width): (height, width, 2) x, y of the kind of `like`."""
    y, x = (torch.arange(0.5, side, dtype=like.dtype, device=like.device) * (2 / side) - 1 for side in size)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def distances(pose, scale, size, farthest=12.0):
    """How far each pixel is from each part.

    Args:
        pose: (B, J, 2).
        scale: (B,) length of the torso, see :func:`torso_length`.
        size: (height, width) of the result.
        farthest: upper limit of the result.
    Returns:
        (B, K, height, width) squared distance to the part's segment in radii of the part; `farthest` for a missing part.
    """
    with full_precision(pose):
        ends, present = segments(pose)
        start, along = ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]                         # (B, K, 2) each
        square = along.square().sum(-1).clamp(min=POINT ** 2)                               # (B, K)
        radius = scale[:, None] * column(scale, "radius")                                   # (B, K)
        points = picture_points(size, pose)                                                 # (H, W, 2)
        x, y = (points[..., axis] - start[..., axis, None, None] for axis in (0, 1))        # (B, K, H, W) each
        dx, dy = along[..., 0, None, None], along[..., 1, None, None]
        share = ((x * dx + y * dy) / square[..., None, None]).clamp(0, 1)                   # where along the segment
        distance = (x - share * dx).square() + (y - share * dy).square()
        near = (distance / radius[..., None, None].square()).clamp(max=farthest)
        return torch.where(present[..., None, None], near, farthest)


def movement(source_pose, target_pose):
    """How far each part moves: the longest way (B, K) of a joint at its ends, normalised; 0 where a joint is missing."""
    way = (target_pose - source_pose).square().sum(-1)                                      # (B, J)
    way = torch.where(way.isfinite(), way, 0)
    joints = [part.start + part.end for part in PARTS.values()]
    return way[:, joints].amax(-1).sqrt()


def moved_grid(maps, size, offset=None):
    """Points of the source that a target picture shows, part by part.

    Args:
        maps: (B, K, 2, 3) of :func:`part_maps`.
        size: (height, width) of the target picture.
        offset: None or (B, K, 2, height, width), added to the points.
    Returns:
        (B, K, height, width, 2).
    """
    with full_precision(maps):
        points = picture_points(size, maps).flatten(0, 1)                                   # (h w, 2)
        grid = (F.pad(points, (0, 1), value=1) @ maps.mT).unflatten(2, size)                # (B, K, h, w, 2)
        return grid if offset is None else grid + offset.movedim(2, -1)


def sample_parts(layers, grid):
    """Look every part's layer up at its own points.

    Args:
        layers: (B, K, C, P, P), one picture for each part.
        grid: (B, K, height, width, 2) of :func:`moved_grid`.
    Returns:
        (B, K, C, height, width); points outside the picture show its border.
    """
    with full_precision(layers):
        sampled = F.grid_sample(layers.flatten(0, 1), grid.flatten(0, 1), padding_mode="border", align_corners=False)
        return sampled.unflatten(0, grid.shape[:2])


def sample_points(picture, points, mode="bilinear"):
    """Look a picture (C, P, P) up at single points (n, 2): (C, n). Points outside show its border. `mode` is that of torch's
    `grid_sample`; "bicubic" keeps more detail and takes longer."""
    with full_precision(picture):
        return F.grid_sample(picture[None], points[None, None], mode=mode, padding_mode="border", align_corners=False)[0, :, 0]
