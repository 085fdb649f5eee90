"""What the page does with a visitor's photo: find the person, and make clips of what the person could do next.

Each visitor has a folder that holds everything of the visit; it is deleted when the visit ends.
"""
import json
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from photo.inputs import Photo, read_inputs, read_photo_input
from photo.make_clips import clips_of
from photo.options import MotionOptions, PhotoRequest, SubjectOptions
from photo.subject import place_joints
from photo.timing import FPS
from pose import DEFAULT_DETECTOR, find_people
from pose.detector import DetectorError
from pose.pose_file import pose_list
from utils.files import write_text


class Placed(NamedTuple):
    """A visitor's photo, and the page on which its joints can be moved."""

    photo: Photo
    page: str                # HTML
    pose: list | None        # with which the page begins; None: nobody was found, so it begins with a standing figure


class Studio:
    """A trainer with loaded weights, their :class:`photo.statistics.Statistics` and a detector, shared by all visitors."""

    def __init__(self, trainer, statistics, log):
        self.trainer, self.statistics, self.log, self.detector = trainer, statistics, log, None
        self.actions = trainer.config.actions
        try:
            self.detector = find_people(DEFAULT_DETECTOR, device=trainer.device)
        except DetectorError as error:
            log.warning("nobody will be found in photos, the joints must be placed by hand: %s", error)

    def open_photo(self, folder, upload, person):
        """Copy a photo into the visitor's folder, which is emptied first, and find the person with this number in it.

        Returns :class:`Placed`; raises :class:`UserError` if it cannot be used as a photo.
        """
        shutil.rmtree(folder, ignore_errors=True)
        inputs = read_inputs(PhotoRequest([folder / upload.name], folder, SubjectOptions(person=person)), detector=self.detector)
        photo, = inputs.photos
        shutil.copyfile(upload, photo.path)
        _, person = place_joints(read_photo_input(photo, inputs.subject), inputs)
        page = (folder / f"{photo.stem}_pose.html").read_text(encoding="utf-8")
        return Placed(photo, page, person and pose_list(person.joints, person.visible))

    def make_clips(self, folder, placed, pose, **motion):
        """Make clips of a :class:`Placed` photo, and delete earlier ones.

        The mask that was found is used if the visitor moved no joint; otherwise the detector looks around the new pose.
        `pose` is JSON, as the pose page writes it; `motion` holds fields of :class:`photo.options.MotionOptions`.

        Yields (folder of the files, :class:`photo.clip_files.Clip`) as soon as each is written.
        """
        for earlier in folder.glob("clips_*"):
            shutil.rmtree(earlier, ignore_errors=True)
        moved, mask = folder / "moved.json", folder / f"{placed.photo.stem}_mask.png"
        write_text(moved, pose)
        # a new name each time: a browser caches videos by their address
        clips = Path(tempfile.mkdtemp(prefix="clips_", dir=folder))
        same = mask.is_file() and json.loads(pose or "null") == placed.pose
        options = MotionOptions(**motion)
        if options.motion and options.motion.suffix.lower() != ".json":
            options = options._replace(fps=FPS)          # videos have more frames than people wait for
        request = PhotoRequest([placed.photo.path], clips, SubjectOptions(moved, mask=mask if same else None), options)
        inputs = read_inputs(request, self.trainer, self.statistics, self.detector)
        for clip in clips_of(self.trainer, placed.photo, inputs, self.log):
            yield clips, clip
