"""Poses that the user gives instead of a detector: a JSON or CSV file for each video."""
from pathlib import Path

import numpy as np

from dataset.from_video.table import read_rows, read_table
from pose.keypoints import COORDINATE_LIMIT
from pose.missing_joints import estimate_missing
from pose.pose_file import check_inside, read_poses
from pose.skeleton import JOINTS
from utils.errors import UserError

COLUMNS = ("frame", "joint", "x", "y", "visible")
WIDE = tuple(f"{joint}_{axis}" for joint in JOINTS for axis in "xy")
NUMBERS = {name: number for number, name in enumerate(JOINTS)} | {str(number): number for number in range(len(JOINTS))}
MOST_FRAMES = 1_000_000
VISIBLE = {"1": True, "0": False, "true": True, "false": False, "": True}


def find_poses(video, folder=None):
    """The pose file of a video, `NAME.json` or `NAME.csv` (not a list of actions) in `folder` or else beside it, or None."""
    places = ([Path(folder)] if folder else []) + [video.parent]
    paths = (place / f"{video.stem}{ending}" for place in places for ending in (".json", ".csv"))
    return next((path for path in paths if path.is_file() and (
        path.suffix == ".json" or "file" not in map(str.lower, read_rows(path, "joints")[0][1]))), None)


def check_folder(folder, videos):
    """Raise :class:`UserError` if a folder of poses has none for any of the videos."""
    if not any((Path(folder) / f"{video.stem}{ending}").is_file() for video in videos for ending in (".json", ".csv")):
        raise UserError(f"--poses {folder}: there are no poses of the videos in this folder; they are called like the video, "
                        f"{next(iter(videos)).stem}.json or .csv")


def read_given(path, nframes, size=None):
    """Read the poses of a whole video.

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
    """A CSV of joints -> joints (T, 13, 2), NaN in frames without poses, and visible (T, 13); T is the last frame's number.

    A row is a joint, or a frame with the columns `head_x`, `head_y` and so on. Frames count from 1, or from 0 if there is a
    frame 0. A joint that has no place in a frame with others is not visible; its place is estimated from them.
    """
    if "joint" in map(str.lower, read_rows(path, "joints")[0][1]):
        table = read_table(path, "joints", COLUMNS, needed=4)
    else:
        table = [(place, {"frame": row["frame"], "joint": joint, "x": row[f"{joint}_x"], "y": row[f"{joint}_y"], "visible": ""})
                 for place, row in read_table(path, "joints", ("frame", *WIDE), needed=3) for joint in JOINTS]
    points = [(place, *_point(place, values)) for place, values in table]
    first = min(1, *(frame for _, frame, *_ in points))
    frames = max(frame for _, frame, *_ in points) - first + 1
    joints, visible = np.full((frames, len(JOINTS), 2), np.nan), np.zeros((frames, len(JOINTS)), bool)
    for place, frame, joint, point, seen in points:
        if np.isfinite(joints[frame - first, joint]).any():
            raise UserError(f"{place}: {JOINTS[joint]} of frame {frame} is there twice")
        if np.isfinite(point).all():
            joints[frame - first, joint], visible[frame - first, joint] = point, seen
    for at in np.flatnonzero(np.isfinite(joints[..., 0]).any(1)):
        if size is not None:
            check_inside(joints[at], visible[at], size, f"{path}: frame {at + first}")
        joints[at] = estimate_missing(joints[at])
    return joints, visible


def _point(place, values):
    """One row as (frame, number of the joint, [x, y], visible)."""
    def value(column, read, expected):
        try:
            return read(values[column].lower())
        except (ValueError, KeyError):
            raise UserError(f"{place}: {column} is {values[column][:30]!r}, expected {expected}") from None

    frame = value("frame", int, "a number from 0 or 1 on")
    if not 0 <= frame <= MOST_FRAMES:
        raise UserError(f"{place}: frame is {frame}, expected a number from 0 or 1 on")
    joint = value("joint", NUMBERS.__getitem__, f"0 to {len(JOINTS) - 1} or one of {', '.join(JOINTS)}")
    point = [value(axis, lambda text: float(text or "nan"), "a number of pixels, or nothing") for axis in "xy"]
    if max(map(abs, point)) >= COORDINATE_LIMIT:
        raise UserError(f"{place}: ({point[0]:g}, {point[1]:g}) is no point of a picture")
    return frame, joint, point, value("visible", VISIBLE.__getitem__, "1 or 0 (or true or false)")
