"""Evaluation of P2I: sample sheets, PSNR and SSIM, GIFs, videos and strips, a gallery."""
import cv2
import numpy as np
import torch
from tqdm import tqdm

from evaluation.gallery import Card, metric_table, write_gallery
from evaluation.metrics import image_metrics, lpips, pose_metrics, summarise
from evaluation.picture_metrics import flicker, identity, psnr_by_region, sharpness
from evaluation.poses import sample_rows
from evaluation.results import FAKE, REAL, drawing, highlights, metrics_file, new_results, units, write_overview
from evaluation.sampling import evenly_spaced, scored_rows
from pose.drawing import draw_poses
from utils.drawing import grid, label
from utils.files import write_json
from utils.media import write_gif, write_image, write_mp4
from utils.pages import image
from utils.transform import as_image, as_pictures

ROWS = 8                  # painted at once
QUICK_ROWS = 64
STRIPS = "strips"
OVERVIEW_SIZE, OVERVIEW_STILL = 128, 3      # pixels of a cell of overview.gif; frames that a picture stays
KINDS = {"sampled": "sampled poses", "true_poses": "true poses", "copy_source": "source copied"}
METRICS = ("psnr", "ssim", "lpips")
CLOSER = {"psnr_inside_true_poses": "PSNR inside the person's box", "psnr_outside_true_poses": "outside",
          "sharpness_true_poses": "sharpness", "flicker_true_poses": "flicker", "identity": "own pose, PSNR"}


def paint_rows(trainer, dataset, rows, futures):
    """Paint rows twice, with sampled and with true poses.

    Args:
        trainer: :class:`trainer_actvae_p2inetwork.Trainer`.
        rows: B row numbers.
        futures: (B, T, J, 2), one sampled future of each.
    Returns:
        dict of (B, T, 3, S, S) images in [-1, 1] on the CPU: `truth`, and one for each of `KINDS`; `source_pose`, painted in the
        source's own pose, (B, 1, 3, S, S).
    """
    steps = futures.shape[1]
    images = torch.stack([as_image(dataset.pictures(row, range(steps + 1))) for row in rows])
    poses, action = dataset.poses[rows], dataset.action[rows]
    wanted = torch.cat([futures, poses[:, 1:steps + 1], poses[:, :1]], 1)                       # (B, 2T + 1, J, 2)
    painted = trainer.paint(images[:, 0], poses[:, 0], wanted, action).float().cpu()
    return {"truth": images[:, 1:], "sampled": painted[:, :steps], "true_poses": painted[:, steps:-1],
            "source_pose": painted[:, -1:], "copy_source": images[:, :1].expand(-1, steps, -1, -1, -1)}


def measure(painted):
    """`{metric}_{kind}` -> (B,) of what :func:`paint_rows` returned."""
    return {f"{metric}_{kind}": value for kind in KINDS
            for metrics in (image_metrics, lpips) for metric, value in metrics(painted[kind], painted["truth"]).items()}


def measure_closer(painted, boxes):
    """How the person and what is around it are painted in the true poses, how sharp and how steady, see
    :mod:`evaluation.picture_metrics`: name -> (B,), NaN where there is nothing to measure.

    Args:
        painted: what :func:`paint_rows` returned.
        boxes: (B, T, 1, S, S), 1 inside the person's box.
    """
    fake, truth = painted["true_poses"], painted["truth"]
    regions = psnr_by_region(fake, truth, boxes)
    values = {name: regions[name] for name in ("psnr_inside", "psnr_outside")} | {"sharpness": sharpness(fake, truth)}
    if truth.shape[1] > 2:
        values["flicker"] = flicker(fake, truth)
    return {**{f"{name}_true_poses": value for name, value in values.items()},
            "identity": identity(painted["source_pose"][:, 0], painted["copy_source"][:, 0])}


class ImageEvaluation:
    """How well P2I paints. Args of its methods: a trainer with loaded weights, a list's data."""

    module = "pictures"
    words = (", true poses: PSNR {psnr_true_poses:.2f} dB, SSIM {ssim_true_poses:.3f}; "
             "copying the source: {psnr_copy_source:.2f} dB, {ssim_copy_source:.3f}")
    legend = ("Each line of a sheet: the source, what really happened, painted with the true poses, painted with sampled poses, "
              "and those poses.")

    def sheet(self, trainer, dataset, count):
        """A picture of `count` rows of a list: source, truth, painted with true poses, with sampled poses, those poses."""
        rows = evenly_spaced(len(dataset), count)
        futures = sample_rows(trainer, dataset, rows, 1, trainer.pose_module.steps(dataset.targets))[:, 0]
        painted = {kind: as_pictures(images) for kind, images in paint_rows(trainer, dataset, rows, futures).items()}
        return grid([[painted["copy_source"][index, 0], None, *painted["truth"][index], None, *painted["true_poses"][index], None,
                      *painted["sampled"][index], None, *draw_poses(futures[index], dataset.imsize)]
                     for index in range(len(rows))])

    def quick_metrics(self, trainer, dataset):
        """Mean `{metric}_{kind}` over a small even part of a list."""
        rows = evenly_spaced(len(dataset), QUICK_ROWS)
        futures = sample_rows(trainer, dataset, rows, 1, trainer.pose_module.steps(dataset.targets))[:, 0]
        parts = [measure(paint_rows(trainer, dataset, rows[first:first + ROWS], futures[first:first + ROWS]))
                 for first in range(0, len(rows), ROWS)]
        return {name: float(torch.cat([part[name] for part in parts]).mean()) for name in parts[0]}

    def test(self, trainer, dataset, request, log):
        """Sample and paint the test list; write GIFs, videos, strips, `metrics.json` and the gallery.

        Args and result: as :meth:`evaluation.poses.PoseEvaluation.test`; the pictures show the first sample.
        """
        steps = request.steps or trainer.pose_module.steps(dataset.targets)
        rows, folder = scored_rows(dataset, steps, request.limit), request.folder
        futures = sample_rows(trainer, dataset, rows, request.samples, steps, request.seed, progress=True)
        poses, action = dataset.poses[rows], dataset.action[rows]
        shown, one_each = highlights(action)
        drawn = set(range(len(rows))) if request.gifs == "all" else shown
        parts, cards, overview = [], [], []
        with new_results(folder, (REAL, FAKE, STRIPS)) as part:
            with tqdm(total=len(rows), desc="painting", unit="row") as bar, drawing(len(drawn)) as draw:
                for first in range(0, len(rows), ROWS):
                    some = rows[first:first + ROWS]
                    painted = paint_rows(trainer, dataset, some, futures[first:first + ROWS, 0])
                    boxes = torch.stack([dataset.masks(row, range(steps)) for row in some])
                    parts.append({**measure(painted), **measure_closer(painted, boxes)})
                    for offset, row in enumerate(some):
                        index = first + offset
                        if index not in drawn and index not in one_each:
                            continue
                        pictures = {kind: as_pictures(images[offset]) for kind, images in painted.items()}
                        if index in drawn:
                            draw(write_row, part, dataset.row_stem(row), pictures, draw_poses(futures[index, 0], dataset.imsize))
                            card = row_card(dataset, row, float(parts[-1]["psnr_true_poses"][offset]))
                            cards.append((card, card if index in shown else None))
                        if index in one_each:
                            words = dataset.rows.actions[action[index]].replace("_", " ")
                            source = pictures["copy_source"][:1]
                            overview.append([(caption, enlarge(np.concatenate([source, pictures[kind]])))
                                             for caption, kind in ((words, "truth"), ("predicted", "sampled"))])
                    bar.update(len(some))
            image_values = {name: torch.cat([values[name] for values in parts]) for name in parts[0]}
            pose_values = pose_metrics(futures, poses[:, 1:steps + 1], poses[:, 0])
            metrics = metrics_file(self.module, trainer, dataset, rows, steps, request,
                                   summarise(pose_values, action, dataset.rows.actions, units(dataset)))
            pictures = summarise(image_values, action, dataset.rows.actions, {"pictures": 1.0})
            for target, source in zip(_groups(metrics), _groups(pictures)):
                target["pictures"] = source["pictures"]
            overall = metrics["overall"]["pictures"]
            columns = [(f"{metric}_{kind}", f"{metric.upper()}, {words}") for metric in METRICS for kind, words in KINDS.items()
                       if f"{metric}_{kind}" in overall]
            write_json(part / "metrics.json", metrics)
            write_overview(part / "overview.gif", overview)
            write_gallery(part, "Predicted videos", f"{len(rows)} rows of {dataset.rows.path.name}, painted from "
                          f"{request.origin} (iteration {trainer.iteration}). PSNR in dB and SSIM against what happened, "
                          f"pictures of {dataset.imsize} px.", metric_table(metrics, columns, "pictures", digits=3), cards)
        for kind, words in KINDS.items():
            log.info("%-14s PSNR %.2f dB  SSIM %.3f", words, overall[f"psnr_{kind}"], overall[f"ssim_{kind}"])
        closer = {name: overall[name] for name in parts[0] if name in CLOSER and overall[name] is not None}
        log.info("true poses     %s", "  ".join(f"{CLOSER[name]} {value:.2f}" for name, value in closer.items()))
        log.info("gallery: %s", folder / "index.html")
        return metrics


def enlarge(pictures, size=OVERVIEW_SIZE, hold=OVERVIEW_STILL):
    """Pictures (T, S, S, 3) in the size of an overview's cell, each for `hold` frames."""
    return np.repeat([cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC) for picture in pictures], hold, axis=0)


def _groups(summary):
    return [summary["overall"], *summary["actions"].values()]


def write_row(folder, stem, pictures, figures):
    """The files of one row: pictures, kind -> (T, S, S, 3), and the sampled poses drawn, (T, S, S, 3)."""
    for place, kind in ((REAL, "truth"), (FAKE, "sampled")):
        write_gif(folder / place / f"{stem}.gif", pictures[kind], photo=True)
        write_mp4(folder / place / f"{stem}.mp4", pictures[kind])
    source = pictures["copy_source"][0]
    blank = np.zeros_like(source)
    lines = (("what happened", source, pictures["truth"]), ("true poses", blank, pictures["true_poses"]),
             ("sampled poses", blank, pictures["sampled"]), ("", blank, figures))
    write_image(folder / STRIPS / f"{stem}.jpg", grid([[first, None, label(motion[0], words), *motion[1:]]
                                                       for words, first, motion in lines]))


def row_card(dataset, row, psnr):
    """The gallery's card of a row."""
    stem = dataset.row_stem(row)
    videos = "<br>".join(f'<a href="{place}/{stem}.mp4">{words}</a>'
                         for place, words in ((REAL, "what happened"), (FAKE, "predicted")))
    return Card(dataset.rows.actions[dataset.action[row]], dataset.row_title(row), f"true poses: {psnr:.1f} dB",
                [("what happened", image(f"{REAL}/{stem}.gif")), ("predicted", image(f"{FAKE}/{stem}.gif")),
                 ("strip", f'<a href="{STRIPS}/{stem}.jpg">{image(f"{STRIPS}/{stem}.jpg", "strip")}</a>'),
                 ("as MP4", videos)])
