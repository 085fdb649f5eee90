"""The scorer of both tests: all metrics of sampled motions, and of painted videos where there are any. Rows come a few at a time,
so that memory does not grow with samples, steps and pictures."""
import torch

from evaluation.metric import CALIBRATION, CURVE, MOTION, PICTURES, RATIOS, RECOGNITION
from evaluation.motion_metrics import rank_counts
from evaluation.registry import measure

ROW_PLACES = (MOTION, CURVE, RATIOS, PICTURES)


class Scores:
    """Scores of rows as they come.

    Args:
        classifier: :class:`evaluation.recognition.MotionClassifier` of as many steps, or None.
    """

    def __init__(self, classifier=None):
        self.classifier = classifier
        self.ranks = 0                       # (K + 1,), see :func:`evaluation.motion_metrics.rank_counts`
        self.features = ([], [])             # in the classifier: lists of (B, D) of one sample of each row, and of the truth
        self._parts, self._actions = {place: [] for place in ROW_PLACES}, []

    def add(self, futures, videos=None):
        """Score further rows.

        Args:
            futures: :class:`evaluation.motion_metrics.Futures`.
            videos: kind -> :class:`evaluation.picture_metrics.Videos` of the same rows, or None.
        Returns:
            the rows' numbers: place -> name -> (B,), or (B, T) in `CURVE`.
        """
        numbers = {**{place: measure(place, futures) for place in (MOTION, CURVE, RATIOS)},
                   PICTURES: measure(PICTURES, videos) if videos else {}}
        for place, values in numbers.items():
            self._parts[place].append(values)
        self._actions.append(futures.action)
        self.ranks = self.ranks + rank_counts(futures.samples, futures.truth)
        if self.classifier is not None:
            for known, seen in zip(self.features, (futures.features[0][:, 0], futures.features[1])):
                known.append(seen)
        return numbers

    def values(self, place):
        """The numbers of all rows in one of `ROW_PLACES`: name -> (N,), or (N, T) in `CURVE`; lengths are normalised."""
        parts = self._parts[place]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def summary(self, names, scales, frozen=None):
        """The scores of `metrics.json`.

        Args:
            names: of the actions, by id.
            scales: unit of length -> its factor.
            frozen: (N,) bool, rows that repeat one frame; with such rows there is also a group `without_frozen`.
        Returns:
            `overall`, and `actions`, name -> such a group: `rows`, means in each unit, `ratios`, the `curve` in each unit and,
            with videos, `pictures`; `calibration`; with a classifier `recognition`. Rows whose number is NaN do not count, and a
            mean of none is None.
        """
        values, action = {place: self.values(place) for place in ROW_PLACES}, torch.cat(self._actions)

        def means(place, rows, scale=1.0):
            return {name: mean(value[rows], scale) for name, value in values[place].items()}

        def group(rows):
            found = {"rows": int(rows.sum()), **{unit: means(MOTION, rows, scale) for unit, scale in scales.items()},
                     "ratios": means(RATIOS, rows), "curve": {unit: means(CURVE, rows, scale) for unit, scale in scales.items()}}
            return found | ({"pictures": means(PICTURES, rows)} if values[PICTURES] else {})

        found = {"overall": group(torch.ones_like(action, dtype=torch.bool)),
                 **({"without_frozen": group(~frozen)} if frozen is not None and 0 < frozen.sum() < len(frozen) else {}),
                 "actions": {names[number]: group(action == number) for number in action.unique().tolist()},
                 "calibration": measure(CALIBRATION, self)}
        return found | ({"recognition": measure(RECOGNITION, self)} if self.classifier is not None else {})


def mean(value, scale=1.0):
    """Mean over rows, NaN left out, times `scale`: of (N,) a number or None, of (N, T) a list of T numbers."""
    if value.ndim > 1:
        return (value.double().mean(0) * scale).tolist()
    known = value[~value.isnan()].double()
    return float(known.mean()) * scale if len(known) else None
