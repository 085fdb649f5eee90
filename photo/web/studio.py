"""What the page does with a visitor's photo: find the person, and make clips of what the person could do next.

Each visitor has a folder, which holds everything that is kept of the visit; the folder goes when the visit ends.
"""
import json
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from photo.clip_files import write_clip
from photo.find_person import PersonFinder
from photo.make_clips import find_motions, place_joints
from photo.motions import paint_motions
from photo.options import PhotoRequest
from photo.photo_list import Photo, name_photos
from photo.plan import plan_motions
from photo.timing import FPS
from pose import DEFAULT_DETECTOR, find_people
from pose.detector import DetectorError
from pose.pose_file import pose_list
from utils.files import write_text

FOUND = "found.json"      # the pose with which the page began
MOVED = "moved.json"      # the pose that the visitor wants


class Placed(NamedTuple):
    """A visitor's photo, and the page on which its joints can be moved."""

    photo: Photo
    page: str                # HTML
    found: bool              # whether a person was found; else the page begins with a standing figure


class Wish(NamedTuple):
    """What a visitor wants to see."""

    pose: str                # JSON, as the page of joints writes it
    action: str              # name
    motion: Path | None      # file of somebody else's motion, instead of an action
    seconds: float
    samples: int
    seed: int


class Studio:
    """The weights and the detector, which all visitors share; they are loaded once.

    Args:
        trainer: with loaded weights.
        margins: of the crops, see :func:`photo.margins.read_crops`.
        timing: :class:`photo.timing.Timing` of the weights.
        log: logger, told if there is no detector.
    """

    def __init__(self, trainer, margins, timing, log):
        self.trainer, self.margins, self.timing, self.detector = trainer, margins, timing, None
        try:
            self.detector = find_people(DEFAULT_DETECTOR, device=trainer.device)
        except DetectorError as error:
            log.warning("nobody will be found in photos, the joints must be placed by hand: %s", error)

    @property
    def actions(self):
        """The names of the actions that the weights know."""
        return self.trainer.config.actions

    def open_photo(self, folder, upload, person):
        """Take a photo into the visitor's folder, which is emptied first, and find the person in it.

        Args:
            folder: pathlib.Path of the visitor.
            upload: pathlib.Path of the photo file, which is copied.
            person: number of the person to take where there are several, from 1.
        Returns:
            :class:`Placed`.
        Raises:
            UserError: it cannot be used as a photo.
        """
        shutil.rmtree(folder, ignore_errors=True)
        request = PhotoRequest([folder / upload.name], folder, person=person)
        photo, = name_photos(request)
        shutil.copyfile(upload, photo.path)
        _, person = place_joints(self._finder(request), photo)
        if person is not None:
            write_text(folder / FOUND, json.dumps(pose_list(person.joints, person.visible)))
        page = folder / f"{photo.stem}_pose.html"
        return Placed(photo, page.read_text(encoding="utf-8"), person is not None)

    def make_clips(self, folder, photo, wish):
        """Predict motions and paint them. Earlier clips are deleted.

        The mask that was found stays where the visitor moved no joint; otherwise the person is looked for again, around the pose.

        Args:
            folder: pathlib.Path of the visitor.
            photo: from :meth:`open_photo`.
            wish: :class:`Wish`.
        Yields:
            (folder of the files, :class:`photo.clip_files.Clip`) as soon as each is written.
        Raises:
            UserError: the pose cannot be used.
        """
        for earlier in folder.glob("clips_*"):
            shutil.rmtree(earlier, ignore_errors=True)
        write_text(folder / MOVED, wish.pose)
        # a new name each time: a browser keeps videos by their address
        clips = Path(tempfile.mkdtemp(prefix="clips_", dir=folder))
        mask, found = folder / f"{photo.stem}_mask.png", folder / FOUND
        same = mask.is_file() and found.is_file() and same_json(found, folder / MOVED)
        fps = FPS if wish.motion and wish.motion.suffix.lower() != ".json" else None      # videos have more than people wait for
        request = PhotoRequest([photo.path], clips, wish.action, folder / MOVED, mask if same else None, samples=wish.samples,
                               seconds=wish.seconds, motion=wish.motion, seed=wish.seed, fps=fps)
        finder = self._finder(request)
        plan = plan_motions(self.trainer, request, self.margins, finder, self.timing)
        for samples in find_motions(self.trainer, finder, photo, plan, request).values():
            for sample, pictures in zip(samples, paint_motions(self.trainer, samples)):
                yield clips, write_clip(clips, photo, sample, pictures, request, whole=True)

    def _finder(self, request):
        return PersonFinder(request, self.trainer.device, self.detector)


def same_json(*paths):
    """Whether JSON files hold the same values; a damaged one is like no other."""
    try:
        first, second = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    except (OSError, ValueError, RecursionError):
        return False
    return first == second
