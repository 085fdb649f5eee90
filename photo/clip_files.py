"""The files of clips: videos, GIFs, a strip of pictures, the poses, and one page that shows all.

To add a format of moving pictures, write a function `(path, pictures, fps)` and register it in VIDEOS.
"""
import re
import shutil
from html import escape, unescape
from typing import NamedTuple

import numpy as np

from photo.scene import opaque
from pose.pose_file import write_poses
from utils.drawing import grid
from utils.files import replaced_folder, write_text
from utils.media import write_gif, write_image, write_mp4, write_webp
from utils.pages import image, page
from utils.spacing import evenly_spaced
from utils.transform import limited, resized

GIF_SIDE = 480            # pixels; larger GIFs take tens of megabytes
STRIP_CELLS, STRIP_HEIGHT = 9, 256
PRESET = "veryfast"       # of x264: clips are short, and people wait
PERSON, WHOLE = "", "_whole"      # views of a clip, as they end file names: the crop around the person, the whole photo
CAPTIONS = {PERSON: "person", WHOLE: "whole photo"}


class Clip(NamedTuple):
    """A clip on the page; its files lie beside the page."""

    photo: str               # heading under which it stands
    stem: str                # of its files' names, without the sample's number
    action: str              # or the name of the motion
    title: str
    videos: list             # files that are played
    strip: str | None        # picture file
    links: list              # (caption, file)


def _mp4(path, pictures, fps):
    write_mp4(path, pictures[:, :pictures.shape[1] // 2 * 2, :pictures.shape[2] // 2 * 2], fps, PRESET)


def _gif(path, pictures, fps):
    write_gif(path, np.stack([limited(picture, GIF_SIDE) for picture in pictures]), fps, photo=True)


def _frames(path, pictures, _fps):
    with replaced_folder(path) as folder:
        for number, picture in enumerate(pictures):
            write_image(folder / f"{number:03d}.png", picture)


# ending -> writes pictures (T, h, w, 3) uint8; the page plays the first one written
VIDEOS = {"mp4": _mp4, "gif": _gif, "webp": write_webp, "frames": _frames}
ALPHA = ("webp", "frames")                # those that also write pictures (T, h, w, 4), and are written if none of them is chosen
STRIP, POSES = "strip", "poses"
FORMATS = (*VIDEOS, STRIP, POSES)         # as --formats


def write_clip(folder, photo, sample, pictures, request, whole):
    """Write the files of one sample; returns its :class:`Clip`.

    Args:
        photo: :class:`photo.photo_list.Photo`.
        sample: :class:`photo.motions.Sample`.
        pictures: (T + 1, h, w, 3) uint8 of its crop, or (T + 1, h, w, 4) of the person alone.
        request: :class:`photo.options.PhotoRequest`, which says the formats and what is behind the person alone.
        whole: whether to write clips of the whole photo, too.
    """
    stem, links, played = f"{photo.stem}_{sample.name}_{sample.number}", [], []
    endings = [ending for ending in VIDEOS if ending in request.formats]
    scene, crop = request.scene, sample.crop
    near = pictures if scene is None else scene.behind(crop, pictures)
    if endings and near.shape[-1] == 4:
        endings = [ending for ending in ALPHA if ending in endings] or ALPHA
    views = {PERSON: near}
    if whole and endings:
        views[WHOLE] = crop.put_back(pictures) if scene is None else scene.behind_whole(crop, pictures)
    for view, frames in views.items():
        for ending in endings:
            VIDEOS[ending](folder / f"{stem}{view}.{ending}", frames, sample.fps)
            links.append((f"{CAPTIONS[view]} as {ending.upper()}", f"{stem}{view}.{ending}"))
        played += [f"{stem}{view}.{ending}" for ending in endings[:1]]
    if POSES in request.formats:
        write_poses(folder / f"{stem}.json", sample.motion, describe(photo, sample))
        links.append(("poses", f"{stem}.json"))
    if STRIP in request.formats:
        write_image(folder / f"{stem}.jpg", strip(opaque(near)))
    return Clip(photo.heading, f"{photo.stem}_{sample.name}", sample.name, title(sample), played,
                f"{stem}.jpg" if STRIP in request.formats else None, links)


def describe(photo, sample):
    """What the poses' file tells beside the poses: their frame rate, the photo, and where clips show its pixels.

    A point of the photo is shown in a clip at (point - origin) * scale.
    """
    crop, (person, whole), (h, w) = sample.crop, sample.crop.scales, sample.crop.photo_size
    return {"fps": round(sample.fps, 3), "photo": {"file": photo.path.name, "width": w, "height": h},
            "person": {"origin": crop.box[:2].tolist(), "scale": round(person, 5)},
            "whole": {"origin": [0, 0], "scale": round(whole, 5)}}


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
            videos = "".join(map(_player, clip.videos))
            links = " · ".join(f'<a href="{escape(name)}">{escape(caption)}</a>' for caption, name in clip.links)
            body.append(f'<h3>{escape(clip.action.replace("_", " "))}, {escape(clip.title)}</h3><div class="clips">{videos}</div>'
                        f"<p>{links}</p>{image(clip.strip, 'sheet') if clip.strip else ''}")
    write_text(folder / "index.html", page("Photos in motion", "".join(body)))


def remove_older(folder, clips, pictures):
    """Remove files that the page in a folder shows of the same photos and actions as new clips, but that were not written again,
    such as samples of which there are fewer now.

    Args:
        folder: pathlib.Path of the clips and the page.
        clips: list of :class:`Clip`.
        pictures: names of other files that the new page shows.
    Returns:
        the number of files that were removed, and of other files of the old page that the new one does not show.
    """
    try:
        named = re.findall(r'(?:src|href)="([^"/]+)["/]', (folder / "index.html").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return 0, 0
    written = {*pictures, *(name for clip in clips for name in (clip.strip, *(file for _, file in clip.links)))}
    old = [folder / name for name in map(unescape, dict.fromkeys(named)) if name not in written and (folder / name).exists()]
    stems = {clip.stem for clip in clips}
    gone = [path for path in old if re.sub(r"_\d+(_whole)?\.\w+$", "", path.name) in stems]
    for path in gone:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return len(gone), len(old) - len(gone)


def _player(name):
    # a browser does not play a folder of frames
    if name.endswith((".gif", ".webp", ".frames")):
        return image(f"{name}/000.png" if name.endswith(".frames") else name)
    return f'<video src="{escape(name)}" autoplay loop muted playsinline controls></video>'
