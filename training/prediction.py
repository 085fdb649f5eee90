"""Predicts poses: the input, the result, the noise, and the work in chunks."""
from typing import NamedTuple

import numpy as np
import torch

FUTURES_CHUNK, NOISE_CHUNK = 2048, 1 << 22       # futures and numbers of noise that a prediction works on at once


class Source(NamedTuple):
    """The input of a prediction: B rows."""

    pose: torch.Tensor                   # (B, J, 2) normalised
    action: torch.Tensor                 # (B,) int64
    rows: torch.Tensor                   # (B,) int64 row numbers, which determine the noise
    image: torch.Tensor | None = None    # (B, 3, S, S) in [-1, 1]


class Prediction(NamedTuple):
    """n sampled futures of each of B rows, on the CPU."""

    poses: torch.Tensor                  # (B, n, T, J, 2) normalised
    videos: torch.Tensor | None          # (B, rendered, T, 3, S, S) in [-1, 1], where the module renders


def row_noise(seed, rows, samples, shape):
    """Standard normal noise (len(rows), samples, *shape) float32 that depends on (seed, row, sample) alone.

    Each sample has a Philox stream of its own, whose key is (seed, row, sample). So its noise does not change with the other rows
    or with the number of samples, and the noise of a longer roll-out begins with that of a shorter one.
    """
    noise = np.empty((len(rows), samples, *shape), np.float32)
    for row, parts in zip(rows, noise):
        for sample, part in enumerate(parts):
            stream = np.random.Generator(np.random.Philox(key=np.array([seed << 32 | sample, row], np.uint64)))
            stream.standard_normal(dtype=np.float32, out=part)
    return torch.from_numpy(noise)


def predict_poses(module, source, n, steps, seed, device):
    """Predict `n` futures of T = `steps` steps for every row of a :class:`Source`, with a pose module in eval mode.

    Rows are worked on in chunks, so memory grows with the result only. `seed` is that of :func:`row_noise`.

    Returns:
        (B, n, T, J, 2) normalised poses on the CPU.
    """
    shape = (module.noise_length(steps), module.z_dim)
    chunk = max(1, min(FUTURES_CHUNK, NOISE_CHUNK // (shape[0] * shape[1])) // n)
    poses = []
    for pose, action, rows in zip(*(value.split(chunk) for value in (source.pose, source.action, source.rows))):
        noise = row_noise(seed, rows.tolist(), n, shape).to(pose.dtype)                              # (b, n, L, Z)
        pose, action = (value.to(device).repeat_interleave(n, 0) for value in (pose, action))
        predicted = module.predict(pose, action, steps, noise.flatten(0, 1))                         # (b * n, T, J, 2)
        poses.append(predicted.to(pose.dtype).unflatten(0, (len(rows), n)).cpu())
    return torch.cat(poses)
