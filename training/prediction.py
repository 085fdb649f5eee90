"""What a prediction starts from, what comes out, and its noise."""
from typing import NamedTuple

import numpy as np
import torch


class Source(NamedTuple):
    """What predictions start from, B rows."""

    pose: torch.Tensor                   # (B, J, 2) normalised
    action: torch.Tensor                 # (B,) int64
    rows: torch.Tensor                   # (B,) int64 numbers, from which their noise follows
    image: torch.Tensor | None = None    # (B, 3, S, S) in [-1, 1]


class Prediction(NamedTuple):
    """n sampled futures of each of B rows, on the CPU."""

    poses: torch.Tensor                  # (B, n, T, J, 2) normalised
    videos: torch.Tensor | None          # (B, painted, T, 3, S, S) in [-1, 1], where the module paints


def row_noise(seed, rows, samples, shape):
    """Standard normal noise that follows from (seed, row, sample) alone: (len(rows), samples, *shape) float32.

    Each sample has a stream of its own (Philox, whose key is exactly that), so neither the number of samples or of steps nor the
    other rows change it: of a longer roll-out the first numbers are the same.
    """
    noise = np.empty((len(rows), samples, *shape), np.float32)
    for row, parts in zip(rows, noise):
        for sample, part in enumerate(parts):
            stream = np.random.Generator(np.random.Philox(key=np.array([seed << 32 | sample, row], np.uint64)))
            stream.standard_normal(dtype=np.float32, out=part)
    return torch.from_numpy(noise)
