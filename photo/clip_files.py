"""The files of clips: videos, a strip of pictures, poses, and the page that shows all.

To add a video format, write a function `(path, pictures, fps)` and register it in VIDEOS.
"""
from functools import partial
from typing import NamedTuple

import numpy as np

from utils.drawing import grid
from utils.files import replaced_folder
from utils.media import write_gif, write_image, write_mp4, write_webp
from utils.pages import write_page
from utils.spacing import evenly_spaced
from utils.transform import limited, resized

MAX_GIF = 480             # pixels; larger GIFs take tens of megabytes
STRIP_PICTURES, STRIP_HEIGHT = 9, 256
PRESET = "veryfast"       # of x264: clips are short, and people wait


class Clip(NamedTuple):
    """A clip on the page; its files lie beside the page."""

    photo: str               # heading under which it stands
    action: str              # or the name of the motion
    title: str
    videos: list             # files that are played
    pose: str                # picture file of the pose that was found in the photo
    strip: str | None        # picture file
    links: list              # (caption, file)


def _write_gif(path, pictures, fps):
    write_gif(path, np.stack([limited(picture, MAX_GIF) for picture in pictures]), fps, photo=True)


def _write_frames(path, pictures, _fps):
    with replaced_folder(path) as folder:
        for number, picture in enumerate(pictures):
            write_image(folder / f"{number:03d}.png", picture)


# ending -> function that writes pictures (T, h, w, 3) uint8; the page plays the first one written
VIDEOS = {"mp4": partial(write_mp4, preset=PRESET), "gif": _write_gif, "webp": write_webp, "frames": _write_frames}
ALPHA = ("webp", "frames")                # those that also write pictures (T, h, w, 4)
STRIP, POSES = "strip", "poses"
FORMATS = (*VIDEOS, STRIP, POSES)         # as --formats


def chosen_videos(formats, alpha):
    """The endings in VIDEOS among some formats; with an alpha channel those that can hold it, or all such if there are none."""
    endings = [ending for ending in VIDEOS if ending in formats]
    return [ending for ending in endings if ending in ALPHA] or ALPHA if alpha and endings else endings


def write_strip(path, pictures):
    """Write some pictures of a clip (T + 1, h, w, 3) side by side, with a gap after the first."""
    height = min(STRIP_HEIGHT, pictures.shape[1])
    width = max(1, round(pictures.shape[2] * height / pictures.shape[1]))
    first, *others = (resized(pictures[index], (height, width)) for index in evenly_spaced(len(pictures), STRIP_PICTURES))
    write_image(path, grid([[first, None, *others]]))


def write_clips_page(folder, intro, clips):
    """Write `index.html` for :class:`Clip` s."""
    photos = {}
    for clip in clips:
        photos.setdefault(clip.photo, []).append(clip)
    write_page(folder / "index.html", "clips.html", title="Photos in motion", intro=intro, photos=photos)
