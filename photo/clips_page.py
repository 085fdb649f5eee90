"""The page with the clips of photos."""
from html import escape
from typing import NamedTuple

from utils.files import write_text
from utils.pages import image, page


class Clip(NamedTuple):
    """A clip on the page; its files lie beside the page."""

    photo: str               # heading under which it stands
    action: str
    title: str
    videos: list             # files that are played
    strip: str               # picture file
    links: list              # (caption, file)


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
