"""The page: what stands on it, and what happens when a visitor uses it."""
import re
import shutil
from collections import defaultdict
from functools import wraps
from pathlib import Path

import gradio as gr

from utils.errors import UserError
from utils.pages import fill_template

MAX_SAMPLES, SAMPLES = 8, 4
MAX_SECONDS, SECONDS, SEED = 4.0, 1.0, 7
MAX_QUEUE = 10                        # visitors that wait; the next ones are asked to come again
WORK = {"concurrency_id": "work", "concurrency_limit": 1, "api_visibility": "private", "show_progress": "hidden"}
INTRO = ("<h1>A photo in motion</h1><p>Give a photo of one whole person. Correct the joints, choose what the person does next, "
         "and see what could happen. Your photo goes nowhere else, and it is deleted when you close the page.</p>")
# the pose as the visitor has changed it: the text on the pose page, which may still be loading in its frame
READ_POSE = """async (photo, pose, ...others) => {
    const text = () => document.querySelector('#joints iframe')?.contentDocument?.getElementById('json')?.value;
    for (let round = 0; round < 100 && !text(); round++) await new Promise(done => setTimeout(done, 50));
    return [photo, text() ?? '', ...others];
}"""
SHOW = "watch('value', () => element.scrollIntoView({block: 'nearest', behavior: 'smooth'}))"


def build_page(studio, root):
    """The page as :class:`gradio.Blocks`, for a :class:`photo.web.studio.Studio`; each visitor gets a folder in `root`."""
    visits = Visits(studio, root)
    with gr.Blocks(title="A photo in motion", analytics_enabled=False) as page:
        placed, pose = gr.State(), gr.Textbox(visible=False)
        gr.HTML(INTRO)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                upload, person, start, *wishes = controls(studio.actions)
            with gr.Column(scale=3):
                message = gr.HTML(elem_id="line")
                joints = gr.HTML(elem_id="joints")
        clips = gr.HTML(elem_id="clips", js_on_load=SHOW)
        gr.on([upload.change, person.change], visits.find, [upload, person], [joints, message, placed, start, clips], **WORK)
        start.click(visits.make, [placed, pose, *wishes], [clips, message], js=READ_POSE, **WORK)
        page.unload(visits.leave)
    return page.queue(max_size=MAX_QUEUE)


def controls(actions):
    """The components that a visitor fills in: photo, number of the person, start button, and the last arguments of
    :meth:`Visits.make`."""
    upload = gr.Image(label="Photo", sources=["upload", "webcam", "clipboard"], height=260, buttons=[], elem_id="photo",
                      webcam_options=gr.WebcamOptions(mirror=False))
    action = gr.Dropdown([(name.replace("_", " "), name) for name in actions], value=actions[0], label="Action", elem_id="action")
    motion = gr.File(label="or somebody else's motion: a video, or poses", file_types=["video", ".gif", ".json"], height=110,
                     elem_id="motion")
    # Gradio neither reads nor converts the files, so that photo mode says what cannot be used
    upload.preprocess = motion.preprocess = lambda payload: payload and payload.path
    seconds = gr.Slider(0.5, MAX_SECONDS, SECONDS, step=0.25, label="Seconds", elem_id="seconds")
    samples = gr.Slider(1, MAX_SAMPLES, SAMPLES, step=1, label="Futures", elem_id="samples")
    with gr.Accordion("More", open=False):
        person = gr.Number(1, precision=0, minimum=1, label="Person", elem_id="person",
                           info="if there are several people: 1 is the most prominent")
        seed = gr.Number(SEED, precision=0, minimum=0, maximum=2 ** 31 - 1, label="Seed", info="another one gives other futures")
    start = gr.Button("Make clips", variant="primary", interactive=False, elem_id="start")
    return upload, person, start, action, motion, seconds, samples, seed


def errors_shown(outputs):
    """Decorate an event of :class:`Visits` that has this many outputs: errors are shown in the second one, the message."""
    def decorate(work):
        @wraps(work)
        def run(self, *inputs):
            try:
                yield from work(self, *inputs)
            except UserError as error:                       # without the name of the visitor's folder
                text = re.sub(rf"{re.escape(str(self.root))}/\w+/(clips_\w+/)?", "", str(error)).replace(", or --force", "")
            except OSError as error:                         # the visit's files are gone, or the disk is full
                text = f"A file of this visit cannot be used ({error.strerror or error}). Give the photo again."
            except Exception:                                # otherwise the page would wait for ever
                self.studio.log.exception("an error of the page")
                text = "This did not work because of an error in this program; the terminal in which it runs shows it."
            else:
                return
            yield gr.skip(), message(text, bad=True), *(gr.skip() for _ in range(outputs - 2))
        return run
    return decorate


class Visits:
    """What happens when visitors use the page. Args as of :func:`build_page`."""

    def __init__(self, studio, root):
        self.studio, self.root = studio, root
        self.uploads = defaultdict(set)        # visit -> Gradio's own copies of its files

    def folder(self, request):
        return self.root / request.session_hash

    @errors_shown(5)
    def find(self, upload, person, request: gr.Request):
        """Find the person in a photo, and show the joints."""
        yield "", message("Looking for the person ...") if upload else "", None, gr.Button(interactive=False), ""
        if upload is None:
            return
        self.uploads[request.session_hash].add(Path(upload))
        placed = self.studio.open_photo(self.folder(request), Path(upload), int(person or 1))
        text = "Found. Drag joints that are wrong, then make clips." if placed.pose else (
            "No person was found. Drag the joints of the figure into place.")
        yield (fill_template("app.html", pose_page=placed.page), message(text), placed, gr.Button(interactive=True),
               gr.skip())

    @errors_shown(2)
    def make(self, placed, pose, action, motion, seconds, samples, seed, request: gr.Request):
        """Make clips, and show each as soon as it is rendered."""
        yield "", message("Looking at the motion ..." if motion else "Predicting motions ...")
        if motion:
            self.uploads[request.session_hash].add(Path(motion))
        clips, shown = [], ""
        for folder, clip in self.studio.make_clips(
                self.folder(request), placed, pose, actions=action, motion=motion and Path(motion), seconds=float(seconds),
                samples=int(samples), seed=SEED if seed is None else int(seed)):
            clips.append((folder, clip))
            shown = fill_template("app.html", clips=clips)
            yield shown, message(f"{len(clips)} rendered ...")
        yield shown, message("The motion, carried over." if motion else f"{len(clips)} futures, the most likely first.")

    def leave(self, request: gr.Request):
        """Delete all files of a visit."""
        own = self.uploads.pop(request.session_hash, set())
        for path in own.difference(*self.uploads.values()):      # Gradio keeps the same file of two visitors once
            shutil.rmtree(path.parent, ignore_errors=True)
        shutil.rmtree(self.folder(request), ignore_errors=True)


def message(text, bad=False):
    return fill_template("app.html", line=text, bad=bad)
