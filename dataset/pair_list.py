"""Penn Action pair lists: one training window a line, 188 comma-separated fields (SPEC section 2, data_lists/README.md).

Axes: N rows, T = 6 frames (source first, then targets 1..5), J = 13 joints. Inside the project the source always
comes first; only the file keeps it last among the joints.
"""
import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.errors import UserError
from utils.files import atomic_write

ACTIONS = ("tennis_serve", "pullup", "clean_and_jerk", "tennis_forehand", "baseball_pitch", "jumping_jacks",
           "golf_swing", "squat", "baseball_swing")
JOINTS = ("head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
          "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
TARGETS = 5                                   # frames that follow the source
FIRST_BOX, FIRST_MASK, FIRST_JOINT, FIELDS = 8, 12, 32, 188
TRAIN_LIST, TEST_LIST = "training_pair_penn5.txt", "testing_pair_penn5.txt"
FRAME_NUMBERS = re.compile(r"(?:^|[/\\])(\d{1,9})[/\\](\d{1,9})\.\w+$")
COORDINATE_LIMIT = 1e6                        # pixels; more is a slip of the pen


class ListError(UserError):
    """A list, a row of it or a field of the row cannot be used."""

    def __init__(self, path, line, field, message):
        where = f"{path}" + (f":{line}" if line else "") + (f", field {field} ({field_name(field)})" if field is not None
                                                            else "")
        super().__init__(f"{where}: {message}")


def field_name(field):
    """What the field with this 0-based number holds, in words."""
    if field <= TARGETS:
        return "source frame" if field == 0 else f"frame of target {field}"
    if field < FIRST_MASK:
        return ("action name", "action id", "crop x1", "crop y1", "crop x2", "crop y2")[field - 6]
    if field < FIRST_JOINT:
        target, corner = divmod(field - FIRST_MASK, 4)
        return f"person box of target {target + 1}, {('x1', 'y1', 'x2', 'y2')[corner]}"
    frame, value = divmod(field - FIRST_JOINT, 2 * len(JOINTS))
    return f"{'xy'[value % 2]} of {JOINTS[value // 2]}, {'source' if frame == TARGETS else f'target {frame + 1}'}"


class Row(NamedTuple):
    """One window. Boxes are `x1, y1, x2, y2` in pixels of the frame."""

    frames: tuple            # 6 paths, source first
    action: str
    action_id: int
    crop: np.ndarray         # (4,) int
    persons: np.ndarray      # (5, 4) int, targets 1..5
    poses: np.ndarray        # (6, 13, 2) float64, source first


class PairList(NamedTuple):
    """A whole list as arrays."""

    path: Path
    lines: np.ndarray        # (N,) line number of each row in the file, from 1
    frames: list             # N tuples of 6 paths as written, source first
    actions: tuple           # names, by id
    action: np.ndarray       # (N,) int64 ids
    crop: np.ndarray         # (N, 4) int64
    persons: np.ndarray      # (N, 5, 4) int64
    poses: np.ndarray        # (N, 6, 13, 2) float64 pixels, source first
    sha256: str              # of the file's bytes

    def error(self, row, field, message):
        """A :class:`ListError` that names this list, the row's line and the field."""
        return ListError(self.path, self.lines[row], field, message)

    def frame_numbers(self):
        """(N, 3) int64: video number, source frame number, gap in frames, read from the paths `.../VVVV/NNNNNN.ext`."""
        numbers = np.empty((len(self.frames), 3), np.int64)
        for row, paths in enumerate(self.frames):
            source, target = (FRAME_NUMBERS.search(path) for path in paths[:2])
            for field, match in enumerate((source, target)):
                if match is None:
                    raise self.error(row, field, f"{paths[field]!r} should end in <video number>/<frame number>.jpg")
            numbers[row] = int(source[1]), int(source[2]), int(target[2]) - int(source[2])
        return numbers


def _numbers(path, line, fields, first, last, kind, what):
    """Fields first..last-1 as a list of `kind`; a :class:`ListError` names the first that is none."""
    try:
        return list(map(kind, fields[first:last]))
    except ValueError:
        for field in range(first, last):
            try:
                kind(fields[field])
            except ValueError:
                raise ListError(path, line, field, f"{fields[field]!r} is not {what}") from None
        raise


def parse_row(text, path="<row>", line=None, actions=ACTIONS):
    """One line of a list as a checked :class:`Row`; raises :class:`ListError` naming line and field."""
    fields = text.split(",")
    if len(fields) != FIELDS:
        raise ListError(path, line, None, f"a row has {FIELDS} comma-separated fields, this one has {len(fields)}")
    for field in range(TARGETS + 1):
        if not fields[field].strip() or "\0" in fields[field]:
            raise ListError(path, line, field, "a path is needed here")
    name, (action_id,) = fields[6], _numbers(path, line, fields, 7, 8, int, "an integer")
    if not 0 <= action_id < len(actions):
        raise ListError(path, line, 7, f"unknown action id {action_id}; the ids are 0..{len(actions) - 1}")
    if name != actions[action_id]:
        raise ListError(path, line, 6, f"{name!r} disagrees with action id {action_id}, which is {actions[action_id]!r}")
    boxes = _numbers(path, line, fields, FIRST_BOX, FIRST_JOINT, int, "an integer")
    joints = _numbers(path, line, fields, FIRST_JOINT, FIELDS, float, "a number")
    for first, values in ((FIRST_BOX, boxes), (FIRST_JOINT, joints)):
        # not (a < b) also catches nan
        for offset in (i for i, value in enumerate(values) if not abs(value) < COORDINATE_LIMIT):
            raise ListError(path, line, first + offset, f"{fields[first + offset]} is no coordinate in pixels")
    if boxes[0] >= boxes[2] or boxes[1] >= boxes[3]:
        raise ListError(path, line, FIRST_BOX, f"the crop box {tuple(boxes[:4])} is empty (needs x1 < x2 and y1 < y2)")
    if boxes[2] <= 0 or boxes[3] <= 0:
        raise ListError(path, line, FIRST_BOX, f"the crop box {tuple(boxes[:4])} lies outside the image")
    for field in range(FIRST_MASK, FIRST_JOINT, 4):
        x1, y1, x2, y2 = boxes[field - FIRST_BOX:field - FIRST_BOX + 4]
        if x1 > x2 or y1 > y2:
            raise ListError(path, line, field, f"the person box {(x1, y1, x2, y2)} is inverted")
    poses = np.array(joints).reshape(TARGETS + 1, len(JOINTS), 2)
    return Row(tuple(fields[:TARGETS + 1]), name, action_id, np.array(boxes[:4]),
               np.array(boxes[4:]).reshape(TARGETS, 4), np.roll(poses, 1, axis=0))


def format_row(row):
    """A :class:`Row` as the line (without its end) that :func:`parse_row` reads."""
    joints = np.roll(row.poses, -1, axis=0).ravel()
    return ",".join([*row.frames, row.action, str(row.action_id), *map(str, row.crop), *map(str, row.persons.ravel()),
                     *(f"{value:f}" for value in joints)])


def read_list(path, actions=ACTIONS):
    """Read and check a whole list.

    Args:
        path: text file, one row a line; empty lines are passed over.
        actions: action names by id.
    Raises:
        ListError: missing, empty or undecodable file, or a bad row, with line and field.
    """
    path = Path(path)
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
    rows = [parse_row(line, path, number, tuple(actions)) for number, line in numbered]
    return PairList(path, np.array([number for number, _ in numbered]), [row.frames for row in rows], tuple(actions),
                    *(np.stack([getattr(row, name) for row in rows]) for name in ("action_id", "crop", "persons",
                                                                                  "poses")),
                    hashlib.sha256(data).hexdigest())


def write_list(path, rows):
    """Write :class:`Row` s to a list file, whole or not at all."""
    with atomic_write(path) as file:
        file.writelines(format_row(row) + "\n" for row in rows)


def resolve_frame(path, data_root):
    """Where a frame of a list lies on this machine (SPEC section 2).

    A path that exists is used as it is; of an absolute path everything before its last `frames/` is replaced by
    `data_root`; a relative path is joined to `data_root`.
    """
    path, exists = Path(path), os.path.exists(path)        # os.path: False, not an error, for an overlong name
    folders = path.parts[:-1]
    if path.is_absolute() and not exists and "frames" in folders:
        path = Path(*path.parts[len(folders) - 1 - folders[::-1].index("frames"):])
    elif not path.is_absolute() and exists:
        return path
    return Path(data_root) / path        # an absolute path stays itself
