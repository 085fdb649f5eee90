"""What makes a pose of a file implausible, in sentences for the user.

The limits were chosen on Penn Action's annotations, where each doubt is raised for less than one pose in a hundred.
"""
import numpy as np

from pose.skeleton import ANKLES, ELBOWS, HEAD, HIPS, JOINTS, KNEES, MIRROR, PARENT, SHOULDERS, STANDING, WRISTS, middle, torso

APART = 0.3                  # torso lengths that left and right joints must be apart for their bones to cross
RATIO = 3                    # of a bone's length to its counterpart's
STEEP = 0.36                 # tangent of the angle up to which a body lies along x
BONES = {ELBOWS: "upper arm", WRISTS: "forearm", KNEES: "thigh", ANKLES: "shin"}         # each named after its outer joints


def doubts(pose, size):
    """What is doubtful about a pose.

    Args:
        pose: :class:`pose.pose_file.FilePose`.
        size: (h, w) of the picture in pixels.
    Returns:
        list of sentences that name joints.
    """
    joints, visible, estimated = pose
    outside, found = is_outside(joints, size) & visible, []
    if estimated.any():
        found.append(f"{_names(estimated)} missing; estimated from the other joints")
    if not visible.any():
        found.append("no joint is visible; is the third column right?")
    if exchanged_axes(pose, size):
        found.append("x and y seem to be exchanged: " + (
            f"{_names(outside)} outside the picture" if outside.any() else
            f"from {JOINTS[HEAD]} to {JOINTS[ANKLES[0]]} the person lies from left to right"))
    elif outside.any():
        found.append(f"{_names(outside)} outside the picture, which is {size[1]} x {size[0]} pixels; taken as not visible")
    known = np.where(estimated[:, None], np.nan, joints)                      # comparisons with NaN raise no doubt
    return [*found, *crossed_sides(known), *uneven_bones(known)]


def is_outside(joints, size):
    """(..., 13) bool: which of the joints (..., 13, 2) lie outside a picture of size (h, w)."""
    return ((joints < 0) | (joints > size[::-1])).any(-1)


def exchanged_axes(pose, size):
    """Whether a pose looks as if its x and y were exchanged: only so it fits into the picture, or a standing person would lie."""
    joints, visible, estimated = pose
    if (is_outside(joints, size) & visible).any():
        return not (is_outside(joints[:, ::-1], size) & visible).any()
    if estimated[[HEAD, *SHOULDERS, *HIPS, *ANKLES]].any():
        return False
    return all(way[0] > 0 and abs(way[1]) < STEEP * way[0] for way in (middle(joints, ANKLES) - joints[HEAD], torso(joints)))


def crossed_sides(joints):
    """Doubts about left and right; joints (13, 2), NaN where not known."""
    apart = np.linalg.norm(joints - joints[list(MIRROR)], axis=-1) > APART * np.linalg.norm(torso(joints))
    return [f"{JOINTS[outer[0]]} and {JOINTS[outer[1]]} seem to be exchanged: the {what} cross"
            for outer, what in ((ELBOWS, "upper arms"), (HIPS, "sides of the torso"))
            if apart[[SHOULDERS[0], outer[0]]].all() and _cross(*joints[[SHOULDERS[0], outer[0], SHOULDERS[1], outer[1]]])]


def uneven_bones(joints):
    """Doubts about bones that are much longer than their counterparts, and not shorter than in a standing figure of this size."""
    size = np.linalg.norm(torso(joints)) / np.linalg.norm(torso(STANDING))                  # pixels
    found = []
    for outer, bone in BONES.items():
        lengths = [np.linalg.norm(joints[joint] - joints[PARENT[joint]]) for joint in outer]
        longer = int(lengths[1] > lengths[0])
        least = size * np.linalg.norm(STANDING[outer[0]] - STANDING[PARENT[outer[0]]])
        if lengths[longer] > max(RATIO * lengths[1 - longer], least):
            found.append(f"{JOINTS[outer[longer]]}: this {bone} is {lengths[longer]:.0f} pixels long, the other one "
                         f"{lengths[1 - longer]:.0f}")
    return found


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
