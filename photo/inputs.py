"""Stage 1, inputs: read and check what a request names. No later stage sees the request.

Photos and their files are large, so they are read one photo after the other, by :func:`read_photo_input`.
"""
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from photo.backdrop import Backdrop, read_backdrop
from photo.motion_file import read_motions
from photo.options import ClipOptions, MotionOptions, SubjectOptions
from photo.photo_file import is_video, read_alpha, read_last_frame, read_photo
from photo.statistics import Statistics
from pose import detector_class, find_people
from pose.held_objects import objects_asked_for
from pose.masks import read_mask
from pose.pose_file import is_of_several_pictures, read_people
from utils.errors import UserError
from utils.files import file_stem, unused_name

PLATE, LAYERS = "plate.png", "_layers"                   # of a photo NAME the background is NAME_layers/plate.png


class Photo(NamedTuple):
    """A photo file."""

    path: Path
    stem: str                # of the names of all files that are written for it; no other photo has the same

    @property
    def heading(self):
        """Its name on the page."""
        return self.stem + self.path.suffix


class PhotoInput(NamedTuple):
    """A photo of size (h, w), and what the user gives for it; None: not given."""

    photo: Photo
    pixels: np.ndarray                    # (h, w, 3) uint8 RGB, upright
    poses: list | None                    # of the pose file, :class:`pose.pose_file.FilePose` s
    pose_file: Path | None
    mask: np.ndarray | None               # (h, w) float32 of the mask file
    mask_file: Path | None
    alpha: np.ndarray | None              # (h, w) float32 of the photo's alpha channel
    background: np.ndarray | None         # (h, w, 3) uint8


class MotionPlan(NamedTuple):
    """What the people in all photos do."""

    sources: list            # :class:`photo.motion_file.SourceMotion` s; if there are none, the actions are sampled
    actions: dict            # name -> poses a second
    options: MotionOptions
    statistics: Statistics


class Inputs(NamedTuple):
    """What a request asks for, checked."""

    photos: list             # :class:`Photo` s
    folder: Path             # for everything that is written; it exists
    subject: SubjectOptions
    detector: object         # :class:`LazyDetector`
    held: list               # kinds of held objects to look for
    plan: MotionPlan | None
    backdrop: Backdrop | None    # None: the photo's own background
    clips: ClipOptions


class LazyDetector:
    """The detector that :class:`photo.options.SubjectOptions` name, set up when it is first needed; or a given one instead."""

    def __init__(self, options, device, detector=None):
        self.options, self.device, self.detector = options, device, detector
        self.kind = detector_class(options.detector)

    def at_hand(self):
        """Whether it works without a download."""
        return self.detector is not None or self.kind.at_hand(self.options.detector_weights)

    def get(self):
        """The detector. Raises :class:`pose.detector.DetectorError` if it cannot be set up."""
        if self.detector is None:
            self.detector = find_people(self.options.detector, weights=self.options.detector_weights, device=self.device)
        return self.detector


def read_inputs(request, trainer=None, statistics=Statistics(), detector=None):  # noqa: B008  it cannot be changed
    """Read what a :class:`photo.options.PhotoRequest` names, except for the photos, and make its folder: :class:`Inputs`.

    Without a trainer joints can only be placed; `statistics` are those of its weights; `detector` replaces the request's. Raises
    :class:`UserError` if something that the request names cannot be used.
    """
    photos, subject, plan = _name_photos(request), request.subject, None
    lazy = LazyDetector(subject, trainer.device if trainer else "cpu", detector)
    backdrop = read_backdrop(request.clips.background) if request.clips.background else None
    if trainer:
        _check_cut_out(request, trainer)
        plan = _plan_motions(request.motion, trainer.config.actions, lazy, statistics)
    return Inputs(photos, request.folder, subject, lazy, objects_asked_for(subject.held, request.motion.actions), plan, backdrop,
                  request.clips)


def read_photo_input(photo, options):
    """The :class:`PhotoInput` of a photo, or of the last frame of a video; `options` are :class:`photo.options.SubjectOptions`.

    Raises :class:`UserError` if one of the files cannot be used.
    """
    path, poses, pose_file, mask, mask_file, alpha, background = photo.path, *[None] * 6
    pixels = read_last_frame(path) if is_video(path) else read_photo(path)
    if options.pose:
        pose_file = _file_for(options.pose, f"{path.stem}_keypoints.json", f"{path.stem}.json")
        poses = read_people(pose_file, options.pose_format, options.sides, path.name)
    if options.mask:
        mask_file = _file_for(options.mask, f"{path.stem}_mask.png", f"{path.stem}.png")
        mask = read_mask(mask_file, pixels.shape[:2])
    elif not is_video(path):
        alpha = read_alpha(path)
    if options.plate:
        plate = _file_for(options.plate, f"{photo.stem}{LAYERS}/{PLATE}", PLATE)
        background = read_photo(plate)
        (h, w), (height, width) = background.shape[:2], pixels.shape[:2]
        if (h, w) != (height, width):
            raise UserError(f"{plate}: this background is {w} x {h} pixels, the photo is {width} x {height}; save it at the "
                            "photo's size")
    return PhotoInput(photo, pixels, poses, pose_file, mask, mask_file, alpha, background)


def _file_for(path, *names):
    """A file itself, or the first file in a folder that has one of these names; without any, the last name."""
    files = [path / name for name in names] if path.is_dir() else [path]
    return next((file for file in files if file.is_file()), files[-1])


def _name_photos(request):
    photos = {}
    for path in request.photos:
        stem = unused_name(file_stem(path.stem, "photo"), photos)
        photos[stem] = Photo(path, stem)
    photos, options = list(photos.values()), request.subject
    for option, given, ending in (("--pose", options.pose, ".json, or a COCO file that names them"),
                                  ("--mask", options.mask, "_mask.png"), ("--plate", options.plate, f"{LAYERS}/{PLATE}")):
        if given and len(photos) > 1 and not given.is_dir() and not (
                option == "--pose" and is_of_several_pictures(given, options.pose_format)):
            raise UserError(f"{option} {given}: for {len(photos)} photos give a folder with a file for each, like "
                            f"{photos[0].path.stem}{ending}")
    try:
        request.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{request.folder}: this folder for the clips cannot be made ({error.strerror})") from None
    return photos


def _check_cut_out(request, trainer):
    """Raise :class:`UserError` if the request needs the person cut out, and these weights do not do that."""
    asked = [option for option, value in (("--background", request.clips.background), ("--layers", request.clips.layers),
                                          ("--plate", request.subject.plate)) if value]
    if asked and not trainer.renders:
        raise UserError(f"{asked[0]}: this script draws the motion alone; train_actvae_p2inetwork.py renders")
    if asked and not trainer.cuts_out:
        raise UserError(f"{asked[0]}: the generator {trainer.config.generator.kind} does not cut the person out; cutout does, "
                        "whose weights are in pretrain/people")


def _plan_motions(options, known, detector, statistics):
    actions = {name: options.fps or statistics.fps_of(name) for name in choose_actions(options.actions, known)}
    sources = read_motions(options, detector) if options.motion else []
    steps = 0 if sources else max(map(options.steps_at, actions.values()))
    if statistics.steps and steps > statistics.steps:
        warnings.warn(f"{steps} steps: these weights learned to look {statistics.steps} steps ahead; after that motion fades or "
                      "strays", stacklevel=2)
    return MotionPlan(sources, actions, options, statistics)


def choose_actions(text, known):
    """The names in `--action`, separated by commas; `all` for all of `known`. Raises :class:`UserError` for an unknown one."""
    if text == "all":
        return list(known)
    names = list(dict.fromkeys(name.strip().replace(" ", "_") for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UserError(f"--action {','.join(unknown) or text}: these weights know {', '.join(known)}")
    return names
