"""Which windows of a list a test scores, sampled futures of them, and their scores."""
import torch

from evaluation.registry import CURVE, MOTION, PICTURES, RATIOS, measure
from training.prediction import Source
from utils.errors import UserError
from utils.spacing import evenly_spaced


def valid_rows(dataset, steps):
    """Indices of the windows that can be scored: those whose clip holds the next `steps` poses, and frozen ones (defect D9)."""
    return ((dataset.valid_steps >= steps) | (dataset.valid_steps == 0)).nonzero()[:, 0].numpy()


def scored_rows(dataset, steps, limit=None):
    """At most `limit` of :func:`valid_rows`, spread evenly over the list. Raises :class:`UserError` if there are none."""
    rows = valid_rows(dataset, steps)
    if not len(rows):
        raise UserError(f"{dataset.rows.path}: no window has {steps} targets, because all clips end earlier; ask for fewer "
                        "--steps")
    return rows[evenly_spaced(len(rows), limit)]


def sample_rows(trainer, dataset, rows, samples, steps, seed=0):
    """K sampled futures of T steps of each of N windows, (N, K, T, J, 2) on the CPU."""
    rows = torch.as_tensor(rows)
    return trainer.predict(Source(dataset.poses[rows, 0], dataset.action[rows], rows), samples, steps, seed, rendered=0).poses


class Scores:
    """All metrics of windows that come a few at a time, so that memory does not grow with samples and pictures."""

    def __init__(self, classifier=None):
        self.classifier = classifier
        self._parts, self._actions = {MOTION: [], RATIOS: [], PICTURES: []}, []

    def add(self, futures, videos=None):
        """Score more windows: :class:`Futures`, and kind -> :class:`Videos` or None. Returns the new numbers, name -> (B,)."""
        numbers = {MOTION: measure(MOTION, futures), RATIOS: measure(RATIOS, futures),
                   PICTURES: measure(PICTURES, videos) if videos else {}}
        for place, values in numbers.items():
            self._parts[place].append(values)
        self._actions.append(futures.action)
        return {name: mean_of_steps(value) for values in numbers.values() for name, value in values.items()}

    def values(self, place):
        """The numbers of all windows: name -> (N,), or (N, T) for CURVE. Lengths are normalised."""
        parts = self._parts[MOTION if place == CURVE else place]
        whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        if place == CURVE:
            return {name: value for name, value in whole.items() if value.ndim == 2}
        return {name: mean_of_steps(value) for name, value in whole.items()}

    def summary(self, names, units):
        """The scores of `metrics.json`, for action names by id and factors of the units of length by name.

        Windows whose number is NaN do not count, and a mean of none is None.
        """
        values, action = {place: self.values(place) for place in (MOTION, CURVE, RATIOS, PICTURES)}, torch.cat(self._actions)

        def means(place, rows, factor=1.0):
            return {name: mean(value[rows], factor) for name, value in values[place].items()}

        def group(rows):
            found = {"rows": int(rows.sum()), **{unit: means(MOTION, rows, factor) for unit, factor in units.items()},
                     "ratios": means(RATIOS, rows), "curve": {unit: means(CURVE, rows, factor) for unit, factor in units.items()}}
            return found | ({"pictures": means(PICTURES, rows)} if values[PICTURES] else {})

        return {"overall": group(torch.ones_like(action, dtype=torch.bool)),
                "actions": {names[number]: group(action == number) for number in action.unique().tolist()}}


def mean_of_steps(value):
    return value.nanmean(1) if value.ndim == 2 else value


def mean(value, factor):
    """Mean over windows without NaN, times `factor`: of (N,) a number or None, of (N, T) a list of T such."""
    if value.ndim == 2:
        return [mean(step, factor) for step in value.T]
    known = value[~value.isnan()].double()
    return float(known.mean()) * factor if len(known) else None
