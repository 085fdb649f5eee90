"""A short video in place of a photo: its last frame is the photo, the frames before tell how its person was moving.

Axes: n frames, J = 13 joints.
"""
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dataset.from_video.actions import ENDINGS
from dataset.from_video.reading import VideoIndex, read_frames, read_index
from dataset.from_video.tracking import clean, follow, interpolate, runs
from photo.motion_video import LONGEST_SIDE
from photo.photo_file import read_photo
from utils.errors import UserError

LAST = 10                 # frames at the end of which one must be readable
SAME = 0.3                # of the person's size: poses whose joints lie farther apart, in the mean, are those of two people
SECONDS, RATE = 1.0, 30   # of the video's end that the detector sees, and most frames of a second; actions have shorter steps


class VideoEnd(NamedTuple):
    """The last frame of a video."""

    path: Path
    index: VideoIndex
    number: int              # of the frame
    picture: np.ndarray      # (h, w, 3) uint8 RGB, upright


class Past(NamedTuple):
    """How the person in a photo was moving before it was taken."""

    times: np.ndarray        # (n,) seconds, ascending, the last is 0
    apart: np.ndarray        # (n, J, 2) pixels of the photo, where the joints were, seen from where they are in the photo

    def before(self, joints, seconds):
        """The pose so many seconds before the photo's pose, joints (J, 2). Before the first time that is known, nothing moves."""
        points = self.apart.transpose(1, 0, 2)
        return joints + np.stack([interpolate([-seconds], self.times, joint)[0] for joint in points])


def is_video(path):
    """Whether a file is a video, by the ending of its name."""
    return Path(path).suffix.lower() in ENDINGS


def read_source(path):
    """A photo, or the last frame of a video: pixels (h, w, 3) uint8 RGB, and the :class:`VideoEnd`, of a photo None.

    Raises:
        UserError: the file cannot be used.
    """
    if not is_video(path):
        return read_photo(path), None
    index = read_index(path)
    count, end = len(index.times), None
    for number, picture, _ in read_frames(path, index, range(max(0, count - LAST), count)):
        end = VideoEnd(path, index, number, picture)
    if end is None:
        raise UserError(f"{path}: the last frames of this video cannot be decoded")
    if not end.number:
        raise UserError(f"{path}: a video of one frame; give a longer one, or that frame as a photo")
    return end.picture, end


def follow_back(end, person, tracker):
    """The :class:`Past` of a person in the last frame of a video.

    Args:
        end: :class:`VideoEnd`.
        person: :class:`pose.detector.Person` in its picture.
        tracker: :class:`pose.detector.Detector` for the frames of one video.
    Returns:
        the past, or None with a warning if the person is not found in the frames before.
    """
    times = end.index.times[:end.number + 1] - end.index.times[end.number]                     # seconds
    wanted = np.arange(-SECONDS * RATE, 1) / RATE
    chosen = np.unique(np.abs(times[:, None] - wanted[wanted > times[0] - 0.5 / RATE]).argmin(0))
    found, numbers, ratio = [], [], 1.0
    for number, picture, shrunk in read_frames(end.path, end.index, chosen, LONGEST_SIDE):
        found.append(tracker.detect(picture))
        numbers.append(number)
        ratio = shrunk
    times, last = times[numbers], len(numbers) - 1
    found[last] = [seen_again(person._replace(box=person.box * ratio, joints=person.joints * ratio), found[last])]
    own = next(track for track in follow(found) if last in track)
    track = clean([own.get(frame) for frame in range(last + 1)], times)
    first = runs(track.present)[-1][0]
    if first == last:
        warnings.warn(f"{end.path}: the person of its last frame is not found just before; the motion begins at rest",
                      stacklevel=2)
        return None
    return Past(times[first:], (track.joints[first:] - track.joints[last]) / ratio)


def seen_again(person, people):
    """The one of several people who is this :class:`pose.detector.Person`, as the same detector saw the earlier frames: a pose
    that was placed by hand differs a little from all found ones, which would look like motion. The person if it is none of them.
    """
    apart = [float(np.linalg.norm(other.joints - person.joints, axis=-1).mean()) for other in people]
    nearest = int(np.argmin(apart)) if people else None
    return person if nearest is None or apart[nearest] > SAME * person.size ** 0.5 else people[nearest]
