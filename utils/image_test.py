"""Looking at and measuring a trained P2I: sample sheets, PSNR and SSIM, GIFs, videos and strips."""
import cv2
import numpy as np
import torch
from tqdm import tqdm

from dataset.image_loader2 import as_image
from utils.files import write_json
from utils.metrics import image_metrics, lpips, pose_metrics, summarise
from utils.pose_test import FAKE, REAL, STEPS, highlights, metrics_file, results_folder, sample_rows, spread, write_overview
from utils.report import Card, image, metric_table, write_gallery
from utils.visualize import as_pictures, draw_poses, grid, label, write_gif, write_image, write_mp4

ROWS = 8                  # painted at once
LOOK_ROWS = 64            # of a quick look during training
STRIPS = "strips"
OVERVIEW_SIZE, OVERVIEW_STILL = 128, 3      # pixels of a cell of overview.gif; frames that a picture stays
KINDS = {"sampled": "sampled poses", "true_poses": "true poses", "copy_source": "source copied"}
METRICS = ("psnr", "ssim", "lpips")


def paint_rows(trainer, dataset, rows, futures):
    """Paint rows twice, with sampled and with true poses.

    Args:
        trainer: :class:`trainer_actvae_p2inetwork.Trainer`.
        rows: B row numbers.
        futures: (B, 4, 13, 2), one sampled future of each.
    Returns:
        dict of (B, 4, 3, S, S) images in [-1, 1]: `truth`, and one for each of `KINDS`.
    """
    images = torch.stack([as_image(dataset.pictures(row, range(STEPS + 1))) for row in rows])       # (B, 5, 3, S, S)
    poses, action = dataset.poses[rows], dataset.action[rows]
    both = torch.cat([futures, poses[:, 1:STEPS + 1]], 1)                                           # (B, 8, 13, 2)
    painted = trainer.paint(images[:, 0], poses[:, 0], both, action).float().cpu()
    return {"truth": images[:, 1:], "sampled": painted[:, :STEPS], "true_poses": painted[:, STEPS:],
            "copy_source": images[:, :1].expand(-1, STEPS, -1, -1, -1)}


def measure(painted):
    """`{metric}_{kind}` -> (B,) of what :func:`paint_rows` returned."""
    return {f"{metric}_{kind}": value for kind in KINDS
            for metrics in (image_metrics, lpips) for metric, value in metrics(painted[kind], painted["truth"]).items()}


def image_sheet(trainer, dataset, count, seed=0):
    """A picture of `count` rows of a list: source, truth, painted with true poses, with sampled poses, those poses."""
    rows = spread(len(dataset), count)
    futures = sample_rows(trainer, trainer.actvae, dataset, rows, 1, seed)[:, 0]
    painted = {kind: as_pictures(images) for kind, images in paint_rows(trainer, dataset, rows, futures).items()}
    return grid([[painted["copy_source"][index, 0], None, *painted["truth"][index], None, *painted["true_poses"][index], None,
                  *painted["sampled"][index], None, *draw_poses(futures[index], dataset.imsize)] for index in range(len(rows))])


def quick_metrics(trainer, dataset, seed=0):
    """Mean `{metric}_{kind}` over a small even part of a list."""
    rows = spread(len(dataset), LOOK_ROWS)
    futures = sample_rows(trainer, trainer.actvae, dataset, rows, 1, seed)[:, 0]
    parts = [measure(paint_rows(trainer, dataset, rows[first:first + ROWS], futures[first:first + ROWS]))
             for first in range(0, len(rows), ROWS)]
    return {name: float(torch.cat([part[name] for part in parts]).mean()) for name in parts[0]}


def test_images(trainer, dataset, folder, log, samples=20, seed=7, limit=None, origin=None):
    """Sample and paint the test list; write GIFs, videos, strips, `metrics.json` and the gallery.

    Args and result: as :func:`utils.pose_test.test_poses`; the pictures show the first sample.
    """
    rows = spread(len(dataset), limit)
    futures = sample_rows(trainer, trainer.actvae, dataset, rows, samples, seed, progress=True)
    poses, action = dataset.poses[rows], dataset.action[rows]
    shown, one_each = highlights(action)
    parts, cards, overview = [], [], []
    with results_folder(folder, (REAL, FAKE, STRIPS)) as part:
        with tqdm(total=len(rows), desc="painting", unit="row") as bar:
            for first in range(0, len(rows), ROWS):
                some = rows[first:first + ROWS]
                painted = paint_rows(trainer, dataset, some, futures[first:first + ROWS, 0])
                parts.append(measure(painted))
                pictures = {kind: as_pictures(images) for kind, images in painted.items()}
                for index, row in enumerate(some):
                    psnr = float(parts[-1]["psnr_true_poses"][index])
                    card = _write_row(part, dataset, row, {kind: value[index] for kind, value in pictures.items()},
                                      futures[first + index, 0], psnr)
                    cards.append((card, card if first + index in shown else None))
                    if first + index in one_each:
                        source = pictures["copy_source"][index, :1]
                        overview.append([(words, enlarge(np.concatenate([source, pictures[kind][index]]))) for words, kind in (
                            (card.action.replace("_", " "), "truth"), ("predicted", "sampled"))])
                bar.update(len(some))
        image_values = {name: torch.cat([values[name] for values in parts]) for name in parts[0]}
        pose_values = pose_metrics(futures, poses[:, 1:STEPS + 1], poses[:, 0])
        metrics = metrics_file(trainer, dataset, rows, samples, seed, origin, pose_values)
        pictures = summarise(image_values, action, dataset.rows.actions, {"pictures": 1.0})
        for target, source in zip(_groups(metrics), _groups(pictures)):
            target["pictures"] = source["pictures"]
        overall = metrics["overall"]["pictures"]
        columns = [(f"{metric}_{kind}", f"{metric.upper()}, {words}") for metric in METRICS for kind, words in KINDS.items()
                   if f"{metric}_{kind}" in overall]
        write_json(part / "metrics.json", metrics)
        write_overview(part / "overview.gif", overview)
        write_gallery(part, "Predicted videos", f"{len(rows)} rows of {dataset.rows.path.name}, painted from {origin} (iteration "
                      f"{trainer.iteration}). PSNR in dB and SSIM against what happened, pictures of {dataset.imsize} px.",
                      metric_table(metrics, columns, "pictures", digits=3), cards)
    for kind, words in KINDS.items():
        log.info("%-14s PSNR %.2f dB  SSIM %.3f", words, overall[f"psnr_{kind}"], overall[f"ssim_{kind}"])
    log.info("gallery: %s", folder / "index.html")
    return metrics


def enlarge(pictures, size=OVERVIEW_SIZE, hold=OVERVIEW_STILL):
    """Pictures (T, S, S, 3) in the size of an overview's cell, each for `hold` frames."""
    return np.repeat([cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC) for picture in pictures], hold, axis=0)


def _groups(summary):
    return [summary["overall"], *summary["actions"].values()]


def _write_row(folder, dataset, row, pictures, future, psnr):
    """The files of one row; returns its card."""
    video, frame, gap = dataset.frame_numbers[row].tolist()
    name = f"{video:04d}_{frame:04d}"
    for place, kind in ((REAL, "truth"), (FAKE, "sampled")):
        write_gif(folder / place / f"{name}.gif", pictures[kind], photo=True)
        write_mp4(folder / place / f"{name}.mp4", pictures[kind])
    source = pictures["copy_source"][0]
    blank = np.zeros_like(source)
    lines = (("what happened", source, pictures["truth"]), ("true poses", blank, pictures["true_poses"]),
             ("sampled poses", blank, pictures["sampled"]), ("", blank, draw_poses(future, dataset.imsize)))
    write_image(folder / STRIPS / f"{name}.jpg", grid([[first, None, label(motion[0], words), *motion[1:]]
                                                       for words, first, motion in lines]))
    videos = "<br>".join(f'<a href="{place}/{name}.mp4">{words}</a>'
                         for place, words in ((REAL, "what happened"), (FAKE, "predicted")))
    return Card(dataset.rows.actions[dataset.action[row]], f"video {video:04d}, frame {frame}, gap {gap}",
                f"true poses: {psnr:.1f} dB",
                [("what happened", image(f"{REAL}/{name}.gif")), ("predicted", image(f"{FAKE}/{name}.gif")),
                 ("strip", f'<a href="{STRIPS}/{name}.jpg">{image(f"{STRIPS}/{name}.jpg", "strip")}</a>'),
                 ("as MP4", videos)])
