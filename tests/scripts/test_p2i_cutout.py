"""Training and rendering of the generator `cutout`: its iteration, its discriminator, resuming, and pictures of any size."""
import pytest
import torch
from helpers import POSE, newest_weights

from trainer_actvae_p2inetwork import Trainer
from training.prediction import Source
from training.weights import adopt
from utils.config import load_config
from utils.errors import UserError

CONFIG = "config/people.yaml"
SMALL = ["generator.size=16", "generator.segmentation_widths=[8, 8, 8, 8]",
         "generator.compositing_widths=[8, 8, 8, 8]", "discriminator.width=4",
         "discriminator.start_iter=2", "discriminator.ramp_iter=1", "imsize=32", "batch_size=2", "actvae.networks=1",
         "actvae.terms=4", "actvae.trunk=8", "actvae.head=8", "device=cpu", "precision=fp32", "warmup_iter=0",
         "lr_policy=constant"]


def trainer_of(*overrides, seed=7):
    return Trainer(load_config(CONFIG, [*SMALL, *overrides]), seed=seed)


def batch(size=32, count=2, seed=0):
    """Pairs of noise with people that are lighter, and their masks."""
    random = torch.Generator().manual_seed(seed)
    masks = torch.zeros(count, 2, 1, size, size)
    masks[..., 6:28, 8:24] = 1
    return {"images": torch.rand(count, 2, 3, size, size, generator=random) - masks * 0.5, "person_masks": masks,
            "masks": torch.ones(count, 1, 1, size, size), "action": torch.arange(count),
            "poses": POSE.float() * 0.8 + 0.1 * torch.randn(count, 2, 13, 2, generator=random)}


def weights_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_discriminator_starts_at_its_iteration():
    trainer, before = trainer_of(), None
    before = weights_of(trainer.discriminator)
    for iteration in range(4):
        losses = trainer.update(batch())
        assert {"g_adversarial", "features", "person", "silhouette", "d_real"} <= losses.keys()
        judged = iteration >= 2
        assert bool(losses["features"] > 0) == bool(losses["g_adversarial"]) == bool(losses["d_real"] > 0) == judged
        assert same(weights_of(trainer.discriminator), before) == (not judged)
    assert [trainer.discriminator.weight(iteration) for iteration in range(5)] == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("stopped", [1, 3])
def test_resuming_is_exact(tmp_path, stopped):
    """Also with averaged weights, before and after the discriminator begins."""
    whole = trainer_of("ema=0.9")
    for iteration in range(5):
        whole.update(batch(seed=iteration))
        if iteration + 1 == stopped:
            whole.save(tmp_path, stopped, 0)
    part = trainer_of("ema=0.9", seed=1)
    part.resume(tmp_path)
    for iteration in range(stopped, 5):
        part.update(batch(seed=iteration))
    for name in ("generator", "discriminator"):
        assert same(weights_of(getattr(whole, name)), weights_of(getattr(part, name)))
    assert any("parametrizations" in name for name in newest_weights(tmp_path))


def test_nothing_is_rolled_out_and_no_background_is_filled(monkeypatch):
    trainer = trainer_of()
    trainer.actvae.predict = trainer.generator.background = None
    monkeypatch.setattr("networks.cutout_generator.inpaint_background", None)
    trainer.update(batch())


@pytest.mark.parametrize("overrides", [["image_loss.person=0", "image_loss.silhouette=0"], ["discriminator={kind: pose}"]])
def test_losses_that_do_not_fit_the_discriminator(overrides):
    with pytest.raises(UserError, match="the discriminator patch belongs to image_loss.person and image_loss.silhouette"):
        trainer_of(*overrides)


def test_the_arms_have_no_weight_without_a_silhouette():
    with pytest.raises(UserError, match="image_loss.arms weighs pixels of image_loss.silhouette, which is 0"):
        trainer_of("image_loss.silhouette=0")


def test_the_published_generator_has_no_person_losses():
    with pytest.raises(UserError, match="the generator pose_attention does not cut the person out; leave them 0"):
        Trainer(load_config("config/Penn_actvae_p2inetwork.yaml", ["image_loss.person=1", "image_loss.vgg=0", "device=cpu"]))


# ---- rendering ----

@pytest.mark.parametrize("side, size", [(32, None), (32, 80), (45, 33)])
def test_pictures_of_any_size(side, size):
    trainer, rows = trainer_of(), batch(side, 3)
    source, start, action, ends = rows["images"][:, 0], rows["poses"][:, 0], rows["action"], rows["poses"]
    rendered = trainer.render(source, start, ends, action, size)
    assert rendered.shape == (3, 2, 3, size or side, size or side) and rendered.abs().max() <= 1
    one = trainer.render(source[2:], start[2:], ends[2:, 1:], action[2:], size)
    torch.testing.assert_close(one[0, 0], rendered[2, 1], atol=1e-5, rtol=0)
    sample = trainer.predict(Source(start, action, torch.arange(3), source), 2, 3, rendered=1, size=size)
    assert sample.videos.shape == (3, 1, 3, 3, size or side, size or side)


def test_descriptions_without_a_kind_are_of_the_published_one(tmp_path):
    config = load_config(CONFIG)
    changed = adopt(config, {"discriminator": {"ndf": 8, "n_blocks": 2, "n_downsampling": 1}}, tmp_path / "networks.json")
    assert config.discriminator.kind == "pose" and config.discriminator.ndf == 8
    assert any(line.startswith("discriminator.kind: pose (configuration: patch)") for line in changed)
