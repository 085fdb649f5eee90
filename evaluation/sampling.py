"""Which rows of a list a test scores, and sampled futures of them."""
import numpy as np
import torch
from tqdm import tqdm

from training.prediction import Source
from utils.errors import UserError


def evenly_spaced(count, limit):
    """At most `limit` indices spread evenly over `range(count)`."""
    return np.unique(np.linspace(0, count - 1, min(count, limit or count)).round().astype(int))


def valid_rows(dataset, steps):
    """Numbers of the rows of a list whose next `steps` poses are known: their clip does not end before, so that its last pose
    is not repeated. Static rows (defect D9) count, as in the published lists."""
    return ((dataset.valid_steps >= steps) | (dataset.valid_steps == 0)).nonzero()[:, 0].numpy()


def frozen_rows(dataset, rows):
    """Whether each of some rows repeats its source in every step: (len(rows),) bool. Published lists hold such rows, of videos
    that are shorter than the clip (defect D9)."""
    return dataset.valid_steps[rows] == 0


def scored_rows(dataset, steps, limit=None):
    """At most `limit` of :func:`valid_rows`, spread evenly over the list. Raises :class:`UserError` where there is none."""
    rows = valid_rows(dataset, steps)
    if not len(rows):
        raise UserError(f"{dataset.rows.path}: no row holds {steps} targets, all repeat their clip's last frame before; ask for "
                        "fewer --steps")
    return rows[evenly_spaced(len(rows), limit)]


def sample_chunks(trainer, dataset, rows, samples, steps, seed=0, at_once=64, progress=""):
    """Sample futures of some rows of a list, a few rows at a time.

    Args:
        rows: N row numbers.
        samples, steps: K, T.
        seed: of the noise.
        at_once: rows of a chunk.
        progress: what the progress bar says; "": there is none.
    Yields:
        (index of the chunk's first row in `rows`, (b, K, T, J, 2) on the CPU).
    """
    with tqdm(total=len(rows), desc=progress, unit="row", disable=not progress) as bar:
        for first in range(0, len(rows), at_once):
            some = torch.as_tensor(rows[first:first + at_once])
            source = Source(dataset.poses[some, 0], dataset.action[some], some)
            yield first, trainer.predict(source, samples, steps, seed, painted=0).poses
            bar.update(len(some))


def sample_rows(trainer, dataset, rows, samples, steps, seed=0):
    """Sampled futures of some rows of a list, (N, K, T, J, 2) on the CPU."""
    return torch.cat([poses for _, poses in sample_chunks(trainer, dataset, rows, samples, steps, seed)])
