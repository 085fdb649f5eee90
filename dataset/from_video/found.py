"""The people that a detector found, kept on disk: a stopped or changed run need not detect them again, which takes long."""
import json

import numpy as np

from pose.detector import Person
from utils.files import write_json

DIGITS = 2
SAVE_EACH = 10               # detected frames; a killed run loses fewer than these


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
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["key"] == self.key:
                self.frames = {int(frame): [_person(*person) for person in people] for frame, people in content["frames"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):      # no file, or a damaged one
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
    return [person.box.round(DIGITS).tolist(), round(float(person.score), 4), person.joints.round(DIGITS).tolist(),
            person.visible.tolist()]


def _person(box, score, joints, visible):
    person = Person(np.array(box, np.float64), float(score), np.array(joints, np.float64), np.array(visible, bool))
    if person.box.shape != (4,) or person.joints.shape != (13, 2) or person.visible.shape != (13,):
        raise ValueError("not a person")
    return person
