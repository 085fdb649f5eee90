"""What a prediction starts from, what comes out, and its noise."""
from typing import NamedTuple

import numpy as np
import torch

from utils.errors import UserError


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


def spread(count, limit):
    """At most `limit` indices spread evenly over `range(count)`."""
    return np.unique(np.linspace(0, count - 1, min(count, limit or count)).round().astype(int))


def held_rows(dataset, steps):
    """Numbers of the rows of a list whose next `steps` poses are known: not those that repeat their clip's last frame before.
    Static rows (defect D9) count, as in the published lists."""
    return ((dataset.held >= steps) | (dataset.held == 0)).nonzero()[:, 0].numpy()


def scored_rows(dataset, steps, limit=None):
    """At most `limit` of :func:`held_rows`, spread evenly over the list. Raises :class:`UserError` where there is none."""
    rows = held_rows(dataset, steps)
    if not len(rows):
        raise UserError(f"{dataset.rows.path}: no row holds {steps} targets, all repeat their clip's last frame before; ask for "
                        "fewer --steps")
    return rows[spread(len(rows), limit)]


def source_rows(dataset, rows, images=False):
    """The :class:`Source` of some rows of a list; with `images`, of their pictures as well."""
    rows = torch.as_tensor(np.asarray(rows))
    image = None
    if images:
        from utils.pictures import as_image
        image = torch.stack([as_image(dataset.pictures(row, [0]))[0] for row in rows.tolist()])
    return Source(dataset.poses[rows, 0], dataset.action[rows], rows, image)
