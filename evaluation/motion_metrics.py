"""Metrics of sampled motion: distances to the truth, and how bodies move. :mod:`evaluation.registry` lists and explains them.

Axes: B windows, K samples of each, T steps, J joints. Distances are Euclidean distances of a joint in normalised picture
coordinates ([-1, 1] is the whole picture). Times S / 2 they are pixels of the letterboxed S x S crop.
"""
from dataclasses import dataclass
from functools import cached_property

import torch

from pose.skeleton import LIMBS, WRISTS


def joint_distance(a, b, visible):
    """Mean distance of the visible (..., J) joints of poses (..., J, 2): (...), NaN where none is visible."""
    return torch.where(visible, (a - b).norm(dim=-1), torch.nan).nanmean(-1)


@dataclass(eq=False)
class Futures:
    """Sampled futures of B windows beside the truth. What several metrics need is computed once."""

    samples: torch.Tensor                # (B, K, T, J, 2)
    truth: torch.Tensor                  # (B, T, J, 2)
    source: torch.Tensor                 # (B, J, 2)
    action: torch.Tensor | None = None   # (B,) int64 ids
    classifier: object = None            # :class:`evaluation.recognition.MotionClassifier`, or None
    visible: torch.Tensor | None = None  # (B, T, J) bool, the true joints that count in distances; None: all

    def __post_init__(self):
        if self.visible is None:
            self.visible = torch.ones_like(self.truth[..., 0], dtype=torch.bool)

    @cached_property
    def distance(self):
        """Distance of each sample to the truth, (B, K, T)."""
        return joint_distance(self.samples, self.truth[:, None], self.visible[:, None])

    @cached_property
    def distance_of_all(self):
        """The same over all joints, visible or not, (B, K, T)."""
        return (self.samples - self.truth[:, None]).norm(dim=-1).mean(-1)

    @cached_property
    def mean_distance(self):
        """Distance of the mean of the samples to the truth, (B, T)."""
        return joint_distance(self.samples.mean(1), self.truth, self.visible)

    @cached_property
    def zero_velocity(self):
        """Distance of the source to the truth, (B, T)."""
        return joint_distance(self.source[:, None], self.truth, self.visible)

    @cached_property
    def spread(self):
        """Mean distance of two different samples at each step, (B, T); 0 for K = 1."""
        count, total = self.samples.shape[1], torch.zeros_like(self.truth[..., 0, 0])
        for shift in range(1, count):                # avoids a (B, K, K, T, J, 2) tensor
            total += joint_distance(self.samples, self.samples.roll(shift, 1), self.visible[:, None]).mean(1)
        return total / max(1, count - 1)

    @property
    def starts(self):
        """The source of each sample, (B, K, J, 2)."""
        return self.source[:, None].expand(-1, self.samples.shape[1], -1, -1)


def pairwise_distance(futures):
    """Mean L2 distance of two samples as vectors of all coordinates, (B,)."""
    flat, count = futures.samples.flatten(2), futures.samples.shape[1]
    pairs = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")     # (B, K, K)
    return pairs.sum((1, 2)) / max(1, count * (count - 1))


# ---- of a single motion: poses (..., T, J, 2) that follow source (..., J, 2) -> (...) ----

def path(poses, source):
    """Source and poses, (..., T + 1, J, 2)."""
    return torch.cat([source[..., None, :, :], poses], -3)


def bone_change(poses, source):
    """Mean change of a bone's length since the source, relative to the source's mean bone length."""
    start, end = map(list, zip(*LIMBS))
    length = (poses[..., end, :] - poses[..., start, :]).norm(dim=-1)                                      # (..., T, bones)
    first = (source[..., end, :] - source[..., start, :]).norm(dim=-1)[..., None, :]                       # (..., 1, bones)
    return ((length - first).abs().mean(-1) / first.mean(-1).clamp(min=1e-6)).mean(-1)


def mean_acceleration(poses, source):
    """Mean norm of the second differences in time; 0 where T is 1."""
    if poses.shape[-3] == 1:
        return poses.new_zeros(poses.shape[:-3])
    return path(poses, source).diff(n=2, dim=-3).norm(dim=-1).mean((-1, -2))


def wrist_speeds(poses, source):
    """Distance that each wrist moves in each step, (..., T, 2)."""
    return path(poses, source)[..., WRISTS, :].diff(dim=-3).norm(dim=-1)


def smoothed(poses, source):
    """Poses as weighted means (1 2 1) / 4 in time, (..., T, J, 2); the last pose stays."""
    whole = path(poses, source)
    inner = (whole[..., :-2, :, :] + 2 * whole[..., 1:-1, :, :] + whole[..., 2:, :, :]) / 4
    return torch.cat([inner, poses[..., -1:, :, :]], -3)
