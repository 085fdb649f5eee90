"""Turn Penn Action annotations into training and test lists.

    python -m dataset.penn_action --root DIR --out data_lists/

DIR holds `labels/NNNN.mat` and, if available, `frames/NNNN/NNNNNN.jpg`; or other videos under any names, `labels/NAME.mat` and
numbered pictures in `frames/NAME/`. data_lists/README.md explains how windows follow from annotations.
"""
import argparse
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from dataset.frames import BROKEN, FORMATS, frame_files, frame_names, frame_reading
from dataset.matlab import read_mat
from dataset.pair_list import ACTIONS, TEST_LIST, TRAIN_LIST, Row, check_rows, check_text, video_name, write_list
from pose.skeleton import JOINTS
from utils.errors import UserError, command

CLIP = 33                 # frames of a video's clip, as published
HORIZON = 5               # targets of a window, as published
MIN_VISIBLE = 10          # visible joints that a source frame needs
MISSING = "frame missing on disk"
EXAMPLES = 3              # most videos that the summary names for one reason


class Annotation(NamedTuple):
    """One video's annotation. Joints are in pixels of the frame."""

    video: str               # name of its folder of frames, four digits in Penn Action
    action: str              # as spelt in the file
    train: bool
    joints: np.ndarray       # (nframes, 13, 2) float64
    visibility: np.ndarray   # (nframes, 13) bool
    size: tuple              # (h, w)


def read_annotation(path):
    """Read `labels/NNNN.mat`. Raises :class:`UserError`, which names file and key."""
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
    """The smallest box `x1, y1, x2, y2` around joints (..., 2), as integers. With `visible` (...) only visible joints count,
    unless none is."""
    points = joints[visible] if visible is not None and visible.any() else joints.reshape(-1, 2)
    return np.concatenate([points.min(0), points.max(0)]).astype(int)


class Rules(NamedTuple):
    """How windows are cut from a video; the defaults are the published rules."""

    horizon: int = HORIZON       # T, targets of a window
    count: int | None = None     # largest number of windows of a video; None: as many as fit into the published clip
    min_visible: int = MIN_VISIBLE
    visible_boxes: bool = False  # crop and person boxes ignore invisible joints
    pad: bool = False            # windows may go past the end of the video, where they repeat its last frame
    every_frame: bool = False    # a window starts at every frame, not only at frames of the clip

    @property
    def needed(self):
        """The number of targets that must lie inside the video."""
        return min(self.horizon, HORIZON) if self.pad else self.horizon


def windows(annotation, action_id, files=None, **rules):
    """The windows of one video.

    The frames of a clip are `gap = max(1, nframes // clip)` apart, and window k holds the clip frames k..k+horizon. A video that
    is shorter than a clip gives as many windows as fit into it (the published system made static ones, defect D9). With `pad`
    the windows start at the same frames as with the published horizon. Each goes on to its own horizon; where the video ends
    before, its last frame is repeated. `every_frame` adds the windows that start between two frames of the clip.

    Args:
        annotation: :class:`Annotation`.
        action_id: id to write.
        files: dict from frame number (from 1) to file name of the frames on disk; None: all, under Penn Action's names.
        rules: fields of :class:`Rules`; the published ones by default.
    Returns:
        list of :class:`Row`, and a Counter of dropped windows or videos by reason.
    """
    rules = Rules(**rules)
    nframes, needed = len(annotation.joints), rules.needed
    count = CLIP - needed if rules.count is None else rules.count
    gap = max(1, nframes // (count + needed))
    starts = range(0, min(count * gap, nframes - needed * gap), 1 if rules.every_frame else gap)
    dropped, rows = Counter(), []
    if not starts:
        return rows, Counter({f"video of fewer than {needed + 1} frames": 1})
    visible = annotation.visibility if rules.visible_boxes else [None] * nframes
    crop = outer_box(annotation.joints, annotation.visibility if rules.visible_boxes else None)
    x1, y1, x2, y2 = np.clip(crop, 0, np.array(annotation.size)[[1, 0, 1, 0]] - 1)
    if x1 >= x2 or y1 >= y2:
        return rows, Counter({"crop box empty or outside the image": len(starts)})
    name = "{:06d}.jpg".format if files is None else files.get
    for start in starts:
        valid = min(rules.horizon, (nframes - 1 - start) // gap)
        frames = start + gap * np.minimum(np.arange(rules.horizon + 1), valid)
        if annotation.visibility[start].sum() < rules.min_visible:
            dropped[f"source with fewer than {rules.min_visible} visible joints"] += 1
        elif files is not None and not files.keys() >= set(frames + 1):
            dropped[MISSING] += 1
        else:
            rows.append(Row(tuple(f"frames/{annotation.video}/{name(frame + 1)}" for frame in frames),
                            annotation.action, action_id, crop,
                            np.stack([outer_box(annotation.joints[frame], visible[frame]) for frame in frames[1:]]),
                            annotation.joints[frames]))
    return rows, dropped


def frames_on_disk(root, annotation):
    """The frames of a video: dict from frame number (from 1) to file name in `root/frames/VIDEO`; None without `root/frames`.

    Raises:
        ValueError: number or size of the frames do not fit the annotation; the text names both.
        UserError: a folder cannot be read.
    """
    folder = root / "frames" / annotation.video
    try:
        if not (root / "frames").is_dir():
            return None
        names = frame_names(folder)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"{folder}: this folder of frames cannot be read ({error.strerror})") from None
    files = frame_files(names, len(annotation.joints))
    if files:
        first = files[min(files)]
        try:
            image = Image.open(folder / first, formats=FORMATS)
        except BROKEN:
            raise ValueError(f"{first} is not a readable picture") from None
        with image:
            frame_reading(image, annotation.size)
    return files


class Dropped:
    """Counts what is left out of the lists, by reason and action, with examples of videos and their problems."""

    def __init__(self):
        self.numbers, self.examples = {}, {}

    def add(self, reason, action, number=1, example=None):
        self.numbers.setdefault(reason, Counter())[action] += number
        if example:
            self.examples.setdefault(reason, []).append(example)

    def lines(self):
        """One line of text per reason."""
        for reason, by_action in sorted(self.numbers.items()):
            examples = self.examples.get(reason, [])
            told = "; ".join([*examples[:EXAMPLES], *(["..."] if len(examples) > EXAMPLES else [])])
            numbers = ", ".join(f"{in_line(action)} {number}" for action, number in sorted(by_action.items()))
            yield f"dropped, {reason}: {numbers}" + (f" ({told})" if told else "")


def in_line(name):
    """A name for a line of names: in quotes and with escapes if it holds a comma, outer blanks or unprintable characters."""
    return name if name.isprintable() and name == name.strip() and "," not in name else repr(name)


def plain(action):
    """An action's name for comparisons: without case, and without repeated blanks or blanks around it."""
    return " ".join(action.split()).casefold()


def read_test_videos(path):
    """The names of test videos in a file, one per line, see :func:`dataset.pair_list.video_name`."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the test videos ({error})") from None
    return {video_name(line.strip()) for line in lines if line.strip()}


def find_labels(root):
    """The annotation files under `root/labels`, sorted. Raises :class:`UserError` if there is none."""
    folder = root / "labels"
    try:
        # macOS leaves files `._NAME.mat` beside files that it copies; these are no annotations
        labels = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".mat" and not path.name.startswith("."))
    except FileNotFoundError:
        labels = []
    except OSError as error:
        raise UserError(f"{folder}: this folder of annotations cannot be read ({error.strerror})") from None
    if not labels:
        raise UserError(f"{folder} holds no .mat annotation; --root is the folder that holds labels/ (and frames/)")
    return labels


def known_actions(actions):
    """Dict from plain name to id. Raises :class:`UserError` for names that a list cannot hold and for equal names."""
    for action in actions:
        check_text(action)
    ids = {plain(action): number for number, action in enumerate(actions)}
    if "" in ids or len(ids) < len(actions):
        raise UserError(f"--actions {','.join(actions)}: different names are needed, with a comma between them; case and blanks "
                        "do not count")
    return ids


class Found(NamedTuple):
    """The windows of all annotations, and what was counted on the way."""

    rows: dict                     # train or not -> list of Row
    videos: Counter                # (action, train or not) -> videos that give windows
    windows: Counter               # (action, train or not) -> windows
    spellings: Counter             # (action, how an annotation spells it) -> videos
    dropped: Dropped


class NoWindows(UserError):
    """A list would be empty; the lines of `summary` tell why."""

    def __init__(self, message, summary):
        super().__init__(message)
        self.summary = summary


def collect(root, labels, chosen, actions, rules):
    """Make the windows of annotation files; returns :class:`Found`.

    Args:
        root: Path of the data set.
        labels: Paths of its annotations.
        chosen: set of the names of the test videos; None: the annotations' own flags count.
        actions: action names by id.
        rules: dict of fields of :class:`Rules`.
    """
    found, ids = Found({True: [], False: []}, Counter(), Counter(), Counter(), Dropped()), known_actions(actions)
    for label in tqdm(labels, desc="annotations", unit="video"):
        annotation = read_annotation(label)
        number = ids.get(plain(annotation.action))
        if number is None:
            found.dropped.add("videos of other actions", annotation.action)
            continue
        action = actions[number]
        found.spellings[action, annotation.action] += annotation.action != action
        try:
            files = frames_on_disk(root, annotation)
        except ValueError as problem:
            found.dropped.add("video whose frames do not fit its annotation", action, example=f"{annotation.video}: {problem}")
            continue
        train = video_name(annotation.video) not in chosen if chosen is not None else annotation.train
        made, lost = windows(annotation._replace(action=action), number, files, **rules)
        found.rows[train].extend(made)
        found.videos[action, train] += bool(made)
        found.windows[action, train] += len(made)
        for reason, count in lost.items():
            lacking = reason == MISSING and f"{annotation.video}: {len(files)} frames on disk for {len(annotation.joints)} poses"
            found.dropped.add(reason, action, count, lacking)
    return found


def build(root, out, test_videos=None, actions=ACTIONS, **rules):
    """Write the training list and the test list into the folder `out`; returns the lines of the summary.

    If all windows are for training, or all for testing, only that list is written, and an earlier other one is removed: the
    lists of a folder belong together.

    Args:
        root: folder that holds `labels/`.
        out: folder for the lists.
        test_videos: file with the names of the test videos; None: the annotations' own flags count.
        actions: action names by id.
        rules: fields of :class:`Rules`.
    Raises:
        NoWindows: both lists would be empty, or the test list although `test_videos` are named.
        UserError: bad annotations or folders. Nothing is written in either case.
    """
    root, out = (Path(os.path.expanduser(folder)) for folder in (root, out))
    labels = find_labels(root)
    chosen = read_test_videos(os.path.expanduser(test_videos)) if test_videos else None
    found = collect(root, labels, chosen, actions, rules)
    summary = list(_summary(actions, found, chosen, {video_name(label.stem) for label in labels}))
    if not found.rows[False] and (chosen is not None or not found.rows[True]):
        raise NoWindows(f"no {'test ' if found.rows[True] else ''}window comes out of {root / 'labels'}" + (
            f" with the {len(chosen)} test videos of {test_videos}" if chosen else "") + "; nothing is written", summary)
    paths = {True: out / TRAIN_LIST, False: out / TEST_LIST}
    for train in paths:
        check_rows(found.rows[train])
    try:
        out.mkdir(parents=True, exist_ok=True)
        for train, path in paths.items():
            if found.rows[train]:
                write_list(path, found.rows[train])
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{out}: the lists cannot be written here ({error.strerror})") from None
    summary.append("wrote " + " and ".join(str(path) for train, path in paths.items() if found.rows[train]))
    if not found.rows[False]:
        summary.append("there is no test window: write `test` into the column `split` of some clips in dataset.from_video's CSV "
                       f"(annotations: train -1), or train with --set test_data_list={paths[True]}, which tests what was trained")
    if not found.rows[True]:
        summary.append("there is no training window: the column `split` of dataset.from_video's CSV (annotations: train -1) has "
                       "only videos for testing")
    return summary


def _summary(actions, found, chosen, videos):
    """The lines of the summary; `videos` is the set of names of all annotated videos."""
    yield from _table(actions, found.videos, found.windows)
    for (action, spelling), number in sorted(found.spellings.items()):
        if number:
            yield f"taken for {action}: {spelling!r} {number}"
    yield from found.dropped.lines()
    missing = sorted((chosen or set()) - videos)
    if missing:
        yield (f"{len(missing)} of the {len(chosen)} test videos have no annotation here: "
               + ", ".join([*map(in_line, missing[:EXAMPLES]), *(["..."] if len(missing) > EXAMPLES else [])]))


def _table(actions, videos, found):
    line = "{:<18}{:>13}{:>16}{:>13}{:>16}".format
    yield line("action", "train videos", "train windows", "test videos", "test windows")
    for name, members in (*((action, [action]) for action in actions), ("all", actions)):
        yield line(name, *(sum(counter[action, train] for action in members)
                           for train in (True, False) for counter in (videos, found)))


def main():
    parser = argparse.ArgumentParser(description="Turn Penn Action annotations into training and test lists.")
    parser.add_argument("--root", required=True, help="folder that holds labels/ and, if available, frames/")
    parser.add_argument("--out", default="data_lists", help="folder for the two lists (default: %(default)s)")
    parser.add_argument("--test_videos", metavar="FILE", help="numbers or names of the test split's videos, one per line; "
                                                              "default: the annotations' own train flag")
    parser.add_argument("--actions", type=lambda text: tuple(map(str.strip, text.split(","))), default=ACTIONS, metavar="A,B,...",
                        help="action names in the order of their ids (default: the nine of the paper)")
    parser.add_argument("--horizon", type=int, default=HORIZON, help="targets of a window (default: %(default)s, as published)")
    parser.add_argument("--windows", type=int, help=f"largest number of windows of a video, whose clip has that many frames "
                                                    f"plus the horizon (default: {CLIP} minus the horizon)")
    parser.add_argument("--min_visible", type=int, default=MIN_VISIBLE,
                        help="visible joints that a source frame needs (default: %(default)s)")
    parser.add_argument("--visible_boxes", action="store_true",
                        help="ignore invisible joints in crop and person boxes (for own data, where one outlier enlarges them)")
    parser.add_argument("--pad", action="store_true",
                        help="windows may go past a video's end, where they repeat its last frame, so that their number does not "
                             "depend on the horizon; the pose module of kind residual ignores the repeated frames in training")
    parser.add_argument("--every_frame", action="store_true", help="windows start at every frame, not only at the clip's")
    options = parser.parse_args()
    if options.windows is not None and options.windows < 1:
        parser.error("--windows must be at least 1")
    if options.horizon < 1 or (options.windows is None and options.horizon >= CLIP and not options.pad):
        parser.error(f"--horizon must lie in 1..{CLIP - 1}, or be given with --windows or --pad")
    try:
        _tell(build(options.root, options.out, options.test_videos, options.actions, horizon=options.horizon,
                    count=options.windows, min_visible=options.min_visible, visible_boxes=options.visible_boxes,
                    pad=options.pad, every_frame=options.every_frame))
    except NoWindows as error:
        _tell(error.summary)
        raise


def _tell(lines):
    # paths and names may hold bytes that are not UTF-8, on which print would fail
    print("\n".join(lines).encode("utf-8", "backslashreplace").decode())


if __name__ == "__main__":
    command(main)
