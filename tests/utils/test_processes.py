"""Several processes: they train what one alone trains, end together, and leave a run that goes on."""
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from helpers import newest_weights

import train_actvae

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node"]

# Three updates of both modules in float64 with noise that is handed in, by every process on its share of the batches.
WORKER = """
import sys, torch
from utils import processes
from utils.config import load_config
import trainer_actvae, trainer_actvae_p2inetwork

ROWS, Z, SIZE = 4, 8, 32
def numbers(*shape):
    return torch.randn(shape, generator=random).clamp(-1, 1)

def train(module, *changes):
    config = load_config("config/Penn_actvae_p2inetwork.yaml", ["device=cpu", f"actvae.z_dim={Z}", f"imsize={SIZE}", "lr=0.001",
        "generator.ngf=4", "generator.n_blocks=2", "discriminator.ndf=4", "discriminator.n_blocks=1", "vgg_weights=random",
        "generator.norm_momentum=0.1", "weight_decay=0.1", *changes])
    trainer, losses = module.Trainer(config), []
    for part in trainer.parts.values():        # biases in front of batch norms have no gradient but that of weight decay
        for parameter in part.parameters():
            parameter.data += 0.01
    for _ in range(3):
        batch = {"poses": numbers(ROWS, 6, 13, 2), "action": torch.arange(ROWS), "images": numbers(ROWS, 6, 3, SIZE, SIZE),
                 "masks": torch.ones(ROWS, 5, 1, SIZE, SIZE)}
        noise = torch.randn(3 if module is trainer_actvae else 2, 5, ROWS, Z, generator=random)
        own = processes.shard(ROWS)
        further = {} if module is trainer_actvae else {"picks": (0, 2, 3)}
        found = trainer.update({key: value[own] for key, value in batch.items()}, noise=noise[:, :, own], **further)
        losses.append(dict(zip(found, processes.all_reduce_mean(list(found.values())))))
    return {"losses": losses, **{name: module.state_dict() for name, module in trainer.parts.items()}}

torch.set_default_dtype(torch.float64)
with processes.job():
    random = torch.Generator().manual_seed(1)
    result = {"pose": train(trainer_actvae), "p2i": train(trainer_actvae_p2inetwork, "sync_batchnorm=true")}
    if processes.is_rank_zero():
        torch.save(result, sys.argv[1])
"""


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What one process and what two trained, `module -> part -> name -> tensor`."""
    folder = tmp_path_factory.mktemp("processes")
    script = folder / "worker.py"
    script.write_text(WORKER)
    results = []
    for command in ([sys.executable], [*TORCHRUN, "2"]):
        path = folder / f"{len(results)}.pt"
        done = subprocess.run([*command, script, path], env=environment(), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
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


@pytest.mark.parametrize("module", ["pose", "p2i"])
def test_reported_losses_are_those_of_the_whole_batch(trained, module):
    one, two = (result[module]["losses"] for result in trained)
    for first, second in zip(one, two, strict=True):
        assert all(value > 0 for value in first.values())
        assert second == pytest.approx(first, rel=1e-5)


class Job:
    """`train_actvae.py` in one or more processes on the small data set."""

    def __init__(self, folder, tiny):
        self.out, self.tiny = folder, [*tiny, "train_epoch=4", "snapshot_save_iter=20"]
        self.run = folder / "outputs/Penn_actvae"
        self.checkpoints, self.log = self.run / "checkpoints", self.run / "log.txt"

    def start(self, processes, *argv, overrides=()):
        command = [sys.executable] if processes == 1 else [*TORCHRUN, str(processes)]
        return subprocess.Popen(
            [*command, "train_actvae.py", "--config", "config/Penn_actvae.yaml", "--output_path", self.out, *argv,
             *(f"--set={override}" for override in (*self.tiny, *overrides))],
            cwd=ROOT, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self, *argv, status=0, **options):
        process = self.start(*argv, **options)
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, err
        return out + err

    def wait_for_iteration(self, process, number):
        while not (self.log.exists() and f"iteration {number} " in self.log.read_text()):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)

    def logged(self):
        """iteration -> line of the log with its losses."""
        return dict(re.findall(r"iteration (\d+)  (kl .*)", self.log.read_text()))


@pytest.fixture
def job(tmp_path, tiny):
    return Job(tmp_path / "job", tiny)


def test_a_run_goes_on_with_another_number_of_processes(job, tmp_path, tiny):
    whole = Job(tmp_path / "whole", tiny)
    whole.finish(1)
    job.finish(2, overrides=["train_epoch=2"])
    assert len(re.findall(r"iteration 56\b", job.log.read_text())) == 2           # losses and a look, told once
    job.finish(1, "--resume", overrides=["train_epoch=3"])
    job.finish(2, "--resume")
    assert len(list((tmp_path / "job/logs/Penn_actvae").glob("events*"))) == 3      # one process writes
    assert {path.name for path in job.checkpoints.iterdir()} >= {path.name for path in whole.checkpoints.glob("0003_*")}
    one, several = newest_weights(whole.checkpoints), newest_weights(job.checkpoints)
    for name, value in one.items():
        torch.testing.assert_close(several[name], value, rtol=1e-3, atol=1e-5, msg=name)


def children(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_dies_ends_the_job_and_the_run_goes_on(job, victim):
    process = job.start(2, overrides=["train_epoch=100000"])
    job.wait_for_iteration(process, 30)
    workers = sorted(pid for pid in children(process.pid) if b"train_actvae.py" in Path(f"/proc/{pid}/cmdline").read_bytes())
    assert len(workers) == 2
    os.kill(workers[victim], signal.SIGKILL)
    killed = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode and time.monotonic() - killed < 60
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert "error: another process of this job is gone; --resume goes on" in err or "Signal 15" in err, err
    reached = max(map(int, job.logged()))
    epochs = reached // 28 + 2
    job.finish(1, "--resume", overrides=[f"train_epoch={epochs}"])
    assert f"iteration {28 * epochs} " in job.log.read_text()


@pytest.mark.parametrize("everyone", [False, True], ids=["torchrun", "everyone"])
def test_a_signal_saves_and_ends_all_processes(job, everyone):
    process = job.start(2, overrides=["train_epoch=100000"])
    job.wait_for_iteration(process, 10)
    workers = children(process.pid) if everyone else []              # as a batch system does; torchrun sends it once more
    for pid in (process.pid, *workers):
        os.kill(pid, signal.SIGTERM)
    process.communicate(timeout=60)
    stopped = int(re.search(r"stopped by SIGTERM at iteration (\d+)", job.log.read_text())[1])
    assert (job.checkpoints / f"{(stopped - 1) // 28:04d}_im_encode_vae_{stopped:08d}.pt").exists()


def test_a_batch_that_cannot_be_shared_out(job):
    told = job.finish(2, overrides=["batch_size=3"], status=1)             # torchrun's own status
    assert "error: batch_size 3 cannot be shared out among 2 processes" in told       # by whichever comes first
    assert not job.out.exists()


def test_testing_wants_one_process(job, run_script, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = run_script(train_actvae.main, "--config", "config/Penn_actvae.yaml", "--test", "--resume")
    assert outcome.status == 2 and "--test runs in one process: start it without torchrun" in outcome.err


def test_a_variable_left_behind_by_a_job(job, run_script, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = run_script(train_actvae.main, "--config", "config/Penn_actvae.yaml", "--output_path", job.out, overrides=job.tiny)
    assert outcome.status == 2
    assert re.search("error: WORLD_SIZE is set, but there is no job to join .*; start with torchrun", outcome.err)
