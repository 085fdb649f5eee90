"""What a metric is. Every test measures all of METRICS, and writes them to `metrics.json`."""
from collections.abc import Callable
from typing import NamedTuple

MOTION, CURVE, RATIOS, PICTURES, CALIBRATION, RECOGNITION = PLACES = (
    "motion", "curve", "ratios", "pictures", "calibration", "recognition")           # in metrics.json, see evaluation.registry
LOWER, HIGHER, NEAR_1, NEAR_TRUE, REFERENCE = BETTER = (
    "lower", "higher", "near 1", "near its `_true`", "reference")                    # a reference has no better or worse


class Metric(NamedTuple):
    """One number of `metrics.json`."""

    name: str                     # its key
    place: str                    # one of `PLACES`
    unit: str
    better: str                   # one of `BETTER`
    meaning: str                  # in a sentence or two
    function: Callable            # see `metric`
    column: str = ""              # heading of its column in the gallery's table; "": it has none
    curve: str = ""               # name of its curve in the gallery's chart; "": it has none


METRICS = []                      # in the order of the tables and charts; filled where the metrics are defined


def metric(place, unit, better, **texts):
    """Decorator: registers a function under its own name; its docstring becomes the meaning.

    The function gets :class:`evaluation.motion_metrics.Futures` in the places `MOTION`, `CURVE` and `RATIOS`,
    :class:`evaluation.picture_metrics.Videos` in `PICTURES`, and :class:`evaluation.scores.Scores` in the others. For B
    rows it returns (B,), with NaN for rows that do not count. A metric with a curve returns (B, T), and a row's number is the
    mean over its steps. In `CALIBRATION` and `RECOGNITION` it returns the number itself. If it returns None, the key is left out.

    Args:
        place, unit, better: see :class:`Metric`.
        texts: `column` and `curve` of :class:`Metric`.
    """
    def register(function):
        METRICS.append(Metric(function.__name__, place, unit, better, " ".join(function.__doc__.split()), function,
                              **texts))
        return function
    return register
