"""What the evaluations of both modules share: scores while training, and the test."""
from typing import NamedTuple

import torch
from tqdm import tqdm

from evaluation.gallery import curve_chart, metric_table, write_gallery
from evaluation.motion_metrics import Futures
from evaluation.recognition import find_classifier
from evaluation.registry import MOTION, PICTURES
from evaluation.results import FAKE, REAL, highlights, metrics_file, units, write_overview
from evaluation.row_files import ROWS, write_poses, write_rows
from evaluation.scores import Scores, sample_rows, scored_rows, valid_rows
from evaluation.visibility import visibility
from pose.medoids import DRAWN, shown_futures
from utils.files import replaced_folder, write_json
from utils.spacing import evenly_spaced


class TestedRow(NamedTuple):
    """One scored window, for drawing."""

    index: int                   # in the list
    action: str
    title: str
    stem: str                    # of its files' names
    poses: torch.Tensor          # (T + 1, J, 2) true poses, source first
    futures: torch.Tensor        # (K, T, J, 2)
    rendered: dict | None        # kind of video -> (T, 3, S, S)
    numbers: dict                # name -> number, lengths normalised
    imsize: int
    shown: list = []             # (future (T, J, 2), fraction of the futures that it stands for or None)


class Evaluation:
    """Measures and shows what a module has learned. A subclass sets the attributes below and defines these methods:

    - `sheet(trainer, dataset, count)`: a picture of `count` windows, (H, W, 3);
    - `write_row(folder, row)`: writes the files of a :class:`TestedRow`;
    - `card(row, highlight)`: the gallery's :class:`evaluation.gallery.Card` of a row, with more in it for the first page;
    - `overview(row)`: an action's part of the overview: list of (caption, pictures (T', S, S, 3));
    - `report(metrics, log)`: logs the most important scores of a test.
    """

    module: str                         # in `metrics.json`
    progress_message: str               # log message while training, filled with :meth:`quick_metrics`
    sheet_caption: str                  # what a line of a sample sheet shows
    title: str                          # of the gallery
    quick = "pixels"                    # which scores :meth:`quick_metrics` returns
    quick_rows, quick_samples = 256, 5
    batch_size = 64                     # windows that are sampled and rendered together
    shown_futures = 0                   # futures of a window that the gallery's first page shows one by one
    drawn_samples = 1                   # samples that drawing a window needs
    subfolders = (REAL, FAKE)           # of a test's results

    def render(self, trainer, dataset, rows, futures):
        """Videos of the futures (B, T, J, 2) of some windows, see :meth:`evaluation.images.ImageEvaluation.render`, or None."""

    def videos(self, dataset, rows, rendered):
        """The input of the picture metrics: kind -> :class:`evaluation.picture_metrics.Videos`, or None."""

    def score(self, trainer, dataset, rows, samples, steps, scores, seed=0, drawn=0, progress=""):
        """Sample, render and score windows, a few at a time; adds them to `scores` and yields a :class:`TestedRow` for each.

        At least `drawn` samples are predicted, but only K are scored. `progress` labels the progress bar; "" for none.
        """
        bar, visible = tqdm(total=len(rows), desc=progress, unit="window", disable=not progress), visibility(dataset, rows)
        for first in range(0, len(rows), self.batch_size):
            some = rows[first:first + self.batch_size]
            futures = sample_rows(trainer, dataset, some, max(samples, drawn), steps, seed)
            poses, rendered = dataset.poses[some], self.render(trainer, dataset, some, futures[:, 0])
            numbers = scores.add(Futures(futures[:, :samples], poses[:, 1:steps + 1], poses[:, 0], dataset.action[some],
                                         scores.classifier, visible[first:first + len(some), 1:steps + 1]),
                                 self.videos(dataset, some, rendered))
            for offset, row in enumerate(some):
                yield TestedRow(row, dataset.rows.actions[dataset.action[row]], dataset.row_title(row), dataset.row_stem(row),
                                poses[offset, :steps + 1], futures[offset],
                                rendered and {kind: video[offset] for kind, video in rendered.items()},
                                {name: float(value[offset]) for name, value in numbers.items()}, dataset.imsize)
            bar.update(len(some))
        bar.close()

    def quick_metrics(self, trainer, dataset):
        """Mean scores of a few windows spread evenly over a list: name -> float."""
        steps, scores = trainer.pose_module.steps(dataset.targets), Scores()
        rows = valid_rows(dataset, steps)
        rows = rows[evenly_spaced(len(rows), self.quick_rows)] if len(rows) else evenly_spaced(len(dataset), self.quick_rows)
        for _ in self.score(trainer, dataset, rows, self.quick_samples, steps, scores):
            pass
        overall = scores.summary(dataset.rows.actions, units(dataset))["overall"][self.quick]
        return {name: number for name, number in overall.items() if number is not None}

    def test(self, trainer, dataset, request, log):
        """Sample, render and score a test list; write the gallery, the files of the drawn windows and `metrics.json`, and return
        the content of the latter. `request` is a :class:`evaluation.results.Request`."""
        steps = request.steps or trainer.pose_module.steps(dataset.targets)
        rows = scored_rows(dataset, steps, request.limit)
        scores = Scores(find_classifier(request.read_training, steps, log))
        shown, one_each = highlights(rows, dataset.action[rows])
        cards, overview, kept = [], [], []
        with replaced_folder(request.folder) as folder:
            for name in self.subfolders:
                (folder / name).mkdir()
            for row in self.score(trainer, dataset, rows, request.samples, steps, scores, request.seed, self.drawn_samples,
                                  "testing"):
                if request.save_poses:
                    kept.append(row.futures[:request.samples])
                if self.shown_futures and row.index in shown | one_each:
                    futures = sample_rows(trainer, dataset, [row.index], DRAWN, steps, request.seed)[0]
                    row = row._replace(shown=list(zip(*shown_futures(futures, row.poses[0], self.shown_futures, request.choose))))
                if row.index in shown or request.gifs == "all":
                    self.write_row(folder, row)
                    cards.append((self.card(row, False), self.card(row, True) if row.index in shown else None))
                if row.index in one_each:
                    overview.append((dataset.action[row.index], self.overview(row)))
            metrics = metrics_file(self.module, trainer, dataset, rows, steps, request,
                                   scores.summary(dataset.rows.actions, units(dataset)))
            write_json(folder / "metrics.json", metrics)
            write_rows(folder / ROWS, dataset, rows, scores)
            write_overview(folder / "overview.gif", [part for _, part in sorted(overview, key=lambda entry: entry[0])])
            write_gallery(folder, self.title, f"{len(rows)} windows of {dataset.rows.path.name}, {request.samples} samples of "
                          f"each, from {request.origin} (iteration {trainer.iteration}). Distances are in pixels of the "
                          f"{dataset.imsize} px picture, PSNR is in dB.",
                          [metric_table(metrics, place) for place in (PICTURES, MOTION) if scores.values(place)],
                          curve_chart(metrics["overall"]["curve"]["pixels"]), cards)
        if request.save_poses:
            write_poses(request.save_poses, dataset, rows, torch.stack(kept))
            log.info("sampled and true poses: %s", request.save_poses)
        self.report(metrics, log)
        if metrics["rows_frozen"]:
            log.info("%d of the %d windows repeat one frame in every step", metrics["rows_frozen"], len(rows))
        log.info("gallery: %s", request.folder / "index.html")
        return metrics
