"""The limb-warp generator in the trainer: its losses, and painting at any size."""
import dataclasses

import pytest
import torch
from helpers import POSE

from network_actvae_p2inetwork import gradient_loss, near_weights, ssim_loss, weighted_l1
from trainer_actvae_p2inetwork import LOSSES, Trainer
from training.prediction import Source
from utils.config import load_config
from utils.errors import UserError

CONFIG = "config/Penn_actvae_p2inetwork.yaml"
SMALL = ["generator.kind=limb_warp", "generator.size=16", "generator.widths=[8, 8, 8, 8]", "imsize=32", "actvae.z_dim=8",
         "discriminator.ndf=4", "discriminator.n_blocks=1", "image_loss.vgg=0", "device=cpu", "batch_size=2"]
ALONE = ["image_loss.adversarial=0", "image_loss.features=0"]
RECIPE = ["image_loss.reconstruction=1", "image_loss.near=4", "image_loss.gradient=0.3", "image_loss.ssim=0.15",
          "image_loss.colours=0.002"]
PUBLISHED = ["generator.ngf=4", "generator.n_blocks=1", *SMALL[3:]]


def batch(size=32, count=2, seed=0):
    random = torch.Generator().manual_seed(seed)
    return {"images": torch.rand(count, 6, 3, size, size, generator=random) * 2 - 1,
            "masks": (torch.rand(count, 5, 1, size, size, generator=random) > 0.5).float(),
            "poses": POSE.float() + 0.1 * torch.randn(count, 6, 13, 2, generator=random), "action": torch.arange(count) % 9}


def trainer_of(*overrides, start=SMALL):
    return Trainer(load_config(CONFIG, [*start, *overrides]))


@pytest.fixture
def trainer():
    trainer = trainer_of(*ALONE)
    for head in (trainer.generator.blend[-1], trainer.generator.shift[-1]):
        torch.nn.init.normal_(head.weight, 0, 0.3)
    return trainer


# ---- losses ----

@pytest.mark.parametrize("overrides, extra", [((), []), (ALONE, []), ([*ALONE, *RECIPE], ["gradient", "ssim", "colours"]),
                                              (RECIPE, ["gradient", "ssim", "colours"])])
def test_terms_of_weight_0_are_not_there(overrides, extra):
    trainer = trainer_of(*overrides)
    losses = trainer.update(batch())
    idle = {"vgg", *(LOSSES if "image_loss.adversarial=0" in overrides else ())} - {"reconstruction"}
    assert list(losses) == [*(name for name in LOSSES if name not in idle), *extra]
    assert all(value.isfinite() for value in losses.values())
    assert all(losses[name] > 0 for name in extra)


@pytest.mark.parametrize("overrides", [["optimizer=muon", "max_norm=1", "ema=0.9"], ["precision=bf16", "channels_last=true"]])
def test_recipe_learns(overrides):
    trainer, rows = trainer_of(*ALONE, *RECIPE, "lr=0.005", "weight_decay=0", *overrides), batch()
    rows["images"] = torch.nn.functional.avg_pool2d(rows["images"].flatten(0, 1), 5, 1, 2).unflatten(0, (2, 6))
    sums = [float(sum(trainer.update(rows, (1, 1, 1)).values())) for _ in range(25)]
    assert sums[-1] < 0.97 * sums[0]


def test_muon_leaves_first_and_last_layers_to_adam():
    trainer = trainer_of("optimizer=muon")
    muon, adam = ({id(value) for group in trainer.optimizers[name].param_groups for value in group["params"]}
                  for name in ("generator.muon", "generator"))
    names = {id(value): name for name, value in trainer.generator.named_parameters()}
    assert muon | adam == names.keys() and not muon & adam
    assert {names[number].partition(".")[0] for number in muon} == {"down", "middle", "lift", "up"}


def test_colours_belong_to_generators_that_tell_them():
    with pytest.raises(UserError, match="image_loss.colours: the generator pose_attention does not tell"):
        trainer_of("image_loss.colours=1", start=PUBLISHED)


def test_near_weights():
    weights = near_weights(POSE, POSE + .1, 32, 4)
    assert weights.shape == (1, 1, 32, 32) and weights.mean() == pytest.approx(1)
    far, near = weights[0, 0, 0, 0], weights.max()
    assert 4.5 < near / far <= 5 + 1e-9
    point = torch.zeros(2, 13, 2)
    assert near_weights(point, point * torch.nan, 16, 4).isfinite().all()
    assert weighted_l1(torch.zeros(1, 3, 32, 32), torch.full((1, 3, 32, 32), .5), weights.float()) == pytest.approx(.5)


def test_gradient_loss():
    ramp = torch.linspace(0, 1, 11).expand(2, 3, 11, 11)
    assert gradient_loss(ramp, ramp + .3) == pytest.approx(0, abs=1e-6)
    assert gradient_loss(ramp, torch.zeros_like(ramp)) == pytest.approx(.1)


def test_ssim_loss():
    picture = torch.rand(2, 3, 16, 16) * 2 - 1
    assert ssim_loss(picture, picture) == pytest.approx(0, abs=1e-5)
    assert ssim_loss(picture.flip(-1), picture) > .5
    flat = torch.full((1, 3, 16, 16), .5)
    c1 = 0.02 ** 2                                         # pictures of one colour differ in their means only
    assert ssim_loss(flat, 2 * flat) == pytest.approx(1 - (2 * .5 + c1) / (.25 + 1 + c1), abs=1e-4)


# ---- painting ----

@pytest.mark.parametrize("side, size", [(32, None), (32, 80), (80, None), (80, 32), (45, 33)])
def test_any_size(trainer, side, size):
    rows = batch(side, 3)
    painted = trainer.paint(rows["images"][:, 0], rows["poses"][:, 0], rows["poses"][:, 1:], rows["action"], size)
    assert painted.shape == (3, 5, 3, size or side, size or side) and painted.abs().max() <= 1
    one = trainer.paint(rows["images"][2:, 0], rows["poses"][2:, 0], rows["poses"][2:, 4:], rows["action"][2:], size)
    torch.testing.assert_close(one[0, 0], painted[2, 3], atol=1e-5, rtol=0)
    rows = trainer.paint(rows["images"][:, 0], rows["poses"][:, 0], rows["poses"][:, :1], rows["action"])
    torch.testing.assert_close(rows[:, 0], batch(side, 3)["images"][:, 0], atol=1e-5, rtol=0)     # his own pose: the picture


@pytest.mark.parametrize("most", [1, 3 * 32 ** 2, 10 ** 9])
def test_sources_are_looked_at_once(trainer, monkeypatch, most):
    rows, calls = batch(count=3), []
    expected = trainer.paint(rows["images"][:, 0], rows["poses"][:, 0], rows["poses"][:, 1:], rows["action"])
    prepare = trainer.generator.prepare
    monkeypatch.setattr(trainer.generator, "prepare", lambda source, *args: calls.append(len(source)) or prepare(source, *args))
    monkeypatch.setattr("training.painting.PAINT_PIXELS", most)
    painted = trainer.paint(rows["images"][:, 0], rows["poses"][:, 0], rows["poses"][:, 1:], rows["action"])
    assert sum(calls) == 3
    torch.testing.assert_close(painted, expected, atol=1e-5, rtol=0)


def test_predict_paints_in_the_size_asked_for(trainer):
    rows = batch(64)
    source = Source(rows["poses"][:, 0], rows["action"], torch.arange(2), rows["images"][:, 0])
    assert trainer.predict(source, 2, 3, painted=1, size=48).videos.shape == (2, 1, 3, 3, 48, 48)
    assert trainer.predict(source, 2, 3, painted=1).videos.shape == (2, 1, 3, 3, 64, 64)


def test_published_generator_paints_its_own_size_only():
    trainer, rows = trainer_of(start=PUBLISHED), batch()
    arguments = rows["images"][:, 0], rows["poses"][:, 0], rows["poses"][:, 1:2], rows["action"]
    assert trainer.paint(*arguments, 32).shape == (2, 1, 3, 32, 32)
    with pytest.raises(UserError, match="pictures of 64 pixels: the generator pose_attention paints those of its training, 32"):
        trainer.paint(*arguments, 64)


@pytest.mark.parametrize("pose", [torch.zeros(13, 2), torch.full((13, 2), torch.nan), POSE[0].float() * 40])
@pytest.mark.parametrize("colour", [-1, .3])
def test_a_sensible_picture_of_bad_input(trainer, pose, colour):
    source, good = torch.full((1, 3, 32, 32), float(colour)), POSE.float()
    for first, second in ((pose[None], good), (good, pose[None])):
        painted = trainer.paint(source, first, second[:, None], torch.zeros(1, dtype=torch.long))
        assert painted.isfinite().all() and painted.abs().max() <= 1 + 1e-5


# ---- files ----

def test_save_and_resume(tmp_path):
    trainer = trainer_of(*ALONE, *RECIPE, "optimizer=muon", "ema=0.9")
    trainer.update(batch())
    trainer.save(tmp_path, 1, 0)
    other = trainer_of(*ALONE, *RECIPE, "optimizer=muon", "ema=0.9", "lr=0.01")
    other.config.lr = trainer.config.lr
    other.resume(tmp_path)
    first, second = (one.update(batch(seed=1)) for one in (trainer, other))
    assert {name: float(value) for name, value in first.items()} == {name: float(value) for name, value in second.items()}


def test_loaded_weights_are_the_mean_too(tmp_path, trainer):
    """A test paints with the mean of the weights: of loaded ones, themselves."""
    trainer.save(tmp_path, 1, 0)
    other = Trainer(load_config(CONFIG, [*SMALL, *ALONE, "ema=0.9"]), seed=8)
    other.restore(other.find_weights(tmp_path))
    rows = batch()
    arguments = rows["images"][:, 0], rows["poses"][:, 0], rows["poses"][:, 1:2], rows["action"]
    assert torch.equal(other.paint(*arguments), trainer.paint(*arguments))


def test_weights_of_the_other_kind(tmp_path):
    trainer_of().save(tmp_path, 1, 0)
    with pytest.raises(UserError, match="weights of other networks than this configuration's: .*generator.kind: limb_warp"):
        trainer_of(start=PUBLISHED).resume(tmp_path)
    for path in tmp_path.glob("*networks*"):               # where nothing says what they are
        path.unlink()
    with pytest.raises(UserError, match=r"generator_00000001.pt: (lacks|has an unknown) entry"):
        trainer_of(start=PUBLISHED).resume(tmp_path)


def test_configuration_survives_its_description():
    config = load_config(CONFIG, SMALL)
    assert dataclasses.asdict(config)["generator"] == {"kind": "limb_warp", "size": 16, "widths": [8, 8, 8, 8], "plate": True,
                                                       "colours": True, "limbs": True}


@pytest.mark.parametrize("override, message", [
    ("generator.widths=[8, x]", "'widths' must be a list of integers"), ("generator.widths=8", "'widths' must be a list of int"),
    ("generator.widths=[4, 8, 8, 8]", "'widths' must be at least 8"), ("generator.size=8", "'size' must be at least 16"),
    ("generator.widths=[true]", "'widths' must be a list of integers"), ("generator.ngf=4", "unknown key 'ngf'")])
def test_bad_keys(override, message):
    with pytest.raises(UserError, match=message):
        load_config(CONFIG, [*SMALL, override])


@pytest.mark.parametrize("override, message", [("generator.size=20", "generator.size 20 must be a multiple of 8"),
                                               ("generator.widths=[8, 8]", "generator.widths .* must be four multiples of 8")])
def test_sizes_that_cannot_be(override, message):
    with pytest.raises(UserError, match=message):
        trainer_of(override)
