"""Stage 3, motions: what the person does, sampled for an action or carried over from another person.

Axes: n samples, T steps, J = 13 joints.
"""
import warnings
from typing import NamedTuple

import numpy as np
import torch

from photo.crop import Crop, crop_person, pose_boxes
from photo.subject import joint_names
from photo.timing import BACK, CLOSE, FAR, closed, interpolated
from pose.drawing import as_sequence
from pose.medoids import DRAWN, TYPICAL, shown_futures
from pose.plausible import is_outside
from pose.retarget import NONE, retarget
from pose.skeleton import LIMBS, torso_vector
from training.prediction import Source
from utils.errors import UserError

MARGIN = 0.1              # around all joints of a motion: hands, feet and hair reach beyond their joints
MAX_MARGIN = 0.6          # for held objects
STILL = 0.2               # torso lengths; waving arms move shoulders and hips by 0.1, a squat moves hips by 0.3
FADE = 0.6                # seconds in which the photo's pose fades into a motion


class Motion(NamedTuple):
    """A motion of the person in a photo."""

    name: str                # of the action or of the source motion, in headings and names of files
    action: str              # that the generator renders
    number: int              # among those of the same name, from 1
    poses: np.ndarray        # (T + 1, J, 2) float64 pixels of the photo, the photo's pose first
    fps: float               # poses a second
    crop: Crop               # holds all motions of this name
    fraction: float | None = None    # of the sampled futures that this one represents; None: it was not chosen among several
    back: bool = False       # whether the clip also plays backwards


def make_motions(trainer, subject, plan):
    """The motions of a :class:`photo.subject.Subject` by a :class:`photo.inputs.MotionPlan`.

    Returns a dict from the name of an action or of a source motion to a list of :class:`Motion`. Raises :class:`UserError` if the
    person is too small, or a motion does not fit the photo.
    """
    if plan.sources:
        motions = {source.name: [carry_over(source, subject, plan)] for source in plan.sources}
    else:
        motions = {action: sample_motions(trainer, subject, action, plan) for action in plan.actions}
    return {name: [_paced(motion, plan.options) for motion in several] for name, several in motions.items()}


def possible_motions(motions, subject):
    """Those of :func:`make_motions` that need no joint outside the photo; a warning names the others.

    A joint is needed if a limb connects it with a joint inside the photo that moves farther than STILL. Where legs that nobody
    sees are estimated says little: of people who sit, all futures stand up.

    Raises :class:`UserError` if none is left.
    """
    joints, refused = subject.person.joints, {}
    outside, torso = is_outside(joints, subject.pixels.shape[:2]), np.linalg.norm(torso_vector(joints))
    for name, several in motions.items():
        far = np.mean([np.linalg.norm(motion.poses - joints, axis=-1).max(0) for motion in several], 0) > STILL * torso     # (J,)
        far, needed = far & ~outside, np.zeros(len(joints), bool)
        for one, other in LIMBS:
            needed[[one, other]] |= far[[other, one]]
        if (needed & outside).any():
            refused[name] = f"{name} needs {joint_names(needed & outside)}, outside the photo"
    message = "; ".join(refused.values()) + ": take another action or photo, or --force"
    if len(refused) == len(motions):
        raise UserError(message)
    if refused:
        warnings.warn(f"{subject.photo.path}: {message}", stacklevel=2)
    return {name: several for name, several in motions.items() if name not in refused}


def sample_motions(trainer, subject, action, plan):
    """The futures of the person for an action, as many as the plan asks for."""
    joints, options, fps = subject.person.joints, plan.options, plan.actions[action]
    crop = crop_person(subject, joints, plan.statistics.margins_of(action, joints))
    pose = torch.from_numpy(crop.to_picture(joints[None]).astype(np.float32))            # (1, J, 2)
    ids = torch.tensor([trainer.config.actions.index(action)])
    count = max(DRAWN, options.samples) if options.choose == TYPICAL else options.samples
    poses = trainer.predict(Source(pose, ids, ids), count, options.steps_at(fps), options.seed, rendered=0).poses[0]
    poses, fractions = shown_futures(poses, pose[0], options.samples, options.choose)
    motions = crop.to_photo(as_sequence(pose[0], poses))                                                      # (n, T + 1, J, 2)
    crop = motion_crop(subject, motions)
    return [Motion(action, action, number, motion, fps, crop, fraction)
            for number, (motion, fraction) in enumerate(zip(motions, fractions), 1)]


def carry_over(source, subject, plan):
    """The :class:`Motion` of the photo's person that follows a :class:`photo.motion_file.SourceMotion`."""
    joints, options, (h, w) = subject.person.joints, plan.options, subject.pixels.shape[:2]
    if options.retarget == NONE:
        height, width = source.size or (h, w)
        if abs(h * width / (w * height) - 1) > 0.02:
            raise UserError(f"--retarget none: the poses of {source.name} are pixels of {width} x {height} pictures, the photo "
                            f"has {w} x {h}; without this option they are carried over to its person")
        poses = source.joints * (w / width, h / height)
    else:
        poses = retarget(source.joints, joints, options.align, round(FADE * source.fps))
    poses = np.concatenate([joints[None], poses[1:]])
    action = source.action if source.action in plan.actions else next(iter(plan.actions))
    return Motion(source.name, action, 1, poses, source.fps, motion_crop(subject, poses))


def motion_crop(subject, motions):
    """The :class:`photo.crop.Crop` that holds motions (..., J, 2), with margins as wide as the mask reaches beyond the joints of
    the photo, so that a club is not cut off."""
    joints, margin = motions.reshape(-1, 2), MARGIN
    if subject.mask is not None and (subject.mask > 0.5).any():
        rows, columns = (np.flatnonzero((subject.mask > 0.5).any(axis)) for axis in (1, 0))
        x1, y1, x2, y2 = pose_boxes(subject.person.joints)
        beyond = max(x1 - columns[0], y1 - rows[0], columns[-1] + 1 - x2, rows[-1] + 1 - y2)
        margin = np.clip(beyond / np.ptp(joints, 0).max() + MARGIN / 2, MARGIN, MAX_MARGIN)
    return crop_person(subject, joints, margin)


def _paced(motion, options):
    """A :class:`Motion` with interpolated poses and as a loop, as :class:`photo.options.MotionOptions` ask."""
    if options.smooth:
        poses, fps = interpolated(motion.poses, motion.fps)
        motion = motion._replace(poses=poses, fps=fps)
    if options.loop == CLOSE:
        poses, distance = closed(motion.poses)
        motion = motion._replace(poses=poses)
        if distance > FAR:
            warnings.warn(f"{motion.name}, sample {motion.number}: the person does not come back to the first pose and is "
                          f"moved there, by {distance:.0%} of the body size; a longer clip or --loop back may help", stacklevel=2)
    return motion._replace(back=options.loop == BACK)
