"""Find the person in a photo, and which pixels are the person: in files of the user, or with a detector.

If neither helps, the user gets a page to place the joints.
"""
import warnings
from contextlib import suppress

import numpy as np

from photo.crop import pose_boxes, shown_whole
from photo.photo_file import read_alpha
from photo.photo_list import MASK_FILES, POSE_FILES, file_for
from photo.pose_page import write_pose_page
from photo.video_end import is_video
from pose import detector_class, find_people
from pose.detector import DetectorError, Person
from pose.drawing import number_people
from pose.held_masks import held_mask
from pose.held_things import things_asked_for
from pose.mask_holes import fill_holes
from pose.masks import check_near, far_joints, mask_of, read_mask
from pose.plausible import doubts, is_outside
from pose.pose_file import check_inside, read_people
from pose.skeleton import JOINTS
from utils.errors import UserError
from utils.media import write_image


class PersonFinder:
    """Finds the person that a request means.

    Args:
        request: :class:`photo.options.PhotoRequest`; pages and numbered pictures go into its folder, which exists.
        device: on which a detector runs.
        detector: :class:`pose.detector.Detector`; default: the request's, set up for the first photo that needs it.
    """

    def __init__(self, request, device, detector=None):
        self.request, self.device, self.detector = request, device, detector

    def find(self, pixels, photo):
        """The person in a photo.

        Args:
            pixels: (h, w, 3) uint8 RGB.
            photo: :class:`photo.photo_list.Photo`.
        Returns:
            :class:`pose.detector.Person`, the mask (h, w) float32 in [0, 1] or None, and the mask of
            what the hands hold, which is part of it, or None.
        Raises:
            UserError: a bad pose or mask file, no such person, or no detector; without a person, a page to place the joints is
                written.
        """
        mask, place = self._given_mask(pixels, photo)
        if self.request.pose is None:
            person, others = self._chosen(pixels, photo, mask)
        else:
            person, others = self._of_file(pixels, photo), []
        if mask is not None:
            return person, fitted_mask(mask, person, place), None
        seen = person if self.request.pose is None else self._seen_again(pixels, person)
        return person, *self._masks(pixels, person.joints, seen, others)

    def guess(self, pixels, photo):
        """Where the person may be, for the page on which joints are placed: as :meth:`find`, or None and None."""
        mask, _ = self._given_mask(pixels, photo)
        people = self._detect(pixels, photo) if self._at_hand() else []
        number = (self.request.person or 1) - 1
        if number >= len(people):
            return None, mask
        person = people.pop(number)
        return person, self._masks(pixels, person.joints, person, people)[0] if mask is None else mask

    def _masks(self, pixels, joints, seen, others):
        """The mask of the person whom the detector sees, with what the hands hold, and of that alone; each may be None."""
        mask = None if seen is None else found_mask(pixels, seen, others)
        things = things_asked_for(self.request.held, self.request.actions)
        held = None if mask is None else held_mask(pixels, mask, joints, things)
        return mask if held is None else np.maximum(mask, held), held

    def tracker(self, instead="give the motion as poses in a JSON file"):
        """A detector for the frames of a video, see :meth:`pose.detector.Detector.tracker`; `instead` is another way out."""
        try:
            self._set_up()
        except DetectorError as error:
            raise DetectorError(f"{error}, or {instead}") from None
        return self.detector.tracker()

    def _chosen(self, pixels, photo, mask):
        """The person of the request among those that the detector finds, and the others."""
        people = self._detect(pixels, photo)
        if not people:
            where = "its last frame" if is_video(photo.path) else "it"
            raise UserError(f"{photo.path}: no person was found in {where}; place the joints by hand: "
                            f"{write_pose_page(self.request.folder, pixels, photo, mask=mask)}")
        number = self._number(pixels, photo, people)
        return people[number], people[:number] + people[number + 1:]

    def _of_file(self, pixels, photo):
        """The person of the request among those of the pose file."""
        path = file_for(self.request.pose, *(f"{photo.path.stem}{ending}" for ending in POSE_FILES))
        poses = read_people(path, self.request.pose_format, self.request.sides, photo.path.name)
        pose = poses[self._number(pixels, photo, [_as_person(pose) for pose in poses])]
        return person_of_pose(pose, pixels.shape[:2], path)

    def _number(self, pixels, photo, people):
        """Whom the request means, counted from 0. Of several people a picture is written with their numbers, from 1."""
        number, numbered = self.request.person or 1, self.request.folder / f"{photo.stem}_people.jpg"
        if len(people) > 1:
            shown = shown_whole(pixels)
            write_image(numbered, number_people(shown, people, np.divide(shown.shape[1::-1], pixels.shape[1::-1])))
        if number > len(people):
            raise UserError(f"{photo.path}: --person {number}: only {len(people)} found in it"
                            + (f", see {numbered}" if len(people) > 1 else ""))
        return number - 1

    def _given_mask(self, pixels, photo):
        """The mask that the user gives, in a file or as the photo's alpha channel, and its place for messages; or None twice."""
        if self.request.mask is not None:
            path = file_for(self.request.mask, *(f"{photo.path.stem}{ending}" for ending in MASK_FILES))
            return read_mask(path, pixels.shape[:2]), path
        mask = None if is_video(photo.path) else read_alpha(photo.path)
        return mask, None if mask is None else f"{photo.path}, alpha channel"

    def _at_hand(self):
        """Whether the detector can be used without a download."""
        return self.detector is not None or detector_class(self.request.detector).at_hand(self.request.detector_weights)

    def _seen_again(self, pixels, person):
        """The person of a pose file as a detector with masks sees it, without a download; or None."""
        if not detector_class(self.request.detector).finds_masks or not self._at_hand():
            return None
        try:
            self._set_up()
        except DetectorError:
            if self.request.detector_weights is not None:
                raise
            return None                                      # the kept weights are damaged: a pose file needs no detector
        return self.detector.find_again(pixels, person.joints, person.visible)

    def _detect(self, pixels, photo):
        """The people in a photo; the detector is set up for the first photo."""
        try:
            self._set_up()
        except DetectorError as error:
            if self.request.detector_weights is not None:
                raise DetectorError(f"{error}, or place the joints by hand with --pose edit") from None
            raise DetectorError(f"{photo.path}: {error}, or place the joints by hand: "
                                f"{write_pose_page(self.request.folder, pixels, photo)}") from None
        return self.detector.detect(pixels)

    def _set_up(self):
        if self.detector is None:
            self.detector = find_people(self.request.detector, weights=self.request.detector_weights, device=self.device)


def fitted_mask(mask, person, place):
    """A mask that the user gives, holes in the body filled.

    A warning tells of these, and of joints outside the mask. `place` begins the messages.

    Raises:
        UserError: the mask is not where the person is.
    """
    check_near(mask, person.joints, person.visible, place)
    mask, holes = fill_holes(mask, person.joints)
    outside = [JOINTS[joint] for joint in np.flatnonzero(far_joints(mask, person.joints) & person.visible)]
    if holes:
        warnings.warn(f"{place}: this mask has holes in the body, {holes} in number, which are filled", stacklevel=2)
    if outside:
        warnings.warn(f"{place}: outside this mask: {', '.join(outside)}; what the photo shows there does not move", stacklevel=2)
    return mask


def found_mask(pixels, person, others):
    """The mask (h, w) float32 of a person whom a detector found among others; None without one that lies where the pose is."""
    mask = mask_of(pixels, person, others)
    if mask is not None:
        with suppress(UserError):
            check_near(mask, person.joints, person.visible, "found")
            return mask
    return None


def person_of_pose(pose, size, path):
    """The :class:`Person` of a pose, with a warning for each doubt about it.

    Args:
        pose: :class:`pose.pose_file.FilePose`.
        size: (h, w) of the photo in pixels.
        path: its file, for messages.
    Raises:
        UserError: most of the visible joints lie outside the photo, or one lies far outside.
    """
    found, inside = doubts(pose, size), pose.visible & ~is_outside(pose.joints, size)
    if inside.sum() < pose.visible.sum() / 2:
        raise UserError(f"{path}: " + "; ".join(found) + "; is it another photo's pose, or that of this photo at another size?")
    check_inside(np.where(pose.estimated[:, None], np.nan, pose.joints), inside, size, path)
    for doubt in found:
        warnings.warn(f"{path}: {doubt}", stacklevel=2)
    return _as_person(pose._replace(visible=inside))


def _as_person(pose):
    return Person(pose_boxes(pose.joints), 1.0, pose.joints, pose.visible)
