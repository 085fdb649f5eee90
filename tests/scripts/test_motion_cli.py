"""The pose module `mixture` through the scripts: trained, resumed, tested, under P2I, and the shipped weights."""
import json
import math
import re

import pytest
import torch
from conftest import ROOT
from helpers import metrics, newest_weights, p2i_scene, padded_scene

import train_actvae
from dataset.pair_list import TEST_LIST
from dataset.penn_action import build
from trainer_actvae import Trainer
from training import schedule
from training.weights import adopt
from utils.schema import ACTIONS
from utils_file import load_config

CONFIG, SHIPPED = "config/mixture.yaml", ROOT / "pretrain/people"
SIZES = ["actvae.trunk=16", "actvae.head=8", "actvae.terms=6", "actvae.neighbours=2", "actvae.retrieval_rows=4"]


@pytest.fixture
def scene(tmp_path, plain, penn_root, run_script):
    return padded_scene(tmp_path, [*plain, *SIZES], penn_root, slice(0, 28, 4), run_script)


@pytest.fixture
def p2i(tmp_path, plain, lists, run_script):
    return p2i_scene(tmp_path, plain, lists, run_script)


# ---- a run ----

def test_a_resumed_run_equals_an_unbroken_one_and_is_tested(tmp_path, plain, write_label, run_script):
    """Three training videos of each of two actions, so that the scorer learns, too."""
    root = tmp_path / "videos"
    for number in range(7):
        write_label(root, f"{number:04d}", action=("squat", "pullup")[number % 2], nframes=24, train=number < 6)
    scene = padded_scene(tmp_path, [*plain, *SIZES, f"data_root={root}"], root, slice(None), run_script)
    scene.tiny += ["batch_size=24", "warmup_iter=0", "train_epoch=2"]
    assert scene.run(overrides=["snapshot_save_iter=2"]).status == 0
    whole, snapshots = newest_weights(scene.checkpoints), sorted(scene.checkpoints.glob("*_motion_*.pt"))
    assert scene.run("--resume", "--iteration", int(snapshots[-2].stem[-8:])).status == 0
    resumed = newest_weights(scene.checkpoints)
    assert whole.keys() == resumed.keys() and all(torch.equal(value, resumed[name]) for name, value in whole.items())
    early = torch.load(str(snapshots[0]).replace("motion", "retrieval"), weights_only=True)["a"]
    assert not torch.equal(early["out.weight"], whole["retrieval.out.weight"]), "the scorer is trained"
    assert load_config(scene.run_folder / "config.yaml").actvae.library == len(whole["retrieval.library.poses"]) == 6 * 24
    scene.tiny = [override for override in scene.tiny if not override.startswith("actvae.")]
    outcome = scene.run("--test", "--resume", "--samples", 3)
    assert outcome.status == 0, outcome.err
    found = metrics(scene)
    assert found["steps"] == 11 and found["rows"] + found["rows_too_short"] == found["rows_in_list"]
    assert found["overall"]["pixels"]["energy_score"] > 0 and len(found["overall"]["curve"]["pixels"]["zero_velocity_ade"]) == 11
    outcome = scene.run("--test", "--resume", "--steps", 13)
    assert outcome.status == 2 and "hold 12 targets" in outcome.err


def test_networks_alone_need_no_library(scene):
    assert scene.run(overrides=["actvae.real=0"]).status == 0
    assert len(newest_weights(scene.checkpoints)["retrieval.library.poses"]) == 0
    assert scene.run("--test", "--resume", "--samples", 2).status == 0
    assert scene.run("--test", "--resume", "--samples", 2, overrides=["actvae.real=1"]).status == 0


def test_keys_that_may_change_between_trainings(scene):
    assert scene.run().status == 0
    changed = ["train_epoch=2", "actvae.dropout=0.1", "actvae.samples=3", "actvae.temperature=1.5", "augment.speed=0"]
    assert scene.run("--resume", overrides=changed).status == 0
    for chosen, temperature in ([], 1.5), (["actvae.temperature=0.5"], 0.5):          # as trained, unless the user overrides it
        config = load_config(CONFIG, chosen)
        weights = Trainer.find_weights(scene.checkpoints)
        adopt(config, weights.networks, weights.origin, [key.partition("=")[0] for key in chosen])
        assert config.actvae.temperature == temperature
    outcome = scene.run("--resume", overrides=["train_epoch=3", "actvae.terms=7"])
    assert outcome.status == 2 and "were trained with actvae.terms: 6" in outcome.err


@pytest.mark.parametrize("override, message", [
    ("actvae.samples=1", "'samples' must be at least 2"), ("actvae.z_dim=8", "unknown key 'z_dim'"),
    ("augment.mirror=2", "'mirror' must be true or false"),
    ("pose_loss.kl=1", "the pose module mixture has no such loss"),
    ("actvae.kind=residual", "'kind' must be one of lstm_vae, mixture")])
def test_bad_keys_are_refused(scene, override, message):
    scene.refused(message, overrides=[override])


# ---- under P2I ----

def test_p2i_builds_it_as_it_was_trained(p2i, plain):
    vae = p2i.folder / "vae"
    Trainer(load_config(CONFIG, [*plain, *SIZES]), seed=3).save(vae, 5, 0)
    outcome = p2i.run("--vae_path", vae)
    assert outcome.status == 0, outcome.err
    assert "actvae.kind: mixture (configuration: lstm_vae)" in outcome.out
    saved, given = newest_weights(p2i.checkpoints), newest_weights(vae)
    assert all(torch.equal(value, saved[name]) for name, value in given.items())
    assert p2i.run("--resume", overrides=["train_epoch=2"]).status == 0
    assert p2i.run("--test", "--resume", "--samples", 2).status == 0
    assert metrics(p2i)["module"] == "pictures" and "energy_score" in metrics(p2i)["overall"]["pixels"]


def test_p2i_refuses_other_actions_and_damaged_weights(p2i, plain):
    vae = p2i.folder / "vae"
    trainer = Trainer(load_config(CONFIG, [*plain, *SIZES, f"actions={[*ACTIONS[1:], ACTIONS[0]]}"]))
    trainer.save(vae, 5, 0)
    p2i.refused("this pose module was trained with the actions pullup, clean_and_jerk", "--vae_path", vae)
    folder = p2i.folder / "given"
    folder.mkdir()
    (folder / "config.yaml").write_text("actvae: {kind: mixture, networks: 2, trunk: 16, head: 8, terms: 6}\n")
    for part, module in trainer.parts.items():
        torch.save({"a": module.state_dict()}, folder / f"{part}.pt")
    trainer.model.motion.out.weight.data[0, 0] = float("nan")
    torch.save({"a": trainer.model.motion.state_dict()}, folder / "motion.pt")
    p2i.refused("motion.pt: out.weight has values that are not finite numbers", "--vae_path", folder)
    torch.save({"a": trainer.model.retrieval.state_dict()}, folder / "motion.pt")
    p2i.refused("is it a checkpoint of another network?", "--vae_path", folder)


# ---- the shipped weights ----

def numbers(run_script, out, *argv, overrides):
    """`metrics.json` of a test of the shipped weights."""
    outcome = run_script(train_actvae.main, "--config", SHIPPED / "config.yaml", "--name", "_x", "--output_path", out, "--test",
                         "--pretrain", SHIPPED, *argv, overrides=["device=cpu", *overrides])
    assert outcome.status == 0, outcome.err
    return json.loads((out / "outputs/config_x/test/metrics.json").read_text())


def test_shipped_weights_predict_real_people_better_than_the_zero_velocity_baseline(tmp_path, run_script):
    """On ten windows of videos that were not trained on. Random weights score 1.1 times the baseline."""
    listed = ROOT / "tests/fixtures/published_list_sample.txt"
    found = numbers(run_script, tmp_path, "--samples", 20, overrides=["data_root=nowhere", f"test_data_list={listed}"])
    overall = found["overall"]["pixels"]
    assert found["rows"] == 10 and found["steps"] == 4
    assert overall["energy_score"] < 0.8 * overall["zero_velocity_ade"]


def test_shipped_weights_predict_further_than_their_horizon(tmp_path, penn_root, run_script):
    build(penn_root, tmp_path / "lists", horizon=34, pad=True)
    found = numbers(run_script, tmp_path, "--samples", 2, "--steps", 34,
                    overrides=[f"data_root={penn_root}", f"test_data_list={tmp_path / 'lists' / TEST_LIST}"])
    assert found["steps"] == 34 and 0 < found["rows"] == found["rows_in_list"] - found["rows_too_short"]
    score = found["overall"]["curve"]["pixels"]["energy_score"]
    assert len(score) == 34 and 0 < max(score[:4]) < min(score[32:]) < 30


def test_a_contradicting_kind_is_refused(tmp_path, tiny, run_script):
    overrides = [override for override in tiny if not override.startswith(("actvae.", "imsize"))]
    outcome = run_script(train_actvae.main, "--config", "config/Penn_actvae.yaml", "--output_path", tmp_path, "--test",
                         "--pretrain", SHIPPED, overrides=[*overrides, "actvae.kind=lstm_vae"])
    assert outcome.status == 2 and "were trained with actvae.kind: mixture" in outcome.err


# ---- a budget in minutes ----

def test_a_run_ends_with_its_minutes_and_its_learning_rate_has_fallen(scene, monkeypatch):
    now = [100.0]                                                            # seconds; an iteration takes three of them
    monkeypatch.setattr(schedule.time, "monotonic", lambda: now[0])
    update = Trainer.update

    def slow(self, *arguments):
        now[0] += 3
        return update(self, *arguments)

    monkeypatch.setattr(Trainer, "update", slow)
    minutes = ["train_minutes=0.5", "lr_policy=cosine", "lr=0.01", "warmup_iter=100"]
    assert scene.run(overrides=minutes).status == 0
    log = (scene.run_folder / "log.txt").read_text()
    rates = [float(rate) for rate in re.findall(r"iteration \d+  .*lr (\S+)", log)]
    assert len(rates) == 10 and (scene.checkpoints / "0003_motion_00000010.pt").exists()     # epochs of 3; train_epoch is 1
    assert rates[3] == pytest.approx(0.01 * (1 + math.cos(math.pi * 0.4)) / 2, rel=2e-3)
    assert rates[0] < 0.0005 < rates[1] and rates[-1] < 0.0005 < rates[-3]            # the warm-up of 100 ends after a tenth
    outcome = scene.run("--resume")
    assert "nothing to do: all 0.5 minutes are trained; a larger --set train_minutes goes on" in outcome.out
    assert scene.run("--resume", overrides=["train_minutes=0.7"]).status == 0
    assert (scene.checkpoints / "0004_motion_00000014.pt").exists() and not list(scene.checkpoints.glob("*_00000015.pt"))
