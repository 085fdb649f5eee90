"""From photos to clips: find the person, predict what the person could do next, paint it, write files and one page.

A large photo is held in memory only until its crops are made. If one of several photos cannot be used, the reason is printed and
the others are finished.
"""
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tqdm import tqdm

from photo.clip_files import remove_older, write_clip, write_clips_page
from photo.crop import Subject, shown_whole
from photo.find_person import PersonFinder
from photo.layers import find_plate, read_plate, write_layers
from photo.motions import draw_motion, paint_motions
from photo.photo_list import LAYERS, name_photos, work_on_each
from photo.plan import plan_motions
from photo.pose_page import write_pose_page
from photo.timing import BACK, Timing, there_and_back
from photo.video_end import follow_back, is_video, read_source
from pose.drawing import draw_mask, draw_skeleton
from pose.masks import write_mask
from pose.medoids import DRAWN, TYPICAL
from pose.pose_file import write_pose
from pose.retarget import NONE
from utils.errors import UserError
from utils.media import write_image
from utils.transform import resized

QUEUE = 2                 # clips that are being written while the next one is painted


def make_clips(trainer, request, margins, log, timing=Timing()):  # noqa: B008  it cannot be changed
    """Make clips of photos.

    Args:
        trainer: with loaded weights.
        request: :class:`photo.options.PhotoRequest`.
        margins: of the crops, see :func:`photo.margins.read_crops`.
        log: logger.
        timing: :class:`photo.timing.Timing` of the weights.
    Returns:
        exit status: 0; of several photos 1 if some could not be used and 2 if none could.
    Raises:
        UserError: a bad option, or the only photo cannot be used.
    """
    config, folder = trainer.config, request.folder
    photos = name_photos(request)
    check_cut_out(trainer, request)
    if trainer.paints and not trainer.any_size:
        log.info("the generator %s paints %d x %d pixels, which are enlarged; cutout paints in the photo's own resolution",
                 config.generator.kind, config.imsize, config.imsize)
    if trainer.pose_module.history > 1 and not request.motion and not all(is_video(photo.path) for photo in photos):
        log.info("these weights see two poses, and a photo shows one: its person is taken to stand still; a video tells more")
    finder, clips, shown = PersonFinder(request, trainer.device), [], {}
    motions_of = plan_motions(trainer, request, margins, finder, timing)

    def work(photo):
        samples = find_motions(trainer, finder, photo, motions_of, request)
        if bar.total is None:                            # all photos get the same motions
            bar.reset(len(photos) * sum(len(sample.motion) - 1 for several in samples.values() for sample in several))
        clips.extend(write_clips(trainer, photo, samples, request, log, bar.update))
        shown[photo.heading] = f"{photo.stem}_pose.jpg"

    with tqdm(desc="painting" if trainer.paints else "drawing", unit="picture", disable=None, leave=False) as bar:
        status = work_on_each(photos, work)
    how = f", chosen among {max(DRAWN, request.samples)}" if request.choose == TYPICAL else ""
    what = f"{request.samples} samples of each action{how}, seed {request.seed}"
    if request.motion:
        what = f"Motion of {request.motion.name}, " + ("as it is" if request.retarget == NONE else "carried over")
    if clips:
        removed, others = remove_older(folder, clips, shown.values())
        if removed:
            log.info("%d files of an earlier run that this one did not write again are removed", removed)
        if others:
            log.info("%s also holds %d files of earlier runs, which are no longer on the page", folder, others)
        write_clips_page(folder, f"{what}. Orange is the person's own right side, blue the own left side.", clips, shown)
        log.info("all clips: %s", folder / "index.html")
    return status


def check_cut_out(trainer, request):
    """Raise :class:`UserError` if something is asked for that needs the person cut out, which these weights do not do."""
    asked = [option for option, value in (("--background", request.scene), ("--layers", request.layers or None),
                                          ("--plate", request.plate)) if value is not None]
    if asked and not trainer.paints:
        raise UserError(f"{asked[0]}: this script draws the motion alone; train_actvae_p2inetwork.py paints")
    if asked and not trainer.cuts_out:
        raise UserError(f"{asked[0]}: the generator {trainer.config.generator.kind} does not cut the person out; cutout does, "
                        "whose weights are in pretrain/people_cutout")


def write_pose_pages(request, log):
    """Write the page of each photo on which the user places the joints, and the person's mask where one is found.

    Returns:
        exit status, as :func:`make_clips`.
    """
    photos, finder = name_photos(request), PersonFinder(request, "cpu")
    return work_on_each(photos, lambda photo: log.info("%s: %s", photo.path, place_joints(finder, photo)[0]))


def place_joints(finder, photo):
    """Write the page on which the user places a photo's joints, and the person's mask if one is found.

    Args:
        finder: :class:`photo.find_person.PersonFinder`.
    Returns:
        a sentence that says how to continue, and the :class:`pose.detector.Person` with whose pose the page begins, or None.
    """
    (pixels, _), folder = read_source(photo.path), finder.request.folder
    person, mask = finder.guess(pixels, photo)
    if mask is not None:
        write_mask(folder / f"{photo.stem}_mask.png", mask)
    return write_pose_page(folder, pixels, photo, person, mask), person


def find_motions(trainer, finder, photo, motions_of, request):
    """Find the person in a photo, plan motions, and write pose, mask and, if asked for, the photo's layers.

    Returns:
        the result of `motions_of`, see :func:`plan_motions`.
    """
    pixels, end = read_source(photo.path)
    person, mask, held = finder.find(pixels, photo)
    whole = shown_whole(pixels)
    plate = None if request.plate is None else read_plate(request.plate, photo, pixels.shape[:2])
    follows = end is not None and not request.motion and trainer.pose_module.history > 1
    past = follow_back(end, person, finder.tracker("give a photo instead of a video")) if follows else None
    subject = Subject(pixels, whole, person, mask, plate, held, past)
    try:
        if plate is None and trainer.paints and trainer.cuts_out:
            shown = request.scene is None or request.layers
            subject = subject._replace(plate=find_plate(trainer, subject) if shown else pixels)
        samples = motions_of(subject)
    except UserError as error:
        raise UserError(f"{photo.path}: {error}") from None
    ratio = np.divide(whole.shape[1::-1], pixels.shape[1::-1])
    write_pose(request.folder / f"{photo.stem}_pose.json", person.joints, person.visible)
    if mask is not None:
        write_mask(request.folder / f"{photo.stem}_mask.png", mask)
        whole = draw_mask(whole, resized(mask, whole.shape[:2]))
    if request.layers:
        write_layers(request.folder / f"{photo.stem}{LAYERS}", trainer, subject)
    write_image(request.folder / f"{photo.stem}_pose.jpg", draw_skeleton(whole, person.joints * ratio, person.visible))
    return samples


def write_clips(trainer, photo, samples, request, log, advance=None):
    """Paint the samples of a photo and write their files, both at the same time; a list of :class:`photo.clip_files.Clip`."""
    clips, whole, alone = [], trainer.paints and request.whole, request.scene is not None
    if alone and next(iter(samples.values()))[0].crop.mask is None:
        log.warning("%s: no mask was found, so the person is cut out roughly, along the limbs; give one with --mask", photo.path)
    with ThreadPoolExecutor(QUEUE) as writers:
        for action, several in samples.items():
            lengths = []
            motions = paint_motions(trainer, several, alone, advance) if trainer.paints else map(draw_motion, several)
            for sample, pictures in zip(several, motions):
                if request.loop == BACK:
                    order = there_and_back(len(pictures))
                    pictures, sample = pictures[order], sample._replace(motion=sample.motion[order])
                if len(clips) >= QUEUE:
                    clips[-QUEUE].result()
                clips.append(writers.submit(write_clip, request.folder, photo, sample, pictures, request, whole))
                lengths.append(len(pictures))
            log.info("%s, %s: %s, %d x %d pixels%s", photo.path, action, told_lengths(lengths), *pictures.shape[2:0:-1],
                     told_scale(sample.crop, whole))
        return [clip.result() for clip in clips]


def told_lengths(lengths):
    """A text that says how many clips there are and how many pictures they have."""
    pictures = " to ".join(map(str, sorted({min(lengths), max(lengths)})))
    return f"{len(lengths)} clip{'s' if len(lengths) > 1 else ''} of {pictures} pictures"


def told_scale(crop, whole):
    """A text that says how much smaller than the photo its clips are, if they are."""
    (h, w), small = crop.photo_size, [f"{name} at {scale:.0%}" for name, scale, there in
                                      zip(("the person", "the whole photo"), crop.scales, (True, whole)) if there and scale < 1]
    return f"; smaller than the photo, which has {w} x {h}: {' and '.join(small)}" if small else ""
