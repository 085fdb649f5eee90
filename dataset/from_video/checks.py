"""Checks of a clip: where the picture is cut, whether the person stays, and whether the poses are those of a person.

Axes: N frames in which people were detected. Joints are in pixels, times in seconds.
"""
import cv2
import numpy as np

from dataset.from_video.tracking import MAX_GAP, runs
from dataset.inspect.statistics import BONES, measure
from dataset.penn_action import HORIZON
from pose.skeleton import HIPS, SHOULDERS
from utils.errors import UserError

USABLE = HORIZON + 1         # consecutive frames that make one window
# a cut: the small pictures differ by so many grey levels and so many times more than usual, and no pose continues another one
CUT, CUT_RATIO, CUT_SHIFT = 12, 3, 0.25
LEAP = 0.75                  # median displacement of the joints between two detections, against the person's size
BAD_STEPS = 0.2              # fraction of steps in which a bone may change its length
LONGEST_BONE = 1.8           # against the torso; about 1 in films of people


def thumbnail(picture):
    """A picture (h, w, 3) uint8 as 16 x 16 grey values, to compare it with others."""
    return cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA).mean(-1)


def first_frames(thumbnails, people, times):
    """The first frames of the continuous parts of a clip.

    A part ends at a cut, and where the video has no frames for MAX_GAP and twice the usual time.

    Args:
        thumbnails: N pictures, see :func:`thumbnail`.
        people: N lists of :class:`pose.detector.Person`.
        times: (N,) seconds.
    Returns:
        sorted list of numbers from 0 to N - 1, the first is 0.
    """
    if len(times) < 2:
        return [0]
    changes, steps = np.abs(np.diff(thumbnails, axis=0)).mean((1, 2)), np.diff(times)
    cut = [change > max(CUT, CUT_RATIO * np.median(changes)) and not _continues(before, after)
           for change, before, after in zip(changes, people[:-1], people[1:])]
    return [0, *(np.flatnonzero(cut | (steps > max(MAX_GAP, 2 * np.median(steps)))) + 1).tolist()]


def _continues(before, after):
    """Whether someone in a frame is in about the same pose and place in the next one."""
    return any(np.median(np.linalg.norm(one.joints - other.joints, axis=-1)) < CUT_SHIFT * np.ptp(one.joints, axis=0).max()
               for one in before for other in after)


def doubt(joints):
    """Why poses (n, 13, 2) that were detected one after the other cannot be one person's; None if they can."""
    if len(joints) < 2:
        return None
    steps = np.stack([joints[:-1], joints[1:]], 1)                                           # (n - 1, 2, 13, 2)
    if (measure(steps).reasons["a bone changes its length"] > 0).mean() > BAD_STEPS:
        return "arms and legs change their length from frame to frame"
    torso = joints[:, list(SHOULDERS)].mean(1) - joints[:, list(HIPS)].mean(1)
    bones = np.stack([joints[:, start] - joints[:, end] for start, end in BONES], 1)         # (n, 8, 2)
    longest = np.quantile(np.linalg.norm(bones, axis=-1), 0.9, axis=0).max()
    if longest > LONGEST_BONE * np.quantile(np.linalg.norm(torso, axis=-1), 0.9):
        return "arms or legs are far too long for the body"
    if (np.median(np.linalg.norm(steps[:, 1] - steps[:, 0], axis=-1), -1) > LEAP * np.ptp(joints[:-1], axis=1).max(-1)).any():
        return "the person leaps to another place"
    return None


def check_presence(place, seconds, present, longest, kept, partial):
    """Notes about when the person is away. Raises :class:`UserError` if that is too long.

    Args:
        place: for messages.
        seconds, present: (N,) time in the video, and whether the person is there.
        longest, kept: number of frames of the longest part without a gap, and of all that were to be kept.
        partial: whether the person may come late or leave early.
    """
    there = runs(present)
    if not there:
        raise UserError(f"{place}: nobody is found in it")
    first, last = there[0][0], there[-1][1] - 1
    away = [text for text, gone in (
        (f"the person comes into the picture only at {seconds[first]:.1f} s", seconds[first] - seconds[0]),
        (f"the person leaves the picture after {seconds[last]:.1f} s", seconds[-1] - seconds[last])) if gone > MAX_GAP]
    if longest < USABLE:
        raise UserError(f"{place}: fewer than {USABLE} usable frames in a row ({longest} of {kept})"
                        + (f": {' and '.join(away)}" if away else ""))
    if away and not partial:
        raise UserError(f"{place}: {' and '.join(away)}; give start and end in the CSV, or --partial to keep what there is")
    return [*away, *(f"nobody from {seconds[stop - 1]:.1f} s to {seconds[start]:.1f} s"
                     for (_, stop), (start, _) in zip(there[:-1], there[1:]))]
