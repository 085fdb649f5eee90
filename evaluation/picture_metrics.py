"""Metrics of rendered videos. :mod:`evaluation.registry` lists and explains them.

Axes: B videos, T pictures of each, S picture side. Metrics return (B,) float tensors.
"""
import functools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from networks.layers import at_least_float32

BEST = 100.0              # dB, for equal pictures
NOTHING = 1e-12           # smaller amounts of motion or error count as 0


@dataclass(eq=False)
class Videos:
    """B rendered videos beside the real ones."""

    pictures: torch.Tensor                # (B, T, 3, S, S) in [-1, 1]
    truth: torch.Tensor                   # the same
    boxes: torch.Tensor | None = None     # (B, T, 1, S, S), 1 inside the person's box

    def __post_init__(self):
        self.pictures, self.truth = (((at_least_float32(value) + 1) / 2).clamp(0, 1) for value in (self.pictures, self.truth))

    @cached_property
    def squares(self):
        """Squared errors of values in [0, 1], means over the colours, (B, T, 1, S, S)."""
        return (self.pictures - self.truth).square().mean(2, keepdim=True)


def psnr_where(videos, weight):
    """PSNR of the pixels whose weight (B, T, 1, S, S) is 1, mean over the pictures that have such; NaN where none has."""
    count = weight.sum((2, 3, 4))                                                            # (B, T)
    error = (videos.squares * weight).sum((2, 3, 4)) / count.clamp(min=1)
    decibel = (-10 * torch.log10(error.clamp(min=NOTHING))).clamp(max=BEST)
    return torch.where(count > 0, decibel, torch.nan).nanmean(1)


def psnr(videos):
    """PSNR of whole pictures."""
    return psnr_where(videos, torch.ones_like(videos.squares))


def psnr_inside(videos):
    """PSNR inside the person's box."""
    return psnr_where(videos, videos.boxes.to(videos.squares))


def psnr_outside(videos):
    """PSNR outside the person's box."""
    return psnr_where(videos, 1 - videos.boxes.to(videos.squares))


def ssim(videos):
    """Structural similarity."""
    from torchmetrics.functional.image import structural_similarity_index_measure  # slow to import, and not needed for poses
    values = structural_similarity_index_measure(videos.pictures.flatten(0, 1).float(), videos.truth.flatten(0, 1).float(),
                                                 data_range=1.0, reduction="none")
    return values.view(videos.pictures.shape[:2]).mean(1)


@functools.cache
def lpips_network():
    """LPIPS by torchmetrics, or None where torchvision's AlexNet weights are not in its cache; none are downloaded."""
    from torchvision.models import AlexNet_Weights
    name = AlexNet_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    if not (Path(torch.hub.get_dir()) / "checkpoints" / name).exists():
        return None
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    return LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)


def lpips(videos):
    """LPIPS, or None without its weights."""
    network = lpips_network()
    if network is None:
        return None
    with torch.no_grad():
        return torch.stack([network(fake, real) for fake, real in zip(videos.pictures.float(), videos.truth.float())])


def ratio(videos, amount):
    """An amount of videos, a function (B, T, 3, S, S) -> (B,), divided by that of the truth; NaN where the truth has none."""
    ours, whole = amount(videos.pictures), amount(videos.truth)
    return torch.where(whole > NOTHING, ours / whole.clamp(min=NOTHING), torch.nan)


def flicker(videos):
    """Second differences in time, relative to those of the truth; None for fewer than three pictures."""
    if videos.truth.shape[1] < 3:
        return None
    return ratio(videos, lambda pictures: pictures.diff(n=2, dim=1).abs().mean((1, 2, 3, 4)))
