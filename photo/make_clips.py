"""From photos to clips in four stages: inputs, subject, motions, clips; and the pages for placing joints by hand."""
import sys

from photo.clip_files import write_clips_page
from photo.clips import write_clips
from photo.inputs import LAYERS, read_photo_input
from photo.layers import write_layers
from photo.motions import make_motions, possible_motions
from photo.subject import find_subject, place_joints, write_subject
from pose.medoids import DRAWN, TYPICAL
from pose.retarget import NONE
from utils.errors import UserError


def make_clips(trainer, inputs, log):
    """Make clips of the photos of :class:`photo.inputs.Inputs`, by a trainer with loaded weights.

    Returns the exit status: 0; of several photos 1 if some could not be used, and 2 if none could.
    Raises :class:`UserError` if the only photo cannot be used.
    """
    clips = []
    if trainer.renders and not trainer.any_size:
        log.info("the generator %s renders %d x %d pixels, which are enlarged; cutout renders in the photo's own resolution",
                 trainer.config.generator.kind, *[trainer.config.imsize] * 2)
    status = work_on_each(inputs.photos, lambda photo: clips.extend(clips_of(trainer, photo, inputs, log)))
    if clips:
        write_clips_page(inputs.folder, _describe(inputs.plan), clips)
        log.info("all clips: %s", inputs.folder / "index.html")
    return status


def clips_of(trainer, photo, inputs, log):
    """Make the clips of one :class:`photo.inputs.Photo`; yields each :class:`photo.clip_files.Clip` as soon as it is written."""
    subject = find_subject(read_photo_input(photo, inputs.subject), inputs, trainer)
    try:
        motions = make_motions(trainer, subject, inputs.plan)
        if trainer.renders and not inputs.plan.options.force:
            motions = possible_motions(motions, subject)
    except UserError as error:
        raise UserError(f"{photo.path}: {error}") from None
    write_subject(inputs.folder, subject)
    if inputs.clips.layers:
        write_layers(inputs.folder / f"{photo.stem}{LAYERS}", trainer, subject)
    del subject                                              # the motions have their crops, and a photo is large
    yield from write_clips(trainer, photo, motions, inputs, log)


def write_pose_pages(inputs, log):
    """Write the page of each photo on which the user places the joints; returns the exit status as :func:`make_clips` does."""
    def work(photo):
        log.info("%s: %s", photo.path, place_joints(read_photo_input(photo, inputs.subject), inputs)[0])

    return work_on_each(inputs.photos, work)


def work_on_each(photos, work):
    """Call `work(photo)` for all photos; of several photos, errors are printed. Returns the exit status."""
    failed = 0
    for photo in photos:
        try:
            work(photo)
        except UserError as error:
            if len(photos) == 1:
                raise
            print(f"error: {error}", file=sys.stderr, flush=True)
            failed += 1
    return 0 if not failed else 1 if failed < len(photos) else 2


def _describe(plan):
    options = plan.options
    chosen = f", chosen among {max(DRAWN, options.samples)}" if options.choose == TYPICAL else ""
    what = f"{options.samples} samples of each action{chosen}, seed {options.seed}"
    if plan.sources:
        what = f"Motion of {options.motion.name}, " + ("as it is" if options.retarget == NONE else "carried over")
    return f"{what}. Orange is the person's own right side, blue the own left side."
