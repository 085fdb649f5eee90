"""Stage 4, clips: render or draw motions, and write the files.

Axes: T steps; h, w, sides of the crop.
"""
import numpy as np
import torch
from tqdm import tqdm

from photo.backdrop import opaque
from photo.clip_files import POSES, STRIP, VIDEOS, Clip, chosen_videos, write_strip
from photo.layers import prepare_crop
from photo.timing import there_and_back
from pose.drawing import draw_skeleton
from pose.pose_file import write_poses
from utils.transform import as_pictures

PIXELS_AT_ONCE = 1 << 22  # that are rendered in one call; each takes 16 bytes and more
DIMMED = 0.45             # brightness of the photo behind a skeleton


def write_clips(trainer, photo, motions, inputs, log):
    """Render the motions of :func:`photo.motions.make_motions`; yields each :class:`photo.clip_files.Clip` once it is written."""
    if inputs.backdrop and next(iter(motions.values()))[0].crop.mask is None:
        log.warning("%s: no mask was found, so the person is cut out roughly, along the limbs; give one with --mask", photo.path)
    count = sum(len(motion.poses) - 1 for several in motions.values() for motion in several)
    with tqdm(desc=photo.stem, total=count, unit="picture", disable=None, leave=False) as bar:
        for name, several in motions.items():
            rendered = render_motions(trainer, several, inputs.backdrop is not None, bar) if trainer.renders else map(
                draw_motion, several)
            for motion, pictures in zip(several, rendered):
                if motion.back:
                    order = there_and_back(len(pictures))
                    pictures, motion = pictures[order], motion._replace(poses=motion.poses[order])
                yield write_clip(photo, motion, pictures, inputs, trainer.renders)
            log.info("%s, %s: %d clip%s, %d x %d pixels", photo.path, name, len(several), "s" * (len(several) > 1),
                     *pictures.shape[2:0:-1])


def render_motions(trainer, motions, alone, bar):
    """Render :class:`photo.motions.Motion` s that share a crop; pictures of generators that know only `imsize` are enlarged.

    Yields for each motion (T + 1, h, w, 3) uint8, the crop of the photo first; with `alone` the person without a background, by a
    trainer that `cuts_out`: (T + 1, h, w, 4), colours and alpha.
    """
    crop = motions[0].crop
    picture = crop.picture if trainer.any_size else crop.picture_at(trainer.config.imsize)
    normalised = [torch.from_numpy(crop.to_picture(motion.poses).astype(np.float32)) for motion in motions]
    action = torch.tensor([trainer.config.actions.index(motions[0].action)])
    source, start, prepared = prepare_crop(trainer, crop, picture, normalised[0][0].numpy())
    for poses in normalised:
        rendered = [] if alone else [picture[None]]
        for some in (poses if alone else poses[1:]).split(max(1, PIXELS_AT_ONCE // len(picture) ** 2)):
            rendered.append(as_pictures(trainer.render(source, start, some[None], action, prepared=prepared, alone=alone)[0]))
            bar.update(len(some))
        pictures = np.concatenate(rendered)
        yield crop.inside(pictures) if trainer.any_size else crop.enlarge(pictures)


def draw_motion(motion):
    """Draw the skeletons of a motion over the darkened crop of the photo: (T + 1, h, w, 3) uint8."""
    crop = motion.crop
    photo = (crop.inside(crop.picture) * DIMMED).astype(np.uint8)
    return np.stack([draw_skeleton(photo, pose) for pose in (motion.poses - crop.box[:2]) * crop.place().ratio])


def write_clip(photo, motion, pictures, inputs, renders):
    """Write the files of one :class:`photo.motions.Motion`; returns its :class:`photo.clip_files.Clip`.

    `pictures` (T + 1, h, w, 3) uint8 show its crop, with 4 channels the person alone. Only rendered ones go into the whole photo.
    """
    crop, folder, backdrop, formats = motion.crop, inputs.folder, inputs.backdrop, inputs.clips.formats
    stem, strip, links, videos = f"{photo.stem}_{motion.name}_{motion.number}", None, [], []
    person = backdrop.behind(crop, pictures) if backdrop else pictures
    endings = chosen_videos(formats, person.shape[-1] == 4)
    views = {"": ("person", person)}
    if renders and inputs.clips.whole and endings:
        views["_whole"] = "whole photo", backdrop.behind_whole(crop, pictures) if backdrop else crop.put_back(pictures)
    for view, (caption, frames) in views.items():
        for ending in endings:
            VIDEOS[ending](folder / f"{stem}{view}.{ending}", frames, motion.fps)
            links.append((f"{caption} as {ending.upper()}", f"{stem}{view}.{ending}"))
        videos += [f"{stem}{view}.{ending}" for ending in endings[:1]]
    if POSES in formats:
        write_poses(folder / f"{stem}.json", motion.poses, describe(photo, motion))
        links.append(("poses", f"{stem}.json"))
    if STRIP in formats:
        strip = f"{stem}.jpg"
        write_strip(folder / strip, opaque(person))
    represents = "" if motion.fraction is None else f", represents {motion.fraction:.0%} of the futures"
    return Clip(photo.heading, motion.name, f"sample {motion.number}{represents}", videos,
                f"{photo.stem}_pose.jpg", strip, links)


def describe(photo, motion):
    """What a pose file of photo mode holds beside the poses: frame rate, photo, and where clips show the photo's pixels.

    A point of the photo is at (point - origin) * scale in a clip.
    """
    crop, (h, w) = motion.crop, motion.crop.photo_size
    return {"fps": round(motion.fps, 3), "photo": {"file": photo.path.name, "width": w, "height": h},
            "person": {"origin": crop.box[:2].tolist(), "scale": round(float(crop.place().ratio), 5)},
            "whole": {"origin": [0, 0], "scale": round(crop.shown.shape[1] / w, 5)}}
