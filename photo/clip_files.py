"""The files of clips: videos, GIFs, a strip of pictures, the poses, and one page that shows all.

To add a format, write a function `(path, pictures)` and register it in FORMATS.
"""
from html import escape
from typing import NamedTuple

import numpy as np

from evaluation.sampling import evenly_spaced
from pose.pose_file import write_poses
from utils.drawing import grid
from utils.files import write_text
from utils.media import write_gif, write_image, write_mp4
from utils.pages import image, page
from utils.transform import limited, resized

FPS = 8                   # of the clips, the photo included
GIF_SIDE = 480            # pixels; larger GIFs take tens of megabytes
STRIP_CELLS, STRIP_HEIGHT = 9, 256
PRESET = "veryfast"       # of x264: clips are short, and people wait
PERSON, WHOLE = "", "_whole"      # views of a clip, as they end file names: the crop around the person, the whole photo
CAPTIONS = {PERSON: "person", WHOLE: "whole photo"}


class Clip(NamedTuple):
    """A clip on the page; its files lie beside the page."""

    photo: str               # heading under which it stands
    action: str
    title: str
    videos: list             # files that are played
    strip: str               # picture file
    links: list              # (caption, file)


def _mp4(path, pictures):
    write_mp4(path, pictures[:, :pictures.shape[1] // 2 * 2, :pictures.shape[2] // 2 * 2], FPS, PRESET)


def _gif(path, pictures):
    write_gif(path, np.stack([limited(picture, GIF_SIDE) for picture in pictures]), FPS, photo=True)


FORMATS = {"mp4": _mp4, "gif": _gif}      # ending -> writes pictures (T, h, w, 3) uint8; the page plays the first


def write_clip(folder, photo, sample, pictures, whole):
    """Write the files of one sample; returns its :class:`Clip`.

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
    height = min(STRIP_HEIGHT, pictures.shape[1])
    width = max(1, round(pictures.shape[2] * height / pictures.shape[1]))
    first, *others = (resized(pictures[index], (height, width)) for index in evenly_spaced(len(pictures), STRIP_CELLS))
    return grid([[first, None, *others]])


def write_clips_page(folder, intro, clips, shown):
    """Write `index.html`.

    Args:
        folder: where the files lie.
        intro: a sentence, as text.
        clips: list of :class:`Clip`, those of one photo together.
        shown: photo -> picture file of the pose that was found in it.
    """
    body = [f"<h1>Photos in motion</h1><p>{escape(intro)}</p>"]
    for photo in dict.fromkeys(clip.photo for clip in clips):
        body.append(f"<h2>{escape(photo)}</h2>{image(shown[photo], 'sheet')}")
        for clip in (clip for clip in clips if clip.photo == photo):
            videos = "".join(f'<video src="{escape(name)}" autoplay loop muted playsinline controls></video>'
                             for name in clip.videos)
            links = " · ".join(f'<a href="{escape(name)}">{escape(caption)}</a>' for caption, name in clip.links)
            body.append(f'<h3>{escape(clip.action.replace("_", " "))}, {escape(clip.title)}</h3><div class="clips">{videos}</div>'
                        f"<p>{links}</p>{image(clip.strip, 'sheet')}")
    write_text(folder / "index.html", page("Photos in motion", "".join(body)))
