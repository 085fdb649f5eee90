"""The CSV of clips: what the videos show."""
import math
import re
from pathlib import Path
from typing import NamedTuple

from dataset.from_video.table import read_table
from utils.errors import UserError
from utils.files import NAME_LENGTH, unused_name

COLUMNS = ("file", "action", "start", "end", "split")
SPLITS = {"train": True, "test": False}
TEST_EACH = 5                # of every 5 clips of an action without a split, the last is for testing
ENDINGS = {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp", ".wmv", ".mts"}
ANIMATIONS = {".gif"}         # are read like videos


class Clip(NamedTuple):
    """A part of a video that shows one action."""

    place: str               # CSV file and line, for messages
    file: str                # as the CSV names it
    action: str
    start: float             # seconds
    end: float               # seconds; inf: the end of the video
    train: bool | None       # for training, not for testing; None: see `with_splits`
    name: str                # of its folder of frames


def read_actions(path):
    """Read a CSV (columns `file`, `action` and optionally `start`, `end` in seconds, `split`): a list of :class:`Clip`.

    Raises :class:`UserError` for a row that cannot be used; the message names its line.
    """
    return _with_names([_clip(place, values) for place, values in read_table(path, "actions", COLUMNS, needed=2)])


def _clip(place, values):
    for name in COLUMNS[:2]:
        if not values[name] or not values[name].isprintable():
            raise UserError(f"{place}: {name} is {'missing' if not values[name] else 'not a single line of text'}")
    if "," in values["action"]:
        raise UserError(f"{place}: action {values['action']!r} holds a comma, which lists of windows cannot hold")
    start, end = (_seconds(values[name], default, f"{place}: {name}") for name, default in (("start", 0.0), ("end", math.inf)))
    if not start < end:
        raise UserError(f"{place}: the end, {end:g} s, is not after the start, {start:g} s")
    split = values["split"].lower()
    if split and split not in SPLITS:
        raise UserError(f"{place}: split is {split!r}, expected train, test or nothing")
    return Clip(place, values["file"], values["action"], start, end, SPLITS.get(split), "")


def _seconds(text, default, place):
    """Parse seconds, `12.5`, or minutes and seconds, `1:05.2`."""
    if not text:
        return default
    match = re.fullmatch(r"(?:(\d{1,4}):)?(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})", text, re.ASCII)
    if not match:
        raise UserError(f"{place} is {text!r}, expected seconds (12.5) or minutes and seconds (1:05.2)")
    return 60 * int(match[1] or 0) + float(match[2])


def with_splits(clips):
    """Set missing splits: of an action's clips, the last of every TEST_EACH is for testing; of two to four, the last."""
    free = {}
    for number, clip in enumerate(clips):
        if clip.train is None:
            free.setdefault(clip.action, []).append(number)
    tests = {group[-1] for numbers in free.values() for at in range(0, len(numbers), TEST_EACH)
             if len(group := numbers[at:at + TEST_EACH]) == TEST_EACH or (at == 0 and len(group) > 1)}
    return [clip if clip.train is not None else clip._replace(train=number not in tests) for number, clip in enumerate(clips)]


def _with_names(clips):
    """Name the clips: after the video, with the seconds of a part, and with `_2` if that name is taken."""
    named, known = {}, {}
    for clip in clips:
        if (clip.file, clip.start, clip.end) in known:
            raise UserError(f"{clip.place}: the same part of {clip.file} is already in {known[clip.file, clip.start, clip.end]}")
        known[clip.file, clip.start, clip.end] = clip.place
        stem = re.sub(r"[^\w-]", "_", Path(clip.file.replace("\\", "/")).stem, flags=re.ASCII)[:NAME_LENGTH] or "video"
        if clip.start or math.isfinite(clip.end):
            stem += f"_{clip.start:g}" + (f"-{clip.end:g}s" if math.isfinite(clip.end) else "s")
        elif re.fullmatch(r"\d{1,9}", stem):
            stem = f"{int(stem):04d}"                        # as Penn Action's own videos are called
        name = unused_name(stem.replace(".", "_"), named)
        named[name] = clip._replace(name=name)
    return list(named.values())


def find_videos(paths):
    """The video files among `paths` and in the folders among them: {resolved path: whether the file itself was named}.

    Raises :class:`UserError` for a folder without videos.
    """
    found = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS | ANIMATIONS and file.is_file())
            if not inside:
                raise UserError(f"{path}: no video in this folder (looked for {' '.join(sorted(ENDINGS | ANIMATIONS))})")
            found = {file.resolve(): False for file in inside} | found
        else:
            found[path.resolve()] = True                     # missing ones are reported later
    return found


def match(clip, videos):
    """The one of `videos` whose path ends with the clip's `file`. Raises :class:`UserError` unless there is exactly one."""
    parts = tuple(part for part in Path(clip.file.replace("\\", "/")).parts if part not in (".", ".."))
    fitting = [video for video in videos if parts and video.parts[-len(parts):] == parts]
    if len(fitting) != 1:
        raise UserError(f"{clip.place}: {clip.file}: " + ("no such file among the videos given" if not fitting else
                                                          f"{len(fitting)} of the videos given are called so; name its folder"))
    if not fitting[0].is_file():
        raise UserError(f"{clip.place}: {fitting[0]}: there is no such file")
    return fitting[0]
