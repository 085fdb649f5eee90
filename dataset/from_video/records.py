"""Records in a data set's folder: the people that were found, one record for each finished clip, a report, and a page with the
contact sheets. A stopped or changed run need not detect people again, which takes long."""
import base64
import json
from html import escape
from pathlib import Path

import cv2
import numpy as np

from dataset.penn_action import read_annotation
from dataset.penn_layout import label_bytes
from pose.detector import Person
from pose.masks import mask_bytes
from pose.regions import Region
from utils.errors import UserError
from utils.files import write_bytes, write_json, write_text
from utils.pages import image, page

MARK = "from_video.json"
LEFT_OUT = "left_out"        # folder of the annotations of clips that the CSV names no more
DIGITS = 2                   # of the coordinates of people who were found
SAVE_EACH = 10               # detected frames; a killed run loses fewer than these
MAKER = {"maker": "dataset.from_video", "version": 1}


def identity(path):
    """Name, size and time of a file, which tell it from an earlier one of this name."""
    stat = path.stat()
    return [path.name, stat.st_size, stat.st_mtime_ns]


class Records:
    """The data set's folder `out`. It is made, or must be one that this command made; otherwise :class:`UserError` is raised."""

    def __init__(self, out):
        self.out, mark = Path(out), Path(out) / MARK
        try:
            if self.out.exists() and not (self.out.is_dir() and (not any(self.out.iterdir()) or _read(mark) == MAKER)):
                raise UserError(f"{out}: not empty and not made by this command; choose another folder")
            for folder in ("clips", "found"):
                (self.out / folder).mkdir(parents=True, exist_ok=True)
            write_json(mark, MAKER)
        except OSError as error:
            raise UserError(f"{error.filename or out}: cannot write ({error.strerror})") from None

    def _path(self, clip):
        return self.out / "clips" / f"{clip.name}.json"

    def found(self, clip):
        """The file with the people that were found in a clip."""
        return self.out / "found" / f"{clip.name}.json"

    def finished(self, clip, key):
        """The record of a clip that was finished with the same video and settings (`key`), or None.

        If only its action or split has changed, its annotation is written again.
        """
        record, label = _read(self._path(clip)), self.out / "labels" / f"{clip.name}.mat"
        aside = self.out / LEFT_OUT / label.name
        if aside.is_file():
            aside.replace(label)
        if not isinstance(record, dict) or record.get("key") != json.loads(json.dumps(key)) or not label.is_file():
            return None
        if (record["action"], record["train"]) != (clip.action, clip.train):
            known = read_annotation(label)
            write_bytes(label, label_bytes(clip.action, "front", known.joints, known.size[::-1], clip.train, known.visibility))
            record |= {"action": clip.action, "train": clip.train}
            write_json(self._path(clip), record)
        return record

    def finish(self, clip, key, notes, numbers):
        """Write the record of a clip after all its other files; returns it."""
        record = {"key": key, "action": clip.action, "train": clip.train, "notes": notes, "numbers": numbers}
        write_json(self._path(clip), record)
        return record

    def drop(self, clip):
        """Remove all files of a clip, its record first."""
        for path in (self._path(clip), self.out / "labels" / f"{clip.name}.mat", self.out / "sheets" / f"{clip.name}.jpg"):
            path.unlink(missing_ok=True)
        for kind, ending in (("frames", "jpg"), ("masks", "png")):
            folder = self.out / kind / clip.name
            if folder.is_dir():
                for path in (*folder.glob(f"[0-9]*.{ending}"), *folder.glob(f".[0-9]*.{ending}.*")):
                    path.unlink()
                if not any(folder.iterdir()):
                    folder.rmdir()

    def leave_out(self, clips):
        """Take the annotations of finished clips that are not among `clips` out of the data set, into `left_out/`.

        Lists then hold no windows of them. All their other files stay, and :meth:`finished` brings the annotation back.

        Returns:
            their names, sorted, also of those that an earlier run left out.
        """
        names = {path.stem for path in (self.out / "clips").glob("*.json")} - {clip.name for clip in clips}
        for label in (self.out / "labels" / f"{name}.mat" for name in names):
            if label.is_file():
                (self.out / LEFT_OUT).mkdir(exist_ok=True)
                label.replace(self.out / LEFT_OUT / label.name)
        return sorted(names)

    def report(self, clips, results, problems):
        """Write `report.txt` (what was dropped and why) and `index.html` (the contact sheets)."""
        lines, cards = [], []
        for clip in clips:
            if clip.name in results:
                record = results[clip.name]
                numbers = record["numbers"]
                text = "; ".join([f"{numbers['kept']} frames kept of {numbers['frames']}"
                                  + (f", one in {numbers['gap']}" if numbers["gap"] > 1 else ""),
                                  f"{numbers['filled']} filled", f"{numbers['visible']:.0%} of the joints visible",
                                  *record["notes"]])
                lines.append(f"{clip.name} ({clip.action}, {'train' if clip.train else 'test'}): {text}")
                cards.append(f"<h2>{escape(clip.name)}</h2><p>{escape(clip.action)}, {'train' if clip.train else 'test'}: "
                             f"{escape(text)}</p>{image(f'sheets/{clip.name}.jpg', 'sheet')}")
        lines += [f"not used: {problem}" for problem in problems]
        write_text(self.out / "report.txt", "".join(line + "\n" for line in lines))
        bad = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
        write_text(self.out / "index.html", page("own videos", (
            f"<h1>Own videos</h1><p>{len(results)} of {len(clips)} clips. Orange is the person's own right side (Penn Action's "
            "left), blue the own left one; thin: not visible; tinted: the mask; dark: dropped. "
            "Frames are cut to what is around the person.</p>"
            + (f"<h2>not used</h2><ul>{bad}</ul>" if bad else "") + "".join(cards))))


def _read(path):
    """The content of a JSON file, or None if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


class FoundPeople:
    """The people in the frames of one clip; the detector only sees frames that are not in the file.

    Args:
        path: JSON file.
        key: says which video, which part of it and which detector; a file with another key is not used.
        detect: picture (h, w, 3) uint8 RGB -> list of :class:`pose.detector.Person`.
    """

    def __init__(self, path, key, detect):
        self.path, self.key, self.ask, self.asked, self.frames = path, json.loads(json.dumps(key)), detect, 0, {}
        try:
            content = _read(path)
            if content["key"] == self.key:
                self.frames = {int(frame): [_person(*person) for person in people] for frame, people in content["frames"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):                               # no file, or a damaged one
            self.frames = {}

    def detect(self, number, picture):
        """The people in frame `number` of the clip."""
        if number not in self.frames:
            self.frames[number] = self.ask(picture)
            self.asked += 1
            if self.asked % SAVE_EACH == 0:
                self.save()
        return self.frames[number]

    def save(self):
        """Write the file, if people were detected since it was read."""
        if self.asked:
            write_json(self.path, {"key": self.key, "frames": {int(number): [_as_list(person) for person in people]
                                                               for number, people in self.frames.items()}})


def _as_list(person):
    soft = [] if person.soft is None else [[round(value, 4) for value in person.region],
                                           base64.b64encode(mask_bytes(person.soft)).decode("ascii")]
    return [person.box.round(DIGITS).tolist(), round(float(person.score), 4), person.joints.round(DIGITS).tolist(),
            person.visible.tolist(), *soft]


def _person(box, score, joints, visible, region=None, soft=None):
    person = Person(np.array(box, np.float64), float(score), np.array(joints, np.float64), np.array(visible, bool))
    if person.box.shape != (4,) or person.joints.shape != (13, 2) or person.visible.shape != (13,):
        raise ValueError("not a person")
    if soft is None:
        return person
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(soft), np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None or picture.shape[0] != picture.shape[1]:
        raise ValueError("not a mask")
    return person._replace(region=Region(*map(float, region)), soft=picture.astype(np.float32) / 255)
