"""Shared fixtures: a small data set in Penn Action's layout, its lists, and scripts that run in this process."""
import io
import os
import signal
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")         # before torch: all is too small here to share among threads
signal.signal(signal.SIGINT, signal.default_int_handler)   # a shell's background jobs ignore SIGINT, and so would our children
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:      # nohup: children begin with the default, this process goes on
    signal.signal(signal.SIGHUP, lambda *_: None)
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import scipy.io  # noqa: E402
from fork_server import ForkServer  # noqa: E402
from hypothesis import settings  # noqa: E402
from PIL import Image  # noqa: E402

from dataset.pair_list import TEST_LIST, TRAIN_LIST  # noqa: E402
from dataset.penn_action import build  # noqa: E402
from utils.errors import command  # noqa: E402

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("torture", settings.get_profile("repeatable"), derandomize=False, max_examples=10_000)
settings.load_profile("repeatable")
SIZE = (72, 96)                                       # h, w of a frame


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=2, help="how often each killed run is killed")
    parser.addoption("--starts", type=int, default=0, help="how often two processes start and end beside busy cores")


@pytest.fixture(autouse=True)
def repository_root(monkeypatch):
    """Paths like `config/...` mean the same wherever pytest is started."""
    monkeypatch.chdir(ROOT)


class Outcome(NamedTuple):
    status: int
    out: str
    err: str
    warnings: list           # texts


@pytest.fixture(scope="session")
def run_script():
    """`run(main, *argv, overrides=(), folder=ROOT)`: what a script's `main()` does with these arguments -> :class:`Outcome`."""
    def run(main, *argv, overrides=(), folder=ROOT):
        argv = [*argv, *(word for override in overrides for word in ("--set", override))]
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err), \
                warnings.catch_warnings(record=True) as caught, pytest.raises(SystemExit) as stop:
            patch.setattr(sys, "argv", ["script.py", *map(str, argv)])
            patch.chdir(folder)
            warnings.simplefilter("always")
            command(main)
        return Outcome(stop.value.code or 0, out.getvalue(), err.getvalue(), [str(warning.message) for warning in caught])
    return run


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory):
    """A :class:`fork_server.ForkServer`; what a failed test leaves running is killed at the end."""
    server = ForkServer(tmp_path_factory.mktemp("scripts"))
    yield server
    server.close()


def _write_label(root, video, action="squat", nframes=36, train=True, without=(), **changes):
    random = np.random.RandomState(int(video))
    walk = np.cumsum(random.normal(0, 1.5, (nframes, 13, 2)), 0) + random.uniform((-4, -4), SIZE[::-1], (13, 2))
    label = {"action": action, "x": walk[..., 0].round(2), "y": walk[..., 1].round(2),
             "visibility": np.ones((nframes, 13)), "train": 1 if train else -1, "nframes": nframes,
             "dimensions": [*SIZE, nframes], **changes}
    path = Path(root) / "labels" / f"{video}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {key: value for key, value in label.items() if key not in without})
    return path


@pytest.fixture(scope="session")
def write_label():
    """`write_label(root, video, action, nframes, train, without=(keys), **changed_values)` -> path of the annotation.

    The joints walk at random, now and then out of the frame.
    """
    return _write_label


@pytest.fixture(scope="session")
def penn_root(tmp_path_factory):
    """A data set: two training and two test videos, 36 frames each. Read only."""
    root = tmp_path_factory.mktemp("penn")
    for number in range(1, 5):
        video = f"{number:04d}"
        _write_label(root, video, action=("squat", "pullup")[number % 2], train=number < 3)
        folder = root / "frames" / video
        folder.mkdir(parents=True)
        noise = np.random.RandomState(number).randint(0, 256, (9, 12, 3)).astype(np.uint8)
        for frame in range(1, 37):
            Image.fromarray(np.roll(noise, frame, 1)).resize(SIZE[::-1]).save(folder / f"{frame:06d}.jpg")
    return root


@pytest.fixture(scope="session")
def lists(penn_root, tmp_path_factory):
    """(training list, test list) of `penn_root`, 56 rows each. Read only."""
    folder = tmp_path_factory.mktemp("lists")
    build(penn_root, folder)
    return folder / TRAIN_LIST, folder / TEST_LIST


@pytest.fixture(scope="session")
def tiny(penn_root, lists):
    """Overrides that make any configuration run on `penn_root` within a second.

    Training then also renders only a few rows for the numbers in its log.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evaluation.images.ImageEvaluation.quick_rows", 8)
        yield [f"data_root={penn_root}", f"train_data_list={lists[0]}", f"test_data_list={lists[1]}", "imsize=32",
               "actvae.z_dim=8", "batch_size=2", "train_epoch=1", "workers=0", "device=cpu", "log_iter=1",
               "image_save_iter=1000", "display_size=1", "snapshot_save_iter=1000"]


@pytest.fixture(scope="session")
def plain(tiny):
    """The same without keys of the published pose module, for the other kinds."""
    return [override for override in tiny if not override.startswith("actvae.")]
