"""Which of many sampled futures are shown: a few that are typical, each with the share of futures that it stands for.

Futures are grouped by k-medoids: the k of them for which the sum of the distances of all futures to the nearest of the k is least
(Kaufman and Rousseeuw, Finding Groups in Data, 1990, "partitioning around medoids").

Axes: n futures, k chosen, T steps, J joints.
"""
import numpy as np

from pose.skeleton import body_size

TYPICAL = "typical"       # as --choose
DRAWN = 64                # futures that the shown ones are chosen from
SWAPS = 100               # most exchanges; a dozen is usual


def motion_distances(futures, size):
    """Mean distances of joints of each two futures (n, T, J, 2), in units of the body size: (n, n)."""
    return np.stack([np.linalg.norm(futures - each, axis=-1).mean((-1, -2)) for each in futures]) / size


def medoids(distances, count):
    """The indices (k,) of k medoids, by distances (n, n).

    They are built one by one, each where it lowers the sum most; then a medoid and another future change places, the best
    exchange first, as long as that lowers the sum.
    """
    chosen = []
    nearest = np.full(len(distances), np.inf)
    for _ in range(min(count, len(distances))):
        sums = np.minimum(nearest[None], distances).sum(1)
        sums[chosen] = np.inf
        chosen.append(int(sums.argmin()))
        nearest = np.minimum(nearest, distances[chosen[-1]])
    for _ in range(SWAPS):
        without = [distances[chosen[:place] + chosen[place + 1:]].min(0, initial=np.inf) for place in range(len(chosen))]
        sums = np.minimum(np.stack(without)[:, None], distances[None]).sum(-1)                           # (k, n)
        place, other = np.unravel_index(sums.argmin(), sums.shape)
        if sums[place, other] >= nearest.sum() - 1e-12:
            break
        chosen[place] = int(other)
        nearest = distances[chosen].min(0)
    return np.array(chosen)


def shown_futures(futures, pose, count, choose):
    """Choose futures to show.

    Args:
        futures: tensor (n, T, J, 2).
        pose: tensor (J, 2), the source of all of them.
        count: k.
        choose: `TYPICAL` for medoids; anything else for the first k.
    Returns:
        (futures (k, T, J, 2), list of k shares): which part of the n futures is nearer to a shown one than to the others; the
        largest first. The shares are None where the first are taken.
    """
    if choose != TYPICAL:
        return futures[:count], [None] * len(futures[:count])
    chosen, shares = typical(motion_distances(futures.double().numpy(), float(body_size(pose[None]))), count)
    return futures[chosen], shares.tolist()


def typical(distances, count):
    """The medoids (k,) by distances (n, n) and the shares (k,) that are nearest to each, the largest first."""
    chosen = medoids(distances, count)
    shares = np.bincount(distances[chosen].argmin(0), minlength=len(chosen)) / len(distances)
    order = np.argsort(-shares, kind="stable")
    return chosen[order], shares[order]
