"""Nothing is lost: losses that are not finite, full disks, old snapshots, damaged files, killed runs."""
import copy
import errno
import logging
import os
import re
import signal
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT
from helpers import P2I_CONFIG, SMALL_P2I, Scene, values_of

import train_actvae
from evaluation.poses import PoseEvaluation
from trainer_actvae import Trainer
from trainer_actvae_p2inetwork import Trainer as P2ITrainer
from training import guards
from training.batches import EpochBatches
from training.checkpoints import find_snapshots, remove_old
from training.optimizers import NotFinite
from training.tensorboard import EventFile
from utils import files
from utils.config import load_config
from utils.torch_files import load_torch

CONFIG = "config/Penn_actvae.yaml"


@pytest.fixture
def scene(tmp_path, tiny, lists, run_script):
    """Lists of 6 rows: 3 iterations an epoch."""
    made = Scene(tmp_path, train_actvae, CONFIG, tiny, lists[0].read_text().splitlines()[:6], run_script)
    made.tiny = [*tiny, made.write_list(), "train_epoch=4", "snapshot_save_iter=1"]
    return made


def snapshots(scene):
    return [snapshot.iteration for snapshot in find_snapshots(scene.checkpoints, ("im_encode_vae", "im_encode_content"))]


def states(scene):
    return sorted(int(path.stem[-8:]) for path in scene.checkpoints.glob("*training_state*"))


# ---- losses that are not finite ----

def spoil(monkeypatch, *iterations):
    """Make the losses of these iterations (the first is 1) not a number."""
    losses = Trainer.losses

    def spoilt(trainer, batch, noise=None):
        found = losses(trainer, batch, noise)
        return {name: loss * float("nan") for name, loss in found.items()} if trainer.iteration + 1 in iterations else found

    monkeypatch.setattr(Trainer, "losses", spoilt)


def test_a_bad_loss_stops_and_names_its_batch(scene, monkeypatch):
    spoil(monkeypatch, 5)
    outcome = scene.run()
    assert outcome.status == 1
    line = outcome.err.splitlines()[-1]
    rows = EpochBatches(6, 2, 7).batch(4)
    lines = ", ".join(str(row + 1) for row in sorted(rows))
    assert f"error: iteration 5: the loss is not finite; batch of lines {lines} of {scene.list}; " in line
    assert f"; last good snapshot: iteration 4 in {scene.checkpoints}. " in line and "on_nan: skip" in line
    assert snapshots(scene) == [1, 2, 3, 4]
    monkeypatch.undo()
    monkeypatch.chdir(ROOT)
    assert scene.run("--resume").status == 0 and snapshots(scene)[-1] == 12


def test_bad_batches_are_skipped_on_demand(scene, monkeypatch):
    monkeypatch.setattr(guards, "MOST_SKIPPED", 3)
    spoil(monkeypatch, 3, 4, *range(6, 100))
    outcome = scene.run(overrides=["on_nan=skip"])
    assert outcome.status == 1 and "error: iteration 8: the loss is not finite" in outcome.err, "skipping has an end"
    log = (scene.run_folder / "log.txt").read_text()
    assert re.findall(r"iteration (\d+): the loss is not finite; .*; skipped", log) == ["3", "4", "6", "7"]
    assert re.findall(r"iteration (\d+)  kl", log) == ["1", "2", "5"]
    two, four, five = ([values_of(load_torch(path)) for path in sorted(scene.checkpoints.glob(f"*_im_*_{number:08d}.pt"))]
                       for number in (2, 4, 5))
    assert two == four != five and snapshots(scene)[-1] == 7


def p2i_batch(rows=2, size=32):
    return {"poses": torch.rand(rows, 6, 13, 2), "action": torch.arange(rows), "images": torch.rand(rows, 6, 3, size, size),
            "masks": torch.ones(rows, 5, 1, size, size)}


def test_a_skipped_batch_leaves_no_trace_in_running_statistics(tmp_path):
    trainer = P2ITrainer(load_config(P2I_CONFIG, [*SMALL_P2I, "imsize=32", "actvae.z_dim=8", "device=cpu", "on_nan=skip"]))
    guard = guards.Guard(trainer, EpochBatches(4, 2, 7), SimpleNamespace(lines=range(1, 5), path="list.txt"),
                         SimpleNamespace(checkpoints=tmp_path, log=logging.getLogger("actvae")), None)
    trainer.update(p2i_batch())
    state = copy.deepcopy({name: module.state_dict() for name, module in trainer.parts.items()})
    batch = p2i_batch()
    batch["images"][:, 0] = float("inf")
    with pytest.raises(NotFinite, match="the loss is not finite"):
        trainer.update(batch)
    assert not all(value.isfinite().all() for value in trainer.generator.state_dict().values())
    for name, module in trainer.parts.items():
        module.load_state_dict(state[name])
    assert guard.update(batch) == {} and trainer.iteration == 2
    for name, module in trainer.parts.items():
        assert all(torch.equal(value, state[name][key]) for key, value in module.state_dict().items()), name


def test_overflow_in_fp16_is_left_to_the_scaler():
    trainer = Trainer(load_config(CONFIG, ["actvae.z_dim=8", "device=cpu", "precision=fp16"]))
    weight = trainer.model.decoder.rnn.bias_ih_l0
    before, scale = weight.detach().clone(), trainer.scaler.get_scale()
    for times in (1, 2):
        trainer.step((weight * 1e36).sum(), ["im_encode_content"])          # finite until it is scaled
        assert torch.equal(weight, before) and trainer.scaler.get_scale() == scale / 2 ** times
    trainer.step(weight.sum(), ["im_encode_content"])
    assert not torch.equal(weight, before)
    for _ in range(2):
        with pytest.raises(NotFinite, match="however little the loss is scaled"):
            for _ in range(40):
                trainer.step((weight * 0).sum().sqrt(), ["im_encode_content"])
        before = weight.detach().clone()
        trainer.step(weight.sum(), ["im_encode_content"])                   # good ones are stepped, then as before
        assert not torch.equal(weight, before)


def test_weights_that_are_not_finite_are_not_saved(scene, monkeypatch):
    end_iteration = Trainer.end_iteration

    def spoil_at_the_third(trainer):
        end_iteration(trainer)
        if trainer.iteration == 3:
            trainer.model.encoder.rnn.weight_ih_l0.data[0, 0] = float("inf")

    monkeypatch.setattr(Trainer, "end_iteration", spoil_at_the_third)
    outcome = scene.run()
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1] == ("error: the weights of im_encode_vae are not finite after iteration 3, so they were "
                                            "not saved; earlier snapshots are as they were")
    assert snapshots(scene) == [1, 2] and not list(scene.checkpoints.glob("*00000003*"))


# ---- snapshots ----

def test_old_snapshots_are_removed_on_demand(scene):
    assert scene.run(overrides=["keep_last=2", "keep_every=5"]).status == 0
    assert snapshots(scene) == [5, 10, 11, 12] == states(scene)
    assert scene.run("--resume", overrides=["train_epoch=5", "keep_last=1", "keep_every=0"]).status == 0
    assert snapshots(scene) == [15] == states(scene)


def test_a_missing_training_state_is_reported(scene):
    assert scene.run().status == 0 and states(scene) == [11, 12]
    for path in scene.checkpoints.glob("*_im_*.pt"):
        if int(path.stem[-8:]) > 10:
            path.unlink()
    outcome = scene.run("--resume")
    assert outcome.status == 0
    assert any("the training state of iteration 10 is gone" in text for text in outcome.warnings)


def test_a_resumed_run_keeps_its_own_configuration(scene):
    assert scene.run(overrides=["train_epoch=1", "lr=0.01", "batch_size=3"]).status == 0
    known = load_config(scene.run_folder / "config.yaml")
    scene.tiny.clear()
    outcome = scene.run("--resume", overrides=["train_epoch=2", "pose_loss.kl=0"])
    assert outcome.status == 0
    assert "the configuration of the run is used" in outcome.out and "lr: 0.01 -> 0.0002" in outcome.out
    assert "changed since this run last trained: pose_loss.kl: 0.002 -> 0.0, train_epoch: 1 -> 2\n" in outcome.out
    known.train_epoch, known.pose_loss.kl = 2, 0.0
    assert load_config(scene.run_folder / "config.yaml") == known
    log = (scene.run_folder / "log.txt").read_text()
    assert re.findall(r"iteration (\d)  reconstruction \S+  (kl \S+  )?lr 0.01", log)[-1] == ("4", "")


def test_foreign_files_are_not_removed(scene):
    assert scene.run(overrides=["train_epoch=1"]).status == 0
    foreign = ["im_encode_vae.pt", "notes.pt", "0000_generator_00000001.pt", ".hidden", "0000_im_encode_vae_00000000.pt"]
    leftovers = ["0000_training_state_00000000.pt.x", ".0000_im_encode_vae_00000002.pt.ab12_x9"]
    for name in foreign + leftovers:
        (scene.checkpoints / name).write_bytes(b"")
    remove_old(scene.checkpoints, ("im_encode_vae", "im_encode_content"))
    assert all((scene.checkpoints / name).exists() for name in (*foreign, leftovers[0])) and snapshots(scene) == [1, 2, 3]
    assert not (scene.checkpoints / leftovers[1]).exists()


def while_the_third_snapshot_is_written(scene, monkeypatch, act):
    """Call `act()` when a part of the third snapshot is about to reach the disk."""
    fsync = os.fsync

    def patched(handle):
        if any(scene.checkpoints.glob(".0000_im_encode_*_00000003.pt.*")):
            act()
        fsync(handle)

    monkeypatch.setattr(files.os, "fsync", patched)


def test_disk_full_while_saving(scene, monkeypatch):
    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    while_the_third_snapshot_is_written(scene, monkeypatch, full)
    outcome = scene.run()
    assert outcome.status == 1
    assert re.fullmatch(rf"error: {scene.checkpoints}/0000_im_encode_\w+_00000003.pt: this checkpoint could not be written "
                        r"\(OSError: .+No space left on device\); earlier ones are as they were, and --resume goes on from them",
                        outcome.err.splitlines()[-1])
    assert snapshots(scene) == [1, 2] and not list(scene.checkpoints.glob(".*"))
    monkeypatch.undo()
    monkeypatch.chdir(ROOT)
    assert scene.run("--resume").status == 0 and snapshots(scene)[-1] == 12


def test_a_second_ctrl_c_leaves_at_once(scene, monkeypatch):
    def press_twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    while_the_third_snapshot_is_written(scene, monkeypatch, press_twice)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)       # where tests run in the background it is ignored
    try:
        outcome = scene.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome.status == 130 and outcome.err.splitlines()[-1] == "interrupted"
    assert snapshots(scene) == [1, 2] and not list(scene.checkpoints.glob(".*"))


def test_disk_full_elsewhere_is_one_line(scene, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "sheet.jpg")

    monkeypatch.setattr(PoseEvaluation, "sheet", full)
    outcome = scene.run(overrides=["image_save_iter=2", "snapshot_save_iter=1000"])
    assert snapshots(scene) == [2]                      # nothing is lost
    assert outcome.status == 1 and outcome.err.splitlines()[-1] == "error: sheet.jpg: No space left on device"


def test_a_log_on_a_full_disk_is_given_up_with_one_warning(tmp_path, caplog):
    caplog.set_level("WARNING", "actvae")
    log = EventFile(tmp_path)
    log.events._py_recordio_writer._writer = open("/dev/full", "wb")              # noqa: SIM115
    for iteration in range(2000):
        log.add_scalar("loss", 1.0, iteration)
    log.close()
    assert [record.getMessage() for record in caplog.records] == [
        "TensorBoard's log can no longer be written (No space left on device)"]
