"""Measure speed and memory of both pose modules: the published one at its published size, and `residual`."""
import resource
import tempfile
import time
import warnings
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from dataset.image_loader2 import PennActionPairs
from dataset.pair_list import ACTIONS, write_list
from dataset.penn_action import Annotation, windows
from evaluation.sampling import sample_rows
from network_actvae import ActVAE
from networks.residual_motion import STEPS as MOTION_STEPS
from tools.benchmark import in_turns
from trainer_actvae import Trainer
from training.batches import training_batches
from utils.config import load_config
from utils.schema import Config

TEST_ROWS, SAMPLES = 1672, 20        # rows of the published test list, samples for each row
TURNS = 15
STEPS, ROLLOUT_TARGETS = 4, ActVAE.rollout_targets(5)


def matrix_products(batch, z_dim, condition, joints):
    """Return a callable that computes only the matrix products of one training step of the published pose module.

    These are the forward and backward products of both LSTMs, for three roll-outs of four steps as one batch. A product
    is counted only if its result is needed: the first step has no previous hidden state, and neither the source pose nor
    z_0 needs a gradient.

    Args:
        batch, z_dim: as in the configuration.
        condition: number of values that both LSTMs see beside z.
        joints: number of values of a pose.
    """
    rows = len(ROLLOUT_TARGETS) * batch
    layers = [(condition + z_dim, 2 * z_dim), (condition + z_dim, joints)]
    operands = []
    for width, hidden in layers:
        operands.append((torch.randn(rows, width), torch.randn(rows, hidden), torch.randn(rows, 4 * hidden),
                         torch.randn(4 * hidden, width), torch.randn(4 * hidden, hidden)))

    def run():
        for step in range(STEPS):
            for x, h, gates, w_x, w_h in operands:
                x @ w_x.t(), gates.t() @ x
                if step:
                    h @ w_h.t(), gates.t() @ h, gates @ w_h, gates @ w_x
    return run


def plain_step(trainer, optimizers, batch):
    """Return a callable for the same training step in the obvious way: `nn.LSTM` for each step, one roll-out after another."""
    model = trainer.model

    def run():
        poses, label = batch["poses"], F.one_hot(batch["action"], model.num_actions).float()
        loss = 0
        for number, frames in enumerate(ROLLOUT_TARGETS):
            pose, z, states = poses[:, 0].flatten(1), torch.randn(len(poses), model.z_dim), [None, None]
            for frame in frames:
                condition = torch.cat([pose, label], 1)
                out, states[0] = model.encoder.rnn(torch.cat([condition, z], 1)[None], states[0])
                mu, logvar = out[0].chunk(2, 1)
                z = mu + torch.randn_like(mu) * torch.exp(logvar / 2)
                out, states[1] = model.decoder.rnn(torch.cat([condition, z], 1)[None], states[1])
                pose = out[0]
                loss = loss + 200 / STEPS * (pose - poses[:, frame].flatten(1)).abs().mean()
                if number == 0:
                    loss = loss - 0.001 * (1 + logvar - mu ** 2 - logvar.exp()).sum()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    return run


def random_list(folder, rows, **rules):
    """Write a list of `rows` rows whose poses walk at random, and read it.

    `rules` are fields of :class:`dataset.penn_action.Rules`.
    """
    random, made = np.random.default_rng(7), []
    for video in range(1, rows // 28 + 2):
        joints = 200 + 60 * random.standard_normal((1, 13, 2)) + 3 * random.standard_normal((33, 13, 2)).cumsum(0)
        action_id = video % len(ACTIONS)
        made += windows(Annotation(f"{video:04d}", ACTIONS[action_id], True, joints, np.ones((33, 13), bool), (480, 480)),
                        action_id, **rules)[0]
    write_list(folder / "list.txt", made[:rows])
    return PennActionPairs(folder / "list.txt", folder, 128, images=False)


def residual_products(model, batch):
    """Return a callable that computes only the matrix products of one training step of the pose module `residual`.

    Each network's trunk sees a row once, and its head sees each sample of the row. Neither pose nor noise needs a gradient.
    The product of the basis and the last layer is not counted, because it does not grow with the batch.
    """
    samples, steps = batch * model.samples, sum(step <= model.horizon for step in MOTION_STEPS)
    inputs, trunk = model.pose_in.weight.shape[1:]
    noise, head = model.noise_in.weight.shape[1:]
    layers = [(batch, inputs, trunk, False), *[(batch, trunk, trunk, True)] * (2 * len(model.trunk)), (batch, trunk, head, True),
              (samples, noise, head, False), *[(samples, head, head, True)] * (2 * len(model.head)),
              (samples, head, 2 * model.num_joints * steps, True)]
    operands = [(*(torch.randn(model.networks, *shape) for shape in ((count, width), (count, out), (width, out))), wanted)
                for count, width, out, wanted in layers]

    def run():
        for x, gradient_out, weight, wanted in operands:
            x @ weight, x.mT @ gradient_out
            if wanted:
                gradient_out @ weight.mT
    return run


def residual():
    """Measure the pose module `residual` at the size of config/motion.yaml."""
    config = load_config("config/motion.yaml")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = random_list(Path(folder), TEST_ROWS, horizon=32, pad=True)
    trainer = Trainer(config)
    batch = next(iter(training_batches(data, config, seed=7)[1]))
    times = in_turns({"products": residual_products(trainer.model, config.batch_size), "step": lambda: trainer.update(batch)},
                     TURNS)
    print(f"\nkind residual, {trainer.model.networks} networks, batch {config.batch_size}, {trainer.model.samples} samples, "
          f"rows of {data.targets} targets")
    print(f"unavoidable matrix products    {times['products'] * 1e3:8.1f} ms")
    print(f"training step                  {times['step'] * 1e3:8.1f} ms    {times['step'] / times['products']:.2f} times the "
          "products")
    start = time.perf_counter()
    sample_rows(trainer, data, range(TEST_ROWS), SAMPLES, 16, seed=7)
    print(f"sampling {TEST_ROWS} rows x {SAMPLES} x 16  {time.perf_counter() - start:8.1f} s")


def main():
    """Measure both pose modules."""
    published()
    residual()


def published():
    """Measure the published pose module."""
    config = Config()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")          # there are no frames from which the pictures' size could be read
        data = random_list(Path(folder), TEST_ROWS)
    sampler, loader = training_batches(data, config, seed=7)
    trainer = Trainer(config)
    batch = next(iter(loader))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(5):
        trainer.update(batch)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"batch {config.batch_size}, z_dim {config.actvae.z_dim}")
    print(f"peak memory of training        {memory:8.0f} MiB   (of which {before / 1024:.0f} before the first step)")

    other = Trainer(config)
    plain = [torch.optim.Adam(part.parameters(), lr=config.lr, betas=(0.5, 0.999), weight_decay=1e-4)
             for part in (other.model.encoder, other.model.decoder)]
    times = in_turns({
        "products": matrix_products(config.batch_size, config.actvae.z_dim, 26 + len(ACTIONS), 26),
        "step": lambda: trainer.update(batch),
        "plain": plain_step(other, plain, batch),
        "epoch of data": lambda: sum(1 for _ in islice(loader, sampler.per_epoch)),
    }, TURNS)
    step, data_step = times["step"], times["epoch of data"] / sampler.per_epoch
    print(f"unavoidable matrix products    {times['products'] * 1e3:8.1f} ms")
    print(f"training step                  {step * 1e3:8.1f} ms    {step / times['products']:.2f} times the products")
    print(f"nn.LSTM, step by step          {times['plain'] * 1e3:8.1f} ms    {times['plain'] / times['products']:.2f} times the "
          f"products, {times['plain'] / step:.2f} times our step")
    print(f"data for a step                {data_step * 1e3:8.2f} ms    {100 * data_step / step:.2f} % of the step")
    with tempfile.TemporaryDirectory() as folder:
        saving = in_turns({"": lambda: trainer.save(folder, trainer.iteration, 0)}, 5)[""]
    steps = config.snapshot_save_iter
    print(f"saving a snapshot              {saving * 1e3:8.0f} ms    {100 * saving / (steps * step):.2f} % of the {steps} steps "
          "between two")
    start = time.perf_counter()
    sample_rows(trainer, data, range(TEST_ROWS), SAMPLES, STEPS, seed=7)
    print(f"sampling {TEST_ROWS} rows x {SAMPLES}       {time.perf_counter() - start:8.1f} s")
