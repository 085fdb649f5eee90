"""Poses as other programs write them in JSON, turned into the project's: COCO's keypoints and OpenPose's, and 13 joints.

What an object is called tells the program, the number of keypoints tells the skeleton:
- COCO: an object with `keypoints`, a list of such objects, or `{"images": ..., "annotations": [...]}`; keypoints are a flat list
  of numbers or a list of points, with `keypoint_scores` beside it as MMPose writes them;
- OpenPose: `{"people": [{"pose_keypoints_2d": [...]}, ...]}`;
- a list of keypoints alone.
"""
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from pose.keypoints import is_number, name_value, parse_keypoints
from pose.skeleton import HEAD, JOINTS, MIRROR
from utils.errors import UserError

AUTO, PENN, COCO, OPENPOSE = POSE_FORMATS = ("auto", "penn", "coco", "openpose")
OWN, MIRRORED = SIDES = ("own", "mirrored")      # what a file calls left: the person's own left side, or its right as Penn Action
COCO_HEAD = slice(0, 5)               # nose, eyes, ears
COCO_BODY = range(5, 17)              # left/right shoulders, elbows, wrists, hips, knees, ankles: Penn's order, own sides
# OpenPose's keypoints in COCO's order; its necks, middles of the hips and feet are left out
OPENPOSE_18 = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
OPENPOSE_25 = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)
SKELETONS = {13: (PENN, None), 17: (COCO, range(17)), 18: (OPENPOSE, OPENPOSE_18), 25: (OPENPOSE, OPENPOSE_25)}
COUNTS = "13 (Penn Action), 17 (COCO), 18 or 25 (OpenPose)"
MOST_PEOPLE = 1000


class Entry(NamedTuple):
    """One person in a file."""

    place: str               # for messages
    keypoints: list          # as JSON has them
    image: str | None = None # file name or number of the picture; None if the file does not say


def penn_joints(keypoints, visible):
    """COCO's keypoints (17, 2) and which are visible (17,) bool -> joints (13, 2) and visible (13,), with Penn Action's sides.

    COCO names the person's own sides, Penn Action the opposite ones (docs/published_system.md, "Sides"): COCO's left shoulder is
    Penn Action's right one. The head is the mean of those of nose, eyes and ears that are visible, or else of the known ones.
    """
    joints, seen = np.empty((len(JOINTS), 2)), np.empty(len(JOINTS), bool)
    face, shown = keypoints[COCO_HEAD], visible[COCO_HEAD]
    known = shown if shown.any() else np.isfinite(face).all(-1)
    joints[HEAD], seen[HEAD] = face[known].mean(0) if known.any() else np.nan, shown.any()
    joints[1:], seen[1:] = keypoints[COCO_BODY], visible[COCO_BODY]
    return joints[list(MIRROR)], seen[list(MIRROR)]


def parse_people(content, path, form=AUTO, sides=None, photo=None):
    """The poses in a parsed JSON file.

    Args:
        content: parsed JSON.
        path: how messages begin.
        form: one of POSE_FORMATS.
        sides: one of SIDES; None: as the format's inventors name them, mirrored for 13 joints and own for the others.
        photo: name of the photo file, which chooses among the pictures of a COCO file.
    Returns:
        list of joints (13, 2) float64 pixels, NaN where missing, and visible (13,) bool.
    Raises:
        UserError: the format is not known, or not that of `form`, or not clear; or the file has other pictures.
    """
    entries = _of_photo(_entries(content, path, form), path, photo)
    if len(entries) > MOST_PEOPLE:
        raise UserError(f"{path}: {len(entries)} people are too many for one picture")
    return [parse_pose(entry, form, sides) for entry in entries]


def names_pictures(content, path, form=AUTO):
    """Whether a parsed JSON file has people of several pictures, which it names; arguments and errors as :func:`parse_people`."""
    return len(_pictures(_entries(content, path, form))) > 1


def parse_pose(entry, form=AUTO, sides=None):
    """The pose of an :class:`Entry`: joints (13, 2) and visible (13,); otherwise as :func:`parse_people`."""
    points = entry.keypoints
    if isinstance(points, list) and points and all(map(is_number, points)):
        points = _in_points(points, entry.place)
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


def _in_points(numbers, place):
    """A flat list of numbers as a list of points. The numbers of keypoints that are known are such that one way fits at most."""
    for size in (3, 2):
        if len(numbers) % size == 0 and len(numbers) // size in SKELETONS:
            return [numbers[first:first + size] for first in range(0, len(numbers), size)]
    raise UserError(f"{place}: {len(numbers)} numbers are not x, y or x, y, score of {COUNTS} keypoints")


def _entries(content, path, form):
    """The people of a file, as a list of :class:`Entry`."""
    if isinstance(content, dict):
        people, others = "people" in content, [key for key in ("annotations", "keypoints") if key in content]
        if people and others and form == AUTO:
            raise UserError(f"{path}: both people (OpenPose) and {others[0]} (COCO) are in it; choose with --pose_format "
                            "openpose or coco")
        if people and not (others and form == COCO):
            return _openpose(content["people"], path)
        if "annotations" in content:
            return _coco(content["annotations"], path, _names_of_pictures(content))
        if "keypoints" in content:
            return _coco([content], path)
        raise UserError(f"{path}: an object without people (OpenPose), annotations or keypoints (COCO); expected one of these, "
                        "or a list of keypoints")
    if isinstance(content, list) and any(isinstance(entry, dict) for entry in content):
        return _coco(content, path)
    if not isinstance(content, list) or not content:
        raise UserError(f"{path}: a pose is a list of keypoints, {COUNTS} of them, got {name_value(content)}")
    return [Entry(str(path), content)]


def _openpose(people, path):
    """The people of OpenPose's output that have body keypoints."""
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise UserError(f"{path}: people is {name_value(people)}, expected a list of objects with pose_keypoints_2d")
    entries = []
    for number, person in enumerate(people, 1):
        place = f"{path}: person {number}"
        if "pose_keypoints_2d" not in person:
            raise UserError(f"{place}: there is no pose_keypoints_2d")
        entries.append(Entry(place, _list(person["pose_keypoints_2d"], f"{place}: pose_keypoints_2d")))
    return [entry for entry in entries if entry.keypoints]


def _coco(people, path, pictures=None):
    """The people of COCO's annotations or results that have keypoints; `pictures` maps a picture's id to its file."""
    if not isinstance(people, list):
        raise UserError(f"{path}: annotations is {name_value(people)}, expected a list of objects with keypoints")
    entries = []
    for number, person in enumerate(people, 1):
        place = f"{path}: person {number}"
        if not isinstance(person, dict):
            raise UserError(f"{place}: expected an object with keypoints, got {name_value(person)}")
        points = _list(person.get("keypoints", []), f"{place}: keypoints")
        if "keypoint_scores" in person:
            scores = _list(person["keypoint_scores"], f"{place}: keypoint_scores")
            if len(scores) != len(points) or not all(isinstance(point, list) for point in points):
                raise UserError(f"{place}: {len(points)} keypoints and {len(scores)} keypoint_scores do not fit together")
            points = [[*point[:2], score] for point, score in zip(points, scores)]
        image = person.get("image_id")
        image = str(image) if isinstance(image, (int, str)) else None
        entries.append(Entry(place, points, (pictures or {}).get(image, image)))
    return [entry for entry in entries if entry.keypoints]


def _list(value, place):
    if not isinstance(value, list):
        raise UserError(f"{place} is {name_value(value)}, expected a list")
    return value


def _names_of_pictures(content):
    """A dict from a picture's id, as text, to its file name, of COCO's `images`."""
    images = content.get("images")
    images = [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    return {str(image.get("id")): image["file_name"] for image in images if isinstance(image.get("file_name"), str)}


def _pictures(entries):
    """The names or numbers of the pictures that entries name, in their order."""
    return list(dict.fromkeys(entry.image for entry in entries if entry.image is not None))


def _of_photo(entries, path, photo):
    """The people of one picture: of the only one, or of that with the photo's name or number."""
    pictures = _pictures(entries)
    if len(pictures) < 2:
        return entries
    wanted = [picture for picture in pictures if photo and _same_picture(picture, photo)]
    if len(wanted) != 1:
        raise UserError(f"{path}: poses of {len(pictures)} pictures, {len(wanted) or 'none'} of them named like "
                        f"{photo or 'the photo'} (the first is {name_value(pictures[0])})")
    return [entry for entry in entries if entry.image == wanted[0]]


def _same_picture(picture, photo):
    """Whether a picture's file name or number is that of a photo file, in whose name zeros may stand before the number."""
    return PurePath(picture).name == PurePath(photo).name or picture == (PurePath(photo).stem.lstrip("0") or "0")
