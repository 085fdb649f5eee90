"""The folder of a converted data set. A clip is converted in a folder of its own and moved into place when it is complete; its
record, `clips/NAME.json`, is written last, so a stopped run loses one clip at most."""
import json
import shutil
from pathlib import Path

from dataset.penn_layout import label_bytes, read_annotation
from utils.errors import UserError
from utils.files import write_bytes, write_json

MARK, MAKER = "from_video.json", {"maker": "dataset.from_video", "version": 1}
FOLDERS = ("frames", "masks", "sheets", "labels")         # the labels come last


class Records:
    """The data set's folder `out`. Raises :class:`UserError` if something else is in it."""

    def __init__(self, out):
        self.out = Path(out)
        if self.out.exists() and not (self.out.is_dir() and (not any(self.out.iterdir()) or _read(self.out / MARK) == MAKER)):
            raise UserError(f"{out}: not empty and not made by this command; choose another folder")
        (self.out / "clips").mkdir(parents=True, exist_ok=True)
        write_json(self.out / MARK, MAKER)

    def _path(self, name):
        return self.out / "clips" / f"{name}.json"

    def earlier(self, name):
        """The record of a clip that an earlier run converted, or None."""
        return _read(self._path(name))

    def finished(self, clip, key):
        """The record of a clip that was finished with the same video and settings (`key`), or None."""
        record = _read(self._path(clip.name))
        known = isinstance(record, dict) and record.get("key") == json.loads(json.dumps(key))
        return record if known and all(path.is_file() for path in self._labels(record)) else None

    def relabel(self, clip, record):
        """Rewrite the annotations of a clip whose action or split has changed."""
        if (record["action"], record["train"]) != (clip.action, clip.train):
            for label in self._labels(record):
                known = read_annotation(label)
                size = known.size[::-1]
                write_bytes(label, label_bytes(clip.action, "front", known.joints, size, clip.train, known.visibility))
            record |= {"action": clip.action, "train": clip.train}
            write_json(self._path(clip.name), record)

    def _labels(self, record):
        return [self.out / "labels" / f"{part}.mat" for part in record["parts"]]

    def replace(self, clip, key, convert):
        """Write a clip anew: `convert(folder)` writes its files into an empty folder. Returns its record."""
        self.remove(clip.name)
        part = self.out / "unfinished"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            record = {"key": key, "action": clip.action, "train": clip.train, **convert(part)}
            for path in _files(part):
                (self.out / path.parent.name).mkdir(exist_ok=True)
                path.rename(self.out / path.parent.name / path.name)
            write_json(self._path(clip.name), record)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return record

    def remove(self, name):
        """Remove all files of a clip, its record first. Its parts are called `NAME` and `NAME.2`; a clip's name has no dot."""
        self._path(name).unlink(missing_ok=True)
        for path in reversed(_files(self.out)):
            if path.name.split(".")[0] == name:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def remove_others(self, clips):
        """Remove the clips that are not among `clips`. Returns their names, sorted."""
        names = {path.stem for path in (self.out / "clips").glob("*.json")} - {clip.name for clip in clips}
        for name in names:
            self.remove(name)
        return sorted(names)


def _files(folder):
    """The files and folders of all clips in a data set, labels last."""
    return [path for kind in FOLDERS if (folder / kind).is_dir() for path in sorted((folder / kind).iterdir())]


def _read(path):
    """The content of a JSON file, or None if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
