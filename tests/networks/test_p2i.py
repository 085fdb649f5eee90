"""P2I: what the trainer of the published networks does."""

import pytest
import torch
import torchvision
from conftest import ROOT

from model_variants import build_generator
from network_actvae import ActVAE
from network_actvae_p2inetwork import arm_weights, gradient_loss, silhouette_loss, ssim_loss
from networks.layers import evaluating
from trainer_actvae_p2inetwork import Trainer
from training.weights import find_pose_module
from utils.config import load_config
from utils.errors import UserError
from utils.schema import Config
from vgg import VGGLoss

CONFIG = ROOT / "config" / "Penn_actvae_p2inetwork.yaml"
LOSSES = ["d_real", "d_sampled", "reconstruction", "vgg", "g_adversarial", "features", "g_sampled"]
TOLERANCE = 1e-8
STEPS = 4
SMALL = ("imsize=16", "generator.ngf=4", "generator.n_blocks=2", "discriminator.ndf=4", "discriminator.n_blocks=1",
         "actvae.z_dim=8", "image_loss.vgg=0", "batch_size=2", "device=cpu")


def small_trainer(*overrides, seed=7):
    return Trainer(load_config(CONFIG, [*SMALL, *overrides]), seed)


def small_batch(size=16, count=2, seed=0, dtype=torch.float32):
    random = torch.Generator().manual_seed(seed)
    return {"images": torch.rand(count, 6, 3, size, size, generator=random, dtype=dtype) * 2 - 1,
            "masks": (torch.rand(count, 5, 1, size, size, generator=random) > 0.5).to(dtype),
            "poses": torch.rand(count, 6, 13, 2, generator=random, dtype=dtype) * 2 - 1,
            "action": torch.arange(count) % 9}


def weights_of(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


# ---- training ----

@pytest.mark.parametrize("overrides", [
    ("image_loss.vgg=5", "vgg_weights=random"),
    ("generator.n_downsampling=1", "generator.n_blocks=1", "discriminator.n_downsampling=2",
     "discriminator.n_blocks=0"),
    ("generator.n_downsampling=3", "generator.ngf=3", "actions=[walk, jump]"),
    ("image_loss.gradient=0.3", "image_loss.ssim=0.15", "image_loss.energy=1", "optimizer=adamw", "max_norm=1", "ema=0.9")])
def test_small_networks_train(overrides):
    trainer = small_trainer(*overrides)
    before = {name: weights_of(module) for name, module in trainer.parts.items()}
    losses = trainer.update(small_batch())
    extra = [name for name in ("gradient", "ssim", "energy") if any(name in override for override in overrides)]
    assert sorted(losses) == sorted([name for name in LOSSES if name != "vgg" or trainer.vgg_loss] + extra)
    assert all(value.ndim == 0 and value.isfinite() and not value.requires_grad for value in losses.values())
    assert ("vgg" in losses) == ("vgg_weights=random" in overrides) and losses.get("vgg", 1) > 0
    changed = {name: not same(before[name], weights_of(module)) for name, module in trainer.parts.items()}
    assert changed == {"im_encode_content": False, "im_encode_vae": False, "generator": True, "classifier": True}


def test_steps_leave_each_others_weights_alone(monkeypatch):
    """Defect D6: the discriminator's steps give the generator no gradient, and the other way round."""
    trainer = small_trainer("image_loss.vgg=5", "vgg_weights=random")
    networks, seen, step = {"generator": trainer.generator, "classifier": trainer.discriminator}, [], trainer.step

    def spy(loss, names):
        for network in networks.values():
            network.zero_grad(set_to_none=True)
        step(loss, names)
        seen.append(*names)
        for name, network in networks.items():
            assert all((value.grad is not None) == (name in names) for value in network.parameters())

    monkeypatch.setattr(trainer, "step", spy)
    trainer.update(small_batch())
    assert seen == ["classifier", "classifier", "generator", "generator"]
    assert all(value.requires_grad for network in networks.values() for value in network.parameters())
    for frozen in (trainer.actvae, trainer.vgg_loss):
        assert all(value.grad is None and not value.requires_grad for value in frozen.parameters())
    assert not trainer.actvae.training and trainer.generator.training and trainer.discriminator.training


@pytest.mark.parametrize("override, tolerance", [("precision=bf16", 0.05), ("channels_last=true", 1e-3)])
def test_options_give_about_the_same_losses(override, tolerance):
    plain, other = (small_trainer("image_loss.vgg=5", "vgg_weights=random", *more).update(small_batch())
                    for more in ((), (override,)))
    for name, value in other.items():
        assert value.dtype == torch.float32
        assert value == pytest.approx(float(plain[name]), rel=tolerance), name


# ---- sampling ----

def test_sample_and_render():
    trainer, batch = small_trainer(), small_batch(count=3)
    for value in trainer.generator.parameters():            # fresh weights hardly look at the pose
        torch.nn.init.normal_(value, 0, 0.3)
    before, random = {name: weights_of(module) for name, module in trainer.parts.items()}, trainer.random.get_state()
    sample = trainer.sample(batch, 2, torch.Generator().manual_seed(5))
    assert sample.videos.shape == (3, 2, STEPS, 3, 16, 16) and sample.poses.shape == (3, 2, STEPS, 13, 2)
    assert sample.videos.abs().max() <= 1 and not torch.equal(sample.videos[:, 0], sample.videos[:, 1])
    assert torch.equal(trainer.sample(batch, 2, torch.Generator().manual_seed(5)).videos, sample.videos)
    assert trainer.generator.training and not sample.videos.requires_grad
    assert all(same(before[name], weights_of(module)) for name, module in trainer.parts.items())   # statistics, too
    assert torch.equal(trainer.random.get_state(), random)
    source, pose = batch["images"][:, 0], batch["poses"][:, 0]
    rendered = trainer.render(source, pose, sample.poses[:, 1], batch["action"])
    assert torch.allclose(rendered, sample.videos[:, 1], atol=1e-6)
    one = trainer.render(source[2:], pose[2:], sample.poses[2:, 1, 3:], batch["action"][2:])   # row by row the same
    assert torch.allclose(one[0, 0], rendered[2, 3], atol=1e-6)


# ---- checkpoints ----

def write_actvae(folder, z_dim=8, names=("0002_{}_00000003.pt",), fill=1.0):
    folder.mkdir(parents=True, exist_ok=True)
    model = ActVAE(z_dim=z_dim)
    for value in model.parameters():
        value.detach().fill_(fill)
    for part, module in (("im_encode_content", model.decoder), ("im_encode_vae", model.encoder)):
        for name in names:
            torch.save({"a": module.state_dict()}, folder / name.format(part))


def test_vae_path_takes_the_newest_complete_checkpoint(tmp_path):
    trainer = small_trainer()
    write_actvae(tmp_path / "run" / "checkpoints", names=("0000_{}_00000009.pt",), fill=0.5)
    write_actvae(tmp_path / "run" / "checkpoints", names=("0001_{}_00000010.pt",), fill=1.0)
    (tmp_path / "run" / "checkpoints" / "0002_im_encode_vae_00000011.pt").touch()         # cut short: not complete
    write_actvae(tmp_path / "pretrain", names=("{}.pt",), fill=2.0)
    for folder, value in (("run/checkpoints", 1.0), ("pretrain", 2.0), ("run", 1.0)):
        trainer.restore(find_pose_module(tmp_path / folder))
        assert all((weight == value).all() and not weight.requires_grad for weight in trainer.actvae.parameters())
    small_trainer().save(tmp_path / "p2i", 5, 0)                                # a P2I run holds its ACT-VAE as well
    trainer.restore(find_pose_module(tmp_path / "p2i"))


# ---- losses and configuration ----

def test_the_silhouette_has_more_weight_on_arms():
    pose = torch.full((1, 13, 2), 0.0, dtype=torch.float64)
    pose[0, :, 1] = torch.linspace(-0.8, 0.8, 13)
    pose[0, [2, 4, 6], 0] = torch.tensor([0.3, 0.5, 0.7], dtype=torch.float64)                    # one arm is to the side
    weights = arm_weights(pose, 64, 2.0)
    row, column = (int((value + 1) * 32) for value in (pose[0, 6, 1], pose[0, 6, 0]))
    assert weights.shape == (1, 1, 64, 64) and weights[0, 0, row, column] > 2.9 and weights[0, 0, 60, 3] < 1.01
    mask, missed = torch.zeros(2, 1, 1, 64, 64, dtype=torch.float64)
    mask[..., 10:50, 20:60] = missed[..., 10:50, 20:60] = 1
    missed[0, 0, row, column] = 0
    plain = torch.ones_like(mask)
    assert silhouette_loss(missed, mask, weights) > 1.5 * silhouette_loss(missed, mask, plain) > 0


def test_gradient_and_ssim_losses_of_known_pictures():
    ramp, flat = torch.linspace(0, 1, 11).expand(2, 3, 11, 11), torch.full((1, 3, 16, 16), .5)
    picture = torch.rand(2, 3, 16, 16) * 2 - 1
    assert gradient_loss(ramp, ramp + .3) == pytest.approx(0, abs=1e-6)
    assert gradient_loss(ramp, torch.zeros_like(ramp)) == pytest.approx(.1)
    assert ssim_loss(picture, picture) == pytest.approx(0, abs=1e-5) and ssim_loss(picture.flip(-1), picture) > .5
    c1 = 0.02 ** 2                                         # pictures of one colour differ in their means only
    assert ssim_loss(flat, 2 * flat) == pytest.approx(1 - (2 * .5 + c1) / (.25 + 1 + c1), abs=1e-4)


def test_config_files_hold_the_published_values():
    config, expected = load_config(CONFIG), Config(train_epoch=300)
    assert config == expected
    assert load_config(ROOT / "config" / "Penn_pose_pred_time128_2.yaml") == expected
    assert vars(config.image_loss) == {"adversarial": 5, "reconstruction": 30, "mask": 10, "vgg": 5, "features": 1,
                                       "gradient": 0, "ssim": 0, "person": 0, "silhouette": 0,
                                       "arms": 0, "energy": 0}
    for override in ("compile=1", "channels_last=maybe", "generator.ngf=0", "image_loss.vgg=-1", "generator.width=3"):
        with pytest.raises(UserError, match=override.split("=")[0].split(".")[-1]):
            load_config(CONFIG, [override])


def test_frame_indices_known_beforehand_need_only_their_pictures():
    """The data fetches the source and three targets; the iteration is the same as with all six frames."""
    batch, picks = small_batch(), (3, 1, 4)
    whole, part = small_trainer(), small_trainer()
    few = {**batch, "images": batch["images"][:, [0, 4, 2, 5]], "masks": batch["masks"][:, 4:5],
           "frame_indices": torch.tensor([picks] * len(batch["action"]))}
    assert whole.update(batch, picks) == part.update(few)


def test_losses_of_weight_0_are_not_computed():
    trainer = small_trainer("image_loss.adversarial=0", "image_loss.features=0")
    trainer.actvae.predict = None                                                 # nor does it roll out
    before = [value.clone() for value in trainer.discriminator.state_dict().values()]
    losses = trainer.update(small_batch())
    assert list(losses) == ["reconstruction"] and losses["reconstruction"] > 0
    assert all(torch.equal(value, old) for value, old in zip(trainer.discriminator.state_dict().values(), before))


def test_a_short_run_renders_with_its_own_running_statistics():
    """With the published momentum of 0.001 the running statistics are still those of the start; training does not change."""
    trainer, batch = small_trainer("image_loss.adversarial=0"), small_batch(count=8)
    layer, seen = trainer.generator.model_stream1_up_2_bn.bn, []
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    for number in range(30):
        trainer.update(small_batch(count=8, seed=number))
    mean = torch.stack([value.mean((0, 2, 3)) for value in seen]).mean(0)
    variance = torch.stack([value.var((0, 2, 3)) for value in seen]).mean(0)
    kept = {name: value.clone() for name, value in trainer.generator.state_dict().items()}
    assert (layer.running_var - variance).abs().max() > 0.5 * (1 - variance).abs().max()                  # the published ones
    with evaluating(trainer.generator):
        torch.testing.assert_close(layer.running_mean, mean, rtol=0.05, atol=0.02)
        torch.testing.assert_close(layer.running_var, variance, rtol=0.05, atol=0.02)
        trainer.generator(batch["images"][:, 0], batch["poses"][:, 0], batch["poses"][:, 1], batch["action"])
    assert trainer.generator.training and same(kept, trainer.generator.state_dict())


def test_rendering_does_not_wait_for_the_device_at_every_batch_norm():
    with torch.device("meta"):                             # whose tensors have no values that could be read
        network = build_generator(Config().generator, 9)
    with evaluating(network):
        assert not network.training


@pytest.mark.parametrize("prefix", ["", "features."])
def test_vgg_loads_the_state_dict_of_torchvision(prefix):
    layers = torchvision.models.vgg19().features.state_dict()
    loss = VGGLoss("random")
    loss.load_state_dict({prefix + name: value for name, value in layers.items()})
    assert torch.equal(loss.features[0].weight, layers["0.weight"])
