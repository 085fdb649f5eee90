"""Penn Action pair lists: one window per line, 33 + 31 T comma-separated fields for T targets (data_lists/README.md).

Axes: N windows, T targets (5 in the published lists), T + 1 frames (source first), J = 13 joints. Only in the file do the
source's joints come last. A *row* is a window's line in its list.
"""
import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pose.skeleton import JOINTS
from utils.errors import UserError
from utils.files import atomic_write
from utils.schema import ACTIONS

TRAIN_LIST, TEST_LIST = "training_pair_penn5.txt", "testing_pair_penn5.txt"
COORDINATE_LIMIT = 1e6                        # pixels; anything larger is a mistake


class Columns:
    """The positions of the fields in a row with `targets` targets, counted from 0."""

    def __init__(self, targets):
        self.targets, self.action = targets, targets + 1
        self.crop = self.action + 2
        self.persons = self.crop + 4
        self.joints = self.persons + 4 * targets
        self.fields = self.joints + 2 * len(JOINTS) * (targets + 1)

    @classmethod
    def of(cls, fields):
        """The columns of a row with `fields` fields, or None if no number of targets gives that many."""
        per_target = cls(2).fields - cls(1).fields                           # 31; a row without targets would have 33
        targets, rest = divmod(fields - cls(0).fields, per_target)
        return cls(targets) if targets > 0 and not rest else None

    def name(self, field):
        """What field number `field`, counted from 0, holds."""
        if field < self.action:
            return "source frame" if field == 0 else f"frame of target {field}"
        if field < self.persons:
            return ("action name", "action id", "crop x1", "crop y1", "crop x2", "crop y2")[field - self.action]
        if field < self.joints:
            target, corner = divmod(field - self.persons, 4)
            return f"person box of target {target + 1}, {('x1', 'y1', 'x2', 'y2')[corner]}"
        frame, value = divmod(field - self.joints, 2 * len(JOINTS))
        return f"{'xy'[value % 2]} of {JOINTS[value // 2]}, {'source' if frame == self.targets else f'target {frame + 1}'}"


class ListError(UserError):
    """A list, one of its rows or a field of a row cannot be used."""

    def __init__(self, path, line, field, message, columns=None):
        where = f"{path}" + (f":{line}" if line else "") + (f", field {field} ({columns.name(field)})" if columns else "")
        super().__init__(f"{where}: {message}")


class Row(NamedTuple):
    """One window. Boxes are `x1, y1, x2, y2` in pixels of the frame."""

    frames: tuple            # T + 1 paths, source first
    action: str
    action_id: int
    crop: np.ndarray         # (4,) int
    persons: np.ndarray      # (T, 4) int, of the targets
    poses: np.ndarray        # (T + 1, 13, 2) float64, source first


class PairList(NamedTuple):
    """A whole list as arrays."""

    path: Path
    lines: np.ndarray        # (N,) line number of each row in the file, from 1
    frames: list             # N tuples of T + 1 paths as written, source first
    actions: tuple           # names, by id
    action: np.ndarray       # (N,) int64 ids
    crop: np.ndarray         # (N, 4) int64
    persons: np.ndarray      # (N, T, 4) int64
    poses: np.ndarray        # (N, T + 1, 13, 2) float64 pixels, source first
    sha256: str              # of the file's bytes

    @classmethod
    def of(cls, path, lines, rows, actions, data):
        """Make a list of :class:`Row` s with equal T; `lines` are their line numbers and `data` the bytes of the file."""
        arrays = (np.stack([getattr(row, name) for row in rows]) for name in ("action_id", "crop", "persons", "poses"))
        return cls(path, np.array(lines), [row.frames for row in rows], tuple(actions), *arrays, hashlib.sha256(data).hexdigest())

    @property
    def targets(self):
        return self.persons.shape[1]

    def error(self, row, message, frame=None):
        """A :class:`ListError` about a row and its field for `frame`, or the crop box if `frame` is None."""
        columns = Columns(self.targets)
        return ListError(self.path, self.lines[row], columns.crop if frame is None else frame, message, columns)

    def windows(self):
        """The :class:`Window` of every row."""
        return [Window.of(*paths[:2]) for paths in self.frames]

    def frame_numbers(self):
        """(N, 3) int64: video number, source frame number, gap in frames; see :class:`Window`."""
        return np.array([window.numbers for window in self.windows()])


def video_name(name):
    """The name of a video: a number with four digits, any other name unchanged."""
    return f"{int(name):04d}" if re.fullmatch(r"\d{1,9}", name) else name


class Window(NamedTuple):
    """The video and the source frame of a row."""

    video: str               # name of the folder, see `video_name`
    frame: str               # number of the source frame, or its name if it contains no number
    numbers: tuple           # video, source frame, gap in frames; -1, -1 and 0 for names without numbers

    @property
    def stem(self):
        """A name for files, as published `<video:04d>_<frame:04d>`."""
        frame = f"{self.numbers[1]:04d}" if self.numbers[1] >= 0 else self.frame
        return re.sub(r"[^\w.-]", "_", f"{self.video}_{frame}")

    @classmethod
    def of(cls, source, target):
        """The window whose source and first target have these paths, `.../<video>/<frame>.<ending>`."""
        (video, name), (_, other) = (re.split(r"[/\\]", path)[-2:] if re.search(r"[/\\]", path) else ("", path)
                                     for path in (source, target))
        number, following = (re.search(r"(\d{1,9})\D*$", re.sub(r"\.\w+$", "", frame)) for frame in (name, other))
        known = re.fullmatch(r"\d{1,9}", video)
        first = int(number[1]) if number else -1
        return cls(video_name(video), str(first) if number else name.rpartition(".")[0] or name,
                   (int(video) if known else -1, first, int(following[1]) - first if number and following else 0))


def parse_row(text, path="<row>", line=None, actions=ACTIONS, by_name=False):
    """Parse and check one line of a list; returns a :class:`Row`.

    Args:
        text: the line.
        path, line: the list and the line number, for messages.
        actions: action names by id.
        by_name: take the action from its name and ignore its id, which differs between sets of actions.
    Raises:
        ListError: a field cannot be used; the message names line and field.
    """
    fields = text.split(",")
    columns = Columns.of(len(fields))
    if columns is None:
        published = Columns(5).fields
        raise ListError(path, line, None, f"a row has {published} comma-separated fields, this one has {len(fields)} (for T "
                                          f"targets {Columns(0).fields} + {Columns(1).fields - Columns(0).fields} T)")

    def error(field, message):
        return ListError(path, line, field, message, columns)

    def numbers(first, last, kind, what):
        values = []
        for field in range(first, last):
            try:
                values.append(kind(fields[field]))
            except ValueError:
                raise error(field, f"{fields[field]!r} is not {what}") from None
        return values

    for field in range(columns.action):
        if not fields[field].strip() or "\0" in fields[field]:
            raise error(field, "a path is needed here")
    name, (action_id,) = fields[columns.action], numbers(columns.action + 1, columns.crop, int, "an integer")
    if by_name and name not in actions:
        raise error(columns.action, f"unknown action {name!r}; known are {', '.join(actions)}")
    action_id = actions.index(name) if by_name else action_id
    if not 0 <= action_id < len(actions):
        raise error(columns.action + 1, f"unknown action id {action_id}; the ids are 0..{len(actions) - 1}")
    if name != actions[action_id]:
        raise error(columns.action, f"{name!r} disagrees with action id {action_id}, which is {actions[action_id]!r}")
    boxes = numbers(columns.crop, columns.joints, int, "an integer")
    joints = numbers(columns.joints, columns.fields, float, "a number")
    for field, value in enumerate(boxes + joints, columns.crop):
        if not abs(value) < COORDINATE_LIMIT:                                # not (a < b) also catches nan
            raise error(field, f"{fields[field]} is no coordinate in pixels")
    crop, persons = boxes[:4], [boxes[first:first + 4] for first in range(4, len(boxes), 4)]
    _check_boxes(crop, persons, columns, error)
    poses = np.array(joints).reshape(columns.targets + 1, len(JOINTS), 2)
    return Row(tuple(fields[:columns.action]), name, action_id, np.array(crop), np.array(persons), np.roll(poses, 1, axis=0))


def _check_boxes(crop, persons, columns, error):
    if crop[0] >= crop[2] or crop[1] >= crop[3]:
        raise error(columns.crop, f"the crop box {tuple(crop)} is empty (needs x1 < x2 and y1 < y2)")
    if crop[2] <= 0 or crop[3] <= 0:
        raise error(columns.crop, f"the crop box {tuple(crop)} lies outside the image")
    for target, (x1, y1, x2, y2) in enumerate(persons):
        if x1 > x2 or y1 > y2:
            raise error(columns.persons + 4 * target, f"the person box {(x1, y1, x2, y2)} is inverted")


def format_row(row):
    """Format a :class:`Row` as the line that :func:`parse_row` reads, without a line break."""
    joints = np.roll(row.poses, -1, axis=0).ravel()
    return ",".join([*row.frames, row.action, str(row.action_id), *map(str, row.crop), *map(str, row.persons.ravel()),
                     *(f"{value:f}" for value in joints)])


def read_list(path, actions=ACTIONS, by_name=False):
    """Read and check a whole list.

    Args:
        path: text file, one row per line; empty lines are ignored, `~` is the home folder.
        actions, by_name: see :func:`parse_row`.
    Raises:
        ListError: a missing, empty or undecodable file, a bad row, rows of different length.
    """
    path = Path(os.path.expanduser(path))
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ListError(path, None, None, f"cannot read this list: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ListError(path, data.count(b"\n", 0, error.start) + 1, None, "not UTF-8 text") from None
    numbered = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not numbered:
        raise ListError(path, None, None, "this list is empty; `python -m dataset.penn_action` makes one")
    rows = [parse_row(line, path, number, tuple(actions), by_name) for number, line in numbered]
    for (number, _), row in zip(numbered, rows):
        if len(row.frames) != len(rows[0].frames):
            raise ListError(path, number, None, f"this row has {len(row.persons)} targets, the ones above have "
                                                f"{len(rows[0].persons)}; a list keeps to one number")
    return PairList.of(path, [number for number, _ in numbered], rows, actions, data)


def check_rows(rows):
    """Raise :class:`UserError` if an action or a path of :class:`Row` s cannot stand in a list."""
    for text in dict.fromkeys(text for row in rows for text in (row.action, *row.frames)):
        if re.search("[,\n\r\0\ud800-\udfff]", text):                       # the last: bytes that are not UTF-8
            raise UserError(f"{text!r} cannot stand in a list, which is UTF-8 text with commas between its fields; give it "
                            "another name")


def count_valid_steps(paths):
    """The number of targets before a row repeats its last frame.

    It is T for most rows, less for rows that go past the end of their video, and 0 for static rows (defect D9).

    Args:
        paths: T + 1 paths of frames, source first.
    """
    valid_steps = len(paths) - 1
    while valid_steps and paths[valid_steps - 1] == paths[-1]:
        valid_steps -= 1
    return valid_steps


def write_list(path, rows):
    """Write :class:`Row` s to a list file, completely or not at all. Raises :class:`UserError`, see :func:`check_rows`."""
    check_rows(rows)
    with atomic_write(path) as file:
        file.writelines(format_row(row) + "\n" for row in rows)


def resolve_frame(path, data_root):
    """The file of a frame on this machine (published system, "Data").

    A path that exists is used unchanged. In any other absolute path, everything before its last `frames/` is replaced by
    `data_root`. A relative path is joined to `data_root`.
    """
    path, exists = Path(path), os.path.exists(path)        # Path.exists raises for names that are too long
    folders = path.parts[:-1]
    if path.is_absolute() and not exists and "frames" in folders:
        path = Path(*path.parts[len(folders) - 1 - folders[::-1].index("frames"):])
    elif not path.is_absolute() and exists:
        return path
    return Path(data_root) / path        # an absolute path stays unchanged
