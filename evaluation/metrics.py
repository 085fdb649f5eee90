"""Metrics of predicted poses and pictures.

Pose distances are Euclidean distances of a joint in normalised picture coordinates ([-1, 1] is the whole picture). Times
S / 2 they are pixels of the letterboxed S x S crop.
"""
import functools
from pathlib import Path

import torch


def _pose_distance(a, b):
    """(..., J, 2) and (..., J, 2) -> (...): mean over joints of the joints' distances."""
    return (a - b).norm(dim=-1).mean(-1)


def sample_spread(samples):
    """Mean distance of two different ones of K samples (B, K, T, J, 2), step by step: (B, T); 0 for K = 1."""
    count = samples.shape[1]
    total = torch.zeros_like(samples[:, 0, :, 0, 0])                                 # (B, T)
    for shift in range(1, count // 2 + 1):           # every pair once, without a (B, K, K, T, J, 2) tensor; at half of K twice
        distance = _pose_distance(samples, samples.roll(shift, 1)).mean(1)
        total += distance * (1 if 2 * shift == count else 2)
    return total / max(1, count - 1)


def pose_metrics(samples, truth, source):
    """How near K sampled futures of a row come to what happened, and how they differ from each other.

    Args:
        samples: (B, K, T, J, 2).
        truth: (B, T, J, 2).
        source: (B, J, 2), the pose that the prediction starts from.
    Returns:
        dict of (B,) tensors:
        `ade` average displacement error: distance to the truth, mean over joints, steps and samples;
        `ade_best` the same for the sample with the smallest one; `ade_of_mean` the same of the mean of the samples;
        `fde` final displacement error: as `ade`, of the last step only; `fde_best` of the sample with the smallest one,
        `fde_of_mean` of the mean of the samples;
        `energy_score` `ade - spread / 2`, a proper score (its mean is least for the true distribution): E d(X, y) -
        E d(X, X') / 2 at each step with d the mean over joints of distances (Gneiting and Raftery, *Strictly proper scoring
        rules, prediction, and estimation*, JASA 2007, section 4.2), unbiased; for K = 1 it is `ade`;
        `spread` distance of two different samples, mean over joints, steps and pairs;
        `apd` average pairwise distance (diversity): L2 distance of two samples as vectors of all T*J*2 coordinates, mean
        over all pairs of the K samples (Yuan and Kitani, DLow, 2020); 0 for K = 1;
        `zero_velocity_ade`, `zero_velocity_fde`: of the prediction that repeats the source pose (Martinez et al., CVPR 2017).
    """
    distance = _pose_distance(samples, truth[:, None])                               # (B, K, T)
    still = _pose_distance(source[:, None], truth)                                   # (B, T)
    of_mean = _pose_distance(samples.mean(1), truth)                                 # (B, T)
    count = samples.shape[1]
    flat = samples.flatten(2)
    pairs = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")     # (B, K, K)
    ade, fde, spread = distance.mean(-1), distance[..., -1], sample_spread(samples).mean(-1)
    return {"ade": ade.mean(1), "ade_best": ade.amin(1), "ade_of_mean": of_mean.mean(-1),
            "fde": fde.mean(1), "fde_best": fde.amin(1), "fde_of_mean": of_mean[:, -1],
            "energy_score": ade.mean(1) - spread / 2, "spread": spread,
            "apd": pairs.sum((1, 2)) / max(1, count * (count - 1)),
            "zero_velocity_ade": still.mean(-1), "zero_velocity_fde": still[:, -1]}


def pose_curves(samples, truth, source):
    """The same at each step: dict of (B, T) tensors `energy_score`, `ade`, `ade_of_mean`, `ade_best` (of the sample that is best
    at that step) and `zero_velocity_ade`. Args as of :func:`pose_metrics`."""
    distance = _pose_distance(samples, truth[:, None])                               # (B, K, T)
    return {"energy_score": distance.mean(1) - sample_spread(samples) / 2, "ade": distance.mean(1),
            "ade_of_mean": _pose_distance(samples.mean(1), truth), "ade_best": distance.amin(1),
            "zero_velocity_ade": _pose_distance(source[:, None], truth)}


def image_metrics(pictures, truth):
    """How near painted pictures come to the real ones.

    Args:
        pictures, truth: (B, T, 3, S, S) in [-1, 1].
    Returns:
        dict of (B,) tensors, means over the T pictures: `psnr` in dB and `ssim` (Gaussian window of 11 pixels), by
        torchmetrics, of whole pictures in [0, 1], padding included.
    """
    from torchmetrics.functional.image import (  # slow to import, and not needed for poses
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )
    steps = pictures.shape[:2]
    pictures, truth = (((value.flatten(0, 1).float() + 1) / 2).clamp(0, 1) for value in (pictures, truth))
    psnr = peak_signal_noise_ratio(pictures, truth, data_range=1.0, reduction="none", dim=(1, 2, 3))
    ssim = structural_similarity_index_measure(pictures, truth, data_range=1.0, reduction="none")
    # two pictures that are the same to the last bit would have infinite dB; 8-bit pictures end near 100
    return {"psnr": psnr.clamp(max=100).view(steps).mean(1), "ssim": ssim.view(steps).mean(1)}


@functools.cache
def _lpips():
    """LPIPS (AlexNet) by torchmetrics, or None where torchvision's AlexNet weights are not in its cache; none are fetched."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    from torchvision.models import AlexNet_Weights
    name = AlexNet_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    if not (Path(torch.hub.get_dir()) / "checkpoints" / name).exists():
        return None
    return LearnedPerceptualImagePatchSimilarity(net_type="alex")


def lpips(pictures, truth):
    """{"lpips": (B,)} of (B, T, 3, S, S) pictures in [-1, 1], a mean over T; {} where its weights are not at hand."""
    network = _lpips()
    if network is None:
        return {}
    with torch.no_grad():
        return {"lpips": torch.stack([network(one.clamp(-1, 1), other.clamp(-1, 1))
                                      for one, other in zip(pictures.float(), truth.float())])}


def summarise(values, action, names, scales):
    """Means over rows, for each action and overall.

    Args:
        values: metric name -> (N,) tensor.
        action: (N,) int64 ids.
        names: action names by id.
        scales: unit name -> factor.
    Returns:
        {"overall": group, "actions": {name: group}}, where a group is {"rows": n, unit: {metric: mean}}. Rows whose value is NaN
        do not count, and a mean of none is None.
    """
    def mean(value, scale):
        known = value[~value.isnan()].double()
        return float(known.mean()) * scale if len(known) else None

    def group(rows):
        return {"rows": int(rows.sum()), **{unit: {name: mean(value[rows], scale) for name, value in values.items()}
                                            for unit, scale in scales.items()}}

    return {"overall": group(torch.ones_like(action, dtype=torch.bool)),
            "actions": {names[index]: group(action == index) for index in action.unique().tolist()}}
