"""Turn Penn Action annotations into training and test lists.

    python -m dataset.penn_action --root DIR --out data_lists/

DIR holds `labels/NNNN.mat` and, if at hand, `frames/NNNN/NNNNNN.jpg`. How windows follow from annotations:
data_lists/README.md.
"""
import argparse
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from dataset.matlab import read_mat
from dataset.pair_list import ACTIONS, TEST_LIST, TRAIN_LIST, Row, write_list
from utils.errors import UserError, command
from utils.skeleton import JOINTS

CLIP = 33                 # frames of a video's clip, as published
HORIZON = 5               # targets of a window, as published
MIN_VISIBLE = 10          # visible joints that a source frame needs


class Annotation(NamedTuple):
    """One video's annotation. Joints in pixels of the frame."""

    video: str               # folder name, four digits
    action: str
    train: bool
    joints: np.ndarray       # (nframes, 13, 2) float64
    visibility: np.ndarray   # (nframes, 13) bool
    size: tuple              # (h, w)


def read_annotation(path):
    """Read `labels/NNNN.mat`. Raises :class:`UserError` that names file and key."""
    path = Path(path)
    try:
        mat = read_mat(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable MATLAB file ({error})") from None

    def value(key, shape=None):
        if key not in mat:
            raise UserError(f"{path}: key {key!r} is missing")
        array = mat[key]
        if isinstance(array, str) or not np.isfinite(array).all():
            raise UserError(f"{path}: key {key!r} holds something else than finite numbers")
        if not array.size or (shape and array.shape != shape):
            raise UserError(f"{path}: key {key!r} has shape {array.shape}" + (f", expected {shape}" if shape else ""))
        return array

    shape = (value("x").shape[0], len(JOINTS))
    joints = np.stack([value("x", shape), value("y", shape)], -1)
    dimensions = value("dimensions").ravel()
    if len(dimensions) < 2:
        raise UserError(f"{path}: key 'dimensions' holds one number, expected height and width")
    height, width = map(int, dimensions[:2])
    if not isinstance(mat.get("action"), str):
        raise UserError(f"{path}: key 'action' " + ("holds something else than text" if "action" in mat else "is missing"))
    return Annotation(path.stem, mat["action"], value("train").ravel()[0] == 1, joints,
                      value("visibility", shape).astype(bool), (height, width))


def outer_box(joints, visible=None):
    """Integer part of the smallest box `x1, y1, x2, y2` around joints (..., 2), or around those that are visible, if any is."""
    points = joints[visible] if visible is not None and visible.any() else joints.reshape(-1, 2)
    return np.concatenate([points.min(0), points.max(0)]).astype(int)


class Rules(NamedTuple):
    """How windows are cut out of a video; the defaults are the published rules."""

    horizon: int = HORIZON       # targets of a window
    count: int | None = None     # most windows of a video; None: as many as fit into the published clip
    min_visible: int = MIN_VISIBLE
    visible_boxes: bool = False  # boxes leave invisible joints out


def windows(annotation, action_id, present=None, **rules):
    """The windows of one video.

    Clip frames lie `gap = max(1, nframes // clip)` apart; window k holds the clip frames k..k+horizon. A video shorter
    than the clip gives as many windows as it holds (defect D9 gave static ones).

    Args:
        annotation: :class:`Annotation`.
        action_id: id to write.
        present: frame numbers (from 1) that are on disk, or None for all.
        rules: fields of :class:`Rules`, default the published ones.
    Returns:
        (list of :class:`Row`, Counter of what was dropped by reason).
    """
    rules = Rules(**rules)
    nframes, horizon = len(annotation.joints), rules.horizon
    count = CLIP - horizon if rules.count is None else rules.count
    gap = max(1, nframes // (count + horizon))
    held = min(count, (nframes - 1) // gap - horizon + 1)
    dropped, rows = Counter(), []
    if held < 1:
        return rows, Counter({f"video of fewer than {horizon + 1} frames": 1})
    visible = annotation.visibility if rules.visible_boxes else [None] * nframes
    crop = outer_box(annotation.joints, annotation.visibility if rules.visible_boxes else None)
    x1, y1, x2, y2 = np.clip(crop, 0, np.array(annotation.size)[[1, 0, 1, 0]] - 1)
    if x1 >= x2 or y1 >= y2:
        return rows, Counter({"crop box empty or outside the image": held})
    for start in range(0, held * gap, gap):
        frames = np.arange(start, start + gap * (horizon + 1), gap)
        if annotation.visibility[start].sum() < rules.min_visible:
            dropped[f"source with fewer than {rules.min_visible} visible joints"] += 1
        elif present is not None and not present.issuperset(frames + 1):
            dropped["frame missing on disk"] += 1
        else:
            rows.append(Row(tuple(f"frames/{annotation.video}/{frame + 1:06d}.jpg" for frame in frames),
                            annotation.action, action_id, crop,
                            np.stack([outer_box(annotation.joints[frame], visible[frame]) for frame in frames[1:]]),
                            annotation.joints[frames]))
    return rows, dropped


def frames_on_disk(root, video):
    """Numbers of the frames of a video under `root/frames`, or None where that folder is not there at all."""
    if not (root / "frames").is_dir():
        return None
    return {int(path.stem) for path in (root / "frames" / video).glob("*.jpg") if path.stem.isdecimal()}


def read_test_videos(path):
    """Video numbers, one a line, as four-digit names."""
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the test videos ({error})") from None
    for number, line in enumerate(lines, 1):
        if line.strip() and not re.fullmatch(r"\d+", line.strip()):
            raise UserError(f"{path}:{number}: {line.strip()!r} is not a video number")
    return {f"{int(line):04d}" for line in lines if line.strip()}


def build(root, out, test_videos=None, actions=ACTIONS, **rules):
    """Write both lists under `out`, by fields of :class:`Rules`; returns the lines of the summary.

    Raises :class:`UserError` before it writes.
    """
    root, out = Path(root), Path(out)
    labels = sorted((root / "labels").glob("*.mat"))
    if not labels:
        raise UserError(f"{root / 'labels'} holds no .mat annotation; --root is the folder that holds labels/ (and frames/)")
    if "" in actions or len(set(actions)) < len(actions):
        raise UserError(f"--actions {','.join(actions)}: different names are needed, with a comma between them")
    chosen = read_test_videos(test_videos) if test_videos else None
    rows, videos, found, dropped = {True: [], False: []}, Counter(), Counter(), {}
    for label in tqdm(labels, desc="annotations", unit="video"):
        annotation = read_annotation(label)
        if annotation.action not in actions:
            dropped.setdefault("videos of other actions", Counter())[annotation.action] += 1
            continue
        train = annotation.video not in chosen if chosen is not None else annotation.train
        made, lost = windows(annotation, actions.index(annotation.action), frames_on_disk(root, annotation.video), **rules)
        rows[train] += made
        videos[annotation.action, train] += bool(made)
        found[annotation.action, train] += len(made)
        for reason, number in lost.items():
            dropped.setdefault(reason, Counter())[annotation.action] += number
    for train, what in ((True, "training"), (False, "test")):
        if not rows[train]:
            raise UserError(f"no {what} window comes out of {root / 'labels'}" + (
                f" with the {len(chosen)} test videos of {test_videos}" if chosen else "") + "; nothing is written")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for train, name in ((True, TRAIN_LIST), (False, TEST_LIST)):
            write_list(out / name, rows[train])
    except OSError as error:
        raise UserError(f"{out}: the lists cannot be written here ({error.strerror})") from None
    missing = (chosen or set()) - {label.stem for label in labels}
    return [*_table(actions, videos, found),
            *(f"dropped, {reason}: " + ", ".join(f"{action} {number}" for action, number in sorted(by_action.items()))
              for reason, by_action in sorted(dropped.items())),
            *([f"{len(missing)} of the {len(chosen)} test videos have no annotation here"] if missing else []),
            f"wrote {out / TRAIN_LIST} and {out / TEST_LIST}"]


def _table(actions, videos, found):
    line = "{:<18}{:>13}{:>16}{:>13}{:>16}".format
    yield line("action", "train videos", "train windows", "test videos", "test windows")
    for name, members in (*((action, [action]) for action in actions), ("all", actions)):
        yield line(name, *(sum(counter[action, train] for action in members)
                           for train in (True, False) for counter in (videos, found)))


def main():
    parser = argparse.ArgumentParser(description="Turn Penn Action annotations into training and test lists.")
    parser.add_argument("--root", required=True, help="folder that holds labels/ and, if at hand, frames/")
    parser.add_argument("--out", default="data_lists", help="folder for the two lists (default: %(default)s)")
    parser.add_argument("--test_videos", metavar="FILE", help="video numbers of the test split, one a line; "
                                                              "default: the annotations' own train flag")
    parser.add_argument("--actions", type=lambda text: tuple(map(str.strip, text.split(","))), default=ACTIONS, metavar="A,B,...",
                        help="action names in the order of their ids (default: the nine of the paper)")
    parser.add_argument("--horizon", type=int, default=HORIZON, help="targets of a window (default: %(default)s, as published)")
    parser.add_argument("--windows", type=int, help=f"most windows of a video; its clip is that many frames and the horizon "
                                                    f"(default: {CLIP} less the horizon)")
    parser.add_argument("--min_visible", type=int, default=MIN_VISIBLE,
                        help="visible joints that a source frame needs (default: %(default)s)")
    parser.add_argument("--visible_boxes", action="store_true",
                        help="leave invisible joints out of crop and person boxes (for own data: one outlier inflates them)")
    options = parser.parse_args()
    if options.windows is not None and options.windows < 1:
        parser.error("--windows must be at least 1")
    if options.horizon < 1 or (options.windows is None and options.horizon >= CLIP):
        parser.error(f"--horizon must lie in 1..{CLIP - 1}, or be given with --windows")
    print("\n".join(build(options.root, options.out, options.test_videos, options.actions, horizon=options.horizon,
                          count=options.windows, min_visible=options.min_visible, visible_boxes=options.visible_boxes)))


if __name__ == "__main__":
    command(main)
