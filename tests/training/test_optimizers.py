"""Optimizers, learning-rate schedules and the EMA."""
import dataclasses
import math

import pytest
import torch

from trainer_actvae import Trainer
from training.ema import EMA
from training.optimizers import NotFinite, step
from training.schedule import POLICIES, learning_rate
from utils.schema import Config

FIELDS = {entry.name: entry.metadata for entry in dataclasses.fields(Config)}


def small_config(**changes):
    config = Config(device="cpu", **changes)
    config.actvae.z_dim = 4
    return config


def batch(rows=3):
    random = torch.Generator().manual_seed(2)
    return {"poses": torch.rand(rows, 6, 13, 2, generator=random) * 2 - 1, "action": torch.arange(rows)}


@pytest.mark.parametrize("max_norm", [0.0, 0.5])
@pytest.mark.parametrize("optimizer", FIELDS["optimizer"]["choices"])
def test_every_optimizer_trains_every_weight(optimizer, max_norm):
    trainer = Trainer(small_config(optimizer=optimizer, max_norm=max_norm, lr=0.01, weight_decay=0.0))
    before = {name: value.detach().clone() for name, value in trainer.model.named_parameters()}
    losses = [float(trainer.update(batch(), torch.zeros(3, 5, 3, 4))["reconstruction"]) for _ in range(25)]
    assert losses[-1] < 0.9 * losses[0]
    assert not any(torch.equal(value, before[name]) for name, value in trainer.model.named_parameters())
    norm = torch.nn.utils.get_total_norm([value.grad for value in trainer.model.parameters()])
    assert float(norm) == pytest.approx(max_norm, rel=1e-4) if max_norm else norm > 1


def test_only_long_gradients_are_clipped():
    weight, scaler = torch.nn.Parameter(torch.zeros(2)), torch.amp.GradScaler("cpu", enabled=False)
    optimizer = torch.optim.SGD([weight], lr=1.0)
    for slope, expected in (([3.0, 4.0], [0.6, 0.8]), ([0.3, 0.4], [0.3, 0.4])):
        weight.data.zero_()
        step((weight * torch.tensor(slope)).sum(), [optimizer], [weight], scaler, max_norm=1.0)
        assert (-weight).tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("max_norm", [0.0, 1.0])
def test_in_fp16_all_optimizers_step_or_none(max_norm):
    """One gradient overflows and the other does not; then the loss is not a number; then all is well."""
    weights = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    optimizers, scaler = [torch.optim.Adam([weight], 0.1, fused=True) for weight in weights], torch.amp.GradScaler("cpu")
    scale = scaler.get_scale()
    step(weights[0].sum() + (weights[1] * 1e36).sum(), optimizers, weights, scaler, max_norm)
    assert all(torch.equal(weight, torch.ones(2)) for weight in weights) and scaler.get_scale() == scale / 2
    with pytest.raises(NotFinite, match="the loss is not finite"):
        step(weights[0].sum() * math.nan, optimizers[:1], weights[:1], scaler, max_norm)
    assert scaler.get_scale() == scale / 2
    step(weights[0].sum() + weights[1].sum(), optimizers, weights, scaler, max_norm)
    assert all(torch.allclose(weight, torch.full((2,), 0.9)) for weight in weights)


# ---- learning rate ----

def test_the_policies_are_those_of_the_configuration():
    assert tuple(POLICIES) == FIELDS["lr_policy"]["choices"]


@pytest.mark.parametrize("policy, expected", [
    ("step", [1, 1, 1, 0.5, 0.5, 0.5, 0.25]), ("constant", [1] * 7),
    ("cosine", [(1 + math.cos(math.pi * iteration / 6)) / 2 for iteration in range(7)])])
def test_learning_rates(policy, expected):
    config = Config(lr=2.0, lr_policy=policy, step_size=3, gamma=0.5)
    assert [learning_rate(config, iteration, 6) for iteration in range(7)] == pytest.approx([2 * value for value in expected])


@pytest.mark.parametrize("total, rising", [(10, 1), (1000, 100), (10_000, 100), (None, 100)])
def test_the_warm_up_is_at_most_a_tenth_of_the_run(total, rising):
    config = Config(lr=1.0, lr_policy="constant", warmup_iter=100)
    rates = [learning_rate(config, iteration, total) for iteration in range(200)]
    assert rates == pytest.approx([min(1, (iteration + 1) / (rising + 1)) for iteration in range(200)])


# ---- EMA ----

def test_ema_by_hand():
    module, ema = torch.nn.Linear(1, 1, bias=False), EMA(0.5)
    module.weight.data.fill_(1.0)
    ema.reset(module)
    expected = 1.0
    for iteration, value in enumerate((2.0, 3.0, 5.0, 7.0), 1):
        module.weight.data.fill_(value)
        ema.update(iteration)
        decay = min(0.5, iteration / (iteration + 9))
        expected = decay * expected + (1 - decay) * value
    with ema.applied():
        assert module.weight.item() == pytest.approx(expected)
    assert module.weight.item() == 7


def test_weights_that_replace_one_part_leave_the_averages_of_the_others(tmp_path):
    """As `--resume --vae_path` does, which replaces the pose module only."""
    first = Trainer(small_config(ema=0.9, lr=0.1))
    for _ in range(3):
        first.update(batch())
    first.save(tmp_path, 3, 0)
    resumed, other = Trainer(small_config(ema=0.9)), Trainer(small_config(), seed=1)
    resumed.resume(tmp_path)
    other.save(tmp_path / "other", 1, 0)
    given = resumed.find_weights(tmp_path / "other")
    resumed.restore(given._replace(files={"im_encode_vae": given.files["im_encode_vae"]}))
    with first.ema.applied(), resumed.ema.applied():
        assert torch.equal(resumed.model.decoder.rnn.weight_ih_l0, first.model.decoder.rnn.weight_ih_l0)
        assert torch.equal(resumed.model.encoder.rnn.weight_ih_l0, other.model.encoder.rnn.weight_ih_l0)
    assert torch.equal(resumed.model.decoder.rnn.weight_ih_l0, first.model.decoder.rnn.weight_ih_l0)
