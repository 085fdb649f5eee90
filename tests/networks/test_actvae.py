"""The pose module against the published numbers (float64), and its trainer."""
import copy
import math

import pytest
import torch
from golden import KEYS, Noise, fill_by_rule, load, relative_error

from network_actvae import ActVAE
from trainer_actvae import Trainer
from training.batches import EpochBatches, training_batches
from training.checkpoints import find_snapshots
from utils.heatmap import gaussian_maps
from utils.schema import Config
from utils.torch_files import load_torch

TOLERANCE = 1e-9


@pytest.fixture
def golden():
    return load("actvae")


def small_config(**changes):
    config = Config(device="cpu", **changes)
    config.actvae.z_dim = 8
    return config


def random_batch(rows=4):
    return {"poses": torch.rand(rows, 6, 13, 2) * 2 - 1, "action": torch.arange(rows) % 9}


def weights(trainer):
    return {f"{part}.{name}": value for part, module in trainer.parts.items() for name, value in module.state_dict().items()}


def test_state_dicts_have_the_published_names_and_shapes():
    model = ActVAE()
    for module, part in ((model.encoder, "im_encode_vae"), (model.decoder, "im_encode_content")):
        assert {name: list(value.shape) for name, value in module.state_dict().items()} == KEYS[part]


def test_heatmaps(golden):
    arrays, _ = golden
    maps = gaussian_maps(arrays["pose"][:2, 0], 16)
    assert relative_error(maps, arrays["gaussian_maps_16"]) < TOLERANCE


def test_rollout(golden):
    arrays, seed = golden
    model = ActVAE().double()
    fill_by_rule(model.encoder, seed)
    fill_by_rule(model.decoder, seed)
    rollout = model.rollout(arrays["pose"][:, 0], arrays["action"], noise=Noise(seed, 3).rollouts(1, 3)[0])
    assert relative_error(rollout.pose.flatten(2), arrays["rollout_pose"]) < TOLERANCE
    assert relative_error(rollout.mu.flatten(0, 1), arrays["rollout_mu"]) < TOLERANCE
    assert relative_error(rollout.logvar.flatten(0, 1), arrays["rollout_logvar"]) < TOLERANCE


def test_three_training_steps(golden):
    arrays, seed = golden
    trainer = Trainer(Config(device="cpu"))
    trainer.model.double()
    for module in trainer.parts.values():
        fill_by_rule(module, seed)
    decoder, encoder = (sorted(part.named_parameters()) for part in (trainer.model.decoder, trainer.model.encoder))
    noise = Noise(seed, 4)
    for step in range(3):
        losses = trainer.update({"poses": arrays["pose"], "action": arrays["action"]}, noise.rollouts(3, 3))
        for name, published in zip(("kl", "reconstruction"), arrays["train_losses"][step], strict=True):
            assert losses[name].item() == pytest.approx(published.item(), rel=TOLERANCE)
        if step == 0:
            norms = torch.stack([value.grad.norm() for _, value in decoder + encoder])
            assert relative_error(norms, arrays["grad_norms"]) < TOLERANCE
    sums = torch.stack([torch.stack([value.abs().sum(), value.sum()]) for _, value in encoder + decoder])
    assert torch.allclose(sums, arrays["params_after_3"], rtol=TOLERANCE, atol=0)


def test_sampling_is_reproducible_and_leaves_the_training_noise_alone():
    trainer, batch = Trainer(small_config()), random_batch()
    before = trainer.random.get_state()
    first, second = (trainer.sample(batch, 3, torch.Generator().manual_seed(1)) for _ in range(2))
    assert first.shape == (4, 3, 4, 13, 2)
    assert torch.equal(first, second)
    assert not torch.equal(first[:, 0], first[:, 1])          # defect D2: the second sample was a copy
    assert torch.equal(before, trainer.random.get_state())


@pytest.mark.parametrize("native, expected", [(True, torch.bfloat16), (False, None)])
def test_automatic_precision_is_that_of_the_processor(native, expected, monkeypatch):
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: native)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    trainer = Trainer(small_config(precision="auto"))
    assert trainer.dtype == expected and torch.isfinite(trainer.update(random_batch())["kl"])


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_stays_near(precision):
    batch, noise = random_batch(), torch.randn(3, 5, 4, 8)
    exact, low = (Trainer(small_config(precision=name)) for name in ("fp32", precision))
    low.model.load_state_dict(exact.model.state_dict())
    for name, value in exact.update(batch, noise).items():
        assert low.update(batch, noise)[name].item() == pytest.approx(value.item(), rel=0.05)


def test_resume_keeps_the_seed_of_the_run_and_uses_the_numbers_of_the_configuration(tmp_path):
    first = Trainer(small_config(step_size=2), seed=3)
    for _ in range(3):
        first.update(random_batch())
    first.save(tmp_path, 3, 0)
    second = Trainer(small_config(step_size=2, lr=0.5, weight_decay=0.25), seed=99)
    second.resume(tmp_path)
    assert second.seed == 3
    for optimizer in second.optimizers.values():
        group = optimizer.param_groups[0]
        assert (group["lr"], group["weight_decay"], group["fused"]) == (0.25, 0.25, True)


def test_published_checkpoint_folder_resumes_and_saves_back_identically(tmp_path):
    source = Trainer(small_config())
    source.update(random_batch())
    for part, module in source.parts.items():
        torch.save({"a": module.state_dict()}, tmp_path / f"0002_{part}_00010000.pt")
        torch.save({"a": module.state_dict()}, tmp_path / f"0001_{part}_00009999.pt")
    states = copy.deepcopy({name: optimizer.state_dict() for name, optimizer in source.optimizers.items()})
    for state in states.values():                             # as an old PyTorch wrote it
        for entry in state["state"].values():
            entry["step"] = int(entry["step"])
        for group in state["param_groups"]:
            for key in ("foreach", "maximize", "capturable", "differentiable", "fused", "decoupled_weight_decay"):
                group.pop(key, None)
    torch.save(states, tmp_path / "optimizer.pt")
    trainer = Trainer(small_config())
    snapshot = trainer.resume(tmp_path)
    assert (snapshot.iteration, snapshot.snapshot.epoch) == (10000, 2)
    batch, noise = random_batch(), torch.randn(3, 5, 4, 8)
    assert trainer.update(batch, noise) == source.update(batch, noise)
    assert all(torch.equal(value, weights(trainer)[name]) for name, value in weights(source).items())
    trainer.save(tmp_path / "again", 10001, 2)
    saved = load_torch(tmp_path / "again" / "0002_im_encode_vae_00010001.pt")
    assert list(saved) == ["a"] and list(saved["a"]) == list(KEYS["im_encode_vae"])


def test_only_complete_snapshots_count_and_numbers_sort_as_numbers(tmp_path):
    trainer = Trainer(small_config())
    for iteration in (99999999, 100000000):
        trainer.save(tmp_path, iteration, 9)
    (tmp_path / "0009_im_encode_vae_100000001.pt").write_bytes(b"")
    assert [entry.iteration for entry in find_snapshots(tmp_path, trainer.parts)] == [99999999, 100000000]


def test_epochs_shuffle_drop_the_rest_and_continue_anywhere():
    batches = EpochBatches(rows=11, batch_size=3, seed=5, epochs=2)
    both = list(batches)
    first, second = both[:3], both[3:]
    assert len(both) == len(batches) == batches.total == 6 and first != second
    assert all(len({row for batch in epoch for row in batch}) == 9 for epoch in (first, second))
    batches.iteration = 4
    assert list(batches) == second[1:] and len(batches) == 2
    assert first == list(EpochBatches(rows=11, batch_size=3, seed=5))
    assert math.prod(map(len, first)) == 27


@pytest.mark.parametrize("cache, cuda, workers", [(True, False, 0), (False, False, 8), (True, True, 8)])
def test_processes_that_load_data(cache, cuda, workers):
    class Pictures(list):
        images = True

    _, loader = training_batches(Pictures(range(24)), Config(cache=cache), 7, cuda=cuda)
    assert loader.num_workers == workers and loader.pin_memory == cuda


def test_the_ema_is_tested_and_saved_and_training_goes_on_with_the_weights(tmp_path):
    changes = {"ema": 0.9, "optimizer": "adamw", "lr": 0.01, "lr_policy": "cosine", "warmup_iter": 2, "max_norm": 1.0}
    batch, noise = random_batch(), torch.randn(3, 5, 4, 8)
    first, plain = Trainer(small_config(**changes)), Trainer(small_config(**{**changes, "ema": 0.0}))
    for trainer in (first, plain):
        trainer.total = 20
        for _ in range(3):
            trainer.update(batch, noise)
    assert all(torch.equal(value, weights(plain)[name]) for name, value in weights(first).items())        # training is the same
    with first.ema.applied():
        mean = {name: value.clone() for name, value in weights(first).items()}
    assert any(not torch.equal(value, mean[name]) for name, value in weights(first).items())
    first.save(tmp_path, 3, 0)
    saved = load_torch(tmp_path / "0000_im_encode_vae_00000003.pt")["a"]
    assert all(torch.equal(value, mean[f"im_encode_vae.{name}"]) for name, value in saved.items())
    other = Trainer(small_config(**changes))
    other.total = 20
    other.resume(tmp_path)
    for trainer in (first, other):
        trainer.update(batch, noise)
    assert all(torch.equal(value, weights(other)[name]) for name, value in weights(first).items())
    tested = Trainer(small_config(ema=0.9))
    tested.load_pretrained(tmp_path)
    assert all(torch.equal(value, mean[name]) for name, value in weights(tested).items())
