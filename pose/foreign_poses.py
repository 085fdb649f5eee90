"""Parse poses that other programs write as JSON, COCO's and OpenPose's, and lists of 13 joints.

The keys of an object tell the program, the number of keypoints tells the skeleton:
- COCO: an object with `keypoints`, a list of such objects, or `{"images": ..., "annotations": [...]}`; keypoints are a flat list
  of numbers or a list of points, with `keypoint_scores` beside it as MMPose writes them;
- OpenPose: `{"people": [{"pose_keypoints_2d": [...]}, ...]}`; before version 1.2 the key is `pose_keypoints`;
- a list of keypoints alone.
"""
import math
import re
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from pose.keypoints import is_number, name_value, parse_keypoints
from pose.skeleton import HEAD, JOINTS, MIRROR
from utils.errors import UserError

AUTO, PENN, COCO, OPENPOSE = POSE_FORMATS = ("auto", "penn", "coco", "openpose")
OWN, MIRRORED = SIDES = ("own", "mirrored")      # what a file calls left: the person's own left, or its right as Penn Action
COCO_HEAD = slice(0, 5)               # nose, eyes, ears
COCO_BODY = range(5, 17)              # left/right shoulders, elbows, wrists, hips, knees, ankles: Penn's order, own sides
# OpenPose's keypoints in COCO's order, without neck, middle of the hips and feet
OPENPOSE_18 = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
OPENPOSE_25 = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)
SKELETONS = {13: (PENN, None), 17: (COCO, range(17)), 18: (OPENPOSE, OPENPOSE_18), 25: (OPENPOSE, OPENPOSE_25)}
MOST_GAPS = 10            # frames for each name that numbers may count
COUNTS = "13 (Penn Action), 17 (COCO), 18 or 25 (OpenPose)"


class Entry(NamedTuple):
    """One person in a file."""

    place: str               # for messages
    keypoints: list          # parsed JSON
    image: str | None = None # file name or id of the picture; None if the file does not say


def penn_joints(keypoints, visible):
    """Convert COCO's keypoints (17, 2) and visible (17,) bool to Penn Action's joints (13, 2) and visible (13,).

    COCO names the person's own sides, Penn Action the opposite ones (docs/published_system.md, "Sides"): COCO's left shoulder is
    Penn Action's right one. The head is the mean of the visible ones of nose, eyes and ears, or else of the known ones.
    """
    joints, seen = np.empty((len(JOINTS), 2)), np.empty(len(JOINTS), bool)
    face, shown = keypoints[COCO_HEAD], visible[COCO_HEAD]
    known = shown if shown.any() else np.isfinite(face).all(-1)
    joints[HEAD], seen[HEAD] = face[known].mean(0) if known.any() else np.nan, shown.any()
    joints[1:], seen[1:] = keypoints[COCO_BODY], visible[COCO_BODY]
    return joints[list(MIRROR)], seen[list(MIRROR)]


def parse_people(content, path, form=AUTO, sides=None, photo=None):
    """Parse the poses of the people in one picture.

    Args:
        content: parsed JSON of the file `path`.
        form, sides: of POSE_FORMATS and SIDES; sides None: as usual in the format, mirrored for 13 joints and own for the others.
        photo: name of the photo file, which selects a picture of a COCO file.
    Returns:
        list of joints (13, 2) float64 pixels, NaN where missing, and visible (13,) bool.
    Raises:
        UserError: the format is unknown, ambiguous or differs from `form`, or the file has no such picture.
    """
    entries = _entries(content, path, form)
    pictures = _pictures(entries)
    if len(pictures) > 1:
        wanted = [picture for picture in pictures if photo and _same_picture(picture, photo)]
        if len(wanted) != 1:
            raise UserError(f"{path}: poses of {len(pictures)} pictures, {len(wanted) or 'none'} of them named like "
                            f"{photo or 'the photo'} (the first is {name_value(pictures[0])})")
        entries = [entry for entry in entries if entry.image == wanted[0]]
    return [parse_pose(entry, form, sides) for entry in entries]


def parse_frames(content, path):
    """Parse a file with the poses of a video: a list of people, as of :func:`parse_people`, for each frame; see frame_numbers."""
    entries = _entries(content, path, AUTO)
    pictures = dict.fromkeys(entry.image for entry in entries)
    numbers = dict(zip(pictures, frame_numbers(pictures)))
    frames = [[] for _ in range(max(numbers.values(), default=-1) + 1)]
    for entry in entries:
        frames[numbers[entry.image]].append(parse_pose(entry))
    return frames


def frame_numbers(names):
    """The frames, from 0, of pictures or files with these names: by the last number in each name, or else in the given order.

    Names that count in steps, such as every fifth frame of a video, have no gaps. Far larger numbers,
    such as dates, are no frame numbers.
    """
    digits = [re.findall(r"\d+", PurePath(str(name)).stem) for name in names]
    numbers = [int(found[-1]) for found in digits if found]
    frames = [number - min(numbers) for number in numbers]
    step = math.gcd(*frames) or 1
    if len(set(numbers)) < len(names) or max(frames, default=0) // step > MOST_GAPS * len(names):
        return list(range(len(names)))
    return [frame // step for frame in frames]


def names_pictures(content, path, form=AUTO):
    """Whether a parsed JSON file has people in several named pictures; arguments and errors as :func:`parse_people`."""
    return len(_pictures(_entries(content, path, form))) > 1


def parse_pose(entry, form=AUTO, sides=None):
    """Parse the pose of an :class:`Entry`: joints (13, 2) and visible (13,); otherwise as :func:`parse_people`."""
    points = entry.keypoints
    if isinstance(points, list) and points and all(map(is_number, points)):                  # flat: x, y(, score), x, y ...
        size = next((size for size in (3, 2) if len(points) % size == 0 and len(points) // size in SKELETONS), None)
        if size is None:
            raise UserError(f"{entry.place}: {len(points)} numbers are not x, y or x, y, score of {COUNTS} keypoints")
        points = [points[first:first + size] for first in range(0, len(points), size)]
    if not isinstance(points, list) or len(points) not in SKELETONS:
        raise UserError(f"{entry.place}: a pose is a list of keypoints, {COUNTS} of them, got {name_value(points)}")
    kind, order = SKELETONS[len(points)]
    if form not in (AUTO, kind):
        raise UserError(f"{entry.place}: {len(points)} keypoints are not of the format {form}; --pose_format {kind} or auto "
                        "reads them")
    joints, visible = parse_keypoints(points, entry.place, JOINTS if kind == PENN else None)
    if kind != PENN:
        joints, visible = penn_joints(joints[list(order)], visible[list(order)])
    if sides not in (None, MIRRORED if kind == PENN else OWN):
        joints, visible = joints[list(MIRROR)], visible[list(MIRROR)]
    return joints, visible


def _entries(content, path, form):
    """The people of a file, as a list of :class:`Entry`."""
    if isinstance(content, dict):
        if "people" in content and (form != COCO or not {"annotations", "keypoints"} & set(content)):
            return _people(content["people"], path, "people", "pose_keypoints_2d", "pose_keypoints")
        if "annotations" in content:
            images = [image for image in _list(content.get("images", []), f"{path}: images") if isinstance(image, dict)]
            files = {str(image.get("id")): str(image["file_name"]) for image in images if "file_name" in image}
            return [entry._replace(image=files.get(entry.image, entry.image))
                    for entry in _people(content["annotations"], path, "annotations", "keypoints")]
        if "keypoints" not in content:
            raise UserError(f"{path}: an object without people (OpenPose), annotations or keypoints (COCO); expected one of "
                            "these, or a list of keypoints")
        content = [content]
    if isinstance(content, list) and any(isinstance(entry, dict) for entry in content):
        return _people(content, path, "the file", "keypoints")
    if not isinstance(content, list) or not content:
        raise UserError(f"{path}: a pose is a list of keypoints, {COUNTS} of them, got {name_value(content)}")
    return [Entry(str(path), content)]


def _people(people, path, name, key, older=None):
    """The people in a list of objects whose keypoints stand under a key, or an older one; others are left out."""
    entries = []
    for number, person in enumerate(_list(people, f"{path}: {name}"), 1):
        place = f"{path}: person {number}"
        if not isinstance(person, dict):
            raise UserError(f"{place}: expected an object with {key}, got {name_value(person)}")
        points, image = _list(person.get(key, person.get(older, [])), f"{place}: {key}"), person.get("image_id")
        if "keypoint_scores" in person:
            scores = _list(person["keypoint_scores"], f"{place}: keypoint_scores")
            if len(scores) != len(points) or not all(isinstance(point, list) for point in points):
                raise UserError(f"{place}: {len(points)} keypoints and {len(scores)} keypoint_scores do not fit together")
            points = [[*point[:2], score] for point, score in zip(points, scores)]
        if points:
            entries.append(Entry(place, points, None if image is None else str(image)))
    return entries


def _list(value, place):
    if not isinstance(value, list):
        raise UserError(f"{place} is {name_value(value)}, expected a list")
    return value


def _pictures(entries):
    """The distinct names or ids of the entries' pictures."""
    return list(dict.fromkeys(entry.image for entry in entries if entry.image is not None))


def _same_picture(picture, photo):
    """Whether a picture's file name or id is that of a photo file; in the latter's name zeros may precede the id."""
    return PurePath(picture).name == PurePath(photo).name or picture == (PurePath(photo).stem.lstrip("0") or "0")
