"""Files for one's own evaluation: the numbers of every row of a test, and the sampled poses.

Axes: N rows, K samples, T steps, J = 13 joints.
"""
from pathlib import Path

import numpy as np

from dataset.penn_action import read_annotation
from evaluation.metric import MOTION, RATIOS
from utils.errors import UserError
from utils.files import write_npz

ROWS = "rows.npz"         # in the results of a test


def describe_rows(dataset, rows):
    """What some rows of a list are: dict of arrays (N,) `video`, `frame`, `row` (number of the row in the list), `action`."""
    windows = [dataset.windows[row] for row in rows]
    return {"video": np.array([window.video for window in windows]), "frame": np.array([window.frame for window in windows]),
            "row": np.asarray(rows), "action": np.array([dataset.rows.actions[number] for number in dataset.action[rows]])}


def write_rows(path, dataset, rows, scores):
    """Write the numbers of every row, from which `python -m tools.compare` reads.

    Args:
        path: of the file.
        dataset, rows: the list, and the numbers of its rows that were scored.
        scores: :class:`evaluation.scores.Scores` of them.
    """
    numbers = {name: value.numpy().astype(np.float32) for place in (MOTION, RATIOS)
               for name, value in scores.values(place).items()}
    write_npz(path, **describe_rows(dataset, rows), **numbers)


def write_poses(path, dataset, rows, samples):
    """Write sampled and true poses, normalised picture coordinates.

    The file holds `samples`; `truth` (N, T + 1, J, 2), source first; `valid_steps` (N,), the number of targets before a row
    repeats its last frame; what :func:`describe_rows` tells; and, where the annotations are at hand, `visible` (N, T + 1, J).

    Args:
        path: of the file.
        dataset, rows: the list, and the numbers of its rows that were scored.
        samples: (N, K, T, J, 2).
    Raises:
        UserError: the file cannot be written.
    """
    visible = visibility(dataset, rows, samples.shape[2])
    try:
        write_npz(path, samples=samples.numpy(), truth=dataset.poses[rows, :samples.shape[2] + 1].numpy(),
                  valid_steps=dataset.valid_steps[rows].numpy(), **describe_rows(dataset, rows),
                  **({} if visible is None else {"visible": visible}))
    except OSError as error:
        raise UserError(f"{path}: this file cannot be written ({error.strerror})") from None


def read_poses(path):
    """What :func:`write_poses` wrote of each row, a dict of arrays: `samples`, `truth`, `action`, `video`, `frame`.

    Raises:
        UserError: not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            poses = {name: content[name] for name in ("samples", "truth", "action", "video", "frame")}
        rows, count, steps, *joints = poses["samples"].shape
        if (not rows or not count or joints != [13, 2] or poses["truth"].shape != (rows, steps + 1, 13, 2)
                or {len(each) for each in poses.values()} != {rows}
                or not all(np.isfinite(poses[name]).all() for name in ("samples", "truth"))):
            raise ValueError("no poses")
        return poses
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError):
        raise UserError(f"{path}: not the poses of a test, as --save_poses writes them") from None


def read_saved_poses(path):
    """The first sample of each row in a file of :func:`write_poses`: a list of (name, (T + 1, J, 2) normalised, action).

    Raises:
        UserError: not such a file.
    """
    poses = read_poses(path)
    motions = np.concatenate([poses["truth"][:, :1], poses["samples"][:, 0]], 1).astype(np.float64)    # (N, T + 1, J, 2)
    return [(f"{video}_{frame}", motion, str(action))
            for video, frame, motion, action in zip(poses["video"], poses["frame"], motions, poses["action"])]


def visibility(dataset, rows, steps):
    """Whether the joints of some rows are visible, (N, T + 1, J) bool, from `labels/VIDEO.mat`; None where one is not at hand."""
    known, found = {}, []
    for row in rows:
        frames = [Path(path) for path in dataset.rows.frames[row][:steps + 1]]
        name = frames[0].parent.name
        try:
            if name not in known:
                known[name] = read_annotation(Path(dataset.data_root) / "labels" / f"{name}.mat").visibility
            found.append(known[name][[int(frame.stem) - 1 for frame in frames]])
        except (UserError, ValueError, IndexError):
            return None
    return np.stack(found)
