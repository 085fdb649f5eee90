"""Whether sampled motions are calibrated and move as bodies do. Axes and units are those of :mod:`evaluation.metrics`."""
import torch

from pose.skeleton import LIMBS


def rank_counts(samples, truth):
    """How often the truth has rank 0..K among the K samples, coordinate by coordinate, ties shared out.

    Flat for a calibrated forecast, U-shaped for one too narrow, hump-shaped for one too wide (Hamill, *Interpretation of rank
    histograms*, Monthly Weather Review 2001).

    Args:
        samples: (B, K, T, J, 2).
        truth: (B, T, J, 2).
    Returns:
        (K + 1,) float64, whose sum is the number of coordinates.
    """
    count = samples.shape[1]
    below = (samples < truth[:, None]).sum(1).flatten()                              # (B T J 2,)
    tied = (samples == truth[:, None]).sum(1).flatten()
    numbers = torch.bincount(below * (count + 1) + tied, minlength=(count + 1) ** 2).view(count + 1, count + 1)
    counts = torch.zeros(count + 1, dtype=torch.float64)
    for low, equal in numbers.nonzero().tolist():
        counts[low:low + equal + 1] += numbers[low, equal] / (equal + 1)
    return counts


def calibration_error(counts):
    """Reliability index of a rank histogram: sum of |share - 1 / bins|, 0 for a flat one, at most 2 (Delle Monache et al.,
    *Probabilistic aspects of an ozone ensemble*, JGR 2006)."""
    return float((counts / counts.sum() - 1 / len(counts)).abs().sum())


def bone_drift(poses, source):
    """How much bones change their length in the picture: mean over bones and steps of the change since the source, relative to
    the source's mean bone length. True bones change, too, where they turn: it is to be read beside that of true motion.

    Args:
        poses: (..., T, J, 2).
        source: (..., J, 2).
    Returns:
        (...).
    """
    start, end = map(list, zip(*LIMBS))
    length = (poses[..., end, :] - poses[..., start, :]).norm(dim=-1)                # (..., T, bones)
    first = (source[..., end, :] - source[..., start, :]).norm(dim=-1)[..., None, :]                       # (..., 1, bones)
    return ((length - first).abs().mean(-1) / first.mean(-1).clamp(min=1e-6)).mean(-1)


def acceleration(poses, source):
    """Mean over joints and steps of the norm of second differences of (..., T, J, 2) that follow (..., J, 2): (...), normalised
    coordinates a step squared; 0 where T is 1."""
    path = torch.cat([source[..., None, :, :], poses], -3)                           # (..., T + 1, J, 2)
    return path.diff(n=2, dim=-3).norm(dim=-1).mean((-1, -2)) if path.shape[-3] > 2 else path.new_zeros(path.shape[:-3])
