"""Photos of one's own become clips: where the person is, what he could do next, files and one page.

Of a large photo only what is shown is kept: it is held whole until its crops are made. What is wrong with one of several photos
is told, and the others are finished.
"""
import difflib
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from photo.clips import draw_motion, paint_motion, sample_motions, write_clip
from photo.crop import DEFAULT_MARGIN, crop_person, shown_whole
from photo.page import write_photo_page
from photo.person import EDIT, PersonFinder
from photo.photo_file import read_photo
from pose.pose_file import write_pose
from pose.skeletons import draw_skeleton
from utils.errors import FailedRun, UserError
from utils.media import write_image

SAMPLES, STEPS = 4, 16    # where the options do not say
AROUND = 0.1              # of the longer side of all joints' box: hands, feet and hair reach beyond their joints
WAITING = 2               # clips that are being written while the next one is painted
NAME_LENGTH = 80          # of a photo's name in the names of its clips


class Photo(NamedTuple):
    path: Path
    stem: str             # beginning of the names of its files, different for each photo

    @property
    def heading(self):
        """What the page calls it."""
        return self.stem + self.path.suffix


def photo_clips(trainer, config, options, folder, margins, log):
    """Make clips of photos.

    Args:
        trainer: with loaded weights; None to write only the pages for placing joints by hand.
        config: :class:`utils.config.Config` of the weights.
        options: of the command line: `image`, `action`, `pose`, `person`, `detector_weights`, `samples`, `steps`, `seed`.
        folder: where the files go.
        margins: of :func:`photo.margins.read_margins`.
        log: logger.
    Returns:
        exit status: 0, or of several photos 1 if some were bad and 2 if all were.
    Raises:
        UserError: a bad option, or the only photo is bad.
    """
    photos = name_photos(options.image)
    actions = [] if trainer is None else choose_actions(options.action, config.actions)
    pose = None if options.pose in (None, EDIT) else Path(options.pose)
    if pose and len(photos) > 1 and not pose.is_dir():
        raise UserError(f"--pose {pose}: for {len(photos)} photos give a folder with a file for each, like "
                        f"{photos[0].path.stem}.json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: this folder for the clips cannot be made ({error.strerror})") from None
    if trainer is not None and trainer.paints and not trainer.any_size:
        log.info("the generator %s paints %d x %d pixels, which are enlarged; limb_warp paints in the photo's own resolution",
                 config.generator.kind, config.imsize, config.imsize)
    finder = PersonFinder(pose, options.person, options.detector_weights, trainer.device if trainer else "cpu", folder)
    clips, shown, bad = [], {}, 0
    for photo in photos:
        try:
            if options.pose == EDIT:
                log.info("%s: %s", photo.path, finder.by_hand(read_photo(photo.path), *photo))
                continue
            clips += clips_of_photo(trainer, config, photo, finder, actions, margins, options, folder, log)
            shown[photo.heading] = f"{photo.stem}_pose.jpg"
        except FailedRun:
            raise
        except UserError as error:
            if len(photos) == 1:
                raise
            print(f"error: {error}", file=sys.stderr, flush=True)
            bad += 1
    if clips:
        write_photo_page(folder, f"{options.samples or SAMPLES} samples of each action, seed {options.seed}. Orange is the "
                         "person's own right side, blue the left one.", clips, shown)
        log.info("all clips: %s", folder / "index.html")
    return 0 if not bad else 1 if bad < len(photos) else 2


def clips_of_photo(trainer, config, photo, finder, actions, margins, options, folder, log):
    """Make and write the clips of one photo, a list of :class:`photo.page.Clip`; arguments as :func:`photo_clips`."""
    path, stem = photo
    pixels = read_photo(path)
    joints, visible = finder.find(pixels, path, stem)
    whole, size = shown_whole(pixels), pixels.shape[1::-1]
    crops, count, steps = {}, options.samples or SAMPLES, options.steps or STEPS
    for action in actions:
        try:
            # motion is predicted in a crop like training's, and painted in one that all of it fits into
            crop = crop_person(pixels, whole, joints, margins.get(action, np.full(4, DEFAULT_MARGIN)))
            motions = sample_motions(trainer, crop, joints, config.actions.index(action), count, steps, options.seed)
            crops[action] = crop_person(pixels, whole, motions.reshape(-1, 2), np.full(4, AROUND)), motions
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
    del pixels
    write_pose(folder / f"{stem}_pose.json", joints, visible)
    write_image(folder / f"{stem}_pose.jpg", draw_skeleton(whole, joints * np.divide(whole.shape[1::-1], size), visible))
    clips = []
    with ThreadPoolExecutor(WAITING) as writers:
        for action, (crop, motions) in crops.items():
            number = config.actions.index(action)
            for sample, motion in enumerate(motions, 1):
                pictures = paint_motion(trainer, crop, motion, number) if trainer.paints else draw_motion(crop, motion)
                if len(clips) >= WAITING:
                    clips[-WAITING].result()
                clips.append(writers.submit(write_clip, folder, photo.heading, f"{stem}_{action}_{sample}", action,
                                            f"sample {sample}", crop, pictures, motion, trainer.paints))
            log.info("%s, %s: %d clips of %d pictures, %d x %d pixels", path, action, count, len(pictures),
                     *pictures.shape[2:0:-1])
        return [clip.result() for clip in clips]


def name_photos(paths):
    """The :class:`Photo` s of some files; names that file systems and web pages take as they are."""
    photos, taken = [], set()
    for path in map(Path, paths):
        name = re.sub(r"[^\w.-]+", "_", path.expanduser().stem).strip("._")[:NAME_LENGTH] or "photo"
        stem, number = name, 1
        while stem in taken:
            number += 1
            stem = f"{name}_{number}"
        taken.add(stem)
        photos.append(Photo(path.expanduser(), stem))
    return photos


def choose_actions(text, known):
    """The names in `--action`, separated by commas; `all` for all of `known`. Raises :class:`UserError` for an unknown one."""
    if text == "all":
        return list(known)
    names = list(dict.fromkeys(name.strip().replace(" ", "_") for name in text.split(",") if name.strip()))
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.4)
            raise UserError(f"--action {name}: these weights do not know it; " +
                            (f"did you mean {near[0]}?" if near else "--action list prints what they know"))
    if not names:
        raise UserError("--action: no name given; --action list prints what these weights know")
    return names
