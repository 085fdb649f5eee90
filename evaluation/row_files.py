"""Files for one's own evaluation: the scores of every window of a test, and the sampled poses.

Axes: N windows, K samples, T steps, J = 13 joints.
"""
import zipfile
import zlib

import numpy as np

from evaluation.registry import MOTION, RATIOS
from evaluation.visibility import visibility
from utils.errors import UserError
from utils.files import write_npz

ROWS = "rows.npz"         # in the results of a test


def describe_rows(dataset, rows):
    """What some windows are: dict of arrays (N,) `video`, `frame`, `row` (index in the list), `action`."""
    windows = [dataset.windows[row] for row in rows]
    return {"video": np.array([window.video for window in windows]), "frame": np.array([window.frame for window in windows]),
            "row": np.asarray(rows), "action": np.array([dataset.rows.actions[number] for number in dataset.action[rows]])}


def write_rows(path, dataset, rows, scores):
    """Write the :class:`evaluation.scores.Scores` of some windows, which `python -m tools.compare` reads."""
    numbers = {name: value.numpy().astype(np.float32) for place in (MOTION, RATIOS)
               for name, value in scores.values(place).items()}
    write_npz(path, **describe_rows(dataset, rows), **numbers)


def write_poses(path, dataset, rows, samples):
    """Write sampled (N, K, T, J, 2) and true poses of some windows, normalised (docs/metrics.md)."""
    frames = samples.shape[2] + 1
    try:
        write_npz(path, samples=samples.numpy(), truth=dataset.poses[rows, :frames].numpy(),
                  visible=visibility(dataset, rows)[:, :frames].numpy(), valid_steps=dataset.valid_steps[rows].numpy(),
                  **describe_rows(dataset, rows))
    except OSError as error:
        raise UserError(f"{path}: this file cannot be written ({error.strerror})") from None


def read_saved_poses(path):
    """The first sample of each window in a file of :func:`write_poses`: a list of (name, (T + 1, J, 2) normalised, action)."""
    try:
        with np.load(path, allow_pickle=False) as content:
            samples, truth, *names = (content[name] for name in ("samples", "truth", "video", "frame", "action"))
        motions = np.concatenate([truth[:, :1], samples[:, 0]], 1).astype(np.float64)                  # (N, T + 1, J, 2)
        if motions.shape[2:] != (13, 2) or not len(motions) or not np.isfinite(motions).all():
            raise ValueError("no poses")
        return [(f"{video}_{frame}", motion, str(action)) for motion, video, frame, action in zip(motions, *names, strict=True)]
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile, zlib.error):
        raise UserError(f"{path}: not the poses of a test, as --save_poses writes them") from None
