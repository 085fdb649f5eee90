"""The recipe of the generator `cutout` in the trainer: the discriminator on patches, its start, its optimizer, and resuming."""
import pytest
import torch
from helpers import POSE, newest_weights

from trainer_actvae_p2inetwork import Trainer
from training.weights import adopt
from utils.config import load_config
from utils.errors import UserError

CONFIG = "config/people_cutout.yaml"
SMALL = ["generator.size=16", "generator.own_widths=[8, 8, 8, 8]", "generator.widths=[8, 8, 8, 8]", "discriminator.width=4",
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


def test_the_discriminator_begins_at_its_iteration():
    trainer, before = trainer_of(), None
    before = weights_of(trainer.discriminator)
    for iteration in range(4):
        losses = trainer.update(batch())
        assert {"g_adversarial", "features", "person", "silhouette", "d_real"} <= losses.keys()
        judged = iteration >= 2
        assert bool(losses["features"] > 0) == bool(losses["g_adversarial"]) == bool(losses["d_real"] > 0) == judged
        assert same(weights_of(trainer.discriminator), before) == (not judged)
    assert [trainer.discriminator.share(iteration) for iteration in range(5)] == [0, 0, 0.5, 1, 1]


def test_the_generator_learns_from_it():
    with_it, without = (trainer_of("discriminator.start_iter=0", f"image_loss.adversarial={weight}",
                                   f"image_loss.features={weight}") for weight in (1, 0))
    for trainer in (with_it, without):
        trainer.update(batch())
    assert not same(weights_of(with_it.generator), weights_of(without.generator))


def test_it_has_an_adam_of_its_own():
    trainer = trainer_of()
    own, others = trainer.optimizers["classifier"].param_groups[0], trainer.optimizers["generator"].param_groups[0]
    trainer.set_learning_rate()
    assert (own["lr"], others["lr"]) == pytest.approx((0.0012 * 0.3, 0.0012))
    assert own["weight_decay"] == 0 and others["weight_decay"] == 0.01 and own["betas"][0] == 0.5
    assert type(trainer.optimizers["classifier"]) is torch.optim.Adam


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


def test_it_judges_cut_out_people_only():
    with pytest.raises(UserError, match="the discriminator patch judges cut-out people, which image_loss.person and"):
        trainer_of("image_loss.person=0")
    assert trainer_of("image_loss.person=0", "image_loss.adversarial=0").discriminator.cut_out


def test_the_plate_is_not_computed_for_a_judged_person():
    trainer, pair = trainer_of(), batch()
    assert trainer.training_plate is None and trainer.plate is not None
    twin = trainer_of()
    assert trainer.update(pair) == twin.update({**pair, "plates": torch.zeros_like(pair["images"][:, 0])})
    assert trainer_of("image_loss.person=0", "image_loss.silhouette=0", "image_loss.adversarial=0").training_plate is not None


def test_descriptions_without_a_kind_are_of_the_published_one(tmp_path):
    config = load_config(CONFIG)
    changed = adopt(config, {"discriminator": {"ndf": 8, "n_blocks": 2, "n_downsampling": 1}}, tmp_path / "networks.json")
    assert config.discriminator.kind == "pose" and config.discriminator.ndf == 8
    assert any(line.startswith("discriminator.kind: pose (configuration: patch)") for line in changed)
