"""The files of a clip: videos, GIFs, a strip of pictures, the poses.

To add a format, write a function `(path, pictures)` and register it in FORMATS.
"""
import numpy as np

from photo.clips_page import Clip
from pose.pose_file import write_poses
from utils.drawing import grid
from utils.media import write_gif, write_image, write_mp4
from utils.transform import limited, resized

FPS = 8                   # of the clips, the photo included
GIF_SIDE = 480            # pixels; larger GIFs take tens of megabytes
STRIP_CELLS, STRIP_HEIGHT = 9, 256
PRESET = "veryfast"       # of x264: clips are short, and people wait
PERSON, WHOLE = "", "_whole"      # views of a clip, as they end file names: the crop around the person, the whole photo
CAPTIONS = {PERSON: "person", WHOLE: "whole photo"}


def _mp4(path, pictures):
    write_mp4(path, pictures[:, :pictures.shape[1] // 2 * 2, :pictures.shape[2] // 2 * 2], FPS, PRESET)


def _gif(path, pictures):
    write_gif(path, np.stack([limited(picture, GIF_SIDE) for picture in pictures]), FPS, photo=True)


FORMATS = {"mp4": _mp4, "gif": _gif}      # ending -> writes pictures (T, h, w, 3) uint8; the page plays the first


def write_clip(folder, photo, sample, pictures, whole):
    """Write the files of one sample; returns its :class:`photo.clips_page.Clip`.

    Args:
        photo: :class:`photo.make_clips.Photo`.
        sample: :class:`photo.motions.Sample`.
        pictures: (T + 1, h, w, 3) uint8 of its crop.
        whole: whether to write clips of the whole photo, too.
    """
    stem, links = f"{photo.stem}_{sample.action}_{sample.number}", []
    views = {PERSON: pictures} | ({WHOLE: sample.crop.put_back(pictures)} if whole else {})
    for view, frames in views.items():
        for ending, write in FORMATS.items():
            write(folder / f"{stem}{view}.{ending}", frames)
            links.append((f"{CAPTIONS[view]} as {ending.upper()}", f"{stem}{view}.{ending}"))
    write_poses(folder / f"{stem}.json", sample.motion)
    write_image(folder / f"{stem}.jpg", strip(pictures))
    links.append(("poses", f"{stem}.json"))
    played = [f"{stem}{view}.{next(iter(FORMATS))}" for view in views]
    return Clip(photo.heading, sample.action, title(sample), played, f"{stem}.jpg", links)


def title(sample):
    """What the page calls a sample."""
    return f"sample {sample.number}" + (f", stands for {sample.share:.0%} of the futures" if sample.share is not None else "")


def strip(pictures):
    """Some pictures of a clip (T + 1, h, w, 3) beside each other; after the first there is a gap."""
    shown = np.unique(np.linspace(0, len(pictures) - 1, STRIP_CELLS).round().astype(int))
    height = min(STRIP_HEIGHT, pictures.shape[1])
    width = max(1, round(pictures.shape[2] * height / pictures.shape[1]))
    first, *others = (resized(pictures[index], (height, width)) for index in shown)
    return grid([[first, None, *others]])
