"""Find the person in a photo: in a pose file, or with a detector. If neither helps, the user gets a page to place the joints."""
import numpy as np

from photo.crop import pose_boxes, shown_whole
from photo.pose_page import write_pose_page
from pose import find_people
from pose.detector import DetectorError, Person
from pose.drawing import number_people
from pose.pose_file import read_pose
from utils.errors import UserError
from utils.media import write_image


class PersonFinder:
    """Finds the person that a request means.

    Args:
        request: :class:`photo.options.PhotoRequest`; pages and numbered pictures go into its folder, which exists.
        device: on which a detector runs.
    """

    def __init__(self, request, device):
        self.request, self.device, self.detector = request, device, None

    def find(self, pixels, photo):
        """The :class:`pose.detector.Person` in a photo, pixels (h, w, 3) uint8 RGB and :class:`photo.make_clips.Photo`.

        Raises:
            UserError: a bad pose file, no such person, or no detector; without a person, a page to place the joints is written.
        """
        if self.request.pose is not None:
            return person_of_file(self.request.pose, photo, pixels.shape[:2])
        people, number = self._detect(pixels, photo), self.request.person or 1
        if not people:
            raise UserError(f"{photo.path}: no person was found in it; place the joints by hand: "
                            f"{write_pose_page(self.request.folder, pixels, photo)}")
        numbered = self.request.folder / f"{photo.stem}_people.jpg"
        if len(people) > 1:
            shown = shown_whole(pixels)
            write_image(numbered, number_people(shown, people, np.divide(shown.shape[1::-1], pixels.shape[1::-1])))
        if number > len(people):
            raise UserError(f"{photo.path}: --person {number}: only {len(people)} found in it"
                            + (f", see {numbered}" if len(people) > 1 else ""))
        return people[number - 1]

    def _detect(self, pixels, photo):
        """The people in a photo; the detector is set up for the first photo."""
        weights = self.request.detector_weights
        if self.detector is None:
            try:
                self.detector = find_people(self.request.detector, weights=weights, device=self.device)
            except DetectorError as error:
                if weights is not None:
                    raise DetectorError(f"{error}, or place the joints by hand with --pose edit") from None
                raise DetectorError(f"{photo.path}: {error}, or place the joints by hand: "
                                    f"{write_pose_page(self.request.folder, pixels, photo)}") from None
        return self.detector.detect(pixels)


def person_of_file(path, photo, size):
    """The person in a pose file, or in a folder's file with the photo's name; size (h, w) of the photo in pixels."""
    joints, visible = read_pose(path / f"{photo.path.stem}.json" if path.is_dir() else path, size)
    return Person(pose_boxes(joints), 1.0, joints, visible)
