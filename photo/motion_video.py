"""The motion of the main person in a video: found frame by frame, followed, smoothed, at a constant frame rate."""
import warnings

import numpy as np
from tqdm import tqdm

from dataset.from_video.reading import read_frames, read_index
from dataset.from_video.tracking import MAX_GAP, clean, interpolate, main_person
from utils.errors import UserError

LONGEST_SIDE = 1280       # pixels of the frames that the detector sees


def read_video(path, request, tracker):
    """The motion of the person with the largest part in a video.

    Args:
        path: video file.
        request: :class:`photo.options.PhotoRequest`; its frame rate and length say which frames are looked at.
        tracker: :class:`pose.detector.Detector` for the frames of one video.
    Returns:
        joints (T, J, 2) in pixels of the upright video, frames a second, and the video's size (h, w).
    Raises:
        UserError: the video cannot be read, or nobody is found in it.
    """
    index = read_index(path)
    own = (len(index.times) - 1) / index.times[-1] if len(index.times) > 1 else 0
    if not own:
        raise UserError(f"{path}: a motion needs two frames at least")
    fps = min(own, request.fps or own)
    length = request.seconds if request.seconds is not None else request.steps / fps if request.steps else np.inf
    wanted = np.arange(0, min(length, index.times[-1]) + 1e-6, 1 / fps)                        # seconds, evenly spaced
    chosen = np.unique(np.abs(index.times[:, None] - wanted).argmin(0))
    found, numbers, size = [], [], None
    with tqdm(total=len(chosen), desc=f"people in {path.name}"[:40], unit="frame", leave=False, disable=None) as bar:
        for number, picture, ratio in read_frames(path, index, chosen, LONGEST_SIDE):
            here = tuple(round(side / ratio) for side in picture.shape[:2])
            if size not in (None, here):
                raise UserError(f"{path}: the size of its frames changes in the middle")
            size, shrunk = here, ratio
            found.append(tracker.detect(picture))
            numbers.append(number)
            bar.update()
    times = index.times[numbers]
    track = clean(main_person(found, times), times)
    there = times[track.present]
    if len(there) < 2:
        raise UserError(f"{path}: nobody is found in it")
    gone = np.diff(there).max()
    if gone > MAX_GAP + 1 / fps:
        warnings.warn(f"{path}: nobody is found for {gone:.1f} s in the middle; poses in between are interpolated", stacklevel=2)
    wanted = wanted[(wanted > there[0] - 0.5 / fps) & (wanted < there[-1] + 0.5 / fps)]
    joints = [interpolate(wanted, there, track.joints[track.present, joint]) for joint in range(track.joints.shape[1])]
    return np.stack(joints, 1) / shrunk, float(fps), size
