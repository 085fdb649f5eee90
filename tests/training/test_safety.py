"""Nothing is lost: numbers gone bad, full disks, what is kept of old snapshots, damaged files, killed runs."""
import copy
import errno
import logging
import os
import random
import re
import signal
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import ROOT
from helpers import P2I_CONFIG, SMALL_P2I, Scene, newest_weights, values_of
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import train_actvae
from dataset.image_loader2 import read_frame
from dataset.penn_action import read_annotation
from evaluation.poses import PoseEvaluation
from trainer_actvae import Trainer
from trainer_actvae_p2inetwork import Trainer as P2ITrainer
from training import guards
from training.batches import EpochBatches
from training.checkpoints import find_snapshots, load_part, remove_old
from training.optimizers import NotFinite
from training.tensorboard import EventFile
from utils import files, processes
from utils.config import load_config
from utils.errors import UserError
from utils.schema import Config
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


# ---- numbers gone bad ----

def spoil(monkeypatch, *iterations):
    """Make the losses of these iterations (the first is 1) not a number."""
    losses = Trainer.losses

    def spoilt(trainer, batch, noise=None):
        found = losses(trainer, batch, noise)
        return {name: loss * float("nan") for name, loss in found.items()} if trainer.iteration + 1 in iterations else found

    monkeypatch.setattr(Trainer, "losses", spoilt)


def test_a_bad_loss_stops_with_step_rows_and_last_good_snapshot(scene, monkeypatch):
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


def test_a_bad_loss_before_the_first_snapshot(scene):
    outcome = scene.run(overrides=["lr=1e30", "snapshot_save_iter=100"])
    assert outcome.status == 1
    assert re.search(r"error: iteration [23]: .+ not finite; .+; last good snapshot: none yet", outcome.err)
    assert snapshots(scene) == []


def test_bad_batches_are_skipped_on_demand(scene, monkeypatch):
    spoil(monkeypatch, 3, 4)
    outcome = scene.run(overrides=["on_nan=skip"])
    assert outcome.status == 0
    log = (scene.run_folder / "log.txt").read_text()
    assert re.findall(r"iteration (\d+): the loss is not finite; .*; skipped", log) == ["3", "4"]
    assert re.findall(r"iteration (\d+)  kl", log) == [str(number) for number in range(1, 13) if number not in (3, 4)]
    kept = {number: newest_weights_at(scene, number) for number in (2, 4, 5)}
    assert all(torch.equal(value, kept[4][name]) for name, value in kept[2].items())
    assert not all(torch.equal(value, kept[5][name]) for name, value in kept[4].items())


def newest_weights_at(scene, iteration):
    return {f"{path.name} {name}".partition("_")[2].replace(f"{iteration:08d}", ""): value
            for path in scene.checkpoints.glob(f"*_im_*_{iteration:08d}.pt") for name, value in load_torch(path)["a"].items()}


def test_skipping_ends_when_nothing_else_comes(scene, monkeypatch):
    monkeypatch.setattr(guards, "MOST_SKIPPED", 3)
    spoil(monkeypatch, *range(6, 100))
    outcome = scene.run(overrides=["on_nan=skip"])
    assert outcome.status == 1 and "error: iteration 8: the loss is not finite" in outcome.err
    assert snapshots(scene)[-1] == 7


def p2i_batch(rows=2, size=32):
    return {"poses": torch.rand(rows, 6, 13, 2), "action": torch.arange(rows), "images": torch.rand(rows, 6, 3, size, size),
            "masks": torch.ones(rows, 5, 1, size, size)}


def p2i_trainer(**changes):
    config = load_config("config/Penn_actvae_p2inetwork.yaml", [
        "imsize=32", "actvae.z_dim=8", "generator.ngf=4", "generator.n_blocks=1", "discriminator.ndf=4",
        "discriminator.n_blocks=1", "image_loss.vgg=0", "device=cpu", *(f"{key}={value}" for key, value in changes.items())])
    return P2ITrainer(config)


def skipping_guard(trainer, folder):
    """A guard that skips bad batches, with as much of a run as its message needs."""
    trainer.config.on_nan = "skip"
    return guards.Guard(trainer, EpochBatches(4, 2, 7), SimpleNamespace(lines=range(1, 5), path="list.txt"),
                        SimpleNamespace(checkpoints=folder, log=logging.getLogger("actvae")), None)


def test_a_skipped_batch_leaves_no_trace_in_running_statistics(tmp_path):
    trainer = p2i_trainer()
    trainer.update(p2i_batch())
    state = copy.deepcopy({name: module.state_dict() for name, module in trainer.parts.items()})
    batch = p2i_batch()
    batch["images"][:, 0] = float("inf")
    with pytest.raises(NotFinite, match="the loss is not finite"):
        trainer.update(batch)
    assert not all(value.isfinite().all() for value in trainer.generator.state_dict().values())
    for name, module in trainer.parts.items():
        module.load_state_dict(state[name])
    assert skipping_guard(trainer, tmp_path).update(batch) == {} and trainer.iteration == 2
    for name, module in trainer.parts.items():
        assert all(torch.equal(value, state[name][key]) for key, value in module.state_dict().items()), name


def test_a_gradient_that_is_not_finite_while_the_loss_is():
    trainer = Trainer(Config(device="cpu"))
    weight = trainer.model.decoder.rnn.bias_ih_l0
    before = weight.detach().clone()
    with pytest.raises(NotFinite, match="a gradient is not finite"):
        trainer.step((weight * 0).sum().sqrt(), ["im_encode_content"])
    assert torch.equal(weight, before)


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


def test_the_learning_rate_follows_the_iteration_even_where_steps_are_left_out(tmp_path):
    trainer = Trainer(load_config(CONFIG, ["actvae.z_dim=8", "device=cpu", "step_size=2"]))
    guard, rates = skipping_guard(trainer, tmp_path), []
    for bad in (float("nan"), 1, 1, 1):
        guard.update({"poses": bad * torch.rand(2, 6, 13, 2), "action": torch.tensor([0, 1])})
        rates.append({optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers.values()})
    assert rates == [{2e-4}, {1e-4}, {1e-4}, {5e-5}]


# ---- snapshots ----

def test_old_snapshots_are_removed_on_demand(scene):
    assert scene.run(overrides=["keep_last=2", "keep_every=5"]).status == 0
    assert snapshots(scene) == [5, 10, 11, 12] == states(scene)
    assert scene.run("--resume", overrides=["train_epoch=5", "keep_last=1", "keep_every=0"]).status == 0
    assert snapshots(scene) == [15] == states(scene)


def test_going_back_to_a_snapshot_whose_training_state_is_gone_is_told(scene):
    assert scene.run().status == 0 and states(scene) == [11, 12]
    for path in scene.checkpoints.glob("*_im_*.pt"):
        if int(path.stem[-8:]) > 10:
            path.unlink()
    outcome = scene.run("--resume")
    assert outcome.status == 0
    assert any("the training state of iteration 10 is gone" in text for text in outcome.warnings)


def test_what_a_resumed_run_does_differently_is_told(scene):
    assert scene.run(overrides=["train_epoch=1"]).status == 0
    outcome = scene.run("--resume", overrides=["train_epoch=2", "pose_loss.kl=0.01"])
    assert outcome.status == 0
    assert "changed since this run last trained: pose_loss.kl: 0.002 -> 0.01, train_epoch: 1 -> 2\n" in outcome.out


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


def test_only_what_is_of_no_use_is_removed(scene):
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


def test_results_of_a_test_are_replaced_whole(tmp_path):
    folder = tmp_path / "test"
    for text in ("old", "new"):
        with files.replaced_folder(folder) as part:
            (part / text).write_text(text)
    assert [path.name for path in tmp_path.rglob("*")] == ["test", "new"]
    with pytest.raises(KeyboardInterrupt), files.replaced_folder(folder) as part:
        (part / "half").write_text("")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.rglob("*")] == ["test", "new"]
    folder.rename(tmp_path / ".test.old")               # killed between the two renames
    with pytest.raises(KeyboardInterrupt), files.replaced_folder(folder):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.rglob("*")] == ["test", "new"]


def test_a_log_on_a_full_disk_is_told_once_and_given_up(tmp_path, caplog):
    caplog.set_level("WARNING", "actvae")
    log = EventFile(tmp_path)
    log.events._py_recordio_writer._writer = open("/dev/full", "wb")              # noqa: SIM115
    for iteration in range(2000):
        log.add_scalar("loss", 1.0, iteration)
    log.close()
    assert [record.getMessage() for record in caplog.records] == [
        "TensorBoard's log can no longer be written (No space left on device)"]


# ---- damaged and foreign files ----

def test_an_error_in_the_data_of_another_process_saves_first(monkeypatch):
    """Two threads stand for two processes; the second one's third batch cannot be read."""
    here, barrier, told, saved = threading.local(), threading.Barrier(2, timeout=60), [0, 0], []

    def all_reduce_max(number):
        told[here.rank] = number
        barrier.wait()
        greatest = max(told)
        barrier.wait()
        return greatest

    monkeypatch.setattr(processes, "all_reduce_max", all_reduce_max)
    monkeypatch.setattr(processes, "is_rank_zero", lambda: here.rank == 0)

    def work(rank):
        here.rank = rank
        trainer = SimpleNamespace(iteration=0, save=lambda folder, iteration, epoch: saved.append((rank, iteration)))
        guard = guards.Guard(trainer, SimpleNamespace(epoch=lambda iteration: (0, iteration)), None,
                             SimpleNamespace(checkpoints=None), guards.StopSignals())
        with pytest.raises(UserError) as caught:
            for _ in guard.batches(DataLoader(Rows(bad=2 if rank else None), batch_size=None)):
                trainer.iteration += 1
        return str(caught.value), trainer.iteration

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(work, (0, 1)))
    assert ends == [("another process could not read its data; the iterations so far are saved", 2), ("no such row", 2)]
    assert saved == [(0, 2)]


class Rows(Dataset):
    """Five numbers, one of which cannot be read."""

    def __init__(self, bad):
        self.bad = bad

    def __len__(self):
        return 5

    def __getitem__(self, row):
        if row == self.bad:
            raise UserError("UserError: no such row")              # as the traceback of a worker ends
        return row


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A trained module and its snapshot's folder."""
    trainer = Trainer(load_config(CONFIG, ["actvae.z_dim=8", "device=cpu"]))
    trainer.update({"poses": torch.rand(2, 6, 13, 2), "action": torch.tensor([0, 1])})
    folder = tmp_path_factory.mktemp("saved")
    trainer.save(folder, 1, 0)
    return trainer, folder


PLACES = st.floats(0, 1, exclude_max=True)
DAMAGE = st.tuples(PLACES, st.sampled_from(["cut", *range(8)])) | st.tuples(PLACES, PLACES).map(sorted)


def damaged(data, damage):
    """`data` without its end, with one bit flipped, or without a piece."""
    place, how = damage
    position = int(place * len(data))
    if how == "cut":
        return data[:position]
    if isinstance(how, float):
        return data[:position] + data[int(how * len(data)):]
    return data[:position] + bytes([data[position] ^ 1 << how]) + data[position + 1:]


def read_damaged(folder, source, damage, read):
    """What `read(path)` makes of a damaged copy of a file, or None after one clear error."""
    path = folder / f"damaged{source.suffix}"
    path.write_bytes(damaged(source.read_bytes(), damage))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(path)
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    return None


@given(st.sampled_from(["im_encode_vae", "im_encode_content", "training_state"]), DAMAGE)
def test_any_damage_of_a_checkpoint_is_noticed(saved, tmp_path_factory, part, damage):
    trainer, folder = saved
    source = folder / f"0000_{part}_00000001.pt"
    found = read_damaged(tmp_path_factory.getbasetemp(), source, damage, load_torch)
    if found is not None:                              # what was hit means nothing
        assert values_of(found) == values_of(load_torch(source))


@given(DAMAGE)
def test_any_damage_of_an_annotation_is_told_or_harmless(penn_root, tmp_path_factory, damage):
    found = read_damaged(tmp_path_factory.getbasetemp(), penn_root / "labels/0001.mat", damage, read_annotation)
    if found is not None:
        assert found.joints.shape == (*found.visibility.shape, 2) and np.isfinite(found.joints).all()


@given(DAMAGE)
def test_any_damage_of_a_frame_is_told_or_shown(penn_root, tmp_path_factory, damage):
    found = read_damaged(tmp_path_factory.getbasetemp(), penn_root / "frames/0001/000001.jpg", damage,
                         lambda path: read_frame(path, "row"))
    if found is not None:
        assert found.ndim == 3 and found.dtype == np.uint8


@pytest.mark.parametrize("change, message", [
    (lambda state: state["optimizers"].pop("im_encode_vae"), "not the optimizer state"),
    *((lambda state, change=change: state["optimizers"]["im_encode_vae"]["state"][0].update(change), "not the optimizer state")
      for change in ({"exp_avg": torch.zeros(3)}, {"step": torch.zeros(2)}, {"max_exp_avg_sq": torch.zeros(3)},
                     {"exp_avg_sq": torch.zeros(32, 43).fill_(float("nan"))}, {"exp_avg": 3}, {"step": "x"})),
    (lambda state: state["optimizers"]["im_encode_vae"]["state"][0].pop("exp_avg_sq"), "not the optimizer state"),
    (lambda state: state["optimizers"]["im_encode_vae"]["param_groups"][0].update(params=[0]), "not the optimizer state"),
    (lambda state: state["optimizers"]["im_encode_vae"].update(state=3), "not the optimizer state"),
    (lambda state: state["optimizers"].update(im_encode_vae=[]), "not the optimizer state"),
    (lambda state: state.update(optimizers=7), "not the training state"),
    *((lambda state, seed=seed: state.update(seed=seed), "not the training state") for seed in ("x", -1, 10 ** 30, float("inf"))),
    (lambda state: state.update(random=torch.zeros(4)), "not the training state")])
def test_training_state_of_something_else(saved, tmp_path, change, message):
    trainer, folder = saved
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "0000_training_state_00000001.pt"
    state = load_torch(path)
    change(state)
    torch.save(state, path)
    with pytest.raises(UserError, match=f"{re.escape(str(path))}: {re.escape(message)}"):
        Trainer(trainer.config).resume(tmp_path)


def test_other_numbers_of_a_saved_optimizer_are_not_taken(saved, tmp_path):
    trainer, folder = saved
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    state = load_torch(tmp_path / "0000_training_state_00000001.pt")
    state["optimizers"]["im_encode_vae"]["param_groups"][0].update(maximize=True, eps="x", amsgrad=True)
    torch.save(state, tmp_path / "0000_training_state_00000001.pt")
    other = Trainer(trainer.config)
    other.resume(tmp_path)
    group = other.optimizers["im_encode_vae"].param_groups[0]
    assert (group["maximize"], group["eps"], group["amsgrad"]) == (False, 1e-8, False)


@pytest.mark.parametrize("change", [
    lambda weights: weights.update({3: torch.zeros(1)}), lambda weights: weights["rnn.bias_ih_l0"].fill_(float("nan")),
    lambda weights: weights.update({"rnn.bias_ih_l0": weights["rnn.bias_ih_l0"].to_sparse()}),
    lambda weights: weights.update({"rnn.bias_ih_l0": weights["rnn.bias_ih_l0"].to(torch.complex64)}),
    lambda weights: weights.update({"rnn.bias_ih_l0": weights["rnn.bias_ih_l0"].to(torch.int64)})],
    ids=["key", "nan", "sparse", "complex", "integer"])
def test_weights_of_another_kind(saved, tmp_path, change):
    trainer, folder = saved
    content = load_torch(folder / "0000_im_encode_vae_00000001.pt")
    change(content["a"])
    path = tmp_path / "part.pt"
    torch.save(content, path)
    with pytest.raises(UserError, match=f"{re.escape(str(path))}: (expected the published|rnn.bias_ih_l0 holds something else)"):
        load_part(path, Trainer(trainer.config).model.encoder)


def test_a_frame_that_another_program_would_open_is_refused(tmp_path):
    path = tmp_path / "000001.jpg"
    Image.new("RGB", (8, 8)).save(path, format="EPS")
    with pytest.raises(UserError, match="is not a readable picture"):
        read_frame(path, "row")


# ---- killed ----

# script, configuration, overrides, epochs of 14 iterations for every kill, which are more than it can train until then
MODULES = {"pose": ("train_actvae", CONFIG, [], 12),
           "p2i": ("train_actvae_p2inetwork", P2I_CONFIG, [*SMALL_P2I, "discriminator.n_downsampling=1"], 1)}


@pytest.mark.parametrize("module", MODULES)
def test_a_run_killed_again_and_again_ends_like_one_left_alone(module, tmp_path, tiny, lists, fork_server, request):
    """Killed `--kills N` times at moments that follow from the module's name: four of five in training, else while it starts."""
    kills, moments = request.config.getoption("kills"), random.Random(module)
    script, config, small, epochs = MODULES[module]
    vae, rows = tmp_path / "vae", tmp_path / "list.txt"
    Trainer(load_config(CONFIG, tiny)).save(vae, 1, 0)
    rows.write_text("".join(lists[0].read_text().splitlines(keepends=True)[::2]))

    def start(folder, *argv):
        overrides = [*tiny, *small, f"train_data_list={rows}", f"test_data_list={rows}", f"cache_dir={folder / 'cache'}",
                     f"train_epoch={epochs * kills}", "snapshot_save_iter=7", "keep_last=3"]
        return fork_server.start(script, "--config", config, "--output_path", folder, *argv,
                                 *(f"--set={override}" for override in overrides))

    def finish(process):
        assert process.wait(600) == 0, process.errors()

    def wait_for_training(process, log, told="", iterations=1):
        while process.poll() is None and not (log.exists() and log.read_text()[len(told):].count("  lr ") >= iterations):
            time.sleep(0.01)

    first, name = ["--vae_path", vae] if module == "p2i" else [], Path(config).stem
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    begun, process = time.monotonic(), start(alone, *first)
    wait_for_training(process, alone / "outputs" / name / "log.txt")
    starting = time.monotonic() - begun
    finish(process)
    log, checkpoints = killed / "outputs" / name / "log.txt", killed / "outputs" / name / "checkpoints"
    in_training = lost = reached = killed_times = 0
    for _ in range(kills):
        told = log.read_text() if log.exists() else ""
        resume = any(checkpoints.glob("[0-9]*_im_encode_vae_*.pt"))
        process = start(killed, *(["--resume"] if resume else first))
        if moments.random() < 0.8:
            wait_for_training(process, log, told, moments.randint(1, 10))
            time.sleep(moments.random() * 0.05)
        else:                                            # loading, building the cache
            time.sleep(moments.random() * starting)
        if process.poll() is not None:                   # on a busy machine this test may come too late
            assert process.returncode == 0, process.errors()
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed_times += 1
        in_training += log.exists() and len(log.read_text()) > len(told)
        found = [snapshot.iteration for snapshot in find_snapshots(checkpoints, ("im_encode_vae",))]
        lost += bool(found) and found[-1] < reached
        reached = max([reached, *found])
    assert killed_times
    finish(start(killed, *(["--resume"] if reached else first)))
    ends = [folder / "outputs" / name / "checkpoints" for folder in (alone, killed)]
    assert {path.name for path in ends[0].iterdir()} == {path.name for path in ends[1].iterdir()}
    for path in ends[0].glob("*.pt"):
        assert values_of(load_torch(path)) == values_of(load_torch(ends[1] / path.name)), path.name
    losses = [set(re.findall(r"iteration (\d+)  (.*)", (folder.parent / "log.txt").read_text())) for folder in ends]
    assert losses[0] == losses[1] and not lost          # also where an iteration was done several times
    print(f"\n{module}: killed {killed_times} times ({in_training} of them in training), {killed_times} resumed, "
          f"{lost} snapshots lost, end identical after {len(losses[0])} iterations")
    assert newest_weights(ends[0])
