"""Evaluation of a pose module: sample sheets, metrics, the published GIFs, a gallery."""
import torch
from tqdm import tqdm

from evaluation.gallery import FAN, Card, curve_chart, metric_table, moving_figures, write_gallery
from evaluation.metrics import pose_metrics
from evaluation.recognition import find_classifier
from evaluation.results import FAKE, REAL, drawing, highlights, metrics_file, new_results, units, write_overview
from evaluation.sampling import evenly_spaced, scored_rows, source_rows, valid_rows
from evaluation.scores import MotionScores
from pose.drawing import as_sequence, draw_poses, smooth
from utils.drawing import grid
from utils.files import write_json
from utils.media import write_gif
from utils.pages import image

PROGRESS_ROWS = 64        # sampled between two steps of the progress bar
GIF_SAMPLES = 2           # sampled sequences a row that are drawn, as published
OVERVIEW_SIZE = 96        # pixels of a cell of overview.gif
OVERVIEW_SAMPLES = 4      # futures a row there
QUICK_ROWS, QUICK_SAMPLES = 256, 5


def sample_chunks(trainer, dataset, rows, samples, steps, seed=0, progress=False):
    """Sampled futures of some rows of a list, a few rows at a time: (first, (b, samples, steps, J, 2) on the CPU), where `first`
    counts in `rows`."""
    with tqdm(total=len(rows), desc="sampling", unit="row", disable=not progress) as bar:
        for first in range(0, len(rows), PROGRESS_ROWS):
            source = source_rows(dataset, rows[first:first + PROGRESS_ROWS])
            yield first, trainer.predict(source, samples, steps, seed, painted=0).poses
            bar.update(len(source.rows))


def sample_rows(trainer, dataset, rows, samples, steps, seed=0, progress=False):
    """Sampled futures of some rows of a list, (len(rows), samples, steps, J, 2) on the CPU."""
    return torch.cat([poses for _, poses in sample_chunks(trainer, dataset, rows, samples, steps, seed, progress)])


def score_rows(trainer, dataset, rows, samples, steps, seed=0, classifier=None, kept=None, progress=False):
    """Scores of some rows of a list.

    Args:
        classifier: see :class:`evaluation.scores.MotionScores`.
        kept: index in `rows` -> how many of its samples to keep; their futures (n, T, J, 2) replace it. Of one sample a row two
            may be kept.
    Returns:
        the :class:`evaluation.scores.MotionScores`.
    """
    scores, kept = MotionScores(classifier), {} if kept is None else kept
    drawn = max(samples, GIF_SAMPLES) if kept else samples
    for first, futures in sample_chunks(trainer, dataset, rows, drawn, steps, seed, progress):
        numbers = rows[first:first + len(futures)]
        poses = dataset.poses[numbers]
        scores.add(futures[:, :samples], poses[:, 1:steps + 1], poses[:, 0], dataset.action[numbers])
        for index in kept.keys() & set(range(first, first + len(futures))):
            kept[index] = futures[index - first, :kept[index]].clone()
    return scores


class PoseEvaluation:
    """How well a pose module predicts. Args of its methods: a trainer with loaded weights, a list's data."""

    module = "poses"
    words = ": ADE {ade:.2f} px, best of 5 {ade_best:.2f}, standing still {zero_velocity_ade:.2f}"
    legend = "Each line of a sheet: the source, what really happened in the next frames, and two sampled futures."

    def sheet(self, trainer, dataset, count):
        """A picture of `count` rows of a list: source, ground truth, two samples."""
        rows, steps = evenly_spaced(len(dataset), count), trainer.pose_module.steps(dataset.targets)
        lines = []
        for row, samples in zip(rows, sample_rows(trainer, dataset, rows, GIF_SAMPLES, steps)):
            sequence = draw_poses(dataset.poses[row, :steps + 1], dataset.imsize)
            lines.append([sequence[0], None, *sequence[1:], *(cell for sample in draw_poses(samples, dataset.imsize)
                                                              for cell in (None, *sample))])
        return grid(lines)

    def quick_metrics(self, trainer, dataset):
        """Overall pose metrics, in pixels of the crop, over a small even part of a list."""
        steps = trainer.pose_module.steps(dataset.targets)
        rows = valid_rows(dataset, steps)
        rows = rows[evenly_spaced(len(rows), QUICK_ROWS)] if len(rows) else evenly_spaced(len(dataset), QUICK_ROWS)
        poses = dataset.poses[rows]
        values = pose_metrics(sample_rows(trainer, dataset, rows, QUICK_SAMPLES, steps), poses[:, 1:steps + 1], poses[:, 0])
        return {name: float(value.mean()) * dataset.imsize / 2 for name, value in values.items()}

    def test(self, trainer, dataset, request, log):
        """Sample the test list, measure it, write GIFs, `metrics.json` and the gallery.

        Args:
            dataset: :class:`dataset.image_loader2_test.PennActionTestPairs`.
            request: :class:`evaluation.results.Request`.
            log: logger.
        Returns:
            the content of `metrics.json`.
        """
        steps = request.steps or trainer.pose_module.steps(dataset.targets)
        rows, folder = scored_rows(dataset, steps, request.limit), request.folder
        poses, action = dataset.poses[rows], dataset.action[rows]
        shown, one_each = highlights(action)
        drawn = range(len(rows)) if request.gifs == "all" else sorted(shown)
        futures = {**dict.fromkeys(drawn, GIF_SAMPLES), **dict.fromkeys(one_each, OVERVIEW_SAMPLES), **dict.fromkeys(shown, FAN)}
        scores = score_rows(trainer, dataset, rows, request.samples, steps, request.seed,
                            find_classifier(request.read_training, steps, log), futures, progress=True)
        metrics = metrics_file(self.module, trainer, dataset, rows, steps, request,
                               scores.summary(action, dataset.rows.actions, units(dataset)))
        ade = scores.values["ade"]
        with new_results(folder) as part:
            cards = []
            with drawing(len(drawn)) as draw:
                for index in drawn:
                    draw(write_row, part, dataset.row_stem(rows[index]), poses[index, 1:steps + 1], futures[index][:GIF_SAMPLES],
                         dataset.imsize)
                    cards.append(row_card(dataset, rows[index], poses[index, :steps + 1], futures[index], ade[index],
                                          index in shown))
            numbers = metric_table(metrics) + curve_chart(metrics["overall"]["curve"]["pixels"])
            write_json(part / "metrics.json", metrics)
            write_gallery(part, "Sampled motion", f"{len(rows)} rows of {dataset.rows.path.name}, {request.samples} samples "
                          f"each, from {request.origin} (iteration {trainer.iteration}). Distances in pixels of the "
                          f"{dataset.imsize} px picture.", numbers, cards)
            write_overview(part / "overview.gif", [
                [(words, draw_poses(smooth(motion), OVERVIEW_SIZE)) for words, motion in (
                    (dataset.rows.actions[action[index]].replace("_", " "), poses[index, :steps + 1]),
                    *((f"sample {number + 1}", as_sequence(poses[index, 0], future))
                      for number, future in enumerate(futures[index][:OVERVIEW_SAMPLES])))] for index in one_each])
        overall = metrics["overall"]["pixels"]
        log.info("%d rows, %d samples each, %d steps, pixels of the %d px crop: energy score %.2f; ADE %.2f, best of %d %.2f; "
                 "FDE %.2f, best %.2f; diversity %.1f; standing still: ADE %.2f, FDE %.2f", len(rows), request.samples, steps,
                 dataset.imsize, overall["energy_score"], overall["ade"], request.samples, overall["ade_best"], overall["fde"],
                 overall["fde_best"], overall["apd"], overall["zero_velocity_ade"], overall["zero_velocity_fde"])
        log.info("gallery: %s", folder / "index.html")
        return metrics


def row_files(stem, samples=GIF_SAMPLES):
    """The GIFs of a row under their published names: (caption, path in the results)."""
    return [("what happened", f"{REAL}/{stem}.gif"),
            *((f"sample {number + 1}", f"{FAKE}/{stem}_{number}.gif") for number in range(samples))]


def write_row(folder, stem, truth, samples, size):
    """The GIFs of one row: truth (T, J, 2), samples (n, T, J, 2)."""
    for (_, path), motion in zip(row_files(stem, len(samples)), (truth, *samples)):
        write_gif(folder / path, draw_poses(motion, size))


def row_card(dataset, row, poses, futures, ade, highlight):
    """A row's cards for the gallery: with its GIFs, and for the first page (or None) with all samples as moving figures."""
    card = Card(dataset.rows.actions[dataset.action[row]], dataset.row_title(row), f"ADE {ade * dataset.imsize / 2:.1f} px",
                [(label, image(path)) for label, path in row_files(dataset.row_stem(row))])
    if not highlight:
        return card, None
    fan = moving_figures(as_sequence(poses[0], futures[:FAN]), poses)
    return card, card._replace(cells=[*card.cells, (f"{min(FAN, len(futures))} samples, truth in white", fan)])
