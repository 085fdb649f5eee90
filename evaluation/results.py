"""The folder of a test's results: what was asked for, which windows are shown, `metrics.json`, `overview.gif`."""
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evaluation.scores import valid_rows
from pose.medoids import TYPICAL
from utils.drawing import grid, label
from utils.media import write_gif
from utils.spacing import evenly_spaced

REAL, FAKE = "results_gif_real", "results_gif_fake"        # published names
HIGHLIGHTS = 6            # windows of an action on the gallery's first page
OVERVIEW_COLUMNS = 3      # actions beside each other in overview.gif
OVERVIEW_FPS, OVERVIEW_HOLD = 10, 4           # frames a second; repetitions of the last frame


class Request(NamedTuple):
    """What a test was asked for."""

    folder: Path                         # for the results
    origin: str | None = None            # where the weights come from, for `metrics.json`
    samples: int = 20                    # K
    steps: int | None = None             # T; None: as in training
    seed: int = 7                        # of the noise
    limit: int | None = None             # most windows, spread evenly over the list; None: all
    gifs: str = "gallery"                # `all` draws every window, as published; else those on the gallery's first page
    read_training: Callable | None = None    # returns the training list's data, for the classifier; None: no classifier
    choose: str = TYPICAL                # which futures the gallery shows, see :mod:`pose.medoids`
    save_poses: str | None = None        # FILE.npz for samples and truth, see :mod:`evaluation.row_files`


def results_folder(run, module, limit):
    """The folder for a test: `test/`, unless this would replace a whole test by a limited one, or the other module's test."""
    try:
        known = json.loads((run.test / "metrics.json").read_text(encoding="utf-8"))
        whole = known["rows"] + known.get("rows_too_short", 0) == known["rows_in_list"]
        other = known.get("module", module) != module
    except (OSError, ValueError, KeyError):
        whole = other = False
    return run.path / ("test" + f"_{module}" * other + "_limit" * bool(limit and whole))


def highlights(rows, action):
    """Of rows (N,) with action ids (N,): (set of rows for the gallery's first page, set of one row for each action)."""
    by_action = [rows[(action == action_id).numpy()] for action_id in action.unique()]
    shown = {row for members in by_action for row in members[evenly_spaced(len(members), HIGHLIGHTS)]}
    return shown, {members[len(members) // 2] for members in by_action}


def metrics_file(module, trainer, dataset, rows, steps, request, summary):
    """The content of `metrics.json`, see `HEADER` of :mod:`evaluation.registry`."""
    return {"module": module, "weights": str(request.origin), "iteration": trainer.iteration, "list": str(dataset.rows.path),
            "list_sha256": dataset.rows.sha256, "rows": len(rows), "rows_in_list": len(dataset),
            "rows_too_short": len(dataset) - len(valid_rows(dataset, steps)),
            "rows_frozen": int((dataset.valid_steps[rows] == 0).sum()), "samples": request.samples,
            "seed": request.seed, "steps": steps, "imsize": dataset.imsize, **summary}


def units(dataset):
    """Unit of length -> its factor."""
    return {"normalised": 1.0, "pixels": dataset.imsize / 2}


def write_overview(path, actions):
    """Write one GIF of all actions; each is a list of (caption, pictures (T, S, S, 3)), which move side by side."""
    columns, frames = min(OVERVIEW_COLUMNS, len(actions)), []
    for time in range(len(actions[0][0][1])):
        cells = [[label(pictures[time], caption) for caption, pictures in action] for action in actions]
        cells += [[np.zeros_like(cells[0][0])] * len(cells[0])] * (-len(cells) % columns)
        frames.append(grid([[part for cell in cells[first:first + columns] for part in (*cell, None)]
                            for first in range(0, len(cells), columns)]))
    write_gif(path, [*frames, *frames[-1:] * OVERVIEW_HOLD], fps=OVERVIEW_FPS)
