"""Find what is implausible about the pose of a file, in sentences for the user.

The limits were chosen on Penn Action's annotations, of which each doubt affects less than one pose in a hundred.
"""
import numpy as np

from pose.skeleton import ANKLES, ELBOWS, HEAD, HIPS, JOINTS, KNEES, MIRROR, PARENT, SHOULDERS, STANDING, WRISTS, torso_vector

APART = 0.3                  # torso lengths that left and right joints must be apart for their bones to cross
RATIO = 3                    # of a bone's length to that of the other side
STEEP = 0.36                 # tangent of the angle up to which a body lies along x
BONES = {ELBOWS: "upper arm", WRISTS: "forearm", KNEES: "thigh", ANKLES: "shin"}         # outer joints -> bone


def doubts(pose, size):
    """Sentences about what is doubtful in a :class:`pose.pose_file.FilePose` of a picture of `size` (h, w)."""
    joints, visible, estimated = pose
    outside, found = is_outside(joints, size) & visible, []
    if estimated.any():
        found.append(f"{_names(estimated)} missing; estimated from the other joints")
    if not visible.any():
        found.append("no joint is visible; is the third column right?")
    if outside.any():
        exchanged = not (is_outside(joints[:, ::-1], size) & visible).any()
        found.append(f"x and y seem to be exchanged: {_names(outside)} outside the picture" if exchanged else
                     f"{_names(outside)} outside the picture, which is {size[1]} x {size[0]} pixels; taken as not visible")
    elif not estimated[[HEAD, *SHOULDERS, *HIPS, ANKLES[0]]].any() and all(
            way[0] > 0 and abs(way[1]) < STEEP * way[0] for way in (joints[ANKLES[0]] - joints[HEAD], torso_vector(joints))):
        found.append(f"x and y seem to be exchanged: from {JOINTS[HEAD]} to {JOINTS[ANKLES[0]]} the person lies from left to "
                     "right")
    return [*found, *bone_doubts(np.where(estimated[:, None], np.nan, joints))]             # NaN raises no doubt


def bone_doubts(joints):
    """Sentences about bones of a pose (13, 2) that cross or whose lengths differ much between the sides."""
    return [*_crossed_sides(joints), *_uneven_bones(joints)]


def is_outside(joints, size):
    """(..., 13) bool: which of the joints (..., 13, 2) lie outside a picture of size (h, w)."""
    return ((joints < 0) | (joints > size[::-1])).any(-1)


def _crossed_sides(joints):
    apart = np.linalg.norm(joints - joints[list(MIRROR)], axis=-1) > APART * np.linalg.norm(torso_vector(joints))
    return [f"{JOINTS[outer[0]]} and {JOINTS[outer[1]]} seem to be exchanged: the {what} cross"
            for outer, what in ((ELBOWS, "upper arms"), (HIPS, "sides of the torso"))
            if apart[[SHOULDERS[0], outer[0]]].all() and _cross(*joints[[SHOULDERS[0], outer[0], SHOULDERS[1], outer[1]]])]


def _uneven_bones(joints):
    """Bones that are much longer than those of the other side, and at least as long as in a standing figure of this size."""
    size = np.linalg.norm(torso_vector(joints)) / np.linalg.norm(torso_vector(STANDING))                  # pixels
    for outer, bone in BONES.items():
        lengths = [np.linalg.norm(joints[joint] - joints[PARENT[joint]]) for joint in outer]
        longer = int(lengths[1] > lengths[0])
        least = size * np.linalg.norm(STANDING[outer[0]] - STANDING[PARENT[outer[0]]])
        if lengths[longer] > max(RATIO * lengths[1 - longer], least):
            yield (f"{JOINTS[outer[longer]]}: this {bone} is {lengths[longer]:.0f} pixels long, the other one "
                   f"{lengths[1 - longer]:.0f}")


def _cross(start, end, other_start, other_end):
    """Whether two line segments between points (2,) cross."""
    def side(point, first, second):
        (ax, ay), (bx, by) = second - first, point - first
        return ax * by - ay * bx
    return (side(start, other_start, other_end) * side(end, other_start, other_end) < 0 and
            side(other_start, start, end) * side(other_end, start, end) < 0)


def _names(chosen):
    """The names of chosen joints (13,) bool, at most four, with a verb."""
    names = [JOINTS[joint] for joint in np.flatnonzero(chosen)]
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"{listed} {'is' if len(names) == 1 else 'are'}"
