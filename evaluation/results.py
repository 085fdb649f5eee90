"""The folder of a test's results: which rows are shown, `metrics.json`, moving overviews, drawing in several processes."""
import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from evaluation.sampling import frozen_rows, valid_rows
from pose.medoids import TYPICAL
from utils.drawing import grid, label
from utils.media import write_gif
from utils.spacing import evenly_spaced

REAL, FAKE = "results_gif_real", "results_gif_fake"        # published names
HIGHLIGHTS = 6            # rows of an action on the gallery's first page
OVERVIEW_COLUMNS = 3      # actions beside each other in overview.gif
OVERVIEW_FPS, OVERVIEW_HOLD = 10, 4           # frames a second; frames that are added to hold the last picture
WORTH_PROCESSES = 400     # least number of drawn rows for which further processes are started


class Request(NamedTuple):
    """What a test was asked for."""

    folder: Path                         # for the results
    origin: str | None = None            # where the weights come from, for `metrics.json`
    samples: int = 20                    # K, of each row
    steps: int | None = None             # T; None: as in training on the list's rows
    seed: int = 7                        # of the noise
    limit: int | None = None             # most rows, spread evenly over the list; None: all
    gifs: str = "gallery"                # `all` draws every row, as published; else those on the gallery's first page
    read_training: Callable | None = None    # returns the training list's data, for the classifier; None: no classifier
    choose: str = TYPICAL                # which futures the gallery shows, see :mod:`pose.medoids`
    save_poses: str | None = None        # NAME.npz for samples and truth, see :mod:`evaluation.row_files`; None: not kept


def results_folder(run, module, limit):
    """The folder for the results of a test: `test/`, unless that would replace a test of all rows by one of some, or the other
    module's test."""
    try:
        known = json.loads((run.test / "metrics.json").read_text(encoding="utf-8"))
        whole = known["rows"] + known.get("rows_too_short", 0) == known["rows_in_list"]
        other = known.get("module", module) != module
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = other = False
    return run.path / ("test" + f"_{module}" * other + "_limit" * bool(limit and whole))


def highlights(action):
    """Indices of rows with these action ids (N,): (set of those on the gallery's first page, list of one for each action)."""
    by_action = [(action == action_id).nonzero()[:, 0] for action_id in action.unique()]
    shown = {int(index) for members in by_action for index in members[evenly_spaced(len(members), HIGHLIGHTS)]}
    return shown, [int(members[len(members) // 2]) for members in by_action]


def metrics_file(module, trainer, dataset, rows, steps, request, summary):
    """The content of `metrics.json`: what was tested, see `HEADER` of :mod:`evaluation.registry`, and the scores' summary."""
    return {"module": module, "weights": str(request.origin), "iteration": trainer.iteration, "list": str(dataset.rows.path),
            "list_sha256": dataset.rows.sha256, "rows": len(rows), "rows_in_list": len(dataset),
            "rows_too_short": len(dataset) - len(valid_rows(dataset, steps)),
            "rows_frozen": int(frozen_rows(dataset, rows).sum()), "samples": request.samples,
            "seed": request.seed, "steps": steps, "imsize": dataset.imsize, **summary}


def units(dataset):
    """Unit of length -> its factor."""
    return {"normalised": 1.0, "pixels": dataset.imsize / 2}


@contextmanager
def drawing(total):
    """Context: `draw(work, *arguments)` calls a function that draws one of `total` rows, at once or, for many rows, in further
    processes."""
    several = total >= WORTH_PROCESSES and (os.cpu_count() or 1) > 1
    # spawned: a forked child of a process whose torch has threads may wait forever
    pool = ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) if several else nullcontext()
    with tqdm(total=total, desc="drawing", unit="row", disable=not total) as bar, pool:
        waiting = []

        def finish(most):
            while len(waiting) > most:
                waiting.pop(0).result()
                bar.update()

        def draw(work, *arguments):
            if several:
                waiting.append(pool.submit(work, *arguments))
                finish(4 * WORTH_PROCESSES)                            # not all pictures in memory at once
            else:
                work(*arguments)
                bar.update()
        yield draw
        finish(0)


def write_overview(path, cells):
    """Write one GIF of all actions. `cells` has for every action a list of (caption, pictures (T, S, S, 3)), which move side by
    side."""
    columns = OVERVIEW_COLUMNS
    frames = []
    for time in range(len(cells[0][0][1])):
        blank = [np.zeros_like(cells[0][0][1][0])] * len(cells[0])
        shown = [[label(pictures[time], caption) for caption, pictures in cell] for cell in cells]
        shown += [blank] * (-len(shown) % columns if len(shown) > columns else 0)
        frames.append(grid([[part for cell in shown[first:first + columns] for part in (*cell, None)]
                            for first in range(0, len(shown), columns)]))
    write_gif(path, [*frames, *frames[-1:] * OVERVIEW_HOLD], fps=OVERVIEW_FPS)
