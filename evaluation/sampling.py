"""Which rows of a list a test scores, and sampled futures of them."""
import torch

from training.prediction import Source
from utils.errors import UserError
from utils.spacing import evenly_spaced


def valid_rows(dataset, steps):
    """Numbers of the rows of a list that can be scored: their clip holds the next `steps` poses, so none of these is a repetition
    of its last pose. Static rows (defect D9) count, as in the published lists."""
    return ((dataset.valid_steps >= steps) | (dataset.valid_steps == 0)).nonzero()[:, 0].numpy()


def frozen_rows(dataset, rows):
    """Whether each of some rows repeats its source in every step: (len(rows),) bool. Published lists hold such rows, of videos
    that are shorter than the clip (defect D9)."""
    return dataset.valid_steps[rows] == 0


def scored_rows(dataset, steps, limit=None):
    """At most `limit` of :func:`valid_rows`, spread evenly over the list. Raises :class:`UserError` where there is none."""
    rows = valid_rows(dataset, steps)
    if not len(rows):
        raise UserError(f"{dataset.rows.path}: no row holds {steps} targets, because the clips of all rows end before; ask for "
                        "fewer --steps")
    return rows[evenly_spaced(len(rows), limit)]


def sample_rows(trainer, dataset, rows, samples, steps, seed=0):
    """Sampled futures of some rows of a list.

    Args:
        rows: N row numbers.
        samples, steps: K, T.
        seed: of the noise.
    Returns:
        (N, K, T, J, 2) on the CPU.
    """
    rows = torch.as_tensor(rows)
    before = dataset.before if dataset.before is None else dataset.before[rows]
    source = Source(dataset.poses[rows, 0], dataset.action[rows], rows, before=before)
    return trainer.predict(source, samples, steps, seed, painted=0).poses
