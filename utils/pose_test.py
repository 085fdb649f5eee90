"""Looking at and measuring a trained ACT-VAE: sample sheets, metrics, the published GIFs."""
from contextlib import contextmanager

import numpy as np
import torch
from tqdm import tqdm

from trainer_actvae import STEPS
from utils.files import replaced_folder, write_json
from utils.metrics import pose_metrics, summarise
from utils.report import FAN, HIGHLIGHTS, Card, as_sequence, image, metric_table, moving_figures, write_gallery
from utils.visualize import draw_poses, grid, label, smooth, write_gif

TEST_BATCH = 64           # rows sampled at once
GIF_SAMPLES = 2           # sampled sequences a row that are drawn, as published
OVERVIEW_SIZE = 96        # pixels of a cell of overview.gif
OVERVIEW_COLUMNS = 3      # actions beside each other in overview.gif
OVERVIEW_FPS, OVERVIEW_HOLD = 10, 4
REAL, FAKE = "results_gif_real", "results_gif_fake"
LOOK_ROWS, LOOK_SAMPLES = 256, 5


def spread(count, limit):
    """At most `limit` indices spread evenly over `range(count)`."""
    return np.unique(np.linspace(0, count - 1, min(count, limit or count)).round().astype(int))


def sample_rows(trainer, model, dataset, rows, samples, seed, progress=False):
    """Sample futures of some rows with an ACT-VAE, in batches; (len(rows), samples, 4, 13, 2) on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    batches = torch.as_tensor(rows).split(TEST_BATCH)
    futures = []
    with tqdm(total=len(rows), desc="sampling", unit="row", disable=not progress) as bar, trainer.autocast():
        for batch in batches:
            pose, action = (values[batch].to(trainer.device) for values in (dataset.poses[:, 0], dataset.action))
            futures.append(model.sample(pose, action, samples, STEPS, generator).cpu())
            bar.update(len(batch))
    return torch.cat(futures)


def pose_sheet(trainer, dataset, count, seed=0):
    """A picture of `count` rows of a list: source, ground truth, two samples."""
    rows = spread(len(dataset), count)
    futures = sample_rows(trainer, trainer.model, dataset, rows, GIF_SAMPLES, seed)
    lines = []
    for row, samples in zip(rows, futures):
        sequence = draw_poses(dataset.poses[row, :STEPS + 1], dataset.imsize)
        lines.append([sequence[0], None, *sequence[1:], *(cell for sample in draw_poses(samples, dataset.imsize)
                                                          for cell in (None, *sample))])
    return grid(lines)


def quick_metrics(trainer, dataset, seed=0):
    """Overall pose metrics, in pixels of the crop, over a small even part of a list."""
    rows = spread(len(dataset), LOOK_ROWS)
    poses = dataset.poses[rows]
    futures = sample_rows(trainer, trainer.model, dataset, rows, LOOK_SAMPLES, seed)
    values = pose_metrics(futures, poses[:, 1:STEPS + 1], poses[:, 0])
    return {name: float(value.mean()) * dataset.imsize / 2 for name, value in values.items()}


def test_poses(trainer, dataset, folder, log, samples=20, seed=7, limit=None, origin=None):
    """Sample the test list, measure it, write GIFs, `metrics.json` and the gallery.

    Args:
        trainer: with loaded weights.
        dataset: :class:`dataset.image_loader2_test.PennActionTestPairs`.
        folder: where results go.
        log: logger.
        samples: K samples a row.
        limit: only so many rows, spread over the list.
        origin: where the weights come from, for `metrics.json`.
    Returns:
        the content of `metrics.json`.
    """
    rows = spread(len(dataset), limit)
    futures = sample_rows(trainer, trainer.model, dataset, rows, max(samples, GIF_SAMPLES), seed, progress=True)
    poses, action = dataset.poses[rows], dataset.action[rows]
    values = pose_metrics(futures[:, :samples], poses[:, 1:STEPS + 1], poses[:, 0])
    metrics = metrics_file(trainer, dataset, rows, samples, seed, origin, values)
    shown, one_each = highlights(action)
    with results_folder(folder) as part:
        cards = [_write_row(part, dataset, row, poses[index], futures[index], values["ade"][index], index in shown)
                 for index, row in enumerate(tqdm(rows, desc="GIFs", unit="row"))]
        write_json(part / "metrics.json", metrics)
        write_gallery(part, "Sampled motion", f"{len(rows)} rows of {dataset.rows.path.name}, {samples} samples each, from "
                      f"{origin} (iteration {trainer.iteration}). Distances in pixels of the {dataset.imsize} px picture.",
                      metric_table(metrics), cards)
        write_overview(part / "overview.gif", [
            [(words, draw_poses(smooth(motion), OVERVIEW_SIZE)) for words, motion in (
                (dataset.rows.actions[action[index]].replace("_", " "), poses[index, :STEPS + 1]),
                *((f"sample {number + 1}", as_sequence(poses[index, 0], future))
                  for number, future in enumerate(futures[index, :GIF_SAMPLES])))] for index in one_each])
    overall = metrics["overall"]["pixels"]
    log.info("%d rows, %d samples each, pixels of the %d px crop: ADE %.2f, best of %d %.2f; FDE %.2f, best %.2f; "
             "diversity %.1f; standing still: ADE %.2f, FDE %.2f", len(rows), samples, dataset.imsize, overall["ade"],
             samples, overall["ade_best"], overall["fde"], overall["fde_best"], overall["apd"],
             overall["zero_velocity_ade"], overall["zero_velocity_fde"])
    log.info("gallery: %s", folder / "index.html")
    return metrics


def metrics_file(trainer, dataset, rows, samples, seed, origin, values):
    """The content of `metrics.json`: what was tested, and the means of pose metrics (:func:`utils.metrics.pose_metrics`)."""
    return {"weights": str(origin), "iteration": trainer.iteration, "list": str(dataset.rows.path),
            "list_sha256": dataset.rows.sha256, "rows": len(rows), "rows_in_list": len(dataset), "samples": samples,
            "seed": seed, "steps": STEPS, "imsize": dataset.imsize,
            **summarise(values, dataset.action[rows], dataset.rows.actions,
                        {"normalised": 1.0, "pixels": dataset.imsize / 2})}


@contextmanager
def results_folder(folder, places=(REAL, FAKE)):
    """A folder for a test's results, which replaces those of an earlier test when all of it is written."""
    with replaced_folder(folder) as part:
        for name in places:
            (part / name).mkdir()
        yield part


def highlights(action):
    """Of rows with these action ids (N,): the indices that the gallery's first page shows, and one index of each action."""
    by_action = [(action == action_id).nonzero()[:, 0] for action_id in action.unique()]
    shown = {int(index) for members in by_action for index in members[spread(len(members), HIGHLIGHTS)]}
    return shown, [int(members[len(members) // 2]) for members in by_action]


def _write_row(folder, dataset, row, poses, futures, ade, highlight):
    """The GIFs of one row, and its cards for the gallery."""
    video, frame, gap = dataset.frame_numbers[row].tolist()
    name = f"{video:04d}_{frame:04d}"
    motions = [("what happened", f"{REAL}/{name}.gif", poses[1:STEPS + 1]),
               *((f"sample {number + 1}", f"{FAKE}/{name}_{number}.gif", future)
                 for number, future in enumerate(futures[:GIF_SAMPLES]))]
    for _, path, motion in motions:
        write_gif(folder / path, draw_poses(motion, dataset.imsize))
    card = Card(dataset.rows.actions[dataset.action[row]], f"video {video:04d}, frame {frame}, gap {gap}",
                f"ADE {ade * dataset.imsize / 2:.1f} px", [(label, image(path)) for label, path, _ in motions])
    if not highlight:
        return card, None
    fan = moving_figures(as_sequence(poses[0], futures[:FAN]), poses[:STEPS + 1])
    return card, card._replace(cells=[*card.cells, (f"{min(FAN, len(futures))} samples, truth in white", fan)])


def write_overview(path, cells, columns=OVERVIEW_COLUMNS):
    """One moving picture for all actions.

    Args:
        path: of the GIF.
        cells: for every action a list of (caption, pictures (T, S, S, 3)), which move side by side.
    """
    frames = []
    for time in range(len(cells[0][0][1])):
        blank = [np.zeros_like(cells[0][0][1][0])] * len(cells[0])
        shown = [[label(pictures[time], caption) for caption, pictures in cell] for cell in cells]
        shown += [blank] * (-len(shown) % columns if len(shown) > columns else 0)
        frames.append(grid([[part for cell in shown[first:first + columns] for part in (*cell, None)]
                            for first in range(0, len(shown), columns)]))
    write_gif(path, [*frames, *frames[-1:] * OVERVIEW_HOLD], fps=OVERVIEW_FPS)
