"""Retarget the motion of one person to another person's pose.

A skeleton is a tree of bones with its root in the middle of the hips. Bones keep their directions of the motion and get the other
person's lengths; a foreshortened bone stays foreshortened. The root follows the motion's path, scaled by the ratio of the body
sizes. Nothing is mirrored. The other person's own pose comes first, and its difference from the motion's first pose fades out.

Axes: T poses, J = 13 joints, B = 14 bones. Vectors of bones are complex numbers x + iy, so that the quotient of two bones holds
the ratio of their lengths and the angle between them.
"""
import numpy as np

from pose.skeleton import ANKLES, ELBOWS, HEAD, HIPS, JOINTS, KNEES, MIRROR, SHOULDERS, WRISTS

FIRST, MEAN = "first", "mean"                     # as --align
BY_BONES, NONE = "bones", "none"                  # as --retarget
ROOT, CHEST = len(JOINTS), len(JOINTS) + 1        # further points: the middles of the hips and of the shoulders
TINY = 1e-9               # shorter bones have no direction
# (start, end), each after the bone that leads to its start
BONES = ((ROOT, CHEST), *((ROOT, hip) for hip in HIPS), *((CHEST, shoulder) for shoulder in SHOULDERS), (CHEST, HEAD),
         *zip(SHOULDERS, ELBOWS), *zip(ELBOWS, WRISTS), *zip(HIPS, KNEES), *zip(KNEES, ANKLES))
BODY = [number for number, (_, end) in enumerate(BONES) if end in (CHEST, *KNEES, *ANKLES)]    # arms often point at the camera
OTHER_SIDE = [BONES.index(tuple(MIRROR[point] if point < len(JOINTS) else point for point in bone)) for bone in BONES]
SEEN = 0.4                # fraction of a bone's full length; shorter ones point at the camera, and their lengths are not compared


def retarget(motion, pose, align=FIRST, fade=1):
    """Retarget a motion to a person.

    Args:
        motion: (T, J, 2) in any unit.
        pose: (J, 2) of the other person, in any unit.
        align: which pose of the motion corresponds to `pose` in bone lengths and place: the `first`, or the `mean` of all.
        fade: number of steps until the motion's own directions and places are reached.
    Returns:
        (T, J, 2) in the unit of `pose`, which comes first. Retargeting to its own first pose does not change a motion.
    """
    motion, pose = np.asarray(motion, np.float64), np.asarray(pose, np.float64)
    moving, own, path = bones_of(motion), bones_of(pose), root_of(motion)                       # (T, B), (B,), (T,)
    lengths, own_lengths = np.abs(moving), np.abs(own)
    reference = lengths[0] if align == FIRST else lengths.mean(0)
    scale = own_lengths[BODY].sum() / max(reference[BODY].sum(), TINY)                         # ratio of the body sizes
    full = scale * np.maximum(lengths.max(0), lengths.max(0)[OTHER_SIDE])                      # (B,) by the motion
    compared = np.minimum(own_lengths, scale * reference) >= np.maximum(SEEN * full, TINY)
    bones = np.where(compared, own_lengths / np.maximum(reference, TINY), scale) * moving      # (T, B)
    rest = np.linspace(0, 1, max(fade, 1) + 1)[np.minimum(np.arange(len(motion)), max(fade, 1))]
    rest = (1 - rest) ** 2 * (1 + 2 * rest)                                                    # (T,) from 1 to 0, smoothly
    known = (np.abs(bones[0]) > TINY) & (own_lengths > TINY)
    bones *= (own / np.where(known, bones[0], own + ~known)) ** rest[:, None]
    bones *= np.minimum(1, np.maximum(full, own_lengths) / np.maximum(np.abs(bones), TINY))
    bones[0] = own
    place = root_of(pose) + scale * (path - (path[0] if align == FIRST else path.mean()))
    return joints_of(bones, place + rest * (root_of(pose) - place[0]))


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
