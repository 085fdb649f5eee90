"""Indices that are spread over a sequence."""
import numpy as np


def evenly_spaced(count, limit):
    """At most `limit` indices spread evenly over `range(count)`; all of them where `limit` is None or 0."""
    return np.unique(np.linspace(0, count - 1, min(count, limit or count)).round().astype(int))
