"""What the evaluations of both modules share: the numbers while training, and the test."""
from typing import NamedTuple

import torch
from tqdm import tqdm

from evaluation.gallery import curve_chart, metric_table, write_gallery
from evaluation.motion_metrics import Futures
from evaluation.recognition import find_classifier
from evaluation.registry import MOTION, PICTURES
from evaluation.results import FAKE, REAL, drawing, highlights, metrics_file, units, write_overview
from evaluation.sampling import evenly_spaced, sample_rows, scored_rows, valid_rows
from evaluation.scores import Scores
from utils.files import replaced_folder, write_json


class Chunk(NamedTuple):
    """A few scored rows."""

    first: int                  # index of the first one among all rows that are scored
    rows: list                  # B row numbers of the list
    futures: torch.Tensor       # (B, K, T, J, 2)
    painted: dict | None        # see :func:`evaluation.images.ImageEvaluation.paint`
    numbers: dict               # place -> name -> (B,)


class TestedRow(NamedTuple):
    """One row of a test, for drawing."""

    action: str
    title: str
    stem: str                   # its files' names begin with it
    poses: torch.Tensor         # (T + 1, J, 2) true poses, source first
    futures: torch.Tensor       # (K, T, J, 2)
    painted: dict | None        # kind of video -> (T, 3, S, S)
    numbers: dict               # name -> number, of motion (normalised) and of pictures
    imsize: int


class Evaluation:
    """Shows and measures what a module has learned. A subclass gives the attributes below and these methods:

    - `sheet(trainer, dataset, count)`: a picture of `count` rows of a list, (H, W, 3);
    - `write_row(folder, row)`: the function that draws the files of a :class:`TestedRow`, followed by its arguments;
    - `cards(row, highlight)`: a row's gallery cards: (for the page of its action, for the first page or None);
    - `overview(row)`: an action's part of the overview: list of (caption, pictures (T', S, S, 3));
    - `report(metrics, log)`: logs the most important numbers of a test.
    """

    module: str                         # in `metrics.json`
    progress_message: str               # a log line while training, filled with :meth:`quick_metrics`
    sheet_caption: str                  # what a line of a sample sheet shows
    title: str                          # of the gallery
    quick = "pixels"                    # which numbers :meth:`quick_metrics` returns
    quick_rows, quick_samples = 256, 5
    at_once = 64                        # rows that are sampled and painted together
    drawn_samples = 1                   # least number of samples to predict for each row: so many are drawn
    subfolders = (REAL, FAKE)           # of a test's results

    def paint(self, trainer, dataset, rows, futures):
        """Videos of some rows' first samples (B, T, J, 2), see :func:`evaluation.images.ImageEvaluation.paint`, or None."""

    def videos(self, dataset, rows, painted):
        """What the metrics of pictures compare: kind -> :class:`evaluation.picture_metrics.Videos`, or None."""

    def score(self, trainer, dataset, rows, samples, steps, classifier=None):
        """The :class:`evaluation.scores.Scores` of some rows of a list."""
        scores = Scores(classifier)
        for _ in self.chunks(trainer, dataset, rows, samples, steps, scores):
            pass
        return scores

    def chunks(self, trainer, dataset, rows, samples, steps, scores, seed=0, drawn=0, progress=""):
        """Sample, paint and score rows of a list, a few at a time.

        Args:
            samples, steps: K, T.
            scores: the rows are added to it.
            seed: of the noise.
            drawn: number of samples of each row that drawing needs, which may be more than are scored.
            progress: what the progress bar says; "": there is none.
        Yields:
            :class:`Chunk`.
        """
        with tqdm(total=len(rows), desc=progress, unit="row", disable=not progress) as bar:
            for first in range(0, len(rows), self.at_once):
                some = rows[first:first + self.at_once]
                futures = sample_rows(trainer, dataset, some, max(samples, drawn), steps, seed)
                poses, painted = dataset.poses[some], self.paint(trainer, dataset, some, futures[:, 0])
                numbers = scores.add(Futures(futures[:, :samples], poses[:, 1:steps + 1], poses[:, 0], dataset.action[some],
                                             scores.classifier), self.videos(dataset, some, painted))
                yield Chunk(first, some, futures, painted, numbers)
                bar.update(len(some))

    def quick_metrics(self, trainer, dataset):
        """Mean numbers of a few rows spread evenly over a list: name -> float."""
        steps = trainer.pose_module.steps(dataset.targets)
        rows = valid_rows(dataset, steps)
        rows = rows[evenly_spaced(len(rows), self.quick_rows)] if len(rows) else evenly_spaced(len(dataset), self.quick_rows)
        summary = self.score(trainer, dataset, rows, self.quick_samples, steps).summary(dataset.rows.actions, units(dataset))
        return {name: number for name, number in summary["overall"][self.quick].items() if number is not None}

    def test(self, trainer, dataset, request, log):
        """Sample, paint and score a test list; write the drawn rows' files, `metrics.json`, `overview.gif` and the gallery.

        Args:
            trainer: :class:`training.trainer.BaseTrainer` with loaded weights.
            dataset: :class:`dataset.image_loader2_test.PennActionTestPairs`.
            request: :class:`evaluation.results.Request`.
            log: logger.
        Returns:
            the content of `metrics.json`.
        """
        steps = request.steps or trainer.pose_module.steps(dataset.targets)
        rows = scored_rows(dataset, steps, request.limit)
        shown, one_each = highlights(dataset.action[rows])
        drawn = set(range(len(rows))) if request.gifs == "all" else shown
        scores, cards, overview = Scores(find_classifier(request.read_training, steps, log)), [], {}
        with replaced_folder(request.folder) as part:
            for name in self.subfolders:
                (part / name).mkdir()
            with drawing(len(drawn)) as draw:
                for chunk in self.chunks(trainer, dataset, rows, request.samples, steps, scores, request.seed, self.drawn_samples,
                                         "testing"):
                    for index in sorted((drawn | set(one_each)) & set(range(chunk.first, chunk.first + len(chunk.rows)))):
                        row = tested_row(dataset, chunk, index - chunk.first)
                        if index in drawn:
                            draw(*self.write_row(part, row))
                            cards.append(self.cards(row, index in shown))
                        if index in one_each:
                            overview[index] = self.overview(row)
            metrics = metrics_file(self.module, trainer, dataset, rows, steps, request,
                                   scores.summary(dataset.rows.actions, units(dataset)))
            write_json(part / "metrics.json", metrics)
            write_overview(part / "overview.gif", [overview[index] for index in one_each])
            tables = [metric_table(metrics, place) for place in (PICTURES, MOTION) if scores.values(place)]
            write_gallery(part, self.title, f"{len(rows)} rows of {dataset.rows.path.name}, {request.samples} samples of each, "
                          f"from {request.origin} (iteration {trainer.iteration}). Distances are in pixels of the "
                          f"{dataset.imsize} px picture, PSNR is in dB.",
                          "".join(tables) + curve_chart(metrics["overall"]["curve"]["pixels"]), cards)
        self.report(metrics, log)
        log.info("gallery: %s", request.folder / "index.html")
        return metrics


def tested_row(dataset, chunk, offset):
    """The :class:`TestedRow` of a chunk's row."""
    row, painted = chunk.rows[offset], chunk.painted and {kind: video[offset] for kind, video in chunk.painted.items()}
    return TestedRow(dataset.rows.actions[dataset.action[row]], dataset.row_title(row), dataset.row_stem(row),
                     dataset.poses[row, :chunk.futures.shape[2] + 1], chunk.futures[offset], painted,
                     {name: float(value[offset]) for place in (MOTION, PICTURES) for name, value in chunk.numbers[place].items()},
                     dataset.imsize)
