"""Several processes train the same weights as one process, end together, and leave a run that can be resumed."""
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
import torch
from conftest import ROOT
from helpers import newest_weights

import train_actvae
from training.trainer import choose_device
from utils.errors import UserError
from utils.processes import local_device

CONFIG = "config/Penn_actvae.yaml"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "train_actvae.py"]


# ---- the same training ----

@pytest.fixture(scope="module")
def trained(fork_server, tmp_path_factory):
    """What one process and what two processes trained, `module -> part -> name -> tensor`."""
    path, results = tmp_path_factory.mktemp("updates") / "result.pt", []
    for job in ([fork_server.start("job_updates", path)], fork_server.start_job("job_updates", path)):
        assert not any(process.wait() for process in job), [process.errors() for process in job]
        results.append(torch.load(path, weights_only=True))
    return results


@pytest.mark.parametrize("module", ["pose", "p2i"])
def test_two_processes_train_what_one_trains(trained, module):
    one, two = (result[module] for result in trained)
    assert one.keys() == two.keys() and len(one) == (3 if module == "pose" else 5)
    for part in one.keys() - {"losses"}:
        assert one[part].keys() == two[part].keys()
        for name, value in one[part].items():
            torch.testing.assert_close(two[part][name], value, rtol=1e-6, atol=1e-9, msg=f"{part}: {name}")
    for first, second in zip(one["losses"], two["losses"], strict=True):
        assert all(value > 0 for value in first.values()) and second == pytest.approx(first, rel=1e-5)


def test_a_library_made_from_the_training_rows_is_the_same_in_all_processes(trained):
    one, two = (result["mixture"] for result in trained)
    assert one["library"] == two["library"] == len(two["retrieval"]["library.poses"]) == 80
    for name, value in one["retrieval"].items():
        if name.startswith("library."):
            assert torch.equal(value, two["retrieval"][name]), name
    least, most = two["sums"]
    assert least == most, "the processes have the same weights"
    assert two["losses"] == ["poses", "speed", "retrieval"]
    assert two["retrieval"]["out.weight"].any()


# ---- how a job ends ----

@pytest.mark.parametrize("ending, status, message, times", [
    ("0", 0, "", 0), ("143", 143, "", 0), ("interrupt", 130, "interrupted", 2), ("mistake", 2, "error: a mistake", 1),
    ("bug", 1, "ValueError: a bug", 2)])
def test_no_process_leaves_before_rank_zero_has_written_everything(fork_server, tmp_path, ending, status, message, times):
    path = tmp_path / "written"
    zero, one = fork_server.start_job("job_ending", ending, path)
    assert one.wait() == status, one.errors()
    assert path.read_text() == "whole"
    assert zero.wait() == status, zero.errors()
    assert (zero.errors() + one.errors()).count(message or "rror") == times


def test_an_error_of_one_process_ends_the_other(fork_server, tmp_path):
    """Rank zero waits for rank one, which therefore leaves after a while."""
    zero, one = fork_server.start_job("job_ending", "mistake of one", tmp_path / "written")
    assert (zero.wait(), one.wait()) == (1, 2)
    assert "error: another process of this job is gone; --resume goes on" in zero.errors()
    assert one.errors().endswith("error: a mistake (process 1)\n")


def test_world_size_without_a_job(job, run_script, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = run_script(train_actvae.main, "--config", CONFIG, "--output_path", job.out, overrides=job.tiny)
    assert outcome.status == 2
    assert re.search("error: WORLD_SIZE is set, but there is no job to join .*; start with torchrun", outcome.err)
    outcome = run_script(train_actvae.main, "--config", CONFIG, "--test", "--resume")
    assert outcome.status == 2 and "--test runs in one process: start it without torchrun" in outcome.err


# ---- devices ----

@pytest.mark.parametrize("visible, own", [(1, 0), (4, 2)])
def test_every_process_takes_its_own_gpu(monkeypatch, visible, own):
    """Also where CUDA_VISIBLE_DEVICES shows each process only its own."""
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: visible)
    assert local_device() == torch.device("cuda", own)


@pytest.mark.parametrize("device, message", [("mps", "it has no float64; write cpu"), ("cuda:99", ""), ("abacus", "")])
def test_devices_that_cannot_be_used(device, message):
    with pytest.raises(UserError, match=f"device '{device}' cannot be used: {message}"):
        choose_device(device)


# ---- training runs ----

def wait_until(condition):
    end = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)


class Job:
    """`train_actvae.py` on the small data set: alone within this process, or as two processes."""

    def __init__(self, out, tiny, fork_server, run_script):
        self.out, self.fork_server, self.run_script = out, fork_server, run_script
        self.tiny = [*tiny, "train_epoch=4", "snapshot_save_iter=20"]
        self.checkpoints, self.log = (out / "outputs/Penn_actvae" / name for name in ("checkpoints", "log.txt"))

    def argv(self, *argv, overrides=()):
        return ["--config", CONFIG, "--output_path", self.out, *argv,
                *(f"--set={override}" for override in (*self.tiny, *overrides))]

    def alone(self, *argv, **options):
        outcome = self.run_script(train_actvae.main, *self.argv(*argv, **options))
        assert outcome.status == 0, outcome.err

    def start(self, *argv, **options):
        return self.fork_server.start_job("train_actvae", *self.argv(*argv, **options))

    def torchrun(self, *argv, **options):
        return subprocess.Popen([*TORCHRUN, *self.argv(*argv, **options)], cwd=ROOT, text=True, stderr=subprocess.PIPE,
                                env={**os.environ, "OMP_NUM_THREADS": "1"})

    def wait_for_iteration(self, number):
        wait_until(lambda: self.log.exists() and f"iteration {number} " in self.log.read_text())

    def stopped(self):
        """The iteration at which SIGTERM stopped the run, where there is a snapshot."""
        number = int(re.search(r"stopped by SIGTERM at iteration (\d+)", self.log.read_text())[1])
        assert (self.checkpoints / f"{(number - 1) // 28:04d}_im_encode_vae_{number:08d}.pt").exists()
        return number


@pytest.fixture
def job(tmp_path, tiny, fork_server, run_script):
    return Job(tmp_path / "job", tiny, fork_server, run_script)


def test_a_run_resumes_with_another_number_of_processes(job, tmp_path, tiny, fork_server, run_script):
    """One process, then two that `torchrun` starts and a signal stops, then one again: the end is that of an unbroken run."""
    job.alone(overrides=["train_epoch=1"])
    process = job.torchrun("--resume", overrides=["train_epoch=100000"])
    job.wait_for_iteration(40)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    epochs = f"train_epoch={(job.stopped() - 1) // 28 + 2}"
    job.alone("--resume", overrides=[epochs])
    assert len(re.findall("iteration 40  kl", job.log.read_text())) == 1               # only rank zero writes the log
    assert len(list((tmp_path / "job/logs/Penn_actvae").glob("events*"))) == 3         # and the events
    whole = Job(tmp_path / "whole", tiny, fork_server, run_script)
    whole.alone(overrides=[epochs])
    one, several = newest_weights(whole.checkpoints), newest_weights(job.checkpoints)
    assert one.keys() == several.keys()
    for name, value in one.items():
        torch.testing.assert_close(several[name], value, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_job_and_the_run_resumes(job, victim):
    processes = job.start(overrides=["train_epoch=100000"])
    job.wait_for_iteration(30)
    processes[victim].send_signal(signal.SIGKILL)
    survivor, message = processes[1 - victim], "error: another process of this job is gone; --resume goes on"
    wait_until(lambda: message in survivor.errors())
    survivor.send_signal(signal.SIGTERM)                            # as torchrun does
    assert (processes[victim].wait(), survivor.wait()) == (-signal.SIGKILL, 1), survivor.errors()
    epochs = max(map(int, re.findall(r"iteration (\d+)  kl", job.log.read_text()))) // 28 + 2
    job.alone("--resume", overrides=[f"train_epoch={epochs}"])
    assert f"iteration {28 * epochs} " in job.log.read_text()


def test_a_signal_to_every_process_saves_and_ends_all(job):
    """A batch system sends the signal to every process, and `torchrun` sends it once more."""
    processes = job.start(overrides=["train_epoch=100000"])
    job.wait_for_iteration(10)
    for process in (*processes, *processes):
        process.send_signal(signal.SIGTERM)
    assert [process.wait() for process in processes] == [128 + signal.SIGTERM] * 2
    assert job.stopped() >= 10


def test_a_batch_that_cannot_be_split(job):
    processes = job.start(overrides=["batch_size=3"])
    assert [process.wait() for process in processes] == [2, 2]
    errors = "".join(process.errors() for process in processes)
    assert errors.count("error: batch_size 3 cannot be shared out among 2 processes") == 1         # by the first
    assert not job.out.exists()


def test_jobs_start_and_end_on_a_busy_machine(job, tmp_path, request):
    """`torchrun` reports success every time beside a busy process for each core."""
    times = request.config.getoption("starts")
    if not times:
        pytest.skip("only in `make torture`")
    with ExitStack() as stack:
        for _ in range(os.cpu_count()):
            stack.callback(subprocess.Popen([sys.executable, "-c", "while True: pass"]).kill)
        for turn in range(times):
            job.out = tmp_path / f"job {turn}"
            process = job.torchrun(overrides=["train_epoch=1"])
            _, err = process.communicate(timeout=300)
            assert process.returncode == 0, f"start {turn + 1}: {err}"
            assert list(job.out.rglob("0000_im_encode_vae_00000028.pt"))
    print(f"\n{times} jobs of two processes beside {os.cpu_count()} busy processes: status 0 every time")
