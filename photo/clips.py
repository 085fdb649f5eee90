"""Sampled motions of a person in a photo as files: videos, GIFs, a strip, the poses."""
import cv2
import numpy as np
import torch

from photo.crop import resized
from photo.page import Clip
from pose.drawing import as_sequence
from pose.pose_file import write_poses
from pose.skeletons import draw_skeleton
from training.prediction import Source
from utils.drawing import grid
from utils.media import write_gif, write_image, write_mp4
from utils.transform import as_image, as_pictures, pose_to_picture

FPS = 8                   # of the clips, source included
GIF_SIDE = 480            # pixels; GIFs of more grow to tens of megabytes
STRIP_CELLS, STRIP_HEIGHT = 9, 256
AT_ONCE = 1 << 22         # pixels that are painted at once, 16 bytes each and more
DIMMED = 0.45             # light of the photo behind a skeleton
PRESET = "veryfast"       # of x264: clips are short, and people wait


def sample_motions(trainer, crop, joints, action, samples, steps, seed):
    """Possible motions of a person.

    Args:
        crop: :class:`photo.crop.Crop`.
        joints: (13, 2) pixels of the photo.
        action: id.
        samples, steps: n and T.
        seed: of the noise, which follows from it, action and sample alone.
    Returns:
        (n, T + 1, J, 2) float64 pixels of the photo, the source pose first.
    """
    pose = torch.from_numpy(pose_to_picture(joints[None], crop.box, crop.size).astype(np.float32))           # (1, J, 2)
    ids = torch.tensor([action])
    poses = trainer.predict(Source(pose, ids, ids), samples, steps, seed, painted=0).poses[0]                  # (n, T, J, 2)
    return crop.to_photo(as_sequence(pose[0], poses))


def paint_motion(trainer, crop, motion, action):
    """Pictures of a motion (T + 1, J, 2) in pixels of the photo: (T + 1, h, w, 3) uint8, the crop of the photo first.

    A generator that knows only pictures of `imsize` paints at that, and the result is enlarged.
    """
    picture = crop.picture if trainer.any_size else crop.picture_at(trainer.config.imsize)
    poses = torch.from_numpy(pose_to_picture(motion, crop.box, crop.size).astype(np.float32))
    source, number = as_image(picture[None]), torch.tensor([action])
    painted = [as_pictures(trainer.paint(source, poses[None, 0], some[None], number)[0])                         # (t, S, S, 3)
               for some in poses[1:].split(max(1, AT_ONCE // len(picture) ** 2))]
    pictures = np.concatenate([picture[None], *painted])
    return crop.inside(pictures) if trainer.any_size else crop.enlarge(pictures)


def draw_motion(crop, motion):
    """A motion (T + 1, J, 2) in pixels of the photo drawn over the dimmed crop: (T + 1, h, w, 3) uint8."""
    ground = crop.inside(crop.picture)
    ground, place = (ground * DIMMED).astype(np.uint8), crop.place
    pixels = (motion - crop.box[:2]) * place.ratio
    return np.stack([draw_skeleton(ground, pose) for pose in pixels])


def write_clip(folder, photo, stem, action, title, crop, pictures, joints, whole):
    """Write the files of one sample and return its :class:`photo.page.Clip`.

    Args:
        folder: where to.
        photo, action, title: for the page.
        stem: beginning of all names.
        pictures: (T, h, w, 3) of the crop.
        joints: (T, 13, 2) pixels of the photo.
        whole: whether to write the whole photo, too.
    """
    views = {"": pictures}
    if whole:
        views["_whole"] = np.empty((len(pictures), *crop.whole.shape), np.uint8)
        for frame, shown in zip(views["_whole"], crop.put_back(pictures)):
            frame[:] = shown
    for view, frames in views.items():
        write_mp4(folder / f"{stem}{view}.mp4", frames[:, :frames.shape[1] // 2 * 2, :frames.shape[2] // 2 * 2], FPS, PRESET)
        write_gif(folder / f"{stem}{view}.gif", _smaller(frames, GIF_SIDE), FPS, photo=True)
    write_poses(folder / f"{stem}.json", joints)
    shown = np.unique(np.linspace(0, len(pictures) - 1, STRIP_CELLS).round().astype(int))
    height = min(STRIP_HEIGHT, pictures.shape[1])
    width = max(1, round(pictures.shape[2] * height / pictures.shape[1]))
    cells = [resized(pictures[index], (height, width)) for index in shown]
    write_image(folder / f"{stem}.jpg", grid([[cells[0], None, *cells[1:]]]))
    names = {"": "person", "_whole": "whole photo"}
    links = [(f"{names[view]} as {kind.upper()}", f"{stem}{view}.{kind}") for view in views for kind in ("mp4", "gif")]
    return Clip(photo, action, title, [f"{stem}{view}.mp4" for view in views], f"{stem}.jpg", [*links, ("poses", f"{stem}.json")])


def _smaller(pictures, side):
    """Pictures (T, h, w, 3) made smaller where a side is longer than `side`."""
    ratio = side / max(pictures.shape[1:3])
    if ratio >= 1:
        return pictures
    h, w = (max(1, round(length * ratio)) for length in pictures.shape[1:3])
    return np.stack([cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA) for picture in pictures])
