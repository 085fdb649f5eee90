"""What several test files share beside the fixtures of `conftest.py`."""
import json
import re
import shlex
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from runpy import run_module, run_path

import numpy as np
import torch
from conftest import ROOT
from PIL import Image

import train_actvae
import train_actvae_p2inetwork
from dataset.pair_list import TEST_LIST, TRAIN_LIST
from dataset.penn_action import build
from dataset.synthetic.people import draw_video
from pose.pose_file import write_pose
from utils_file import load_config

P2I_CONFIG = "config/Penn_actvae_p2inetwork.yaml"
SMALL_P2I = ("generator.ngf=4", "generator.n_blocks=1", "discriminator.ndf=4", "discriminator.n_blocks=1", "image_loss.vgg=0")
# a pose of nobody in particular, (1, 13, 2): head, then left/right shoulder, elbow, wrist, hip, knee, ankle
POSE = torch.tensor([[0, -.7], [-.2, -.5], [.2, -.5], [-.3, -.2], [.35, -.25], [-.3, .1], [.5, 0],
                     [-.1, 0], [.1, 0], [-.15, .4], [.2, .4], [-.15, .8], [.25, .8]], dtype=torch.float64)[None]


def tree(folder):
    """Every path below a folder, and the bytes of its files."""
    return {path: path.read_bytes() if path.is_file() else None for path in Path(folder).rglob("*")}


def newest_weights(checkpoints):
    """`part.name` -> tensor of the newest files of a checkpoints folder."""
    newest = {path.name.split("_", 1)[1].rpartition("_")[0]: path for path in sorted(Path(checkpoints).glob("0*.pt"))}
    return {f"{part}.{name}": value for part, path in newest.items() if part != "training_state"
            for name, value in torch.load(path, weights_only=True)["a"].items()}


def values_of(content):
    """Every value of a checkpoint file's content, flat: path of keys -> value, tensors as bytes."""
    if isinstance(content, (dict, list, tuple)):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        return {(key, *path): value for key, inner in items for path, value in values_of(inner).items()}
    return {(): content.numpy().tobytes() if isinstance(content, torch.Tensor) else content}


def documents():
    """Every Markdown file that speaks to a user, as paths from the root."""
    places = ("README.md", "docs/*.md", "pretrain/*/README.md", "data_lists/README.md")
    return sorted(path.relative_to(ROOT).as_posix() for place in places for path in ROOT.glob(place))


def shell_commands(document):
    """The commands in the `sh` blocks of a Markdown file, without comments, one a string."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [shlex.join(words) for line in "".join(blocks).replace("\\\n", " ").splitlines()
            if (words := shlex.split(line, comments=True))]


def entry_point(words):
    """What runs a command `python SCRIPT ...` or `python -m MODULE ...` inside this process, and its arguments."""
    if words[1] == "-m":
        return partial(run_module, words[2], run_name="__main__"), words[3:]
    return partial(run_path, str(ROOT / words[1]), run_name="__main__"), words[2:]


def own_photo(folder):
    """A drawn person as a small photo with its pose, `me.jpg` and `me.json` in a new folder."""
    folder.mkdir()
    frames, joints, _, _ = draw_video(5, "jumping_jacks", 1, (20, 20), 1)
    Image.fromarray(np.ascontiguousarray(next(iter(frames))[::2, ::2, ::-1])).save(folder / "me.jpg")
    write_pose(folder / "me.json", joints[0] / 2)


class Links(HTMLParser):
    """Collects what a page links."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("href", "src") and not value.startswith("#")]


class Scene:
    """A folder with a list of one's own, an output folder, and a training script.

    Args:
        folder: empty.
        script: the script's module, with `main` and `Trainer`.
        config: its configuration file.
        overrides: that make it small.
        lines: of the list.
        run_script: the fixture.
    """

    def __init__(self, folder, script, config, overrides, lines, run_script):
        self.folder, self.script, self.config = folder, script, config
        self.tiny, self.lines, self.run_script = list(overrides), lines, run_script
        self.out, self.list = folder / "out", folder / "list.txt"
        self.run_folder = self.out / "outputs" / Path(config).stem
        self.checkpoints = self.run_folder / "checkpoints"

    def write_list(self, *lines):
        self.list.write_text("".join(line + "\n" for line in lines or self.lines))
        return f"train_data_list={self.list}"

    def edited(self, field, value):
        """A list whose third row has another value in this field."""
        fields = self.lines[2].split(",")
        fields[field] = value
        return self.write_list(*self.lines[:2], ",".join(fields), *self.lines[3:])

    def save_run(self, *overrides):
        """An earlier run's checkpoints."""
        self.script.Trainer(load_config(self.config, [*self.tiny, *overrides])).save(self.checkpoints, 28, 0)
        (self.run_folder / "log.txt").write_text("an earlier run\n")

    def run(self, *argv, overrides=(), config=None):
        return self.run_script(self.script.main, "--config", config or self.config, "--output_path", self.out, *argv,
                               overrides=[*self.tiny, *overrides])

    def refused(self, message, *argv, overrides=(), config=None):
        """The script names what is wrong in one line and touches nothing."""
        before = tree(self.folder)
        outcome = self.run(*argv, overrides=overrides, config=config)
        assert outcome.status == 2
        assert re.fullmatch(r"error: .+\n", outcome.err), outcome.err
        assert message in outcome.err
        assert tree(self.folder) == before, "something was written"


def p2i_scene(folder, overrides, lists, run_script):
    """A :class:`Scene` of P2I at its smallest, on four rows of the training list."""
    made = Scene(folder, train_actvae_p2inetwork, P2I_CONFIG, [*overrides, *SMALL_P2I, f"cache_dir={folder / 'cache'}"],
                 lists[0].read_text().splitlines()[:4], run_script)
    made.tiny.append(made.write_list())
    return made


def padded_scene(folder, overrides, root, rows, run_script):
    """A :class:`Scene` of the pose module `mixture` on padded rows of 12 targets; `rows` is a slice of the training list."""
    build(root, folder / "lists", horizon=12, pad=True)
    lines = (folder / "lists" / TRAIN_LIST).read_text().splitlines()[rows]
    made = Scene(folder, train_actvae, "config/mixture.yaml",
                 [*overrides, f"test_data_list={folder / 'lists' / TEST_LIST}"], lines, run_script)
    made.tiny.append(made.write_list())
    return made


def metrics(scene, place="test"):
    """What a test of a :class:`Scene` wrote into `metrics.json`."""
    return json.loads((scene.run_folder / place / "metrics.json").read_text())
