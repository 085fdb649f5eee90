"""Pose modules that see two poses, `actvae.history: 2`: augmentation, training, prediction, checkpoints, whole runs."""
import shutil

import pytest
import torch
from helpers import metrics, newest_weights, p2i_scene, padded_scene

from dataset.pair_list import TEST_LIST
from trainer_actvae import Trainer
from training.augment import augment, draw_views
from training.prediction import Source
from utils.errors import UserError
from utils.schema import AugmentConfig, Config, ResidualMotionConfig
from utils_file import load_config

CONFIG = "config/motion.yaml"
SIZES = ["actvae.networks=2", "actvae.trunk=16", "actvae.head=8", "actvae.terms=6"]
AUGMENT = AugmentConfig(mirror=True, rotate=0.1, stretch=0.1, recrop=True, zoom=0.1, shift=0.1, speed=0.5)


def small_trainer(history=2, augment=AUGMENT, dropout=0.0, **changes):
    actvae = ResidualMotionConfig(networks=2, trunk=32, head=16, terms=6, dropout=dropout, jitter=0.0, history=history)
    return Trainer(Config(device="cpu", actvae=actvae, augment=augment, **changes), seed=3)


def walkers(rows, targets=5, seed=0):
    """People who walk on as they came, to the left or to the right."""
    random = torch.Generator().manual_seed(seed)
    speed = 0.1 * torch.sign(torch.randn(rows, 1, 1, generator=random)) * torch.tensor([1.0, 0.0])       # (B, 1, 2)
    source = 0.2 * torch.randn(rows, 13, 2, generator=random)
    time = torch.arange(targets + 1)[:, None, None]
    return {"poses": source[:, None] + time * speed[:, None], "before": source - speed, "action": torch.zeros(rows).long(),
            "extent": torch.ones(rows, 2)}


# ---- augmentation ----

def test_the_earlier_pose_is_changed_like_the_others_and_they_as_without_it():
    poses, valid_steps, extent = torch.rand(50, 9, 13, 2), torch.arange(50) % 8 + 1, torch.tensor([1.0, 0.6]).expand(50, 2)
    before, views = torch.rand(50, 13, 2), draw_views(50, AUGMENT, torch.Generator().manual_seed(1))
    alone, valid_alone = augment(poses, valid_steps, views, extent)
    found, valid = augment(torch.cat([before[:, None], poses], 1), valid_steps, views, extent, history=2)
    torch.testing.assert_close(found[:, 1:], alone, atol=1e-5, rtol=0)
    assert torch.equal(valid, valid_alone) and views.speed.min() < 0.8 and views.speed.max() > 1.2
    earlier = poses[:, 0] + views.speed[:, None, None] * (before - poses[:, 0])           # as fast as the row is now
    expected, _ = augment(torch.stack([earlier, earlier], 1), valid_steps, views._replace(speed=torch.ones(50)), extent)
    torch.testing.assert_close(found[:, 0], expected[:, 0], atol=1e-5, rtol=0)


def test_who_begins_at_rest_does_so_at_any_speed():
    poses, views = torch.rand(20, 5, 13, 2), draw_views(20, AUGMENT, torch.Generator().manual_seed(1))
    found, _ = augment(torch.cat([poses[:, :1], poses], 1), torch.full((20,), 4), views, history=2)
    torch.testing.assert_close(found[:, 0], found[:, 1])


# ---- training and prediction ----

def test_it_learns_where_people_come_from_and_a_history_of_one_cannot():
    batch, rows = walkers(16), torch.arange(16)
    source = Source(batch["poses"][:, 0], batch["action"], rows, before=batch["before"])
    apart = {}
    for history in (1, 2):
        trainer = small_trainer(history, AugmentConfig(mirror=True, speed=0.2), lr=0.02)
        for seed in range(80):
            trainer.update(walkers(16, seed=seed))
        futures = trainer.predict(source, 8, 5).poses                                             # (B, n, T, J, 2)
        apart[history] = float((futures - batch["poses"][:, None, 1:]).norm(dim=-1).mean())
    assert apart[2] < 0.1 < 0.2 < apart[1], apart
    turned = trainer.predict(source._replace(before=2 * source.pose - source.before), 8, 5).poses
    forwards, backwards = ((moved - source.pose[:, None, None])[:, :, -1, :, 0].mean((1, 2)) for moved in (futures, turned))
    assert (forwards * backwards < 0).float().mean() > 0.8, "who came from the other side walks to the other side"


def test_without_an_earlier_pose_people_stood_still_and_chunks_change_nothing(monkeypatch):
    trainer, batch = small_trainer(), walkers(7)
    for value in trainer.model.parameters():
        value.data.mul_(3)
    source = Source(batch["poses"][:, 0], batch["action"], torch.arange(7), before=batch["before"])
    still = trainer.predict(source._replace(before=source.pose), 3, 40).poses
    assert torch.equal(trainer.predict(source._replace(before=None), 3, 40).poses, still)
    moving = trainer.predict(source, 3, 40).poses
    assert not torch.allclose(moving, still, atol=1e-3)
    monkeypatch.setattr("training.prediction.FUTURES_CHUNK", 6)
    torch.testing.assert_close(trainer.predict(source, 3, 40).poses, moving)
    sampled = trainer.sample(batch, 3, torch.Generator().manual_seed(0))
    other = trainer.sample({**batch, "before": source.pose}, 3, torch.Generator().manual_seed(0))
    assert sampled.shape == (7, 3, 4, 13, 2) and not torch.allclose(sampled, other, atol=1e-3)


def test_its_weights_are_told_apart(tmp_path):
    small_trainer(1).save(tmp_path / "one", 3, 0)
    small_trainer(2).save(tmp_path / "two", 3, 0)
    with pytest.raises(UserError, match=r"weights of other networks .*: actvae.history: 1 \(configuration: 2\)"):
        small_trainer(2).resume(tmp_path / "one")
    (tmp_path / "given").mkdir()                                     # as somebody passed on, without a description
    (tmp_path / "two/0000_motion_00000003.pt").rename(tmp_path / "given/motion.pt")
    trainer = small_trainer(1)
    with pytest.raises(UserError, match=r"motion.pt: pose_in.weight has shape \(2, 94, 32\), the network .* \(2, 68, 32\)"):
        trainer.restore(trainer.find_weights(tmp_path / "given", config=trainer.config))


# ---- whole runs ----

@pytest.fixture
def scene(tmp_path, plain, penn_root, run_script):
    return padded_scene(tmp_path, [*plain, *SIZES], penn_root, slice(3, 31, 4), run_script)


def test_a_run_is_trained_gone_on_with_and_tested(scene):
    two = ["actvae.history=2", "warmup_iter=0"]
    assert scene.run(overrides=[*two, "train_epoch=2"]).status == 0
    whole = newest_weights(scene.checkpoints)
    shutil.rmtree(scene.run_folder)
    assert scene.run(overrides=two).status == 0
    assert scene.run("--resume", overrides=["train_epoch=2"]).status == 0
    assert all(torch.equal(value, whole[name]) for name, value in newest_weights(scene.checkpoints).items())
    scene.tiny = [override for override in scene.tiny if not override.startswith("actvae.")]
    assert scene.run("--test", "--resume", "--samples", 3).status == 0
    found = metrics(scene)
    assert scene.run("--test", "--resume", "--samples", 3).status == 0 and metrics(scene) == found
    lines = (scene.folder / "lists" / TEST_LIST).read_text().splitlines(keepends=True)
    (scene.folder / "first.txt").write_text("".join(lines[5::28]))                     # rows that do not know what was before
    outcome = scene.run("--test", "--resume", "--samples", 3, overrides=[f"test_data_list={scene.folder / 'first.txt'}"])
    assert outcome.status == 0 and any("seem to begin at rest" in text for text in outcome.warnings)
    outcome = scene.run("--resume", overrides=["train_epoch=3", "actvae.history=1"])
    assert outcome.status == 2 and "--set actvae.history=1: the weights of" in outcome.err
    assert "were trained with actvae.history: 2" in outcome.err


@pytest.mark.parametrize("kind", ["mixture", "lstm_vae"])
def test_kinds_that_cannot_are_told_by_file_line_and_field(tmp_path, kind):
    (tmp_path / "mine.yaml").write_text(f"imsize: 64\nactvae: {{kind: {kind}, history: 2}}\n")
    told = f"mine.yaml:2, in 'actvae': unknown key 'history' of the kind {kind}; only residual has it"
    with pytest.raises(UserError, match=told):
        load_config(tmp_path / "mine.yaml")
    for value, message in (("3", "'history' must be at most 2"), ("0", "'history' must be at least 1"), ("yes", "an integer")):
        with pytest.raises(UserError, match=f"--set actvae.history={value}: 'history' must be|{message}"):
            load_config(CONFIG, [f"actvae.history={value}"])


def test_p2i_trains_and_paints_with_it(tmp_path, plain, lists, run_script, monkeypatch):
    p2i = p2i_scene(tmp_path, plain, lists, run_script)
    Trainer(load_config(CONFIG, [*plain, *SIZES, "actvae.history=2"]), seed=3).save(p2i.folder / "vae", 5, 0)
    outcome = p2i.run("--vae_path", p2i.folder / "vae")
    assert outcome.status == 0, outcome.err
    assert p2i.run("--test", "--resume", "--samples", 2, "--limit", 4).status == 0
    assert metrics(p2i, "test")["module"] == "pictures"
