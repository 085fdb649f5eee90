"""Poses in JSON files, in pixels of a photo or video, with joints and sides as in pose/skeleton.py.

One pose is a list of 13 keypoints (pose/keypoints.py says what these are). The poses of a video are a list of poses, one for each
frame, with null for frames without a person, or an object that holds this list as `poses` beside what else is known. Poses of
other programs are read as well, see pose/foreign_poses.py. Joints that are missing in a file are estimated from the others.
"""
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pose.foreign_poses import AUTO, SKELETONS, Entry, names_pictures, parse_people, parse_pose
from pose.keypoints import name_value
from pose.missing_joints import estimate_missing, missing
from pose.skeleton import JOINTS
from utils.errors import UserError
from utils.files import write_text

LARGEST = 64 << 20                    # bytes; an hour of video with 60 poses a second needs less
LEAST_KNOWN = 4                       # joints from which the others can be estimated
DIGITS = 2                            # decimals that are written; annotations are coarser


class FilePose(NamedTuple):
    """A pose that stands in a file."""

    joints: np.ndarray       # (13, 2) float64 x, y in pixels
    visible: np.ndarray      # (13,) bool, True where the file does not say
    estimated: np.ndarray    # (13,) bool: the joint is missing in the file


def read_people(path, form=AUTO, sides=None, photo=None):
    """Read the people of one picture, the largest first.

    Args:
        path: JSON file.
        form, sides, photo: see :func:`pose.foreign_poses.parse_people`.
    Returns:
        list of :class:`FilePose`, not empty. People of whom fewer than LEAST_KNOWN joints are known are left out.
    Raises:
        UserError: the file cannot be read or is not JSON, its contents are no poses, or nobody is in it.
    """
    found = parse_people(_read_json(path), path, form, sides, photo)
    known = [int((~missing(joints)).sum()) for joints, _ in found]
    if max(known, default=0) < LEAST_KNOWN:
        raise UserError(f"{path}: nobody is in it" if not any(known) else
                        f"{path}: only {max(known)} of {len(JOINTS)} joints are known; {LEAST_KNOWN} or more are needed")
    people = [_completed(*pose) for pose, number in zip(found, known) if number >= LEAST_KNOWN]
    return sorted(people, key=lambda pose: -float(np.prod(np.ptp(pose.joints[~pose.estimated], axis=0))))


def is_of_several_pictures(path, form=AUTO):
    """Whether a JSON file names several pictures and holds the people of each, as COCO's do; errors as of :func:`read_people`."""
    return names_pictures(_read_json(path), path, form)


def read_pose(path, size=None):
    """Read one pose; of several people in the file that of the largest.

    Args:
        path: JSON file.
        size: (h, w) of the picture in pixels, in which visible joints must lie; None skips this check.
    Returns:
        joints (13, 2) float64 and visible (13,) bool.
    Raises:
        UserError: as :func:`read_people`, or a joint lies outside, see :func:`check_inside`.
    """
    joints, visible, estimated = read_people(path)[0]
    if size is not None:
        check_inside(np.where(estimated[:, None], np.nan, joints), visible, size, path)
    return joints, visible


def read_poses(path, size=None):
    """Read the poses of a video.

    Args:
        path: JSON file.
        size: (h, w) of its frames in pixels, in which visible joints must lie; None skips this check.
    Returns:
        joints (T, 13, 2) float64, NaN for null and where fewer than LEAST_KNOWN joints are known, and visible (T, 13) bool.
    Raises:
        UserError: as :func:`read_pose`.
    """
    content = _read_json(path)
    if isinstance(content, dict) and "poses" in content:
        content = content["poses"]
    if not isinstance(content, list) or not content:
        raise UserError(f"{path}: expected a list of poses, one a frame, got {name_value(content)}")
    if len(content) in SKELETONS and _is_point(content[0]):
        raise UserError(f"{path}: this is one pose; for a video a list of poses is needed, one a frame")
    joints, visible = np.full((len(content), len(JOINTS), 2), np.nan), np.zeros((len(content), len(JOINTS)), bool)
    for frame, pose in enumerate(content):
        if pose is None:
            continue
        place = f"{path}: frame {frame + 1}"
        found, seen = parse_pose(Entry(place, pose))
        if size is not None:
            check_inside(found, seen, size, place)
        if (~missing(found)).sum() >= LEAST_KNOWN:
            joints[frame], visible[frame], _ = _completed(found, seen)
    return joints, visible


def _completed(joints, visible):
    """The :class:`FilePose` of joints (13, 2), NaN where missing."""
    return FilePose(estimate_missing(joints), visible, missing(joints))


def check_inside(joints, visible, size, place):
    """Raise :class:`UserError` unless visible joints lie in a picture of size (h, w), and others at most its size outside.

    Joints (13, 2) that are NaN lie nowhere.
    """
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
