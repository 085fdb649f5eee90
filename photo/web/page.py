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
    uploads = defaultdict(set)        # visit -> Gradio's own copies of its photos

    def folder_of(request):
        return root / request.session_hash

    @told(5, root)
    def find(upload, person, request: gr.Request):
        yield "", line("Looking for the person ...") if upload else "", None, gr.Button(interactive=False), ""
        if upload is None:
            return
        uploads[request.session_hash].add(Path(upload))
        placed = studio.open_photo(folder_of(request), Path(upload), int(person))
        frame = f'<iframe title="Where are the joints?" srcdoc="{escape(placed.page)}"></iframe>'
        say = "Found. Drag joints that are wrong, then make clips." if placed.found else (
            "No person was found. Drag the joints of the figure into place.")
        yield frame, line(say), placed.photo, gr.Button(interactive=True), gr.skip()

    @told(2, root)
    def make(photo, pose, action, motion, seconds, samples, seed, request: gr.Request):
        yield "", line("Looking at the motion ..." if motion else "Predicting motions ...")
        if motion:
            uploads[request.session_hash].add(Path(motion))
        wish, cards = Wish(pose, action, motion and Path(motion), float(seconds), int(samples), int(seed)), []
        for folder, clip in studio.make_clips(folder_of(request), photo, wish):
            cards.append(card(folder, clip))
            yield gallery(cards), line(f"{len(cards)} painted ...")
        yield gallery(cards), line("The motion, carried over." if motion else f"{len(cards)} futures, the most likely first.")

    def leave(request: gr.Request):
        for path in uploads.pop(request.session_hash, ()):
            shutil.rmtree(path.parent, ignore_errors=True)
        shutil.rmtree(folder_of(request), ignore_errors=True)

    with gr.Blocks(title="A photo in motion", analytics_enabled=False) as page:
        opened, pose = gr.State(), gr.Textbox(visible=False)
        gr.HTML(INTRO)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                upload = gr.Image(label="Photo", sources=["upload", "webcam", "clipboard"], height=260, buttons=[],
                                  elem_id="photo", webcam_options=gr.WebcamOptions(mirror=False))
                action = gr.Dropdown([(name.replace("_", " "), name) for name in studio.actions], value=studio.actions[0],
                                     label="Action", elem_id="action")
                motion = gr.File(label="or somebody else's motion: a video, or poses", file_types=["video", ".json"], height=110,
                                 elem_id="motion")
                # files stay unread, and no others are made: what cannot be used is told by whoever reads it
                upload.preprocess = motion.preprocess = lambda payload: payload and payload.path
                seconds = gr.Slider(0.5, LONGEST, LENGTH, step=0.25, label="Seconds", elem_id="seconds")
                samples = gr.Slider(1, MOST_SAMPLES, SAMPLES, step=1, label="Futures", elem_id="samples")
                with gr.Accordion("More", open=False):
                    person = gr.Number(1, precision=0, minimum=1, label="Person", elem_id="person",
                                       info="of several people: 1 is the most prominent")
                    seed = gr.Number(7, precision=0, minimum=0, maximum=2 ** 31 - 1, label="Seed",
                                     info="another one gives other futures")
                start = gr.Button("Make clips", variant="primary", interactive=False, elem_id="start")
            with gr.Column(scale=3):
                told_line = gr.HTML(elem_id="line")
                joints = gr.HTML(elem_id="joints")
        clips = gr.HTML(elem_id="clips", js_on_load=SHOW)
        gr.on([upload.change, person.change], find, [upload, person], [joints, told_line, opened, start, clips], **WORK)
        start.click(make, [opened, pose, action, motion, seconds, samples, seed], [clips, told_line], js=READ_POSE, **WORK)
        page.unload(leave)
    return page.queue(max_size=WAITING)


def line(text, bad=False):
    """A line of markup that tells the visitor something."""
    return f'<p class="{"bad" if bad else "good"}">{escape(text)}</p>'


def told(outputs, root):
    """Decorate what an event does: mistakes of the visitor become a line on the page.

    Args:
        outputs: number of the event's outputs; the second one is the line.
        root: pathlib.Path of the visitors' folders, which the line leaves out.
    """
    def decorate(work):
        @wraps(work)
        def run(*inputs):
            try:
                yield from work(*inputs)
            except UserError as error:
                said = re.sub(rf"{re.escape(str(root))}/\w+/(clips_\w+/)?", "", str(error))
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
