"""Metrics of sampled motions: how close they come to what happened, whether they are calibrated, and how bodies move.

Axes: B rows, K samples of each, T steps, J joints. Distances are Euclidean distances of a joint in normalised picture coordinates
([-1, 1] is the whole picture). Times S / 2 they are pixels of the letterboxed S x S crop.
"""
from dataclasses import dataclass
from functools import cached_property, wraps

import torch

from evaluation.metric import (
    CALIBRATION,
    CURVE,
    HIGHER,
    LOWER,
    METRICS,
    MOTION,
    NEAR_1,
    NEAR_TRUE,
    RATIOS,
    REFERENCE,
    Metric,
    metric,
)
from pose.skeleton import JOINTS, LIMBS, WRISTS, body_size

RECOGNISED = 4            # samples of a row that the classifier of motions sees
LENGTH, SPEED, ACCELERATION = "length", "length per step", "length per step squared"
BONES = "share of the source's mean bone length"
ONSET = 0.15              # body units (about a person's height) that a wrist has moved when a motion has begun


def joint_distance(a, b):
    """Mean distance of the joints of poses (..., J, 2) and (..., J, 2): (...)."""
    return (a - b).norm(dim=-1).mean(-1)


@dataclass(eq=False)
class Futures:
    """Sampled futures of B rows beside what happened. What several metrics need is computed once."""

    samples: torch.Tensor                # (B, K, T, J, 2)
    truth: torch.Tensor                  # (B, T, J, 2)
    source: torch.Tensor                 # (B, J, 2), the pose that the prediction starts from
    action: torch.Tensor | None = None   # (B,) int64 ids
    classifier: object = None            # :class:`evaluation.recognition.MotionClassifier` of as many steps, or None

    @cached_property
    def distance(self):
        """Distance of each sample to the truth, (B, K, T)."""
        return joint_distance(self.samples, self.truth[:, None])

    @cached_property
    def mean_distance(self):
        """Distance of the mean of the samples to the truth, (B, T)."""
        return joint_distance(self.samples.mean(1), self.truth)

    @cached_property
    def zero_velocity(self):
        """Distance of the source to the truth, (B, T)."""
        return joint_distance(self.source[:, None], self.truth)

    @cached_property
    def spread(self):
        """Mean distance of two different samples at each step: (B, T); 0 for K = 1."""
        count = self.samples.shape[1]
        total = torch.zeros_like(self.truth[..., 0, 0])
        for shift in range(1, count // 2 + 1):       # every pair once, without a (B, K, K, T, J, 2) tensor
            distance = joint_distance(self.samples, self.samples.roll(shift, 1)).mean(1)
            total += distance * (1 if 2 * shift == count else 2)          # a shift of K / 2 has each pair twice
        return total / max(1, count - 1)

    @cached_property
    def starts(self):
        """The source of each sample, (B, K, J, 2)."""
        return self.source[:, None].expand(-1, self.samples.shape[1], -1, -1)

    @cached_property
    def features(self):
        """What the classifier sees in the first samples (B, few, D) and in the truth (B, D)."""
        starts, samples = self.starts[:, :RECOGNISED, None], self.samples[:, :RECOGNISED]
        path = torch.cat([starts, samples], 2)                                       # (B, few, T + 1, J, 2)
        return (self.classifier.features(path.flatten(0, 1)).unflatten(0, path.shape[:2]),
                self.classifier.features(torch.cat([self.source[:, None], self.truth], 1)))


# ---- distances; the order is that of the gallery's columns ----

METRICS += [
    Metric("energy_score", MOTION, LENGTH, LOWER,
           "`ade - spread / 2`, a proper score (its mean is least for the true distribution): E d(X, y) - E d(X, X') / 2 at each "
           "step, where d is the mean over joints of distances, estimated without bias (Gneiting and Raftery, "
           '"Strictly proper scoring rules, prediction, and estimation", JASA 2007, section 4.2). For one sample it is `ade`.',
           lambda futures: futures.distance.mean(1) - futures.spread / 2, "energy score", "energy score"),
    Metric("ade", MOTION, LENGTH, LOWER,
           "Average displacement error: distance to the truth, mean over joints, steps and samples.",
           lambda futures: futures.distance.mean(1), "ADE of a sample", "a sample"),
    Metric("ade_of_mean", MOTION, LENGTH, LOWER, "`ade` of the mean of the samples.",
           lambda futures: futures.mean_distance, "ADE of the samples' mean", "mean of the samples"),
    Metric("ade_best", MOTION, LENGTH, LOWER, "`ade` of the sample with the smallest one.",
           lambda futures: futures.distance.mean(-1).amin(1), "ADE, best sample"),
    Metric("ade_best", CURVE, LENGTH, LOWER, "Distance to the truth of the sample that is best at this step.",
           lambda futures: futures.distance.amin(1), curve="best sample of each step"),
    Metric("zero_velocity_ade", MOTION, LENGTH, REFERENCE,
           "`ade` of the zero-velocity baseline, which repeats the source pose (Martinez et al., CVPR 2017).",
           lambda futures: futures.zero_velocity,
           "ADE, standing still (zero-velocity baseline)", "standing still (zero velocity)"),
    Metric("fde", MOTION, LENGTH, LOWER, "Final displacement error: as `ade`, of the last step only.",
           lambda futures: futures.distance[..., -1].mean(1), "FDE of a sample"),
    Metric("fde_best", MOTION, LENGTH, LOWER, "`fde` of the sample with the smallest one.",
           lambda futures: futures.distance[..., -1].amin(1), "FDE, best sample"),
    Metric("fde_of_mean", MOTION, LENGTH, LOWER, "`fde` of the mean of the samples.",
           lambda futures: futures.mean_distance[:, -1]),
    Metric("zero_velocity_fde", MOTION, LENGTH, REFERENCE, "`fde` of the zero-velocity baseline.",
           lambda futures: futures.zero_velocity[:, -1], "FDE, standing still (zero-velocity baseline)"),
    Metric("spread", MOTION, LENGTH, REFERENCE,
           "Distance of two different samples, mean over joints, steps and pairs; 0 for one sample.",
           lambda futures: futures.spread.mean(-1)),
]


@metric(MOTION, LENGTH, HIGHER, column="diversity (APD)")
def apd(futures):
    """Average pairwise distance (diversity): Euclidean distance of two samples as vectors of all coordinates of all steps, mean
    over all pairs (Yuan and Kitani, DLow, 2020); 0 for one sample."""
    flat, count = futures.samples.flatten(2), futures.samples.shape[1]
    pairs = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")     # (B, K, K)
    return pairs.sum((1, 2)) / max(1, count * (count - 1))


# ---- bodies ----

def bone_change(poses, source):
    """Change of the bones' lengths in the picture since the source, mean over bones and steps, relative to the source's mean bone
    length. Poses (..., T, J, 2), source (..., J, 2) -> (...)."""
    start, end = map(list, zip(*LIMBS))
    length = (poses[..., end, :] - poses[..., start, :]).norm(dim=-1)                # (..., T, bones)
    first = (source[..., end, :] - source[..., start, :]).norm(dim=-1)[..., None, :]                       # (..., 1, bones)
    return ((length - first).abs().mean(-1) / first.mean(-1).clamp(min=1e-6)).mean(-1)


def mean_acceleration(poses, source):
    """Mean over joints and steps of the norm of second differences in time. Poses (..., T, J, 2), which follow source
    (..., J, 2) -> (...); 0 where T is 1."""
    path = torch.cat([source[..., None, :, :], poses], -3)                           # (..., T + 1, J, 2)
    return path.diff(n=2, dim=-3).norm(dim=-1).mean((-1, -2)) if path.shape[-3] > 2 else path.new_zeros(path.shape[:-3])


METRICS += [
    Metric("acceleration", MOTION, ACCELERATION, NEAR_TRUE,
           "Norm of the second difference in time of a joint's position, mean over joints, steps and samples; 0 for one step.",
           lambda futures: mean_acceleration(futures.samples, futures.starts).mean(1)),
    Metric("acceleration_true", MOTION, ACCELERATION, REFERENCE, "`acceleration` of the true motion.",
           lambda futures: mean_acceleration(futures.truth, futures.source)),
    Metric("bone_drift", RATIOS, BONES, NEAR_TRUE,
           "Change of a bone's length in the picture since the source, mean over bones, steps and samples. Bones that turn "
           "towards the camera change their length in true motion as well.",
           lambda futures: bone_change(futures.samples, futures.starts).mean(1)),
    Metric("bone_drift_true", RATIOS, BONES, REFERENCE, "`bone_drift` of the true motion.",
           lambda futures: bone_change(futures.truth, futures.source)),
]


# ---- wrists, whose motion people see first. True motion is smoothed: half of its acceleration is jitter of the annotation ----

def of_wrists(function):
    """Leave a metric out where the poses have other joints than Penn Action's."""
    @wraps(function)
    def measured(futures):
        return function(futures) if futures.truth.shape[-2] == len(JOINTS) else None
    return measured


def smoothed(poses, source):
    """Poses (..., T, J, 2), which follow source (..., J, 2), as weighted means (1 2 1) / 4 in time; the last pose stays."""
    path = torch.cat([source[..., None, :, :], poses, poses[..., -1:, :, :]], -3)
    inner = (path[..., :-2, :, :] + 2 * path[..., 1:-1, :, :] + path[..., 2:, :, :]) / 4
    return torch.cat([inner[..., :-1, :, :], poses[..., -1:, :, :]], -3)


def wrist_speeds(poses, source):
    """Speeds of the wrists in poses (..., T, J, 2) that follow source (..., J, 2): (..., T, 2)."""
    return torch.cat([source[..., None, :, :], poses], -3)[..., WRISTS, :].diff(dim=-3).norm(dim=-1)


def amplitude(poses, source):
    """The largest distance of a wrist from where it was in the source: (..., T, J, 2), (..., J, 2) -> (...)."""
    return (poses - source[..., None, :, :])[..., WRISTS, :].norm(dim=-1).amax((-1, -2))


def onset_step(poses, source):
    """The first step at which a wrist has moved `ONSET` body units; T + 1 where none does. Shapes as of :func:`amplitude`."""
    size = body_size(source.flatten(0, -3)).view(*source.shape[:-2], 1, 1)
    moved = ((poses - source[..., None, :, :])[..., WRISTS, :].norm(dim=-1) > ONSET * size).any(-1)          # (..., T)
    return (moved.cumsum(-1) == 0).sum(-1) + 1.0


@metric(MOTION, SPEED, NEAR_TRUE)
@of_wrists
def peak_speed(futures):
    """Largest distance that a wrist moves in one step, mean over wrists and samples."""
    return wrist_speeds(futures.samples, futures.starts).amax(-2).mean((-1, -2))


@metric(MOTION, SPEED, REFERENCE)
@of_wrists
def peak_speed_true(futures):
    """`peak_speed` of the true motion, smoothed in time with the weights (1 2 1) / 4."""
    return wrist_speeds(smoothed(futures.truth, futures.source), futures.source).amax(-2).mean(-1)


@metric(MOTION, LENGTH, NEAR_TRUE)
@of_wrists
def path_length(futures):
    """Length of the path of a wrist, mean over wrists and samples."""
    return wrist_speeds(futures.samples, futures.starts).sum(-2).mean((-1, -2))


@metric(MOTION, LENGTH, REFERENCE)
@of_wrists
def path_length_true(futures):
    """`path_length` of the true motion, smoothed in time with the weights (1 2 1) / 4."""
    return wrist_speeds(smoothed(futures.truth, futures.source), futures.source).sum(-2).mean(-1)


@metric(RATIOS, "share", NEAR_1)
@of_wrists
def amplitude_in_range(futures):
    """Share of rows whose true amplitude, the largest distance of a wrist from where it began, lies between the smallest and the
    largest of the K samples; (K - 1) / (K + 1) for a calibrated forecast."""
    samples, truth = amplitude(futures.samples, futures.starts), amplitude(futures.truth, futures.source)
    return ((samples.amin(1) <= truth) & (truth <= samples.amax(1))).float()


@metric(RATIOS, "steps", NEAR_TRUE)
@of_wrists
def onset(futures):
    """First step at which a wrist has moved 0.15 body units (about a person's height), T + 1 where it never does: mean over the
    samples."""
    return onset_step(futures.samples, futures.starts).mean(1)


@metric(RATIOS, "steps", REFERENCE)
@of_wrists
def onset_true(futures):
    """`onset` of the true motion."""
    return onset_step(futures.truth, futures.source)


# ---- calibration ----

def rank_counts(samples, truth):
    """How often the truth has rank 0..K among the K samples of each coordinate; ties are shared among their ranks.

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


@metric(CALIBRATION, "sum of shares, 0 to 2", LOWER)
def error(scores):
    """Reliability index of `rank_histogram`: sum of |share - 1 / bins|, 0 for a flat histogram (Delle Monache et al.,
    "Probabilistic aspects of an ozone ensemble", JGR 2006)."""
    return float((scores.ranks / scores.ranks.sum() - 1 / len(scores.ranks)).abs().sum())


@metric(CALIBRATION, "shares", REFERENCE)
def rank_histogram(scores):
    """Share of coordinates whose truth has rank 0, 1, ..., K among the samples: flat for a calibrated forecast, U-shaped for one
    that is too narrow, hump-shaped for one that is too wide (Hamill, "Interpretation of rank histograms", MWR 2001)."""
    return (scores.ranks / scores.ranks.sum()).tolist()
