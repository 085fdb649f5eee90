"""Carry the motion of one person over to another person's pose.

A skeleton is a tree of bones that begins at the middle of the hips, the root. Each bone of a motion is compared with the same
bone of a reference pose of that motion: how far it has turned, and how much shorter it looks because it points at the camera. The
other person's bone turns and shortens as much, so that bone lengths are the other person's. The root follows the motion's path,
scaled by the ratio of the body sizes. Sides stay as they are: nothing is mirrored.

Axes: T poses, J = 13 joints, B = 14 bones. Vectors of bones are complex numbers x + iy, so that a quotient of two bones is a turn
and a ratio of lengths.
"""
import numpy as np

from pose.skeleton import ANKLES, ELBOWS, HEAD, HIPS, JOINTS, KNEES, MIRROR, SHOULDERS, WRISTS

FIRST, MEAN = "first", "mean"                     # as --align
BY_BONES, NONE = "bones", "none"                  # as --retarget
ROOT, CHEST = len(JOINTS), len(JOINTS) + 1        # two points more: the middles of the hips and of the shoulders
# (start, end), each after the bone that leads to its start
BONES = ((ROOT, CHEST), *((ROOT, hip) for hip in HIPS), *((CHEST, shoulder) for shoulder in SHOULDERS), (CHEST, HEAD),
         *zip(SHOULDERS, ELBOWS), *zip(ELBOWS, WRISTS), *zip(HIPS, KNEES), *zip(KNEES, ANKLES))
OTHER_SIDE = [BONES.index(tuple(MIRROR[point] if point < len(JOINTS) else point for point in bone)) for bone in BONES]
SEEN = 0.4                # of a bone's full length; the direction of a shorter one is not certain


def retarget(motion, pose, align=FIRST):
    """Carry a motion over to a person.

    Args:
        motion: (T, J, 2) in any unit.
        pose: (J, 2) of the other person, in any unit.
        align: which pose of the motion corresponds to `pose`: `first`, or `mean`, the mean of all poses.
    Returns:
        (T, J, 2) in the unit of `pose`. With `first`, the first one equals `pose`; a motion and its own first pose give the
        motion itself.
    """
    motion, pose = np.asarray(motion, np.float64), np.asarray(pose, np.float64)
    moving, own = bones_of(motion), bones_of(pose)                                                      # (T, B), (B,)
    if align == FIRST:
        reference, reference_root = moving[0], root_of(motion)[0]
    else:                 # the mean direction, with the mean length: opposite directions must not shorten a bone
        mean = moving.mean(0)
        reference = np.abs(moving).mean(0) * np.where(mean == 0, 1, mean / np.maximum(np.abs(mean), 1e-12))
        reference_root = root_of(motion).mean(0)
    scale = np.abs(own).sum() / max(np.abs(reference).sum(), 1e-12)                        # ratio of the body sizes
    full = np.abs(moving).max(0)
    full = scale * np.maximum(full, full[OTHER_SIDE])                                  # (B,) full length, by the motion
    certain = (np.abs(own) >= SEEN * full) & (scale * np.abs(reference) >= SEEN * full) & (reference != 0)
    turn = np.where(certain, own / np.where(certain, reference, 1), scale)             # else the change is only scaled
    bones = own + turn * (moving - reference)                                                           # (T, B)
    longest = np.maximum(full, np.abs(own))
    bones *= np.minimum(1, longest / np.maximum(np.abs(bones), 1e-12))
    return joints_of(bones, root_of(pose) + scale * (root_of(motion) - reference_root))


def with_middles(poses):
    """Poses (..., J, 2) with the points ROOT and CHEST, as complex numbers (..., J + 2)."""
    points = poses[..., 0] + 1j * poses[..., 1]
    return np.concatenate([points, *(points[..., list(pair)].mean(-1, keepdims=True) for pair in (HIPS, SHOULDERS))], -1)


def bones_of(poses):
    """The bones (..., B) of poses (..., J, 2), complex."""
    points, (starts, ends) = with_middles(poses), np.transpose(BONES)
    return points[..., ends] - points[..., starts]


def root_of(poses):
    """The middles of the hips (...) of poses (..., J, 2), complex."""
    return with_middles(poses)[..., ROOT]


def joints_of(bones, root):
    """The poses (..., J, 2) of bones (..., B) and roots (...), complex; the inverse of :func:`bones_of` and :func:`root_of`."""
    points = np.zeros((*bones.shape[:-1], len(JOINTS) + 2), complex)
    points[..., ROOT] = root
    for number, (start, end) in enumerate(BONES):
        points[..., end] = points[..., start] + bones[..., number]
    joints = points[..., :len(JOINTS)]
    return np.stack([joints.real, joints.imag], -1)
