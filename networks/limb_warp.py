"""Limbs as rigid pieces of a picture: where each lies in the target pose, and which source pixels it shows there.

A body has ten parts, each a segment between two joints or means of joints. Let `a` be the segment's vector and `c` its middle in
the source pose, `b` and `d` the same in the target pose, all as complex numbers. A similarity maps each point of the target
picture to the point of the source picture that it shows:

    p_source = c + m (p_target - d),        m = a / b, its modulus limited to 1 / LIMIT .. LIMIT

(Balakrishnan, Zhao, Dalca, Durand, Guttag: Synthesizing Images of Humans in Unseen Poses, CVPR 2018, equation 3; Siarohin,
Sangineto, Lathuiliere, Sebe: Deformable GANs for Pose-based Human Image Generation, CVPR 2018, section 3.2.)

Everything is differentiable, runs in float32 and float64 and never gives NaN. Joints that are not finite are missing; a part with
a missing joint keeps its place. A part that is a single point in either pose is shifted, but not turned or scaled.

Axes: B batch, J = 13 joints, K = 10 parts, C channels, S side of the network's pictures, P of any picture. Coordinates are
normalised, -1 and 1 being the picture's outer edges: `pixel = (p + 1) / 2 * P`, and pixel centres lie at halves.
"""
import torch
import torch.nn.functional as F

from networks.body_parts import full_precision, picture_points

# part: joints whose mean is its start, those of its end (pose.skeleton.JOINTS), and its radius in lengths of the torso
PARTS = {
    "head": ((1, 2), (0, 0), 0.5), "torso": ((1, 2), (7, 8), 0.6),
    "left_upper_arm": ((1, 1), (3, 3), 0.28), "right_upper_arm": ((2, 2), (4, 4), 0.28),
    "left_forearm": ((3, 3), (5, 5), 0.25), "right_forearm": ((4, 4), (6, 6), 0.25),
    "left_thigh": ((7, 7), (9, 9), 0.3), "right_thigh": ((8, 8), (10, 10), 0.3),
    "left_shin": ((9, 9), (11, 11), 0.25), "right_shin": ((10, 10), (12, 12), 0.25),
}
TORSO = list(PARTS).index("torso")
JOINTS_OF = [[start, end] for start, end, _ in PARTS.values()]       # (K, 2, 2) joint numbers
RADIUS = [radius for *_, radius in PARTS.values()]
LIMIT = 2.0                    # the largest factor by which a part grows or shrinks
POINT = 1e-3                   # segments shorter than this have no direction
SHORTEST_TORSO = 0.1           # torsos shorter than this count as this long


def segments(pose):
    """Poses (B, J, 2) -> starts and ends of the parts (B, K, 2, 2), and (B, K) bool, whether all joints of a part are there."""
    ends = pose[:, JOINTS_OF].mean(3)                                             # (B, K, 2, 2)
    present = ends.isfinite().flatten(2).all(-1)                                  # (B, K)
    return torch.where(present[..., None, None], ends, 0), present


def similarities(source_pose, target_pose):
    """Compute the similarity of each part, from points of the target picture to points of the source picture.

    Args:
        source_pose, target_pose: (B, J, 2).
    Returns:
        (B, K, 2, 3) `[m | t]`: the target picture's point p shows the source picture's point `m p + t`.
    """
    with full_precision(source_pose):
        return _similarities(segments(source_pose), segments(target_pose))


def _similarities(source, target):
    (source, in_source), (target, in_target) = source, target
    a, b = source[:, :, 1] - source[:, :, 0], target[:, :, 1] - target[:, :, 0]   # (B, K, 2) each
    directed = ((a.square().sum(-1) > POINT ** 2) & (b.square().sum(-1) > POINT ** 2))[..., None]
    unit = a.new_tensor([1, 0])
    a, b = torch.where(directed, a, unit), torch.where(directed, b, unit)
    length = b.square().sum(-1)                                                   # (B, K)
    real = (a * b).sum(-1) / length                                               # (B, K) of m = a conj(b) / |b|^2
    imaginary = (a[..., 1] * b[..., 0] - a[..., 0] * b[..., 1]) / length
    modulus = torch.sqrt(real.square() + imaginary.square())
    shrink = modulus.clamp(1 / LIMIT, LIMIT) / modulus
    real, imaginary = real * shrink, imaginary * shrink
    turn = torch.stack([real, -imaginary, imaginary, real], -1).unflatten(-1, (2, 2))      # (B, K, 2, 2)
    shift = source.mean(2) - (turn @ target.mean(2)[..., None])[..., 0]           # (B, K, 2)
    moved = torch.cat([turn, shift[..., None]], -1)                               # (B, K, 2, 3)
    return torch.where((in_source & in_target)[..., None, None], moved, torch.eye(2, 3).to(moved))


def nearness(pose, scale, size):
    """The logarithm of each part's soft mask, `-(distance / radius)^2` with the pixel's distance from the part.

    Args:
        pose: (B, J, 2).
        scale: (B,) lengths of the torso, see :func:`torso_length`.
        size: (height, width) of the result.
    Returns:
        (B, K, height, width), 0 on a segment, -1 one radius away; -inf, and so a mask of 0, for missing parts.
    """
    ends, present = segments(pose)
    start, along = ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]                   # (B, K, 2) each
    square = along.square().sum(-1).clamp(min=POINT ** 2)                         # (B, K)
    radius = scale[:, None] * scale.new_tensor(RADIUS)                      # (B, K)
    points = picture_points(size, pose)                                           # (H, W, 2)
    x, y = (points[..., axis] - start[..., axis, None, None] for axis in (0, 1))  # (B, K, H, W) each
    dx, dy = along[..., 0, None, None], along[..., 1, None, None]
    share = ((x * dx + y * dy) / square[..., None, None]).clamp(0, 1)             # (B, K, H, W) where along the segment
    distance = (x - share * dx).square() + (y - share * dy).square()              # (B, K, H, W) squared
    return torch.where(present[..., None, None], -distance / radius[..., None, None].square(), -torch.inf)


def torso_length(*poses):
    """(B,) length of the longest torso among several poses (B, J, 2) of the same people, at least `SHORTEST_TORSO`."""
    ends = torch.stack([segments(pose)[0][:, TORSO] for pose in poses])           # (poses, B, 2, 2)
    square = (ends[..., 1, :] - ends[..., 0, :]).square().sum(-1).amax(0)         # (B,)
    return square.clamp(min=SHORTEST_TORSO ** 2).sqrt()


def warp(picture, transforms, size, offset=None):
    """Warp the whole source picture K times, each time as one part moves.

    Args:
        picture: (B, C, P, P).
        transforms: (B, K, 2, 3) of :func:`similarities`.
        size: (height, width) of the result.
        offset: None or (B, K, height, width, 2), added to the points of the source picture.
    Returns:
        (B, C, K, height, width); outside the picture, its border is repeated.
    """
    with full_precision(picture):
        return _warp(picture, transforms, size, offset)


def _warp(picture, transforms, size, offset):
    parts = transforms.shape[1]
    points = F.pad(picture_points(size, picture).flatten(0, 1), (0, 1), value=1)  # (H W, 3) x, y, 1
    grid = points @ transforms.mT if offset is None else torch.baddbmm(
        offset.flatten(2, 3).flatten(0, 1), points.expand(len(picture) * parts, -1, -1), transforms.flatten(0, 1).mT)
    grid = grid.view(len(picture), parts * size[0], size[1], 2)                   # parts below each other
    layers = F.grid_sample(picture, grid, padding_mode="border", align_corners=False)                 # (B, C, K H, W)
    return layers.unflatten(2, (parts, size[0]))
