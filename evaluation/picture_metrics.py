"""Metrics of painted videos: how close they come to the real ones, how sharp and how steady they are, and whether the person
stays the same.

Axes: B videos, T pictures of each, S picture side. Metrics return (B,) float tensors.
"""
import functools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from evaluation.metric import HIGHER, LOWER, METRICS, NEAR_1, PICTURES, REFERENCE, Metric
from networks.layers import at_least_float32

BEST = 100.0              # dB, for equal pictures
NOTHING = 1e-12           # smaller gradient energy or flicker counts as 0: pictures of one colour, videos that stand still
VIDEO_KINDS = {"sampled": "sampled poses", "true_poses": "true poses", "copy_source": "source copied"}
DECIBEL, RATIO = "dB", "ratio"


@dataclass(eq=False)
class Videos:
    """B videos of one kind beside the real ones. What several metrics need is computed once.

    Args:
        pictures, truth: (B, T, 3, S, S) in [-1, 1].
        boxes: (B, T, 1, S, S), 1 inside the person's box, or None where no metric asks for it.
    """

    pictures: torch.Tensor
    truth: torch.Tensor
    boxes: torch.Tensor | None = None

    def __post_init__(self):
        self.pictures, self.truth = (((at_least_float32(value) + 1) / 2).clamp(0, 1) for value in (self.pictures, self.truth))

    @cached_property
    def squares(self):
        """Squared errors of values in [0, 1], means over the colours, (B, T, 1, S, S)."""
        return (self.pictures - self.truth).square().mean(2, keepdim=True)


def picture_metric(unit, better, kinds=("true_poses",), column="", key="{name}_{kind}"):
    """Decorator: registers a function of :class:`Videos` for several kinds of video, see :func:`evaluation.metric.metric`.

    Args:
        unit, better: see :class:`evaluation.metric.Metric`; the numbers of the kind `copy_source` are references.
        kinds: which of the videos that :func:`evaluation.images.ImageEvaluation.paint` returns are measured.
        column: heading of its columns, before the kind's name; "": it has none.
        key: pattern of its keys in `metrics.json`.
    """
    def register(function):
        for kind in kinds:
            caption = VIDEO_KINDS.get(kind, "")
            METRICS.append(Metric(
                key.format(name=function.__name__, kind=kind), PICTURES, unit, REFERENCE if kind == "copy_source" else better,
                " ".join(function.__doc__.split()) + (f" Video: {caption}." if caption else ""),
                lambda videos, kind=kind: function(videos[kind]), f"{column}, {caption}" if column else ""))
        return function
    return register


def psnr_where(videos, weight):
    """PSNR of the pixels whose weight (B, T, 1, S, S) is 1, a mean over the pictures that have such; NaN where none has."""
    count = weight.sum((2, 3, 4))                                                            # (B, T)
    error = (videos.squares * weight).sum((2, 3, 4)) / count.clamp(min=1)
    decibel = (-10 * torch.log10(error.clamp(min=NOTHING))).clamp(max=BEST)
    return torch.where(count > 0, decibel, torch.nan).nanmean(1)


@picture_metric(DECIBEL, HIGHER, VIDEO_KINDS, column="PSNR")
def psnr(videos):
    """Peak signal-to-noise ratio of whole pictures, padding included, mean over the pictures, at most 100."""
    return psnr_where(videos, torch.ones_like(videos.squares))


@picture_metric("share", HIGHER, VIDEO_KINDS, column="SSIM")
def ssim(videos):
    """Structural similarity (Gaussian window of 11 pixels, by torchmetrics) of whole pictures, mean over the pictures."""
    from torchmetrics.functional.image import structural_similarity_index_measure  # slow to import, and not needed for poses
    values = structural_similarity_index_measure(videos.pictures.flatten(0, 1).float(), videos.truth.flatten(0, 1).float(),
                                                 data_range=1.0, reduction="none")
    return values.view(videos.pictures.shape[:2]).mean(1)


@functools.cache
def lpips_network():
    """LPIPS by torchmetrics, or None where torchvision's AlexNet weights are not in its cache; none are fetched."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    from torchvision.models import AlexNet_Weights
    name = AlexNet_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    if not (Path(torch.hub.get_dir()) / "checkpoints" / name).exists():
        return None
    return LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)


@picture_metric("distance of features", LOWER, VIDEO_KINDS, column="LPIPS")
def lpips(videos):
    """Learned perceptual distance (AlexNet; Zhang et al., CVPR 2018), mean over the pictures; left out where torchvision's cache
    has no AlexNet weights."""
    network = lpips_network()
    if network is None:
        return None
    with torch.no_grad():
        return torch.stack([network(fake, real) for fake, real in zip(videos.pictures.float(), videos.truth.float())])


@picture_metric(DECIBEL, HIGHER)
def psnr_inside(videos):
    """PSNR inside the person's box; pictures without a box do not count."""
    return psnr_where(videos, videos.boxes.to(videos.squares))


@picture_metric(DECIBEL, HIGHER)
def psnr_outside(videos):
    """PSNR outside the person's box; pictures that are all box do not count."""
    return psnr_where(videos, 1 - videos.boxes.to(videos.squares))


def gradient_energy(pictures):
    """Mean squared difference of neighbouring pixels, across and down, of (B, T, 3, S, S)."""
    return sum(pictures.diff(dim=axis).square().mean((1, 2, 3, 4)) for axis in (-1, -2))


def jumps(pictures):
    """Mean second difference in time, |x_{t-1} - 2 x_t + x_{t+1}| / 2, of (B, T, 3, S, S)."""
    return (pictures[:, :-2] - 2 * pictures[:, 1:-1] + pictures[:, 2:]).abs().mean((1, 2, 3, 4)) / 2


def ratio(videos, amount):
    """`amount` of the pictures divided by that of the truth, NaN where the truth has none."""
    ours, whole = amount(videos.pictures), amount(videos.truth)
    return torch.where(whole > NOTHING, ours / whole.clamp(min=NOTHING), torch.nan)


@picture_metric(RATIO, NEAR_1)
def sharpness(videos):
    """Gradient energy (mean squared difference of neighbouring pixels) divided by that of the real pictures: less is blurred,
    more is noisy. Real pictures of one colour do not count."""
    return ratio(videos, gradient_energy)


@picture_metric(RATIO, NEAR_1)
def flicker(videos):
    """Mean second difference in time of a pixel divided by that of the real video: steady motion counts little, jumping back and
    forth fully. Real videos that stand still do not count; left out for fewer than three pictures."""
    return ratio(videos, jumps) if videos.truth.shape[1] > 2 else None


@picture_metric(DECIBEL, HIGHER, kinds=("source_pose",), key="{name}")
def identity(videos):
    """PSNR of what is painted for the source's own pose against the source."""
    return psnr(videos)
