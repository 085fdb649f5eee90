"""However a training is stopped, the iterations so far are saved, and a resumed run equals one that was never stopped."""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from fork_server import CLOSED, NO_READER
from helpers import P2I_CONFIG, SMALL_P2I, Scene, newest_weights, values_of

import train_actvae
import utils_file
from evaluation.poses import PoseEvaluation
from trainer_actvae import Trainer
from training.checkpoints import find_snapshots
from utils.torch_files import load_torch
from utils_file import load_config

CONFIG = "config/Penn_actvae.yaml"
PARTS = ("im_encode_content", "im_encode_vae")
P2I = [*SMALL_P2I, "cache=false", "workers=2", "image_loss.adversarial=0", "image_loss.features=0", "imsize=16",
       "generator.n_downsampling=1"]


class Script:
    """A training script as a process of its own group, in a folder of its own."""

    def __init__(self, server, folder, overrides, config=CONFIG, script="train_actvae"):
        self.server, self.folder, self.config, self.script = server, folder, config, script
        self.overrides = [f"--set={override}" for override in ["snapshot_save_iter=1000000", *overrides]]
        self.run = folder / "outputs" / Path(config).stem
        self.checkpoints, self.log = self.run / "checkpoints", self.run / "log.txt"

    def start(self, *argv, **streams):
        return self.server.start(self.script, "--config", self.config, "--output_path", self.folder, *argv, *self.overrides,
                                 **streams)

    def logged(self):
        return self.log.read_text() if self.log.exists() else ""

    def wait_for_training(self, process, told="", iterations=1):
        """Wait until so many iterations are in the log after what it `told` before; returns whether the process still runs."""
        while self.logged()[len(told):].count("  lr ") < iterations and process.poll() is None:
            time.sleep(0.01)
        return process.poll() is None

    def reached(self):
        return [snapshot.iteration for snapshot in find_snapshots(self.checkpoints, PARTS)]


def finish(process, status=0):
    assert process.wait(120) == status and "Traceback" not in process.errors(), process.errors()
    return process.errors()


def rounds(request):
    return request.config.getoption("kills")


@pytest.fixture
def scripts(tmp_path, tiny, fork_server):
    """`scripts(name, *overrides)` -> a :class:`Script` of the pose module on the small data set."""
    return lambda name, *overrides: Script(fork_server, tmp_path / name, [*tiny, *overrides])


@pytest.fixture
def p2i_scripts(tmp_path, tiny, lists, fork_server):
    """As `scripts`, of P2I with workers that decode frames, on 8 rows, and the folder of a pose module."""
    vae, rows = tmp_path / "vae", tmp_path / "list.txt"
    Trainer(load_config(CONFIG, tiny)).save(vae, 1, 0)
    rows.write_text("".join(lists[0].read_text().splitlines(keepends=True)[:8]))
    small = [*tiny, *P2I, f"train_data_list={rows}", f"test_data_list={rows}"]
    return lambda name, *overrides: Script(fork_server, tmp_path / name, [*small, *overrides], P2I_CONFIG,
                                           "train_actvae_p2inetwork"), vae


@pytest.fixture
def scene(tmp_path, tiny, lists, run_script):
    made = Scene(tmp_path, train_actvae, CONFIG, tiny, lists[0].read_text().splitlines()[:6], run_script)
    made.tiny += [made.write_list(), "train_epoch=4"]
    return made


# ---- signals ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_to_the_whole_group_lose_nothing(p2i_scripts, request, number):
    """P2I with workers that decode frames: a scheduler's or terminal's signal reaches those, too."""
    times, moments = max(1, rounds(request) // 3), random.Random(int(number))
    scripts, vae = p2i_scripts
    alone, stopped = (scripts(name, f"train_epoch={12 * times}") for name in ("alone", "stopped"))
    finish(alone.start("--vae_path", vae))
    for turn in range(times):
        told = stopped.logged()
        process = stopped.start(*(["--resume"] if turn else ["--vae_path", vae]))
        assert stopped.wait_for_training(process, told, moments.randint(1, 8)), process.errors()
        time.sleep(moments.random() * 0.05)
        os.killpg(process.pid, number)
        finish(process, 128 + number)
        assert f"stopped by {number.name} at iteration {stopped.reached()[-1]}" in stopped.logged()
    finish(stopped.start("--resume"))
    ends = [newest_weights(script.checkpoints) for script in (alone, stopped)]
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
    print(f"\n{number.name} to the whole group {times} times: nothing lost, end identical")


def test_a_worker_that_is_killed_ends_the_run_after_saving(p2i_scripts):
    scripts, vae = p2i_scripts
    script = scripts("run", "train_epoch=100000")
    process = script.start("--vae_path", vae)
    assert script.wait_for_training(process), process.errors()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    err = finish(process, 1)
    assert "error: a process that loads data died" in err.splitlines()[-1] and script.reached()
    assert "error: a process that loads data died" in script.logged() and (script.run / "index.html").exists()


def test_ctrl_c_while_importing_is_one_line(tmp_path, request):
    for delay in (0, 0.05, 0.6)[:1 if rounds(request) < 10 else 3]:
        process = subprocess.Popen([sys.executable, "train_actvae.py", "--config", CONFIG, "--output_path", tmp_path], cwd=ROOT,
                                   stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        starting = delay == 0.05                               # of Python itself, which tells of Ctrl-C in its own way
        try:
            # torch imports _ctypes first
            while not starting and process.poll() is None and "_ctypes" not in Path(f"/proc/{process.pid}/maps").read_text():
                time.sleep(0.01)
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        if not starting:
            assert process.returncode in (130, -signal.SIGINT) and err.strip().splitlines()[-1:] == ["interrupted"], err


# ---- output ----

@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("target", [NO_READER, "/dev/full", CLOSED])
def test_output_that_cannot_be_written_does_not_stop_a_training(scripts, stream, target):
    script = scripts("run", "train_epoch=2", "log_iter=1", "image_save_iter=50")
    finish(script.start(**{stream: target}))
    assert script.reached() == [56]
    told = re.findall(r"(standard \w+) can no longer be written \(.+\); the work goes on", script.logged())
    assert told == ([] if target == CLOSED else [{"stdout": "standard output", "stderr": "standard error"}[stream]])


# ---- errors elsewhere ----

def test_any_error_between_two_iterations_saves_first(scene, monkeypatch):
    def bug(*_):
        raise RuntimeError("a bug, or no memory left")

    monkeypatch.setattr(PoseEvaluation, "sheet", bug)
    with pytest.raises(RuntimeError, match="a bug"):
        scene.run(overrides=["image_save_iter=5", "snapshot_save_iter=1000"])
    assert [snapshot.iteration for snapshot in find_snapshots(scene.checkpoints, PARTS)] == [5]
    assert (scene.run_folder / "index.html").exists()
    monkeypatch.undo()
    monkeypatch.chdir(ROOT)
    assert scene.run("--resume").status == 0


def test_checkpoints_that_cannot_be_written_are_found_before_training(scene, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(utils_file.tempfile, "TemporaryFile", refuse)
    outcome = scene.run()
    assert outcome.status == 2 and "the run folder cannot be written (Permission denied)" in outcome.err
    assert "iteration" not in outcome.out


def test_errors_and_warnings_are_in_the_log(scene):
    outcome = scene.run(overrides=["lr=1e38", "log_iter=1"])
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1] in (scene.run_folder / "log.txt").read_text()


# ---- a full disk ----

@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 3 MB, where one can be made."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", folder],
                                                       capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here: that needs root and a kernel that lets it")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_fills_up_at_any_moment_loses_nothing(small_disk, tmp_path, tiny, fork_server, request):
    times, moments = rounds(request), random.Random(3)
    overrides = [*tiny, f"train_epoch={times}", "snapshot_save_iter=3", "keep_last=2", f"image_save_iter={14 * times}"]
    alone, full = (Script(fork_server, folder, overrides) for folder in (tmp_path / "alone", small_disk))
    finish(alone.start())
    reached, ended, begun = 0, 0, False
    for _ in range(times):
        filler = small_disk / "filler"
        told = full.logged()
        process = full.start(*(["--resume"] if reached else []))
        if moments.random() < 0.7:
            full.wait_for_training(process, told, moments.randint(1, 12))
            time.sleep(moments.random() * 0.05)
        try:
            with open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            pass
        assert process.wait(120) in (0, 1, 2) and "Traceback" not in process.errors(), process.errors()
        ended += process.returncode != 0
        filler.unlink()
        found = full.reached()
        assert not reached or found and found[-1] >= reached, "a snapshot was lost"
        reached, begun = max([reached, *found]), True
    finish(full.start(*(["--resume"] if reached else [])))
    ends = [newest_weights(script.checkpoints) for script in (alone, full)]
    assert begun and all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
    print(f"\ndisk filled up {times} times ({ended} of them ended the run): nothing lost, end identical")


# ---- killed ----

@pytest.mark.parametrize("module", ["pose", "p2i"])
def test_a_run_killed_again_and_again_equals_an_unbroken_one(module, scripts, p2i_scripts, request):
    """Killed `--kills N` times: four of five times in training, otherwise while it starts."""
    kills, moments = rounds(request), random.Random(module)
    make, first, epochs = (scripts, [], 6) if module == "pose" else (p2i_scripts[0], ["--vae_path", p2i_scripts[1]], 15)
    alone, killed = (make(name, f"train_epoch={epochs * kills}", "snapshot_save_iter=7", "keep_last=3") for name in ("a", "b"))
    finish(alone.start(*first))
    reached, in_training = [], 0
    for _ in range(kills):
        logged = killed.logged()
        process = killed.start(*(["--resume"] if reached else first))
        if moments.random() < 0.8:
            in_training += killed.wait_for_training(process, logged, moments.randint(1, 10))
            time.sleep(moments.random() * 0.05)
        else:                                            # loading
            time.sleep(moments.random() * 2)
        if process.poll() is not None:                   # on a busy machine the kill may come too late
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not reached or killed.reached()[-1:] >= reached[-1:], "a snapshot was lost"
        reached = killed.reached()
    finish(killed.start(*(["--resume"] if reached else first)))
    assert {path.name for path in alone.checkpoints.iterdir()} == {path.name for path in killed.checkpoints.iterdir()}
    for path in alone.checkpoints.glob("*.pt"):
        assert values_of(load_torch(path)) == values_of(load_torch(killed.checkpoints / path.name)), path.name
    losses = [set(re.findall(r"iteration (\d+)  (.*)", script.logged())) for script in (alone, killed)]
    assert losses[0] == losses[1]                        # also where an iteration was done several times
    print(f"\n{module}: killed {kills} times, {in_training} of them in training; end identical after {len(losses[0])} iterations")
