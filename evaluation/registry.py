"""Every number of `metrics.json`. `python -m evaluation.registry` prints this table as Markdown, for docs/metrics.md.

To add a metric, write a function in motion_metrics.py, picture_metrics.py or recognition.py and list it in METRICS. The tests of
both modules then measure it.
"""
from collections.abc import Callable
from typing import NamedTuple

from evaluation import motion_metrics as motion
from evaluation import picture_metrics as pictures
from evaluation.recognition import recognised

MOTION, CURVE, RATIOS, PICTURES = "motion", "curve", "ratios", "pictures"
LOWER, HIGHER, NEAR_1, NEAR_TRUE, REFERENCE = BETTER = "lower", "higher", "near 1", "near its `_true`", "reference"
VIDEO_KINDS = {"sampled": "sampled poses", "true_poses": "true poses", "copy_source": "source copied"}

HEADER = {
    "module": "the tested module: `poses` or `pictures`",
    "weights": "where the weights come from",
    "iteration": "training iteration of the weights",
    "list": "the test list",
    "list_sha256": "its check sum",
    "rows": "number of scored windows (rows of the list); each group has its own",
    "rows_in_list": "number of windows in the list",
    "rows_too_short": "number of windows that were not scored, because their clip ends before the last step",
    "rows_frozen": "number of scored windows that repeat one frame in every step, because their video is too short (defect D9)",
    "samples": "K, sampled futures of each window",
    "seed": "seed of the noise",
    "steps": "T, predicted poses of each sample",
    "imsize": "S, side of the picture in pixels",
    "overall": "the scores of all windows",
    "actions": "the scores of each action, by its name",
}
SECTIONS = {
    MOTION: ("pixels", "Motion, under `normalised` ([-1, 1] is the whole picture) and `pixels` (times S / 2)"),
    CURVE: ("curve.pixels", "The same at each step, under `curve.normalised` and `curve.pixels`: lists of T numbers"),
    RATIOS: ("ratios", "Motion, under `ratios`"),
    PICTURES: ("pictures", "P2I's test: rendered videos of the first sample, under `pictures`; `null` where no window counts"),
}


class Metric(NamedTuple):
    """One number of `metrics.json`."""

    name: str                     # its key
    place: str                    # MOTION, RATIOS or PICTURES
    unit: str
    better: str                   # one of BETTER
    meaning: str
    function: Callable            # Futures, or a dict of Videos for PICTURES -> (B,) with NaN where it does not count, or (B, T)
    column: str = ""              # heading in the gallery's table; "": not shown
    curve: str = ""               # name in the gallery's chart, of metrics that return (B, T); "": not shown


def compared(name, place, unit, meaning, measure, smooth=False):
    """A metric of one motion, `measure(poses (..., T, J, 2), source (..., J, 2)) -> (...)`, and its value for true motion."""
    return [Metric(name, place, unit, NEAR_TRUE, meaning, lambda futures: measure(futures.samples, futures.starts).mean(1)),
            Metric(f"{name}_true", place, unit, REFERENCE, f"`{name}` of the true motion" + (
                ", smoothed in time with the weights (1 2 1) / 4: annotations jitter." if smooth else "."),
                lambda futures: measure(motion.smoothed(futures.truth, futures.source) if smooth else futures.truth,
                                        futures.source))]


def of_videos(name, unit, better, meaning, function, kinds=("true_poses",), column=""):
    """A metric of :class:`evaluation.picture_metrics.Videos` for several kinds of video."""
    return [Metric(f"{name}_{kind}", PICTURES, unit, REFERENCE if kind == "copy_source" else better,
                   f"{meaning} Video: {VIDEO_KINDS[kind]}.", lambda videos, kind=kind: function(videos[kind]),
                   column and f"{column}, {VIDEO_KINDS[kind]}") for kind in kinds]


METRICS = [                       # in the order of the tables
    Metric("energy_score", MOTION, "length", LOWER,
           "E d(X, y) - E d(X, X') / 2 at each step, for samples X and truth y, where d is the mean distance of the joints. It "
           "is a proper score: its mean is least for the true distribution. Unbiased estimate (Gneiting and Raftery, JASA 2007, "
           "section 4.2). For one sample it is `ade`.",
           lambda futures: futures.distance.mean(1) - futures.spread / 2, "energy score", "energy score"),
    Metric("ade", MOTION, "length", LOWER,
           "Average displacement error: distance to the truth, mean over joints, steps and samples.",
           lambda futures: futures.distance.mean(1), "ADE of a sample", "a sample"),
    Metric("ade_of_mean", MOTION, "length", LOWER, "`ade` of the mean of the samples.",
           lambda futures: futures.mean_distance, "ADE of the samples' mean", "mean of the samples"),
    Metric("ade_best", MOTION, "length", LOWER, "`ade` of the best of the K samples (Yuan and Kitani, ECCV 2020).",
           lambda futures: futures.distance.nanmean(-1).amin(1), "ADE, best sample"),
    Metric("zero_velocity_ade", MOTION, "length", REFERENCE,
           "`ade` of the zero-velocity baseline, which repeats the source pose (Martinez et al., CVPR 2017).",
           lambda futures: futures.zero_velocity, "ADE, zero-velocity baseline", "zero-velocity baseline"),
    Metric("fde", MOTION, "length", LOWER, "Final displacement error: `ade` of the last step only.",
           lambda futures: futures.distance[..., -1].mean(1), "FDE of a sample"),
    Metric("fde_best", MOTION, "length", LOWER, "`fde` of the best of the K samples.",
           lambda futures: futures.distance[..., -1].amin(1), "FDE, best sample"),
    Metric("fde_of_mean", MOTION, "length", LOWER, "`fde` of the mean of the samples.",
           lambda futures: futures.mean_distance[:, -1]),
    Metric("zero_velocity_fde", MOTION, "length", REFERENCE, "`fde` of the zero-velocity baseline.",
           lambda futures: futures.zero_velocity[:, -1], "FDE, zero-velocity baseline"),
    Metric("ade_all_joints", MOTION, "length", LOWER, "`ade` over all joints, visible or not: the published definition.",
           lambda futures: futures.distance_of_all.mean((1, 2))),
    Metric("fde_all_joints", MOTION, "length", LOWER, "`fde` over all joints, visible or not.",
           lambda futures: futures.distance_of_all[..., -1].mean(1)),
    Metric("apd", MOTION, "length", HIGHER,
           "Average pairwise distance (diversity): L2 distance of two samples as vectors of all coordinates, mean over all pairs "
           "(Yuan and Kitani, ECCV 2020); 0 for one sample.", motion.pairwise_distance, "diversity (APD)"),
    *compared("acceleration", MOTION, "length per step squared",
              "Norm of the second difference in time of a joint's position, mean over joints, steps and samples; 0 for one step.",
              motion.mean_acceleration),
    *compared("peak_speed", MOTION, "length per step", "Largest distance that a wrist moves in one step, mean over wrists and "
              "samples.", lambda poses, source: motion.wrist_speeds(poses, source).amax(-2).mean(-1), smooth=True),
    *compared("path_length", MOTION, "length", "Length of the path of a wrist, mean over wrists and samples.",
              lambda poses, source: motion.wrist_speeds(poses, source).sum(-2).mean(-1), smooth=True),
    *compared("bone_drift", RATIOS, "fraction of the source's mean bone length",
              "Change of a bone's length in the picture since the source, mean over bones, steps and samples. Bones that turn "
              "towards the camera change their length in true motion as well.", motion.bone_change),
    Metric("joints_counted", RATIOS, "fraction", REFERENCE,
           "Fraction of the true joints that are visible, and count in the distances; 1 without annotations.",
           lambda futures: futures.visible.float().mean((1, 2))),
    Metric("recognised", RATIOS, "fraction", HIGHER,
           "Fraction of the first four samples that a small classifier, trained on true motion, assigns to the right action "
           "(recognition accuracy: Guo et al., Action2Motion, 2020).",
           lambda futures: recognised(futures, futures.samples[:, :4], futures.starts[:, :4])),
    Metric("recognised_true", RATIOS, "fraction", REFERENCE, "`recognised` of the true motion.",
           lambda futures: recognised(futures, futures.truth[:, None], futures.source[:, None])),
    *of_videos("psnr", "dB", HIGHER, "Peak signal-to-noise ratio of whole pictures, padding included, mean over the pictures, at "
               "most 100.", pictures.psnr, VIDEO_KINDS, "PSNR"),
    *of_videos("ssim", "fraction", HIGHER, "Structural similarity (Wang et al., 2004; Gaussian window of 11 pixels) of whole "
               "pictures, mean over the pictures.", pictures.ssim, VIDEO_KINDS, "SSIM"),
    *of_videos("lpips", "distance of features", LOWER, "Learned perceptual distance (AlexNet; Zhang et al., CVPR 2018), mean "
               "over the pictures; left out where torchvision's cache has no AlexNet weights.", pictures.lpips, VIDEO_KINDS,
               "LPIPS"),
    *of_videos("psnr_inside", "dB", HIGHER, "PSNR inside the person's box; pictures without a box do not count.",
               pictures.psnr_inside),
    *of_videos("psnr_outside", "dB", HIGHER, "PSNR outside the person's box.", pictures.psnr_outside),
    *of_videos("flicker", "ratio", NEAR_1, "Mean second difference in time of a pixel, divided by that of the real video. Real "
               "videos without motion do not count; left out for fewer than three pictures.", pictures.flicker),
    Metric("identity", PICTURES, "dB", HIGHER, "PSNR of the picture rendered in the source's own pose against the source.",
           lambda videos: pictures.psnr(videos["source_pose"])),
]


def listed(place):
    """The metrics of a place; those of CURVE are the ones of MOTION that have a curve."""
    return [each for each in METRICS if (each.curve if place == CURVE else each.place == place)]


def measure(place, data):
    """The metrics of a place: name -> (B,), or (B, T) of metrics with a curve. Metrics that cannot be measured are left out."""
    found = {each.name: each.function(data) for each in listed(place)}
    return {name: value for name, value in found.items() if value is not None}


def markdown():
    """The registry as Markdown tables."""
    lines = ["| key | what it is |", "|---|---|", *(f"| `{key}` | {meaning} |" for key, meaning in HEADER.items())]
    for place, (path, title) in SECTIONS.items():
        lines += ["", f"{title}.", "", "| key | unit | better | what it is |", "|---|---|---|---|",
                  *(f"| `{path}.{each.name}` | {each.unit} | {each.better} | {each.meaning} |" for each in listed(place))]
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
