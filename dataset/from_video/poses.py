"""Poses that the user gives instead of a detector: a JSON or CSV file for each video."""
import re
from pathlib import Path

import numpy as np

from dataset.from_video.table import read_table
from pose.keypoints import COORDINATE_LIMIT
from pose.missing_joints import estimate_missing
from pose.pose_file import check_inside, read_poses
from pose.skeleton import JOINTS
from utils.errors import UserError

COLUMNS = ("frame", "joint", "x", "y", "visible")
MOST_FRAMES = 1_000_000
VISIBLE = {"1": True, "0": False, "true": True, "false": False, "": True}


def find_poses(video, folder=None):
    """The pose file of a video, `NAME.json` or `NAME.csv` in `folder` or else beside it, or None."""
    places = ([Path(folder)] if folder else []) + [video.parent]
    return next((path for place in places for ending in (".json", ".csv")
                 if (path := place / f"{video.stem}{ending}").is_file()), None)


def read_given(path, nframes, size=None):
    """The poses of a whole video.

    Args:
        path: JSON (pose/pose_file.py: a pose or null for each frame) or CSV (columns `frame` from 1, `joint` by name or
            number from 0, `x`, `y` and optionally `visible`).
        nframes: number of frames of the video.
        size: (h, w) of its upright frames, in which visible joints must lie; None skips this check.
    Returns:
        joints (nframes, 13, 2) pixels, NaN where there is no pose, and visible (nframes, 13) bool.
    Raises:
        UserError: with file and place.
    """
    joints, visible = read_csv(path, size) if path.suffix == ".csv" else read_poses(path, size)
    if len(joints) > nframes:
        raise UserError(f"{path}: poses for {len(joints)} frames, but the video has {nframes}")
    missing = nframes - len(joints)
    return (np.concatenate([joints, np.full((missing, len(JOINTS), 2), np.nan)]),
            np.concatenate([visible, np.zeros((missing, len(JOINTS)), bool)]))


def read_csv(path, size=None):
    """A CSV of joints -> joints (T, 13, 2), NaN in frames without rows, and visible (T, 13); T is the last frame's number.

    A joint without a row in a frame with others is not visible; its place is estimated from the frame's other joints.
    """
    points = [(place, *_point(place, values)) for place, values in read_table(path, "joints", COLUMNS, needed=4)]
    frames = max(frame for _, frame, *_ in points)
    joints, visible = np.full((frames, len(JOINTS), 2), np.nan), np.zeros((frames, len(JOINTS)), bool)
    for place, frame, joint, point, seen in points:
        if np.isfinite(joints[frame - 1, joint, 0]):
            raise UserError(f"{place}: {JOINTS[joint]} of frame {frame} is there twice")
        joints[frame - 1, joint], visible[frame - 1, joint] = point, seen
    for frame in np.flatnonzero(np.isfinite(joints[..., 0]).any(1)):
        if size is not None:
            check_inside(joints[frame], visible[frame], size, f"{path}: frame {frame + 1}")
        joints[frame] = estimate_missing(joints[frame])
    return joints, visible


def _point(place, values):
    """One row as (frame, number of the joint, [x, y], visible)."""
    frame, joint = values["frame"], values["joint"].lower()
    if not re.fullmatch(r"[0-9]{1,7}", frame) or not 1 <= int(frame) <= MOST_FRAMES:
        raise UserError(f"{place}: frame is {frame[:30]!r}, expected a number; the first frame is 1")
    number = JOINTS.index(joint) if joint in JOINTS else int(joint) if re.fullmatch(r"[0-9]{1,2}", joint) else len(JOINTS)
    if number >= len(JOINTS):
        raise UserError(f"{place}: joint is {joint[:30]!r}, expected 0 to {len(JOINTS) - 1} or one of {', '.join(JOINTS)}")
    point = []
    for axis in "xy":
        try:
            point.append(float(values[axis]))
        except ValueError:
            raise UserError(f"{place}: {axis} is {values[axis][:30]!r}, expected a number of pixels") from None
        if not abs(point[-1]) < COORDINATE_LIMIT:                            # not (a < b) also catches nan
            raise UserError(f"{place}: {axis} is {values[axis][:30]}, which is no coordinate in pixels")
    seen = values["visible"].lower()
    if seen not in VISIBLE:
        raise UserError(f"{place}: visible is {seen[:30]!r}, expected 1 or 0 (or true or false)")
    return int(frame), number, point, VISIBLE[seen]
