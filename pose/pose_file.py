"""Pose files: JSON in pixels of a photo or video, with joints and sides as in pose/skeleton.py.

One pose is a list of 13 keypoints (see pose/keypoints.py). The poses of a video are a list with one pose per frame, null for
frames without a person, or an object with this list as `poses` and further facts. Poses of other programs are read as well, see
pose/foreign_poses.py. Missing joints are estimated from the others.
"""
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pose.foreign_poses import AUTO, Entry, names_pictures, parse_frames, parse_people, parse_pose
from pose.keypoints import name_value
from pose.missing_joints import estimate_missing, missing
from pose.skeleton import JOINTS
from utils.errors import UserError
from utils.files import write_text

LEAST_KNOWN = 4                       # joints from which the others can be estimated
POSE_TRANSFER = "name:keypoints_y:keypoints_x"      # first line of such a list
DIGITS = 2                            # decimals that are written; annotations are coarser


class FilePose(NamedTuple):
    joints: np.ndarray       # (13, 2) float64 x, y in pixels
    visible: np.ndarray      # (13,) bool, True where the file does not say
    estimated: np.ndarray    # (13,) bool: the joint is missing in the file


class NobodyError(UserError):
    """A pose file is right, but nobody is in it."""


def read_people(path, form=AUTO, sides=None, photo=None):
    """Read the people of one picture, the largest first.

    Args:
        path: JSON file.
        form, sides, photo: see :func:`pose.foreign_poses.parse_people`.
    Returns:
        list of :class:`FilePose`, not empty, without people of whom fewer than LEAST_KNOWN joints are known.
    Raises:
        UserError: the file cannot be read or is not JSON, its contents are not poses, or nobody is in it (NobodyError).
    """
    found = parse_people(_read_json(path), path, form, sides, photo)
    known = max((int((~missing(joints)).sum()) for joints, _ in found), default=0)
    if known < LEAST_KNOWN:
        raise NobodyError(f"{path}: nobody is in it" if not known else
                          f"{path}: only {known} of {len(JOINTS)} joints are known; {LEAST_KNOWN} or more are needed")
    return [FilePose(estimate_missing(joints), visible, missing(joints)) for joints, visible in _by_size(found)]


def _by_size(people):
    """The people (joints, visible) of whom enough joints are known, the largest first."""
    known = [(joints, seen) for joints, seen in people if (~missing(joints)).sum() >= LEAST_KNOWN]
    return sorted(known, key=lambda person: -float(np.prod(np.ptp(person[0][~missing(person[0])], axis=0))))


def is_of_several_pictures(path, form=AUTO):
    """Whether a JSON file names several pictures, as COCO's do; errors as of :func:`read_people`."""
    return names_pictures(_read_json(path), path, form)


def is_keypoint_list(path):
    """Whether a file is a keypoint list of Pose-Transfer, which is read as JSON files are."""
    with open(path, errors="replace") as file:
        return file.readline().startswith(POSE_TRANSFER)


def read_pose(path, size=None):
    """Read one pose, that of the largest person: joints (13, 2) float64 and visible (13,) bool.

    `size` (h, w) is that of the picture, for :func:`check_inside`, or None. Raises :class:`UserError` as :func:`read_people`.
    """
    joints, visible, estimated = read_people(path)[0]
    if size is not None:
        check_inside(np.where(estimated[:, None], np.nan, joints), visible, size, path)
    return joints, visible


def read_poses(path, size=None):
    """Read the poses of a video, of the largest person in each frame; arguments and errors as of :func:`read_pose`.

    Returns:
        joints (T, 13, 2) float64, NaN for null and where fewer than LEAST_KNOWN joints are known, and visible (T, 13) bool.
    """
    joints, visible = read_known(path, size)
    return complete_poses(joints), visible


def read_known(path, size=None):
    """Read poses as :func:`read_poses`, without estimates: each joint is NaN where it is missing."""
    content = _read_json(path)
    if isinstance(content, dict) and "poses" in content:
        content = content["poses"]
    if isinstance(content, dict) or isinstance(content, list) and any(isinstance(entry, dict) for entry in content):
        frames = parse_frames(content, path)
    elif isinstance(content, list) and content:
        frames = [[] if pose is None else [parse_pose(Entry(f"{path}: frame {number}", pose))]
                  for number, pose in enumerate(content, 1)]
    else:
        raise UserError(f"{path}: expected a list of poses, one a frame, got {name_value(content)}")
    joints, visible = np.full((len(frames), len(JOINTS), 2), np.nan), np.zeros((len(frames), len(JOINTS)), bool)
    for number, people in enumerate(frames):
        if size is not None:
            for pose in people:
                check_inside(*pose, size, f"{path}: frame {number + 1}")
        for pose in _by_size(people)[:1]:
            joints[number], visible[number] = pose
    return joints, visible


def complete_poses(joints):
    """Estimate the missing joints of poses (T, 13, 2), which are NaN; where hardly one is known, all are NaN."""
    known = ~missing(joints)
    return np.stack([estimate_missing(pose) if number >= LEAST_KNOWN else np.full_like(pose, np.nan)
                     for pose, number in zip(joints, known.sum(1))])


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
    """One pose as JSON data: joints (13, 2) in pixels, visible (13,) bool or None for all."""
    visible = np.ones(len(JOINTS), bool) if visible is None else visible
    return [[round(float(x), DIGITS), round(float(y), DIGITS), bool(seen)] for (x, y), seen in zip(joints, visible)]


def write_pose(path, joints, visible=None):
    """Write one pose, arguments as of :func:`pose_list`."""
    write_text(path, json.dumps(pose_list(joints, visible)) + "\n")


def write_poses(path, joints, about=None):
    """Write the poses (T, 13, 2) of a video in pixels, NaN for null, one line per frame.

    With a dict `about` of further facts the file holds an object, see the top of this file.
    """
    lines = [json.dumps(pose_list(pose)) if np.isfinite(pose).all() else "null" for pose in joints]
    poses = "[" + ",\n".join(lines) + "]"
    facts = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in (about or {}).items())
    write_text(path, (poses if about is None else f'{{{facts}"poses": {poses}}}') + "\n")


def read_about(path):
    """Facts beside the poses in a file of :func:`write_poses`, a dict; empty for a plain list. Raises like :func:`read_pose`."""
    content = _read_json(path)
    return {key: value for key, value in content.items() if key != "poses"} if isinstance(content, dict) else {}


def _read_json(path):
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        return _pose_transfer(text) if text.startswith(POSE_TRANSFER) else json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read this pose file ({getattr(error, 'strerror', None) or 'not UTF-8 text'})") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}:{error.colno}: not JSON ({error.msg})") from None
    except (RecursionError, ValueError):                             # nested too deep; an integer with thousands of digits
        raise UserError(f"{path}: not a pose file") from None


def _pose_transfer(text):
    """The content of a keypoint list of Pose-Transfer as that of a JSON file; lines are `name: [y, ...]: [x, ...]`."""
    lines = [line.rsplit(":", 2) for line in text.splitlines()[1:] if line]
    return [{"image_id": name, "keypoints": [list(point) for point in zip(json.loads(x), json.loads(y))]} for name, y, x in lines]
