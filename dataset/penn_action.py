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

from dataset.frames import BROKEN, FORMATS, frame_files, frame_names, frame_reading
from dataset.pair_list import ACTIONS, TEST_LIST, TRAIN_LIST, Row, check_rows, video_name, write_list
from dataset.penn_layout import Annotation, find_labels, read_annotation, read_annotations  # noqa: F401  re-exported
from utils.errors import UserError, command

CLIP = 33                 # frames of a video's clip, as published
HORIZON = 5               # targets of a window, as published
MIN_VISIBLE = 10          # visible joints that a source frame needs
MISSING = "frame missing on disk"
EXAMPLES = 3              # most videos that the summary names for one reason


def outer_box(joints, visible=None):
    """The smallest box `x1, y1, x2, y2` around joints (..., 2), as integers. With `visible` (...), only visible joints count
    unless there are none."""
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
    is shorter than a clip gives as many windows as fit into it (the published system made static ones, defect D9). With `pad`,
    windows start at the same frames as with the published horizon, and repeat the last frame where the video ends too early.

    Args:
        annotation: :class:`Annotation`.
        action_id: id to write.
        files: dict from frame number (from 1) to file name of the frames on disk; None: all, under Penn Action's names.
        rules: fields of :class:`Rules`.
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
        ValueError: the number or the size of the frames does not fit the annotation; the text names both.
    """
    folder = root / "frames" / annotation.video
    if not (root / "frames").is_dir():
        return None
    files = frame_files(frame_names(folder) if folder.is_dir() else [], len(annotation.joints))
    if files:
        first = files[min(files)]
        try:
            image = Image.open(folder / first, formats=FORMATS)
        except BROKEN:
            raise ValueError(f"{first} is not a readable picture") from None
        with image:
            frame_reading(image, annotation.size)
    return files


def plain(action):
    """An action's name for comparisons: case and extra blanks do not count."""
    return " ".join(action.split()).casefold()


def read_test_videos(path):
    """The names of test videos in a file, one per line, see :func:`dataset.pair_list.video_name`."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the test videos ({error})") from None
    return {video_name(line.strip()) for line in lines if line.strip()}


class Collection:
    """The windows of all annotations, and the numbers for the summary."""

    def __init__(self, actions):
        self.actions, self.ids = actions, {plain(action): number for number, action in enumerate(actions)}
        if "" in self.ids or len(self.ids) < len(actions):
            raise UserError(f"--actions {','.join(actions)}: different names are needed, with a comma between them; case and "
                            "blanks do not count")
        self.rows = {True: [], False: []}                            # train or not -> list of Row
        self.videos, self.windows = Counter(), Counter()             # (action, train or not) -> number
        self.dropped, self.examples = {}, {}                         # reason -> Counter of actions, list of texts

    def add(self, root, annotation, train, rules):
        """Add the windows of a video."""
        number = self.ids.get(plain(annotation.action))
        if number is None:
            return self._drop("videos of other actions", annotation.action)
        action = self.actions[number]
        try:
            files = frames_on_disk(root, annotation)
        except ValueError as problem:
            return self._drop("video whose frames do not fit its annotation", action, example=f"{annotation.video}: {problem}")
        rows, lost = windows(annotation._replace(action=action), number, files, **rules)
        self.rows[train] += rows
        self.videos[action, train] += bool(rows)
        self.windows[action, train] += len(rows)
        for reason, count in lost.items():
            lacking = reason == MISSING and f"{annotation.video}: {len(files)} frames on disk for {len(annotation.joints)} poses"
            self._drop(reason, action, count, lacking)

    def _drop(self, reason, action, count=1, example=None):
        self.dropped.setdefault(reason, Counter())[action] += count
        self.examples.setdefault(reason, []).extend([example] if example else [])

    def summary(self):
        """The lines of the summary."""
        line = "{:<18}{:>13}{:>16}{:>13}{:>16}".format
        yield line("action", "train videos", "train windows", "test videos", "test windows")
        for name, members in (*((action, [action]) for action in self.actions), ("all", self.actions)):
            yield line(name, *(sum(counter[action, train] for action in members)
                               for train in (True, False) for counter in (self.videos, self.windows)))
        for reason, by_action in sorted(self.dropped.items()):
            numbers = ", ".join(f"{action} {number}" for action, number in sorted(by_action.items()))
            yield f"dropped, {reason}: {numbers}" + (f" ({_some(self.examples[reason], '; ')})" if self.examples[reason] else "")


def _some(texts, separator):
    """The first texts in one line."""
    return separator.join([*texts[:EXAMPLES], *(["..."] if len(texts) > EXAMPLES else [])])


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
        UserError: bad annotations; or both lists would be empty, or the test list although `test_videos` are named. Nothing is
            written then.
    """
    root, out = (Path(os.path.expanduser(folder)) for folder in (root, out))
    annotations, found = read_annotations(root), Collection(actions)
    chosen = read_test_videos(os.path.expanduser(test_videos)) if test_videos else None
    for annotation in annotations:
        train = annotation.train if chosen is None else video_name(annotation.video) not in chosen
        found.add(root, annotation, train, rules)
    summary = list(found.summary())
    missing = sorted((chosen or set()) - {video_name(annotation.video) for annotation in annotations})
    if missing:
        summary.append(f"{len(missing)} of the {len(chosen)} test videos have no annotation here: "
                       + _some(missing, ", "))
    if not found.rows[False] and (chosen is not None or not found.rows[True]):
        with_videos = f" with the {len(chosen)} test videos of {test_videos}" if chosen else ""
        raise UserError("\n".join([f"no {'test ' if found.rows[True] else ''}window comes out of {root / 'labels'}{with_videos}; "
                                   "nothing is written", *summary]))
    paths = {True: out / TRAIN_LIST, False: out / TEST_LIST}
    for rows in found.rows.values():
        check_rows(rows)
    out.mkdir(parents=True, exist_ok=True)
    for train, path in paths.items():
        if found.rows[train]:
            write_list(path, found.rows[train])
        else:
            path.unlink(missing_ok=True)
    summary.append("wrote " + " and ".join(str(path) for train, path in paths.items() if found.rows[train]))
    if not found.rows[False]:
        summary.append("there is no test window: write `test` into the column `split` of some clips in dataset.from_video's CSV "
                       f"(annotations: train -1), or train with --set test_data_list={paths[True]}, which tests what was trained")
    if not found.rows[True]:
        summary.append("there is no training window: the column `split` of dataset.from_video's CSV (annotations: train -1) has "
                       "only videos for testing")
    return summary


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
                             "depend on the horizon; the pose module mixture ignores the repeated frames in training")
    parser.add_argument("--every_frame", action="store_true", help="windows start at every frame, not only at the clip's")
    options = parser.parse_args()
    if options.windows is not None and options.windows < 1:
        parser.error("--windows must be at least 1")
    if options.horizon < 1 or (options.windows is None and options.horizon >= CLIP and not options.pad):
        parser.error(f"--horizon must lie in 1..{CLIP - 1}, or be given with --windows or --pad")
    print("\n".join(build(options.root, options.out, options.test_videos, options.actions, horizon=options.horizon,
                          count=options.windows, min_visible=options.min_visible, visible_boxes=options.visible_boxes,
                          pad=options.pad, every_frame=options.every_frame)))


if __name__ == "__main__":
    command(main)
