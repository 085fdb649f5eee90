"""Poses in JSON files, in pixels of a photo or video, with joints and sides as in pose/skeleton.py.

One pose is a list of 13 `[x, y]` or `[x, y, visible]`. The poses of a video are a list of poses, one for each frame, with null
for frames without a person, or an object that holds this list as `poses` beside what else is known. A visible joint must lie inside
the picture; others may lie outside by up to the picture's size.
"""
import json
from pathlib import Path

import numpy as np

from pose.skeleton import JOINTS
from utils.errors import UserError
from utils.files import write_text

LARGEST = 64 << 20                    # bytes; an hour of video with 60 poses a second needs less
COORDINATE_LIMIT = 1e6                # pixels; larger numbers are mistakes
DIGITS = 2                            # decimals that are written; annotations are coarser


def read_pose(path, size=None):
    """Read one pose.

    Args:
        path: JSON file.
        size: (h, w) of the picture in pixels, in which visible joints must lie; None skips this check.
    Returns:
        joints (13, 2) float64 x, y in pixels, and visible (13,) bool, True where the file does not say.
    Raises:
        UserError: the file cannot be read or is not JSON, its shape is wrong, or a coordinate is not finite or outside.
    """
    return parse_pose(_read_json(path), path, size)


def read_poses(path, size=None):
    """Read the poses of a video: joints (T, 13, 2) float64, NaN for null, and visible (T, 13) bool.

    Arguments and errors as in :func:`read_pose`.
    """
    content = _read_json(path)
    if isinstance(content, dict) and "poses" in content:
        content = content["poses"]
    if not isinstance(content, list) or not content:
        raise UserError(f"{path}: expected a list of poses, one a frame, got {_name(content)}")
    if len(content) == len(JOINTS) and _is_point(content[0]):
        raise UserError(f"{path}: this is one pose; for a video a list of poses is needed, one a frame")
    joints, visible = np.full((len(content), len(JOINTS), 2), np.nan), np.zeros((len(content), len(JOINTS)), bool)
    for frame, pose in enumerate(content):
        if pose is not None:
            joints[frame], visible[frame] = parse_pose(pose, f"{path}: frame {frame + 1}", size)
    return joints, visible


def parse_pose(content, place, size=None):
    """Check one pose of a parsed JSON file; `place` begins the messages. Otherwise as :func:`read_pose`."""
    if not isinstance(content, list) or len(content) != len(JOINTS):
        raise UserError(f"{place}: a pose is a list of {len(JOINTS)} [x, y] or [x, y, visible], got {_name(content)}")
    joints, visible = np.empty((len(JOINTS), 2)), np.ones(len(JOINTS), bool)
    for number, (name, point) in enumerate(zip(JOINTS, content)):
        where = f"{place}: joint {number} ({name})"
        if not isinstance(point, list) or len(point) not in (2, 3):
            raise UserError(f"{where}: expected [x, y] or [x, y, visible], got {_name(point)}")
        if len(point) == 3:
            if not isinstance(point[2], (bool, int, float)) or point[2] not in (0, 1):
                raise UserError(f"{where}: visible is {_name(point[2])}, expected true or false (or 1 or 0)")
            visible[number] = bool(point[2])
        for axis, value in enumerate(point[:2]):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise UserError(f"{where}: {'xy'[axis]} is {_name(value)}, expected a number of pixels")
            if not abs(value) < COORDINATE_LIMIT:                            # not (a < b) also catches nan
                raise UserError(f"{where}: {'xy'[axis]} is {_name(value)}, which is no coordinate in pixels")
            joints[number, axis] = value
    if size is not None:
        check_inside(joints, visible, size, place)
    return joints, visible


def check_inside(joints, visible, size, place):
    """Raise :class:`UserError` if joints (13, 2) lie too far outside a picture of size (h, w), see the top of this file."""
    limit = np.array(size[::-1], np.float64)
    slack = np.where(visible, 0, 1)[:, None] * limit
    outside = ((joints < -slack) | (joints > limit + slack)).any(-1)
    if outside.any():
        number = int(outside.argmax())
        x, y = joints[number]
        raise UserError(f"{place}: joint {number} ({JOINTS[number]}): ({x:g}, {y:g}) is outside the picture, which is "
                        f"{size[1]} x {size[0]} pixels" + (" (a joint that is not visible may be: [x, y, false])"
                                                           if visible[number] else ""))


def pose_list(joints, visible=None):
    """One pose as it stands in JSON: joints (13, 2) in pixels, visible (13,) bool or None for all."""
    visible = np.ones(len(JOINTS), bool) if visible is None else visible
    return [[round(float(x), DIGITS), round(float(y), DIGITS), bool(seen)] for (x, y), seen in zip(joints, visible)]


def write_pose(path, joints, visible=None):
    """Write one pose, arguments as of :func:`pose_list`."""
    write_text(path, json.dumps(pose_list(joints, visible)) + "\n")


def write_poses(path, joints, about=None):
    """Write the poses of a video, one line for each frame.

    Args:
        path: JSON file.
        joints: (T, 13, 2) in pixels, NaN for null.
        about: dict of what else is known; with it the file holds an object, see the top of this file.
    """
    lines = [json.dumps(pose_list(pose)) if np.isfinite(pose).all() else "null" for pose in joints]
    poses, facts = "[" + ",\n".join(lines) + "]", "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in
                                                          (about or {}).items())
    write_text(path, (poses if about is None else f'{{{facts}"poses": {poses}}}') + "\n")


def read_about(path):
    """What a file of :func:`write_poses` tells beside its poses: a dict, empty for a plain list. Raises as :func:`read_pose`."""
    content = _read_json(path)
    return {key: value for key, value in content.items() if key != "poses"} if isinstance(content, dict) else {}


def _read_json(path):
    try:
        size = Path(path).stat().st_size
        if size > LARGEST:
            raise UserError(f"{path}: {size >> 20} MiB are too much for a pose file")
        return json.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read this pose file ({getattr(error, 'strerror', None) or 'not UTF-8 text'})") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}:{error.colno}: not JSON ({error.msg})") from None
    except RecursionError:
        raise UserError(f"{path}: not a pose file (lists in lists in lists, too deep)") from None
    except ValueError:                                                        # Python's limit on the digits of an integer
        raise UserError(f"{path}: not a pose file (a number of thousands of digits)") from None


def _is_point(value):
    return isinstance(value, list) and len(value) in (2, 3) and not isinstance(value[0], list)


def _name(value):
    """A short text that names a JSON value in messages."""
    if isinstance(value, (list, dict)):
        return f"a list of {len(value)}" if isinstance(value, list) else "an object {...}"
    text = json.dumps(value)
    return text if len(text) <= 30 else text[:27] + "..."
