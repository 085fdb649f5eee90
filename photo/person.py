"""Where the person of a photo is: told by a pose file, found by a detector, or to be placed by hand on a page."""
import numpy as np

from photo.crop import resized
from photo.pose_page import write_pose_editor
from pose.keypoint_rcnn import Detector
from pose.pose_file import read_pose
from pose.skeletons import number_people
from utils.errors import UserError
from utils.media import write_image

EDIT = "edit"             # as --pose: by hand
DETECTED_SIDE = 1333      # pixels; the detector makes larger pictures smaller anyway
WAYS_OUT = "give a local file of them with --detector_weights PATH, or place the joints by hand"


class PersonFinder:
    """Finds the person in photos.

    Args:
        pose: a pose file or pathlib folder of `<photo's name>.json`, or None for a detector.
        person: number of the person, from 1, or None for the largest.
        weights: file of the detector's weights, or None for those that torchvision downloads.
        device: where the detector runs.
        folder: where pages and numbered pictures go; it exists.
    """

    def __init__(self, pose, person, weights, device, folder):
        self.pose, self.person, self.weights, self.device, self.folder = pose, person, weights, device, folder
        self.detector = None

    def find(self, photo, path, stem):
        """The person in a photo.

        Args:
            photo: (h, w, 3) uint8 RGB.
            path: where it was read, pathlib.
            stem: beginning of the names of what is written.
        Returns:
            joints (13, 2) float64 in pixels of the photo, visible (13,) bool.
        Raises:
            UserError: a bad pose file, nobody there, or no detector; then a page to place the joints by hand is there.
        """
        if self.pose is not None:
            return read_pose(self.pose / f"{path.stem}.json" if self.pose.is_dir() else self.pose, photo.shape[:2])
        if self.detector is None:
            try:
                self.detector = Detector(self.weights, self.device, ways_out=WAYS_OUT)
            except UserError as error:
                if self.weights is not None:
                    raise
                raise UserError(f"{path}: {error}: {self.by_hand(photo, path, stem)}") from None
        ratio = min(1, DETECTED_SIDE / max(photo.shape[:2]))
        picture = resized(photo, [max(1, round(side * ratio)) for side in photo.shape[:2]])
        people = self.detector.detect(picture)
        if not people:
            raise UserError(f"{path}: no person was found in it; place the joints by hand: {self.by_hand(photo, path, stem)}")
        seen = ""
        if len(people) > 1:
            seen = self.folder / f"{stem}_people.jpg"
            write_image(seen, number_people(picture, people))
        number = self.person or 1
        if number > len(people):
            raise UserError(f"{path}: --person {number}: only {len(people)} found in it" + (f", see {seen}" if seen else ""))
        person = people[number - 1]
        scale = np.divide(photo.shape[1::-1], picture.shape[1::-1])
        return person.joints * scale, person.visible

    def by_hand(self, photo, path, stem):
        """Write the page on which joints are placed by hand; returns in words how to go on."""
        page = self.folder / f"{stem}_pose.html"
        write_pose_editor(page, photo, title=path.name, saved=f"{path.stem}.json")
        return f"open {page} in a browser, save {path.stem}.json there and give that file with --pose"
