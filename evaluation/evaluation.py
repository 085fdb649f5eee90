"""What the evaluations of both modules share: the numbers while training, and the test."""
from typing import NamedTuple

import torch
from tqdm import tqdm

from evaluation.gallery import curve_chart, metric_table, write_gallery
from evaluation.motion_metrics import Futures
from evaluation.recognition import find_classifier
from evaluation.registry import MOTION, PICTURES
from evaluation.results import FAKE, REAL, drawing, highlights, metrics_file, units, write_overview
from evaluation.row_files import ROWS, write_poses, write_rows
from evaluation.sampling import frozen_rows, sample_rows, scored_rows, valid_rows
from evaluation.scores import Scores
from pose.medoids import DRAWN, TYPICAL, shown_futures
from utils.files import replaced_folder, write_json
from utils.spacing import evenly_spaced


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
    typical: list | None        # (future (T, J, 2), share) of the futures that the first page shows; None: the first drawn
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
    shown_futures = 0                   # futures of a row that the gallery's first page shows; 0: it shows other things
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

    def typical(self, trainer, dataset, rows, shown, steps, request):
        """The futures that the gallery's first page shows, where it does not show the first drawn.

        Args:
            rows: numbers of the rows that are scored.
            shown: indices of some of them.
            request: :class:`evaluation.results.Request`.
        Returns:
            dict from such an index to a list of (future (T, J, 2), share).
        """
        if not self.shown_futures or request.choose != TYPICAL:
            return {}
        drawn = sample_rows(trainer, dataset, rows[shown], DRAWN, steps, request.seed)
        return {index: list(zip(*shown_futures(futures, dataset.poses[rows[index], 0], self.shown_futures, TYPICAL)))
                for index, futures in zip(shown, drawn)}

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
        frozen, kept = frozen_rows(dataset, rows), []
        scores = Scores(find_classifier(request.read_training, steps, log))
        with replaced_folder(request.folder) as part:
            cards, overview = self.draw_rows(part, trainer, dataset, rows, steps, request, scores, kept)
            metrics = metrics_file(self.module, trainer, dataset, rows, steps, request,
                                   scores.summary(dataset.rows.actions, units(dataset), frozen))
            write_json(part / "metrics.json", metrics)
            write_rows(part / ROWS, dataset, rows, scores)
            write_overview(part / "overview.gif", overview)
            tables = [metric_table(metrics, place) for place in (PICTURES, MOTION) if scores.values(place)]
            write_gallery(part, self.title, f"{len(rows)} rows of {dataset.rows.path.name}, {request.samples} samples of each, "
                          f"from {request.origin} (iteration {trainer.iteration}). Distances are in pixels of the "
                          f"{dataset.imsize} px picture, PSNR is in dB.",
                          "".join(tables) + curve_chart(metrics["overall"]["curve"]["pixels"]), cards)
        if request.save_poses:
            write_poses(request.save_poses, dataset, rows, torch.cat(kept))
            log.info("sampled and true poses: %s", request.save_poses)
        self.report(metrics, log)
        if frozen.any():
            group = metrics.get("without_frozen")
            log.info("%d of the %d rows repeat one frame in every step%s", frozen.sum(), len(rows), group and
                     f"; energy score without them {group['pixels']['energy_score']:.2f} px" or "")
        log.info("gallery: %s", request.folder / "index.html")
        return metrics

    def draw_rows(self, folder, trainer, dataset, rows, steps, request, scores, kept):
        """Score the rows of a test, and write the files of those that are drawn.

        Args:
            folder: for the results.
            trainer, dataset, request: see :meth:`test`.
            rows, steps: numbers of the rows that are scored, and T.
            scores: the rows are added to it.
            kept: with `request.save_poses`, the sampled poses (B, K, T, J, 2) are appended to this list.
        Returns:
            the gallery's cards of the drawn rows, see :meth:`cards`, and each action's part of the overview.
        """
        shown, one_each = highlights(dataset.action[rows])
        drawn = set(range(len(rows))) if request.gifs == "all" else shown
        typical = self.typical(trainer, dataset, rows, sorted({*shown, *one_each}), steps, request)
        cards, overview = [], {}
        for name in self.subfolders:
            (folder / name).mkdir()
        with drawing(len(drawn)) as draw:
            for chunk in self.chunks(trainer, dataset, rows, request.samples, steps, scores, request.seed, self.drawn_samples,
                                     "testing"):
                if request.save_poses:
                    kept.append(chunk.futures[:, :request.samples])
                for index in sorted((drawn | set(one_each)) & set(range(chunk.first, chunk.first + len(chunk.rows)))):
                    row = tested_row(dataset, chunk, index - chunk.first, typical.get(index))
                    if index in drawn:
                        draw(*self.write_row(folder, row))
                        cards.append(self.cards(row, index in shown))
                    if index in one_each:
                        overview[index] = self.overview(row)
        return cards, [overview[index] for index in one_each]


def tested_row(dataset, chunk, offset, typical):
    """The :class:`TestedRow` of a chunk's row."""
    row, painted = chunk.rows[offset], chunk.painted and {kind: video[offset] for kind, video in chunk.painted.items()}
    return TestedRow(dataset.rows.actions[dataset.action[row]], dataset.row_title(row), dataset.row_stem(row),
                     dataset.poses[row, :chunk.futures.shape[2] + 1], chunk.futures[offset], painted, typical,
                     {name: float(value[offset]) for place in (MOTION, PICTURES) for name, value in chunk.numbers[place].items()},
                     dataset.imsize)
