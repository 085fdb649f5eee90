"""Stage 2, subject: the person in a photo, which pixels are the person, and what is behind.

Axes: J = 13 joints; h, w, sides of the photo.
"""
import warnings
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from photo.crop import MAX_PHOTO, pose_boxes
from photo.inputs import Photo
from photo.layers import inpaint_photo
from photo.pose_page import write_pose_page
from pose.detector import Person
from pose.drawing import draw_mask, draw_skeleton, number_people
from pose.held_objects import held_mask
from pose.masks import check_near, far_joints, fill_holes, mask_of, write_mask
from pose.plausible import bone_doubts, doubts, is_outside
from pose.pose_file import check_inside, write_pose
from pose.skeleton import JOINTS
from utils.errors import UserError
from utils.media import write_image
from utils.transform import limited, resized


class Subject(NamedTuple):
    """A photo and the person in it."""

    photo: Photo
    pixels: np.ndarray       # (h, w, 3) uint8 RGB
    shown: np.ndarray        # (H, W, 3) uint8, the photo as clips show it, with at most MAX_PHOTO pixels a side
    person: Person           # in pixels of the photo
    mask: np.ndarray | None = None        # (h, w) float32 in [0, 1]: 1 where the person is, with held objects
    held: np.ndarray | None = None        # (h, w) float32, the part of `mask` that held objects cover
    background: np.ndarray | None = None  # (h, w, 3) uint8, the photo without the person


def find_subject(given, inputs, trainer):
    """The :class:`Subject` of a :class:`photo.inputs.PhotoInput`; the trainer's generator inpaints the background.

    Raises:
        UserError: a bad pose or mask, no such person, or no detector; if nobody is found, a page to place the joints is written.
    """
    subject = Subject(given.photo, given.pixels, limited(given.pixels, MAX_PHOTO), *resolve(given, inputs), given.background)
    del given                                                # its mask is large
    if subject.background is None and trainer.renders and trainer.cuts_out:
        seen = inputs.backdrop is None or inputs.clips.layers
        try:
            subject = subject._replace(background=inpaint_photo(trainer, subject) if seen else subject.pixels)
        except UserError as error:
            raise UserError(f"{subject.photo.path}: {error}") from None
    return subject


def resolve(given, inputs):
    """Find the person and the masks.

    The pose is that of the pose file, or else the detector's. The mask is the mask file, or else the photo's alpha channel, or
    else what the detector finds where the pose is; held objects are added to it.

    Returns:
        :class:`pose.detector.Person`; mask (h, w) or None; the part of it that held objects cover, or None.
    """
    size, path, others = given.pixels.shape[:2], given.photo.path, []
    if given.poses is not None:
        number = _chosen([_person_of(pose) for pose in given.poses], given, inputs)
        person, seen = checked_person(given.poses[number], size, given.pose_file), None
        unreported = ~given.poses[number].visible
    else:
        others = _detect(given, inputs)
        person = seen = others.pop(_chosen(others, given, inputs))
        unreported = True
        for doubt in bone_doubts(person.joints):
            warnings.warn(f"{path}: the pose found is doubtful, {doubt}; --pose edit corrects it", stacklevel=2)
    outside = is_outside(person.joints, size) & unreported
    if outside.any():
        warnings.warn(f"{path}: {joint_names(outside)} outside the photo", stacklevel=2)
    mask, source = (given.mask, given.mask_file) if given.alpha is None else (given.alpha, f"{path}, alpha channel")
    if mask is not None:
        mask = checked_mask(mask, person, source)
    else:
        if seen is None and inputs.detector.kind.finds_masks and inputs.detector.at_hand():  # a pose file needs no detector
            seen = inputs.detector.get().find_again(given.pixels, person.joints, person.visible)
        mask = _detected_mask(given, seen, others)
    held = None if mask is None else held_mask(given.pixels, mask, person.joints, inputs.held)
    return person, mask if held is None else np.maximum(mask, held), held


def place_joints(given, inputs):
    """Write the page on which the user places a photo's joints, and the person's mask if one is found.

    The page begins with the pose that the detector finds, if it works without a download.

    Returns:
        a sentence that says how to continue, and the :class:`pose.detector.Person` with whose pose the page begins, or None.
    """
    people, person = [], None
    if inputs.detector.at_hand():
        people = inputs.detector.get().detect(given.pixels)
    mask = given.alpha if given.mask is None else given.mask
    if (number := (inputs.subject.person or 1) - 1) < len(people):
        person = people.pop(number)
        mask = _detected_mask(given, person, people) if mask is None else mask
    if mask is not None:
        write_mask(inputs.folder / f"{given.photo.stem}_mask.png", mask)
    return write_pose_page(inputs.folder, given, person, mask), person


def joint_names(chosen):
    """The names of joints (13,) bool."""
    return ", ".join(JOINTS[joint] for joint in np.flatnonzero(chosen))


def write_subject(folder, subject):
    """Write the pose and the mask of a :class:`Subject`, and a picture that shows both."""
    stem, person, mask, picture = subject.photo.stem, subject.person, subject.mask, subject.shown
    write_pose(folder / f"{stem}_pose.json", person.joints, person.visible)
    if mask is not None:
        write_mask(folder / f"{stem}_mask.png", mask)
        picture = draw_mask(picture, resized(mask, picture.shape[:2]))
    ratio = np.divide(picture.shape[1::-1], subject.pixels.shape[1::-1])
    write_image(folder / f"{stem}_pose.jpg", draw_skeleton(picture, person.joints * ratio, person.visible))


def checked_mask(mask, person, source):
    """Fill the holes that a user's mask (h, w) has in the body, and warn of these and of joints outside the mask.

    Raises :class:`UserError` if the mask is not where the person is; `source` begins the messages.
    """
    check_near(mask, person.joints, person.visible, source)
    mask, holes = fill_holes(mask, person.joints)
    outside = far_joints(mask, person.joints) & person.visible
    if holes:
        warnings.warn(f"{source}: this mask has holes in the body ({holes}), which are filled", stacklevel=2)
    if outside.any():
        warnings.warn(f"{source}: {joint_names(outside)} outside this mask; what the photo shows there does not move",
                      stacklevel=2)
    return mask


def checked_person(pose, size, path):
    """The :class:`pose.detector.Person` of a :class:`pose.pose_file.FilePose`, with a warning for each doubt about it.

    Raises :class:`UserError` if most visible joints lie outside the photo of size (h, w), or one far outside.
    """
    found, inside = doubts(pose, size), pose.visible & ~is_outside(pose.joints, size)
    if inside.sum() < pose.visible.sum() / 2:
        raise UserError(f"{path}: " + "; ".join(found) + "; is it another photo's pose, or that of this photo at another size?")
    check_inside(np.where(pose.estimated[:, None], np.nan, pose.joints), inside, size, path)
    for doubt in found:
        warnings.warn(f"{path}: {doubt}", stacklevel=2)
    return _person_of(pose._replace(visible=inside))


def _person_of(pose):
    return Person(pose_boxes(pose.joints), 1.0, pose.joints, pose.visible)


def _detect(given, inputs):
    """The people whom the detector finds in a photo, at least one."""
    try:
        people = inputs.detector.get().detect(given.pixels)
    except UserError as error:
        raise UserError(f"{given.photo.path}: {error}, or {_by_hand(given, inputs)}") from None
    if not people:
        raise UserError(f"{given.photo.path}: no person was found in it; {_by_hand(given, inputs)}")
    return people


def _by_hand(given, inputs):
    """Write the page for placing the joints; returns what to do with it."""
    mask = given.alpha if given.mask is None else given.mask
    return f"place the joints by hand: {write_pose_page(inputs.folder, given, mask=mask)}"


def _chosen(people, given, inputs):
    """Index of the person whom the user means; if there are several people, a picture with their numbers is written."""
    number, path = inputs.subject.person or 1, inputs.folder / f"{given.photo.stem}_people.jpg"
    if len(people) > 1:
        shown = limited(given.pixels, MAX_PHOTO)
        write_image(path, number_people(shown, people, np.divide(shown.shape[1::-1], given.pixels.shape[1::-1])))
        if inputs.subject.person is None:
            warnings.warn(f"{given.photo.path}: of {len(people)} people number 1 is taken, --person K takes another; see {path}",
                          stacklevel=2)
    if number > len(people):
        raise UserError(f"{given.photo.path}: --person {number}: only {len(people)} found in it" +
                        (f", see {path}" if len(people) > 1 else ""))
    return number - 1


def _detected_mask(given, seen, others):
    """The mask of a detected person, or None; `others` are the other people."""
    mask = None if seen is None else mask_of(given.pixels, seen, others)
    with suppress(UserError):
        if mask is not None:
            check_near(mask, seen.joints, seen.visible, "")
            return mask
    return None
