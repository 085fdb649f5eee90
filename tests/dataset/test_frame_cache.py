"""The frame cache: same pictures, each decoded once, and safe against kills, full disks and bad frames."""
import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL.ImageFile import ImageFile

from dataset import frame_cache
from dataset.image_loader2 import FrameError, PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from trainer_actvae_p2inetwork import draw_frame_indices
from training.batches import training_batches
from utils.errors import FailedRun

ROWS, SIZE = 8, 32
FRAMES = ROWS + 5                                         # distinct ones of the first windows of one video


class Place:
    """A list of the first windows of one video, and where its cache lies."""

    def __init__(self, folder, penn_root, lines):
        self.list, self.root, self.cache, self.lines = folder / "list.txt", folder / "data", folder / "cache", lines
        shutil.copytree(penn_root / "frames/0001", self.root / "frames/0001")
        self.write()

    def write(self, *more):
        self.list.write_text("".join(line + "\n" for line in (*self.lines, *more)))

    def frame(self, number):
        return self.root / f"frames/0001/{number:06d}.jpg"

    def data(self, imsize=SIZE, cached=True):
        data = PennActionPairs(self.list, self.root, imsize)
        if cached:
            data.use_cache(self.cache)
        return data

    def files(self, *endings):
        return sorted(path for path in self.cache.glob("*") if path.suffix in (endings or (".npy", ".part")))


@pytest.fixture
def place(tmp_path, penn_root, lists):
    return Place(tmp_path, penn_root, lists[0].read_text().splitlines()[:ROWS])


@pytest.fixture
def no_decoder(monkeypatch):
    def load(image):
        raise AssertionError(f"{image.filename} was decoded")
    return lambda: monkeypatch.setattr(ImageFile, "load", load)


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(value, second[key]) for key, value in first.items())


# ---- what it holds ----

def test_cached_pictures_equal_decoded_ones(lists, penn_root, tmp_path):
    plain, cached = (PennActionTestPairs(lists[1], penn_root, SIZE) for _ in range(2))
    cached.use_cache(tmp_path)
    for row in (0, 5, 27, 28, 55):                        # two videos
        item = plain[row]
        assert same(item, cached[row]) and len(torch.unique(item["images"], dim=0)) == 6
        assert (cached.pictures(row, range(5)) == plain.pictures(row, range(5))).all()


def test_overlapping_windows_share_their_frames(place):
    data = place.data()
    assert data.cached.tolist() == [list(range(row, row + 6)) for row in range(ROWS)]
    path, = place.files()
    assert len(data.cache) == FRAMES and path.stat().st_size == 128 + FRAMES * SIZE * SIZE * 3
    fields = place.lines[0].split(",")
    fields[8] = str(int(fields[8]) + 9)                   # the same frames in another crop are others
    place.write(",".join(fields), place.lines[0])
    data = place.data()
    assert len(data.cache) == FRAMES + 6 == len(np.unique(data.cached))
    assert same(data[ROWS], place.data(cached=False)[ROWS]) and same(data[ROWS + 1], data[0])


def test_a_warm_epoch_decodes_nothing(place, no_decoder):
    place.data()
    no_decoder()
    with pytest.raises(AssertionError, match="was decoded"):
        place.data(cached=False)[0]
    data, config = place.data(), SimpleNamespace(train_epoch=1, train_minutes=0, batch_size=3, workers=4, cache=True)
    _, loader = training_batches(data, config, 7, partial(draw_frame_indices, targets=5, steps=4))
    assert [batch["images"].shape for batch in loader] == [(3, 4, 3, SIZE, SIZE)] * 2
    assert loader.num_workers == 0


@pytest.mark.parametrize("change", ["nothing", "crop", "frame", "imsize"])
def test_what_makes_a_new_cache(place, change, no_decoder):
    pictures = [place.frame(number).read_bytes().ljust(9999) for number in (3, 20)]      # of one size
    place.frame(3).write_bytes(pictures[0])
    old = place.data()
    if change == "crop":
        lines = [line.split(",") for line in place.lines]
        place.lines = [",".join([*fields[:9], "20", *fields[10:]]) for fields in lines]
        place.write()
    elif change == "frame":
        place.frame(3).write_bytes(pictures[1])
    elif change == "nothing":
        no_decoder()
    new = place.data(16 if change == "imsize" else SIZE)
    assert len(place.files()) == (1 if change == "nothing" else 2)
    if change != "nothing":
        assert not np.array_equal(new.pictures(2, [0]), old.pictures(2, [0]))
        assert np.array_equal(new.pictures(2, [0]), place.data(new.imsize, cached=False).pictures(2, [0]))


# ---- several processes ----

BUILDER = """
import sys, time
from pathlib import Path
import numpy as np
from dataset import frame_cache
folder, me, halt = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
frame_cache.CHUNK = 2
calls = []
def prepare(place):
    calls.append(place)
    while place >= halt and not (folder / "go").exists():
        time.sleep(0.005)
    return np.full((64, 64, 3), place, np.uint8)
(folder / me).touch()
cache = frame_cache.FrameCache(folder / "cache", [__file__] * 8, np.arange(32).reshape(8, 4), 64, prepare)
print(len(calls), *cache[np.arange(8)][:, 5, 5, 1])
"""


@pytest.fixture
def builder(tmp_path):
    """`start(name, halt)`: a process that builds a cache of 8 pictures and, from picture `halt` on, waits for `go`."""
    script, running = tmp_path / "builder.py", []
    script.write_text(BUILDER)

    def start(name, halt=8):
        running.append(subprocess.Popen([sys.executable, script, tmp_path, name, str(halt)], text=True,
                                        env={**os.environ, "PYTHONPATH": os.getcwd()}, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE))
        wait_for(lambda: (tmp_path / name).exists() or running[-1].poll() is not None)
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def outcome(process):
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    calls, *values = map(int, out.split())
    assert values == list(range(8))
    return calls


def test_killed_while_building(builder, tmp_path):
    victim, cache = builder("victim", halt=4), tmp_path / "cache"
    wait_for(lambda: any(path.stat().st_size > 20_000 for path in cache.glob("*.part")))
    waiting = builder("waiting")
    time.sleep(0.2)                                       # it waits for the lock
    assert waiting.poll() is None and not list(cache.glob("*.npy"))
    victim.send_signal(signal.SIGKILL)
    assert victim.wait(20) == -signal.SIGKILL
    assert outcome(waiting) == 8                          # the victim's part is not used
    assert [path.suffix for path in cache.iterdir()] == [".npy"]
    assert outcome(builder("later")) == 0


# ---- what goes wrong ----

def fails(run_script, status, work):
    """The error line of `work` as a command."""
    result = run_script(work)
    line = result.err.splitlines()[-1]
    assert result.status == status and line.startswith("error: ") and "Traceback" not in result.err
    return line


def test_too_little_disk(place, monkeypatch, run_script):
    need = FRAMES * SIZE * SIZE * 3 + frame_cache.SPARE
    free = SimpleNamespace(free=need - 1)
    monkeypatch.setattr(frame_cache.shutil, "disk_usage", lambda folder: free)
    with monkeypatch.context() as patch:
        patch.setattr(ImageFile, "load", None)            # reported before the first picture is decoded
        line = fails(run_script, 1, place.data)
    assert f"{place.cache}: the frame cache needs 0 MB but 67 MB are free (and 67 MB must stay so); " in line
    assert "cache: false" in line
    assert not place.files()
    free.free = need
    place.data()


def test_disk_full_while_writing(place, monkeypatch, run_script):
    class Disk(io.FileIO):
        def write(self, data):
            if self.tell() + len(data) > 20_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    with monkeypatch.context() as patch:
        patch.setattr(frame_cache, "open", raising=False,
                      value=lambda path, mode: (Disk if path.suffix == ".part" else open)(path, mode))
        line = fails(run_script, 1, place.data)
        with pytest.raises(FailedRun):
            place.data()
    assert str(place.cache) in line and "No space left on device" in line
    assert not place.files()
    assert len(place.data().cache) == FRAMES


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: bytes(len(data)),
                                    lambda data: data.replace(b"(13,", b"(12,")])
def test_damaged_file(place, run_script, damage):
    place.data()
    path, = place.files()
    path.write_bytes(damage(path.read_bytes()))
    line = fails(run_script, 2, place.data)
    assert str(path) in line and "remove it" in line


@pytest.mark.parametrize("damage, words", [(lambda data: data[:len(data) // 2], "cannot be decoded"),
                                           (lambda data: b"no picture", "is not a readable picture")])
def test_bad_frame_while_building(place, damage, words):
    place.frame(7).write_bytes(damage(place.frame(7).read_bytes()))
    with pytest.raises(FrameError) as error:
        place.data()
    assert f"{place.list}:2: frame {place.frame(7)} {words}" in str(error.value)
    assert not place.files()
