"""Choose the sampled futures to show: a few typical ones, each with the fraction of futures that it represents.

Futures are grouped by k-medoids: the k futures that minimise the sum of the distances of all futures to the nearest of the k
(Kaufman and Rousseeuw, Finding Groups in Data, 1990).

Axes: n futures, k chosen, T steps, J joints.
"""
import numpy as np

from pose.skeleton import body_size

TYPICAL = "typical"       # as --choose
DRAWN = 64                # futures from which the shown ones are chosen


def motion_distances(futures, size):
    """Mean distances of the joints of each two futures (n, T, J, 2), in units of the body size: (n, n)."""
    return np.stack([np.linalg.norm(futures - each, axis=-1).mean((-1, -2)) for each in futures]) / size


def medoids(distances, count):
    """The indices (k,) of k medoids, by distances (n, n).

    Starting from the first k, a medoid and another future change places, the best exchange first, while that lowers the sum.
    """
    chosen = list(range(min(count, len(distances))))
    while True:
        without = [distances[chosen[:place] + chosen[place + 1:]].min(0, initial=np.inf) for place in range(len(chosen))]
        sums = np.minimum(np.stack(without)[:, None], distances[None]).sum(-1)                           # (k, n)
        place, other = np.unravel_index(sums.argmin(), sums.shape)
        if sums[place, other] >= distances[chosen].min(0).sum() - 1e-12:
            return np.array(chosen)
        chosen[place] = int(other)


def shown_futures(futures, pose, count, choose):
    """Choose k = `count` futures (n, T, J, 2) of a source pose (J, 2), tensors: medoids if `choose` is TYPICAL, else the first.

    Returns the futures (k, T, J, 2), and for each the fraction of the n futures that are nearest to it, the largest first, as a
    list; the fractions of the first futures are None.
    """
    if choose != TYPICAL:
        return futures[:count], [None] * len(futures[:count])
    distances = motion_distances(futures.double().numpy(), float(body_size(pose[None])))
    chosen = medoids(distances, count)
    fractions = np.bincount(distances[chosen].argmin(0), minlength=len(chosen)) / len(distances)
    order = np.argsort(-fractions, kind="stable")
    return futures[chosen[order]], fractions[order].tolist()
