"""What an optimizer, a schedule and the EMA do to weights."""
import dataclasses
import math

import pytest
import torch

from trainer_actvae import Trainer
from training.ema import EMA
from training.optimizers import build_optimizers, step
from training.schedule import POLICIES, learning_rate
from utils.errors import UserError
from utils.schema import Config

FIELDS = {entry.name: entry.metadata for entry in dataclasses.fields(Config)}


def small_config(**changes):
    config = Config(device="cpu", **changes)
    config.actvae.z_dim = 4
    return config


def batch(rows=3):
    random = torch.Generator().manual_seed(2)
    return {"poses": torch.rand(rows, 6, 13, 2, generator=random) * 2 - 1, "action": torch.arange(rows)}


def weights(module):
    return {name: value.detach().clone() for name, value in module.named_parameters()}


# ---- optimizers ----

@pytest.mark.parametrize("max_norm", [0.0, 0.5])
@pytest.mark.parametrize("optimizer", FIELDS["optimizer"]["choices"])
def test_every_optimizer_trains_the_published_pose_module(optimizer, max_norm):
    trainer = Trainer(small_config(optimizer=optimizer, max_norm=max_norm, lr=0.01, weight_decay=0.0))
    before, losses = weights(trainer.model), []
    for _ in range(25):
        losses.append(float(trainer.update(batch(), torch.zeros(3, 5, 3, 4))["reconstruction"]))
    assert losses[-1] < 0.9 * losses[0]
    for name, value in trainer.model.named_parameters():
        assert not torch.equal(value, before[name]), name
    norm = torch.nn.utils.get_total_norm([value.grad for value in trainer.model.parameters()])
    assert float(norm) == pytest.approx(max_norm, rel=1e-4) if max_norm else norm > 1


def test_muon_takes_the_inner_matrices_and_adam_the_rest():
    network = torch.nn.Sequential()
    for name in ("first", "inner", "last"):
        network.add_module(name, torch.nn.Linear(3, 3))
    found = build_optimizers("part", network, Config(optimizer="muon"), outer=("first", "last"))
    names = {id(value): name for name, value in network.named_parameters()}
    trained = {key: [names[id(value)] for group in optimizer.param_groups for value in group["params"]]
               for key, optimizer in found.items()}
    assert trained == {"part.muon": ["inner.weight"],
                       "part": ["first.weight", "first.bias", "inner.bias", "last.weight", "last.bias"]}
    with pytest.raises(UserError, match="optimizer: muon takes single matrices"):
        build_optimizers("part", network, Config(optimizer="muon"), stacked=True)


def test_long_gradients_are_shortened_and_short_ones_are_not():
    weight, scaler = torch.nn.Parameter(torch.zeros(2)), torch.amp.GradScaler("cpu", enabled=False)
    optimizer = torch.optim.SGD([weight], lr=1.0)
    for slope, expected in (([3.0, 4.0], [0.6, 0.8]), ([0.3, 0.4], [0.3, 0.4])):
        weight.data.zero_()
        step((weight * torch.tensor(slope)).sum(), [optimizer], [weight], scaler, max_norm=1.0)
        assert (-weight).tolist() == pytest.approx(expected, rel=1e-5)


# ---- learning rate ----

def test_the_policies_are_those_of_the_configuration():
    assert tuple(POLICIES) == FIELDS["lr_policy"]["choices"]


@pytest.mark.parametrize("policy, expected", [
    ("step", [1, 1, 1, 0.5, 0.5, 0.5, 0.25]), ("constant", [1] * 7),
    ("cosine", [(1 + math.cos(math.pi * iteration / 6)) / 2 for iteration in range(7)])])
def test_learning_rates(policy, expected):
    config = Config(lr=2.0, lr_policy=policy, step_size=3, gamma=0.5)
    assert [learning_rate(config, iteration, 6) for iteration in range(7)] == pytest.approx([2 * value for value in expected])
    config.warmup_iter = 3
    warm = [min(1, (iteration + 1) / 4) * 2 * value for iteration, value in enumerate(expected)]
    found = [learning_rate(config, iteration, 30 if policy == "constant" else None) for iteration in range(7)]
    assert policy == "cosine" or found == pytest.approx(warm)


@pytest.mark.parametrize("total, rising", [(10, 1), (40, 4), (1000, 100), (10_000, 100), (None, 100)])
def test_the_warm_up_is_at_most_a_tenth_of_the_run(total, rising):
    config = Config(lr=1.0, lr_policy="constant", warmup_iter=100)
    rates = [learning_rate(config, iteration, total) for iteration in range(200)]
    assert rates == pytest.approx([min(1, (iteration + 1) / (rising + 1)) for iteration in range(200)])


def test_a_cosine_without_an_end_stays_at_the_top():
    assert learning_rate(Config(lr=2.0, lr_policy="cosine"), 1000) == 2


# ---- EMA ----

def one_weight(value):
    module = torch.nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(value)
    return module


def test_ema_by_hand():
    module, ema = one_weight(1.0), EMA(0.5)
    ema.add("part", module)
    expected = 1.0
    for iteration, value in enumerate((2.0, 3.0, 5.0, 7.0), 1):
        module.weight.data.fill_(value)
        ema.update(iteration)
        decay = min(0.5, iteration / (iteration + 9))
        expected = decay * expected + (1 - decay) * value
    with ema.applied():
        with ema.applied():
            assert module.weight.item() == pytest.approx(expected)
        assert module.weight.item() == pytest.approx(expected)
    assert module.weight.item() == 7


def test_without_decay_there_is_no_average():
    module, ema = one_weight(1.0), EMA(0.0)
    ema.add("part", module)
    module.weight.data.fill_(2.0)
    ema.update(1)
    with ema.applied():
        assert module.weight.item() == 2
    assert ema.trained_weights() == {}


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
