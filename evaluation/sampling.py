"""Which rows of a list a test looks at, and what predictions of them start from."""
import numpy as np
import torch

from training.prediction import Source
from utils.errors import UserError


def evenly_spaced(count, limit):
    """At most `limit` indices spread evenly over `range(count)`."""
    return np.unique(np.linspace(0, count - 1, min(count, limit or count)).round().astype(int))


def valid_rows(dataset, steps):
    """Numbers of the rows of a list whose next `steps` poses are known: not those that repeat their clip's last frame before.
    Static rows (defect D9) count, as in the published lists."""
    return ((dataset.valid_steps >= steps) | (dataset.valid_steps == 0)).nonzero()[:, 0].numpy()


def scored_rows(dataset, steps, limit=None):
    """At most `limit` of :func:`valid_rows`, spread evenly over the list. Raises :class:`UserError` where there is none."""
    rows = valid_rows(dataset, steps)
    if not len(rows):
        raise UserError(f"{dataset.rows.path}: no row holds {steps} targets, all repeat their clip's last frame before; ask for "
                        "fewer --steps")
    return rows[evenly_spaced(len(rows), limit)]


def source_rows(dataset, rows, images=False):
    """The :class:`Source` of some rows of a list; with `images`, of their pictures as well."""
    rows = torch.as_tensor(np.asarray(rows))
    image = None
    if images:
        from utils.transform import as_image
        image = torch.stack([as_image(dataset.pictures(row, [0]))[0] for row in rows.tolist()])
    return Source(dataset.poses[rows, 0], dataset.action[rows], rows, image)
