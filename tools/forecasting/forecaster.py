"""The forecaster: the network of the pose module `residual` trained on the rows of the protocol, and one pose out of many
samples.

Axes: as in :mod:`tools.forecasting.protocol`, and K samples.
"""
import math
import time

import torch
from tqdm import tqdm

from networks.layers import evaluating
from networks.residual_motion import ResidualMotion
from tools.forecasting.protocol import RADIUS, STEPS
from training.augment import augment, draw_views
from training.ema import EMA
from utils.schema import AugmentConfig

MEMBERS, BATCH, RATE, WARMUP = 1, 256, 0.002, 100
LAST_RATE = 0.01           # of RATE; the learning rate falls to it along half a cosine
AUGMENT = AugmentConfig(mirror=True, rotate=0.1, stretch=0.1, zoom=0.1, shift=0.05, speed=0.2)
AT_ONCE = 256             # rows that are sampled together


def build(actions, history):
    """A network for so many actions that sees one pose or two."""
    return ResidualMotion(actions, networks=MEMBERS, horizon=STEPS, terms=STEPS, history=history)


def seen_before(poses, history):
    """The pose before the source of rows (B, T + 2, J, 2), or None for a history of one pose."""
    return poses[:, 0] if history == 2 else None


def train(rows, actions, history, minutes, seed=7):
    """Train a forecaster.

    Args:
        rows: :class:`tools.forecasting.protocol.Rows` for training.
        actions: number of actions; 1: the network is not told which it is.
        history: 1 or 2, poses that the network sees.
        minutes: after which training ends.
        seed: of the weights, batches and noise; with another speed of the machine the result is another one.
    Returns:
        (the network with the EMA of its weights, number of iterations).
    """
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    model, ema, iteration = build(actions, history), EMA(0.999), 0
    ema.add("motion", model)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    start, share = time.monotonic(), 0.0                           # share of the minutes that are over
    with tqdm(unit="it", desc=f"training, history {history}", mininterval=5) as bar:
        while share < 1:
            some = torch.randint(len(rows.action), (BATCH,), generator=random)
            views = draw_views(BATCH, AUGMENT, random)
            poses, _ = augment(rows.poses[some], torch.full((BATCH,), STEPS + 1), views)     # repeated last frames count, too
            action = rows.action[some] if actions > 1 else torch.zeros_like(rows.action[some])
            noise = torch.randn(model.rollouts(STEPS), 1, BATCH, model.z_dim, generator=random)
            loss = sum(model(poses[:, 1:], action, noise, before=seen_before(poses, history)).values())
            falling = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * share)) / 2
            optimizer.param_groups[0]["lr"] = RATE * min(falling, (iteration + 1) / WARMUP)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            iteration += 1
            ema.update(iteration)
            bar.update()
            share = (time.monotonic() - start) / (60 * minutes)
    for value, average in ema.averages.items():
        value.data.copy_(average)
    return model, iteration


def mode(samples):
    """For each joint and step the sample that has most others near it: (B, K, T, J, 2) -> (B, T, J, 2).

    Nearness falls smoothly to 0 at twice the radius of the score, so that the middle of a crowd is taken.
    """
    density = sum((1 - (samples - other[:, None]).norm(dim=-1) / (2 * RADIUS)).clamp(min=0) for other in samples.unbind(1))
    best = density.argmax(1)[:, None, ..., None].expand(-1, 1, -1, -1, 2)                                # (B, 1, T, J, 2)
    return samples.gather(1, best)[:, 0]


@torch.no_grad()
def predict(model, rows, history, samples, seed=7):
    """The mode of `samples` futures of each row: (N, T, J, 2)."""
    random, found = torch.Generator().manual_seed(seed), []
    with evaluating(model):
        for poses, action in zip(tqdm(rows.poses.split(AT_ONCE), desc="prediction"), rows.action.split(AT_ONCE)):
            action = action if model.num_actions > 1 else torch.zeros_like(action)
            noise = torch.randn(len(poses) * samples, 1, model.z_dim, generator=random)
            before = seen_before(poses, history)
            source, action, before = (value if value is None else value.repeat_interleave(samples, 0)
                                      for value in (poses[:, 1], action, before))
            futures = model.predict(source, action, STEPS, noise, before)
            found.append(mode(futures.unflatten(0, (len(poses), samples))))
    return torch.cat(found)
