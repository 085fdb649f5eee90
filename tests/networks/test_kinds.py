"""Every registered kind of generator and pose module: built small, it keeps what the interfaces promise."""
import dataclasses
import inspect

import pytest
import torch

from model_variants import GENERATORS, build_generator
from network_actvae import POSE_MODULES, build_pose_module
from network_actvae_p2inetwork import DISCRIMINATORS, build_discriminator
from training.weights import INFERENCE_KEYS, TUNABLE
from utils.errors import UserError
from utils.schema import NETWORK_KINDS

ACTIONS, BATCH, SIDE = 3, 2, 32
# values of the keys that make a network small, by key; keys that a kind lacks are left out
SMALL = {"ngf": 4, "ndf": 4, "width": 4,
         "n_blocks": 1, "size": 16, "segmentation_widths": [8, 8, 8, 8], "compositing_widths": [8, 8, 8, 8], "z_dim": 4,
         "networks": 2, "terms": 4, "trunk": 8, "head": 8, "horizon": 3}


def small(block, kind):
    """The default configuration of a kind, small."""
    config = NETWORK_KINDS[block][kind]()
    for field in dataclasses.fields(config):
        setattr(config, field.name, SMALL.get(field.name, getattr(config, field.name)))
    return config


def poses(*shape):
    return torch.rand(*shape, 13, 2, generator=torch.Generator().manual_seed(len(shape))) - .5


@pytest.fixture(params=GENERATORS)
def generator(request):
    torch.manual_seed(0)
    return build_generator(small("generator", request.param), ACTIONS)


@pytest.fixture(params=POSE_MODULES)
def pose_module(request):
    torch.manual_seed(0)
    return build_pose_module(small("actvae", request.param), ACTIONS)


def test_both_tables_have_the_same_kinds_with_the_same_keys():
    for block, networks in (("generator", GENERATORS), ("actvae", POSE_MODULES), ("discriminator", DISCRIMINATORS)):
        assert networks.keys() == NETWORK_KINDS[block].keys()
        for kind, network in networks.items():
            config = NETWORK_KINDS[block][kind]()
            assert config.kind == kind
            known = inspect.signature(network).parameters
            if not any(each.kind is each.VAR_KEYWORD for each in known.values()):        # passed on to a network inside
                assert config.network().keys() <= known.keys()
            assert {*config.tunable, *config.inference} <= config.network().keys() and config.parts
    assert "actvae.temperature" in INFERENCE_KEYS and "generator.norm_momentum" in TUNABLE and not INFERENCE_KEYS & TUNABLE


# ---- discriminators ----

@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_a_discriminator_learns_to_separate_pictures(kind):
    torch.manual_seed(0)
    network = build_discriminator(small("discriminator", kind))
    network.check_size(SIDE)
    condition = torch.rand(BATCH, 4 if network.judges_person else 13, SIDE, SIDE)
    fake = torch.zeros(BATCH, 3, SIDE, SIDE)
    real = fake + 0.8 * torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(SIDE // 4)                       # stripes
    noise = torch.rand(BATCH, 3, SIDE, SIDE) * 0.2
    optimizer, losses = torch.optim.Adam(network.parameters(), 0.01), []
    for _ in range(25):
        (judged_fake, features), (judged_real, _) = network(fake + noise, condition), network(real - noise, condition)
        assert features and all(len(one) == BATCH for one in features)
        losses.append(network.loss(judged_fake, judged_real))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0] and network.generator_loss(judged_fake) > network.generator_loss(judged_real) + 0.1
    assert network(fake, condition, judge=False)[0] is None and 0 <= network.weight(0) <= network.weight(10 ** 6) == 1
    with pytest.raises(UserError, match="too small for the discriminator"):
        network.check_size(4)


# ---- generators ----

def test_a_generator_renders(generator):
    source, action = torch.rand(BATCH, 3, SIDE, SIDE) * 2 - 1, torch.tensor([0, 2])
    start, end = poses(BATCH), poses(1, BATCH)[0]
    generator.check_size(SIDE)
    rendered = generator(source, start, end, action)
    assert rendered.shape == source.shape and rendered.dtype == source.dtype and rendered.isfinite().all()
    assert rendered.min() >= -1 and rendered.max() <= 1
    rendered.square().mean().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in generator.parameters())
    background = {"background": generator.background(source, start)} if generator.background else {}
    found = generator.eval()(source, start, end, action, **background)
    background = {name: value.double() for name, value in background.items()}
    double = generator.double()(source.double(), start.double(), end.double(), action, **background)
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), found, atol=1e-3, rtol=0)


def test_a_generator_renders_any_size(generator):
    start, end, action = poses(BATCH), poses(1, BATCH)[0], torch.tensor([0, 2])
    source = torch.nn.functional.interpolate(torch.rand(BATCH, 3, 4, 4) * 2 - 1, (SIDE, SIDE), mode="bilinear")
    generator.eval()
    if not generator.any_size:
        with pytest.raises(NotImplementedError):
            generator.prepare(source, start)
        with pytest.raises(UserError, match="must be a multiple"):
            generator.check_size(SIDE + 1)
        return
    generator.check_size(SIDE + 1)
    mask = {"mask": torch.ones(BATCH, 1, SIDE, SIDE)} if generator.uses_mask else {}
    prepared = generator.prepare(source, start, **mask)
    assert all(len(value) == BATCH for value in prepared)
    for size in (None, 48):
        rendered = generator.render(prepared, end, action, size)
        assert rendered.shape == (BATCH, 3, size or SIDE, size or SIDE) and rendered.isfinite().all()
        assert not rendered.requires_grad
    trained = generator(source, start, end, action, **mask)
    assert (generator.render(prepared, end, action) - trained).abs().mean() < .02        # inference sharpens


# ---- pose modules ----

def test_a_pose_module_predicts(pose_module):
    pose, action = poses(BATCH), torch.tensor([0, 2])
    for steps in (1, 5):
        noise = torch.randn(BATCH, pose_module.noise_length(steps), pose_module.z_dim)
        predicted = pose_module.eval().predict(pose, action, steps, noise)
        assert predicted.shape == (BATCH, steps, 13, 2) and predicted.isfinite().all() and predicted.abs().max() <= 1
        assert torch.equal(predicted, pose_module.predict(pose, action, steps, noise))
        other = pose_module.predict(pose, action, steps, torch.randn_like(noise))
        assert not torch.equal(predicted, other)
        single = pose_module.predict(pose[1:], action[1:], steps, noise[1:])
        torch.testing.assert_close(single, predicted[1:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("valid_steps", [None, torch.tensor([1, 5])])
def test_a_pose_module_trains(pose_module, valid_steps):
    targets, rows, action = 5, poses(BATCH, 6), torch.tensor([0, 2])
    steps = pose_module.steps(targets)
    assert 1 <= steps <= targets

    def losses(rows, action, noise, valid_steps):
        torch.manual_seed(3)
        return pose_module(rows, action, noise, valid_steps)

    noise = torch.randn(pose_module.rollouts(targets), pose_module.noise_length(steps), BATCH, pose_module.z_dim)
    terms = losses(rows, action, noise, valid_steps)
    assert terms and {*pose_module.summed} <= terms.keys()
    assert all(value.shape == () and value.isfinite() for value in terms.values())
    sum(terms.values()).backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in pose_module.parameters())
    if not pose_module.random:                                   # terms of a batch twice as long: sums double, means stay
        twice = losses(rows.repeat(2, 1, 1, 1), action.repeat(2), noise.repeat(1, 1, 2, 1), None)
        for name, value in terms.items():
            torch.testing.assert_close(twice[name], value * (2 if name in pose_module.summed else 1))


@pytest.mark.parametrize("kind", POSE_MODULES)
def test_parts_hold_all_parameters_under_the_registered_names(kind):
    module = build_pose_module(small("actvae", kind), ACTIONS)
    assert tuple(module.parts) == NETWORK_KINDS["actvae"][kind].parts
    held = [id(value) for part in module.parts.values() for value in part.parameters()]
    assert sorted(held) == sorted(map(id, module.parameters()))
