"""Motions of the person in a photo: sampled, and painted or drawn as pictures.

Axes: n samples, T steps, J = 13 joints; a motion has T + 1 poses, of which the first is the photo's.
"""
import warnings
from typing import NamedTuple

import numpy as np
import torch

from photo.crop import DEFAULT_MARGIN, Crop, crop_person, pose_boxes
from photo.layers import prepare_crop
from photo.timing import FAR, closed, steps_of, with_between
from pose.drawing import as_sequence, draw_skeleton
from pose.medoids import DRAWN, TYPICAL, shown_futures
from pose.retarget import NONE, retarget
from training.prediction import Source
from utils.errors import UserError
from utils.transform import as_pictures, pose_to_picture

AROUND = 0.1              # margin around all joints of a motion: hands, feet and hair reach beyond their joints
FARTHEST = 0.6            # the widest margin, for things that are held
PIXELS_AT_ONCE = 1 << 22  # that are painted in one call; each takes 16 bytes and more
FADE = 0.6                # seconds after which a motion's own poses follow the photo's
DIMMED = 0.45             # brightness of the photo behind a skeleton


class Sample(NamedTuple):
    """One of the motions that were sampled for an action, or one that the user brought."""

    name: str                # of the action or the motion, in headings and names of files
    action: str              # that the generator is told
    number: int              # from 1
    motion: np.ndarray       # (T + 1, J, 2) float64 pixels of the photo
    crop: Crop               # holds all motions of the action
    share: float | None      # of the futures that were drawn, for which this one stands; None: it was not chosen among several
    fps: float               # poses a second


def sample_motions(trainer, subject, action, margins, request, timing):
    """Possible motions of the person in a photo.

    Args:
        trainer: with loaded weights.
        subject: :class:`photo.crop.Subject`.
        action: name.
        margins: (4,) of the crop in which motion is predicted, as in training; None for the usual ones.
        request: :class:`photo.options.PhotoRequest`.
        timing: :class:`photo.timing.Timing` of the weights.
    Returns:
        list of n :class:`Sample`.
    Raises:
        UserError: the person is too small.
    """
    joints = subject.person.joints
    crop = crop_person(subject, joints, np.full(4, DEFAULT_MARGIN) if margins is None else margins)
    earlier = joints if subject.past is None else subject.past.before(joints, 1 / timing.learned(action))
    pose, before = torch.from_numpy(pose_to_picture(np.stack([joints, earlier]), crop.box, crop.size).astype(np.float32))[:, None]
    ids, fps = torch.tensor([trainer.config.actions.index(action)]), timing.of(action, request)
    drawn = max(DRAWN, request.samples) if request.choose == TYPICAL else request.samples
    source = Source(pose, ids, ids, before=before)                                                            # (1, J, 2) each
    poses = trainer.predict(source, drawn, steps_of(request, fps), request.seed, painted=0).poses[0]
    poses, shares = shown_futures(poses, pose[0], request.samples, request.choose)
    motions = crop.to_photo(as_sequence(pose[0], poses))                                                      # (n, T + 1, J, 2)
    painted = painted_crop(subject, motions)
    return [Sample(action, action, number, motion, painted, share, fps)
            for number, (motion, share) in enumerate(zip(motions, shares), 1)]


def in_between(sample):
    """A :class:`Sample` with poses in between, so that its clip does not stutter."""
    motion, fps = with_between(sample.motion, sample.fps)
    return sample._replace(motion=motion, fps=fps)


def closing(sample):
    """The part of a :class:`Sample` after which it can begin anew. A warning tells if the person does not come back."""
    motion, apart = closed(sample.motion)
    if apart > FAR:
        warnings.warn(f"{sample.name}, sample {sample.number}: the person does not come back to the first pose and is "
                      f"drawn there, by {apart:.0%} of the own size; a longer clip or --loop back may look better", stacklevel=2)
    return sample._replace(motion=motion)


def painted_crop(subject, motions):
    """The :class:`photo.crop.Crop` into which all motions (..., J, 2) fit, also with what the hands hold.

    Its margins are as wide as the mask reaches beyond the joints of the photo: wherever the arms swing a club, it is not cut off.
    """
    joints, margin = motions.reshape(-1, 2), AROUND
    if subject.mask is not None and (subject.mask > 0.5).any():
        rows, columns = (np.flatnonzero((subject.mask > 0.5).any(axis)) for axis in (1, 0))
        own = pose_boxes(subject.person.joints)
        beyond = max(own[0] - columns[0], own[1] - rows[0], columns[-1] + 1 - own[2], rows[-1] + 1 - own[3])
        margin = np.clip(beyond / np.ptp(joints, 0).max() + AROUND / 2, AROUND, FARTHEST)
    return crop_person(subject, joints, np.full(4, margin))


def carry_over(motion, subject, action, request):
    """The motion of somebody else as one of the person in a photo.

    Args:
        motion: :class:`photo.motion_file.Motion`.
        subject: :class:`photo.crop.Subject`.
        action: name that the generator is told.
        request: :class:`photo.options.PhotoRequest`, which says how.
    Returns:
        :class:`Sample`.
    Raises:
        UserError: poses that shall be used as they are were found in pictures of another shape.
    """
    joints = subject.person.joints
    if request.retarget == NONE:
        moved = motion.joints[1:] * same_shape(motion, subject.photo.shape[:2])
    else:
        moved = retarget(motion.joints, joints, request.align, round(FADE * motion.fps))[1:]
    moved = np.concatenate([joints[None], moved])
    crop = painted_crop(subject, moved)
    return Sample(motion.name, action, 1, moved, crop, None, motion.fps)


def same_shape(motion, size):
    """Pixels of a photo of size (h, w) for each pixel of a motion's pictures."""
    if motion.size is None:
        return 1.0
    ratios = np.divide(size, motion.size)
    if abs(ratios[0] / ratios[1] - 1) > 0.02:
        raise UserError(f"--retarget none: the poses of {motion.name} lie in pictures of {motion.size[1]} x {motion.size[0]} "
                        f"pixels, the photo has {size[1]} x {size[0]}; without this option they are carried over to its person")
    return ratios[::-1]


def paint_motions(trainer, samples, alone=False, advance=None):
    """Paint the motions of one action.

    A generator that only paints pictures of `imsize` pixels paints these, and they are enlarged.

    Args:
        trainer: with loaded weights.
        samples: list of :class:`Sample` that share one crop.
        alone: whether to paint people without a background, with a trainer that `cuts_out`.
        advance: called with the number of pictures whenever some are painted; None: nothing is called.
    Yields:
        for each of them (T + 1, h, w, 3) uint8, the crop of the photo first; with `alone` (T + 1, h, w, 4), colours and alpha.
    """
    crop = samples[0].crop
    picture = crop.picture if trainer.any_size else crop.picture_at(trainer.config.imsize)
    motions = [torch.from_numpy(pose_to_picture(sample.motion, crop.box, crop.size).astype(np.float32)) for sample in samples]
    action = torch.tensor([trainer.config.actions.index(samples[0].action)])
    source, start, prepared = prepare_crop(trainer, crop, picture, motions[0][0].numpy())
    for poses in motions:
        poses = poses if alone else poses[1:]
        painted = [] if alone else [picture[None]]
        for some in poses.split(max(1, PIXELS_AT_ONCE // len(picture) ** 2)):
            painted.append(as_pictures(trainer.paint(source, start, some[None], action, prepared=prepared, alone=alone)[0]))
            if advance:
                advance(len(some))
        pictures = np.concatenate(painted)
        yield crop.inside(pictures) if trainer.any_size else crop.enlarge(pictures)


def draw_motion(sample):
    """Skeletons of a motion over the darkened crop of the photo: (T + 1, h, w, 3) uint8."""
    crop = sample.crop
    ground = (crop.inside(crop.picture) * DIMMED).astype(np.uint8)
    return np.stack([draw_skeleton(ground, pose) for pose in (sample.motion - crop.box[:2]) * crop.place().ratio])
