"""The networks of the pose module `mixture`: their equations, losses and augmentation."""
import math

import numpy as np
import pytest
import torch

from networks.energy_score import EnergyScore
from networks.residual_motion import ResidualMotion
from pose.skeleton import mirror_pose
from trainer_actvae import Trainer
from training.augment import Views, augment, draw_views
from utils.schema import AugmentConfig, Config, MixtureMotionConfig

SIZES = {"networks": 3, "noise_dim": 8, "trunk": 12, "head": 8, "terms": 5}
AUGMENT = AugmentConfig(mirror=True, rotate=0.1, stretch=0.1, recrop=True, zoom=0.1, shift=0.1, speed=0.3)


def small_config(augment=AUGMENT, sizes=SIZES, **changes):
    return Config(device="cpu", actvae=MixtureMotionConfig(real=0, **sizes), augment=augment, **changes)


def random_batch(rows=4, targets=9):
    return {"poses": torch.rand(rows, targets + 1, 13, 2) * 1.6 - 0.8, "action": torch.arange(rows) % 9,
            "valid_steps": torch.arange(rows) % targets + 1, "extent": torch.tensor([1.0, 0.5]).expand(rows, 2)}


def choice(member, members, mirrored=False):
    """The number of a noise vector that chooses a member."""
    return float(torch.special.ndtri(torch.tensor((2 * member + mirrored + 0.5) / (2 * members))))


def lively(model, scale=1.0):
    """Every weight is something else than it is made: nothing that a test compares is 0 by chance."""
    generator = torch.Generator().manual_seed(0)
    for value in model.parameters():
        value.data.copy_(torch.randn(value.shape, generator=generator) * scale / max(1, value.shape[-1]) ** 0.5)
    return model.eval()


# ---- the network ----

@pytest.mark.parametrize("network", [0, 1, 2])
def test_displacements_are_the_sum_of_sines(network):
    model = lively(ResidualMotion(horizon=10, **SIZES)).double()
    pose, action, noise = torch.rand(2, 13, 2).double() / 4, torch.tensor([3, 1]), torch.randn(2, 1, 9).double() / 9
    noise[..., -1] = choice(network, 3)
    x = model.context(pose, action, network) + model.noise_in(noise[:, 0, :-1], network)
    for block in model.head:
        x = block(x[None], action, network)[0]
    x = torch.nn.functional.layer_norm(x, x.shape[-1:])
    terms = model.out(torch.nn.functional.silu(x), network).view(2, 2, 5, 13).movedim(1, -1)             # (B, K, J, 2)
    size = 3 * (pose - pose.mean(1, keepdim=True)).norm(dim=-1).mean(1)[:, None, None]
    found = model.predict(pose, action, 10, noise)
    for t in range(1, 11):
        expected = pose + size * sum(math.sin((k + 0.5) * math.pi * t / 10) / (k + 0.5) * terms[:, k] for k in range(5))
        assert torch.allclose(found[:, t - 1], expected.clamp(-1, 1), atol=1e-6)


def test_one_member_predicts_as_within_the_ensemble():
    model, batch, steps = lively(ResidualMotion(**SIZES)), random_batch(), torch.arange(1, 8)
    pose, action, noise = batch["poses"][:, 0], batch["action"], torch.randn(3, 2, 4, 8)
    together = model.displacements(model.context(pose, action, slice(None)), action, noise, steps, slice(None))
    assert together.shape == (3, 2, 4, 2, 7, 13)
    for network in range(3):
        alone = model.displacements(model.context(pose, action, network), action, noise[network], steps, network)
        assert torch.allclose(together[network], alone, atol=1e-5) and not torch.allclose(together[network - 1], alone, atol=1e-2)


def test_noise_may_choose_the_mirrored_pose():
    model, pose = lively(ResidualMotion(**SIZES)), torch.rand(3, 13, 2) / 2
    noise = torch.randn(3, 1, 9)
    noise[..., -1] = choice(1, 3)
    other = noise.clone()
    other[..., -1] = choice(1, 3, mirrored=True)
    action = torch.arange(3)
    assert torch.equal(mirror_pose(mirror_pose(pose)), pose) and not torch.equal(mirror_pose(pose), pose)
    found = model.predict(mirror_pose(pose), action, 6, other)
    assert torch.allclose(found, mirror_pose(model.predict(pose, action, 6, noise)), atol=1e-6)


@pytest.mark.parametrize("steps", [1, 4, 8, 9, 20])
def test_longer_roll_outs_begin_with_shorter_ones_and_stay_in_the_picture(steps):
    model, pose, action = lively(ResidualMotion(horizon=8, **SIZES), 3), torch.rand(3, 13, 2) - 0.5, torch.arange(3)
    noise = torch.randn(3, model.noise_length(24), model.z_dim)
    whole, part = model.predict(pose, action, 24, noise), model.predict(pose, action, steps, noise[:, :model.noise_length(steps)])
    assert part.shape == (3, steps, 13, 2) and torch.allclose(part, whole[:, :steps], atol=1e-6)
    assert whole.abs().max() <= 1 and not torch.equal(whole[0], whole[1])


# ---- its losses ----

@pytest.mark.parametrize("rms", [0.0, 0.3])
def test_energy_score_is_its_definition(rms):
    samples, truth = torch.randn(2, 3, 2, 2, 4, 5).double(), torch.randn(2, 2, 4, 5).double()
    weight = torch.tensor([[0.1, 0.2, 0.0, 0.1], [0.3, 0.0, 0.0, 0.1]]).double()

    def d(a, b):
        far, w = np.hypot(*(a - b).movedim(1, 0).numpy()), weight.numpy()                 # (B, T, J), (B, T)
        whole = np.sqrt(w.sum(1) * (w * (far ** 2).mean(-1)).sum(1))
        return (w * far.mean(-1)).sum() + rms * whole.sum()

    expected = 0
    for network in samples:
        expected += np.mean([d(sample, truth) for sample in network])
        expected -= np.mean([d(a, b) for i, a in enumerate(network) for j, b in enumerate(network) if i != j]) / 2
    assert float(EnergyScore.apply(samples, truth, weight, rms)) == pytest.approx(expected, rel=1e-6)
    assert torch.autograd.gradcheck(lambda samples: EnergyScore.apply(samples, truth, weight, rms), samples.requires_grad_())


def test_targets_after_valid_steps_have_no_weight():
    model, batch = lively(ResidualMotion(horizon=9, **SIZES)), random_batch()
    noise = torch.randn(12, 1, 4, model.z_dim)
    other = batch["poses"].clone()
    for row, valid_steps in enumerate(batch["valid_steps"].tolist()):
        other[row, valid_steps + 1:] = 9
    losses, changed = (model(poses, batch["action"], noise, batch["valid_steps"]) for poses in (batch["poses"], other))
    assert set(losses) == {"poses", "speed"}
    assert all(torch.equal(losses[name], changed[name]) for name in losses)
    assert not torch.equal(model(other, batch["action"], noise)["poses"], losses["poses"])
    assert all(torch.isfinite(value) for value in model(batch["poses"], batch["action"], noise, torch.zeros(4).long()).values())


# ---- augmentation ----

def test_augmentation_with_default_settings_changes_nothing():
    batch = random_batch()
    poses, valid_steps = augment(batch["poses"], batch["valid_steps"], draw_views(4, AugmentConfig(), torch.Generator()))
    settled = batch["poses"].clone()
    for row, last in enumerate(batch["valid_steps"].tolist()):
        settled[row, last + 1:] = settled[row, last]
    assert torch.allclose(poses, settled, atol=1e-6) and torch.equal(valid_steps, batch["valid_steps"])


def test_each_augmentation():
    poses, valid_steps = torch.rand(200, 9, 13, 2), torch.full((200,), 8)

    def seen(**settings):
        views = draw_views(200, AugmentConfig(**settings), torch.Generator().manual_seed(1))
        return views, *augment(poses, valid_steps, views)

    views, found, _ = seen(mirror=True)
    assert 70 < views.mirrored.sum() < 130
    assert torch.allclose(found, torch.where(views.mirrored[:, None, None, None], mirror_pose(poses), poses), atol=1e-6)
    views, found, _ = seen(rotate=0.2)
    assert torch.allclose(found.norm(dim=-1), poses.norm(dim=-1), atol=1e-5) and 0.15 < views.angle.std() < 0.25
    views, found, _ = seen(stretch=0.1, shift=0.2)
    assert torch.allclose(found, poses * views.stretch[:, None, None] + views.shift[:, None, None], atol=1e-6)
    assert views.stretch.log().abs().max() <= 0.1 and views.shift.abs().max() <= 0.2
    views, found, _ = seen(zoom=0.2)
    assert torch.allclose(found, poses * views.zoom[:, None, None, None], atol=1e-6) and views.zoom.log().abs().max() <= 0.2
    line = torch.arange(9.0).view(1, 9, 1, 1).expand(200, 9, 13, 2)
    views = draw_views(200, AugmentConfig(speed=0.5), torch.Generator().manual_seed(1))
    found, now_held = augment(line, valid_steps, views)
    expected = (torch.arange(9.0) * views.speed[:, None]).clamp(max=8)
    assert torch.allclose(found[:, :, 0, 0], expected, atol=1e-5)
    assert torch.equal(now_held, (8 / views.speed).floor().clamp(max=8).long()) and len(now_held.unique()) > 2


def test_recropping():
    one, poses = torch.ones(1), torch.rand(1, 4, 13, 2) - 0.5
    on_its_side = Views(torch.tensor([False]), one * math.pi / 2, torch.tensor([[1.0, 0.5]]), one, torch.zeros(1, 2), one)
    found, _ = augment(poses, one.long() * 3, on_its_side, torch.tensor([[1.0, 0.4]]))
    x, y = poses.unbind(-1)                     # the box, 2 x 0.8, stands upright and half as high: 0.8 x 1, which grows
    assert torch.allclose(found, torch.stack([-2 * y, x], -1), atol=1e-6)
    mirrored = on_its_side._replace(mirrored=torch.tensor([True]), shift=torch.tensor([[0.1, 0.2]]), zoom=one * 1.5)
    found, _ = augment(mirror_pose(poses), one.long() * 3, mirrored, torch.tensor([[1.0, 0.4]]))
    assert torch.allclose(found, 1.5 * torch.stack([-2 * y, x], -1) + torch.tensor([0.1, 0.2]), atol=1e-6)


# ---- its training ----

def test_training_learns_and_does_not_depend_on_torch_s_random_state():
    batch = random_batch(8)
    first, second = (Trainer(small_config(AugmentConfig(), lr=0.003, optimizer="adamw", max_norm=1.0), seed=3) for _ in range(2))
    losses = [float(sum(first.update(batch).values())) for _ in range(120)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    for _ in range(5):
        torch.rand(3)
        found = float(sum(second.update(batch).values()))
    assert found == losses[4]
