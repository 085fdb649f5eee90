"""The page: what stands on it, and what happens when a visitor uses it."""
import logging
import re
import shutil
from collections import defaultdict
from functools import wraps
from html import escape
from pathlib import Path
from urllib.parse import quote

import gradio as gr

from photo.web.studio import Wish
from utils.errors import UserError

MOST_SAMPLES, SAMPLES = 8, 4
LONGEST, LENGTH = 4.0, 1.0            # seconds
WAITING = 10                          # visitors in the queue; the next ones are told to come again
WORK = {"concurrency_id": "work", "concurrency_limit": 1, "api_visibility": "private", "show_progress": "hidden"}
INTRO = ("<h1>A photo in motion</h1><p>Give a photo of one whole person. Correct the joints, choose what the person shall do, "
         "and see what could happen next. Your photo goes nowhere else, and it is deleted when you close the page.</p>")
# the pose as the visitor has changed it: the text on the page of joints, which may still be loading in its frame
READ_POSE = """async (photo, pose, ...others) => {
    const text = () => document.querySelector('#joints iframe')?.contentDocument?.getElementById('json')?.value;
    for (let round = 0; round < 100 && !text(); round++) await new Promise(done => setTimeout(done, 50));
    return [photo, text() ?? '', ...others];
}"""
SHOW = "watch('value', () => element.scrollIntoView({block: 'nearest', behavior: 'smooth'}))"
LOG = logging.getLogger(__name__)


def build_page(studio, root):
    """The page as :class:`gradio.Blocks`.

    Args:
        studio: :class:`photo.web.studio.Studio`.
        root: pathlib.Path of the folder in which each visitor gets one.
    """
    visits = Visits(studio, root)
    with gr.Blocks(title="A photo in motion", analytics_enabled=False) as page:
        opened, pose = gr.State(), gr.Textbox(visible=False)
        gr.HTML(INTRO)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                upload, person, start, *wishes = controls(studio.actions)
            with gr.Column(scale=3):
                told_line = gr.HTML(elem_id="line")
                joints = gr.HTML(elem_id="joints")
        clips = gr.HTML(elem_id="clips", js_on_load=SHOW)
        gr.on([upload.change, person.change], visits.find, [upload, person], [joints, told_line, opened, start, clips], **WORK)
        start.click(visits.make, [opened, pose, *wishes], [clips, told_line], js=READ_POSE, **WORK)
        page.unload(visits.leave)
    return page.queue(max_size=WAITING)


def controls(actions):
    """What a visitor fills in: components for the photo, the person's number, the button that starts, and for the parts of
    :class:`photo.web.studio.Wish` after the pose."""
    upload = gr.Image(label="Photo", sources=["upload", "webcam", "clipboard"], height=260, buttons=[], elem_id="photo",
                      webcam_options=gr.WebcamOptions(mirror=False))
    action = gr.Dropdown([(name.replace("_", " "), name) for name in actions], value=actions[0], label="Action", elem_id="action")
    motion = gr.File(label="or somebody else's motion: a video, or poses", file_types=["video", ".json"], height=110,
                     elem_id="motion")
    # files stay unread, and no others are made: what cannot be used is told by whoever reads it
    upload.preprocess = motion.preprocess = lambda payload: payload and payload.path
    seconds = gr.Slider(0.5, LONGEST, LENGTH, step=0.25, label="Seconds", elem_id="seconds")
    samples = gr.Slider(1, MOST_SAMPLES, SAMPLES, step=1, label="Futures", elem_id="samples")
    with gr.Accordion("More", open=False):
        person = gr.Number(1, precision=0, minimum=1, label="Person", elem_id="person",
                           info="of several people: 1 is the most prominent")
        seed = gr.Number(7, precision=0, minimum=0, maximum=2 ** 31 - 1, label="Seed", info="another one gives other futures")
    start = gr.Button("Make clips", variant="primary", interactive=False, elem_id="start")
    return upload, person, start, action, motion, seconds, samples, seed


def told(outputs):
    """Decorate what an event of :class:`Visits` does: mistakes of the visitor become a line on the page.

    Args:
        outputs: number of the event's outputs; the second one is the line.
    """
    def decorate(work):
        @wraps(work)
        def run(self, *inputs):
            try:
                yield from work(self, *inputs)
            except UserError as error:                       # without the name of the visitor's folder
                said = re.sub(rf"{re.escape(str(self.root))}/\w+/(clips_\w+/)?", "", str(error))
            except OSError as error:
                said = f"A file of this visit cannot be used ({error.strerror or error}). Give the photo again."
            except Exception:
                LOG.exception("a defect of the page")
                said = "This did not work, by a mistake of this program. What went wrong stands where it was started."
            else:
                return
            yield gr.skip(), line(said, bad=True), *(gr.skip() for _ in range(outputs - 2))
        return run
    return decorate


class Visits:
    """What happens when visitors use the page. Args as of :func:`build_page`."""

    def __init__(self, studio, root):
        self.studio, self.root = studio, root
        self.uploads = defaultdict(set)        # visit -> Gradio's own copies of its photos

    def folder(self, request):
        """The folder of a visitor."""
        return self.root / request.session_hash

    @told(5)
    def find(self, upload, person, request: gr.Request):
        """Find the person in a photo, and show its joints."""
        yield "", line("Looking for the person ...") if upload else "", None, gr.Button(interactive=False), ""
        if upload is None:
            return
        self.uploads[request.session_hash].add(Path(upload))
        placed = self.studio.open_photo(self.folder(request), Path(upload), int(person))
        frame = f'<iframe title="Where are the joints?" srcdoc="{escape(placed.page)}"></iframe>'
        say = "Found. Drag joints that are wrong, then make clips." if placed.found else (
            "No person was found. Drag the joints of the figure into place.")
        yield frame, line(say), placed.photo, gr.Button(interactive=True), gr.skip()

    @told(2)
    def make(self, photo, pose, action, motion, seconds, samples, seed, request: gr.Request):
        """Make clips, and show each as soon as it is painted."""
        yield "", line("Looking at the motion ..." if motion else "Predicting motions ...")
        if motion:
            self.uploads[request.session_hash].add(Path(motion))
        wish, cards = Wish(pose, action, motion and Path(motion), float(seconds), int(samples), int(seed)), []
        for folder, clip in self.studio.make_clips(self.folder(request), photo, wish):
            cards.append(card(folder, clip))
            yield gallery(cards), line(f"{len(cards)} painted ...")
        yield gallery(cards), line("The motion, carried over." if motion else f"{len(cards)} futures, the most likely first.")

    def leave(self, request: gr.Request):
        """Delete what a visitor gave and got."""
        for path in self.uploads.pop(request.session_hash, ()):
            shutil.rmtree(path.parent, ignore_errors=True)
        shutil.rmtree(self.folder(request), ignore_errors=True)


def line(text, bad=False):
    """A line of markup that tells the visitor something."""
    return f'<p class="{"bad" if bad else "good"}">{escape(text)}</p>'


def gallery(cards):
    """Markup that shows clips beside each other."""
    return f'<div class="cards">{"".join(cards)}</div>'


def card(folder, clip):
    """Markup of a clip: it plays, and its files can be downloaded.

    Args:
        folder: pathlib.Path of its files.
        clip: :class:`photo.clip_files.Clip`.
    """
    def address(name):
        return f"gradio_api/file={quote(str(folder / name))}"

    links = " · ".join(f'<a href="{address(name)}" download="{escape(name)}">{escape(caption)}</a>'
                       for caption, name in clip.links)
    return (f'<figure><video src="{address(clip.videos[0])}" autoplay loop muted playsinline controls></video>'
            f"<figcaption>{escape(clip.title)}</figcaption><p>{links}</p></figure>")
