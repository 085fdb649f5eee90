"""Videos become a data set: encoded videos of drawn people, and a fake detector that makes errors."""
import numpy as np
import pytest
from PIL import Image

from dataset.from_video import __main__ as program
from dataset.synthetic.people import draw_video
from pose.detector import Detector, Person
from utils.media import write_mp4

FPS, NFRAMES = 30, 70
NOISE, BYSTANDER = 2.0, 0.6            # pixels; size of the second person against the first


def as_person(joints, visible=None, score=0.95):
    visible = np.ones(13, bool) if visible is None else visible
    box = np.concatenate([joints.min(0) - 5, joints.max(0) + 5])
    return Person(box, score, joints, visible)


class FakeDetector(Detector):
    """Recognises the frames of a video; returns the true joints with noise and dropouts, and a second person."""

    def __init__(self, pictures, joints, drop=(), flaky=True):
        self.small, self.joints, self.drop, self.flaky = self._key(pictures), joints, set(drop), flaky
        self.calls, self.random = [], np.random.default_rng(0)

    @staticmethod
    def _key(pictures):
        return np.asarray([np.asarray(Image.fromarray(picture).resize((64, 48), Image.Resampling.BOX), np.int16)
                           for picture in pictures])

    def detect(self, picture):
        frame = int(np.abs(self.small - self._key([picture])).sum((1, 2, 3)).argmin())
        self.calls.append(frame)
        if frame in self.drop:
            return []
        visible = self.random.uniform(size=13) > (0.05 if self.flaky else 0)
        joints = self.joints[frame] + self.random.normal(0, NOISE, (13, 2))
        joints[~visible] += 80                                                # a guess, and a bad one
        other = (self.joints[0] - self.joints[0].mean(0)) * BYSTANDER + (60, 120)
        people = [as_person(other + self.random.normal(0, NOISE, (13, 2))), as_person(joints, visible)]
        return people if frame % 2 else people[::-1]


@pytest.fixture(scope="module")
def drawn():
    """Pictures (n, h, w, 3) RGB and joints of one drawn performance."""
    pictures, joints, _, _ = draw_video(7, "jumping_jacks", 0, (NFRAMES, NFRAMES))
    return np.stack([picture[..., ::-1] for picture in pictures]), joints


@pytest.fixture(scope="module")
def videos(drawn, tmp_path_factory):
    """A folder with one.mp4 and two.mp4, real H.264."""
    folder = tmp_path_factory.mktemp("videos")
    write_mp4(folder / "one.mp4", drawn[0], FPS)
    write_mp4(folder / "two.mp4", drawn[0][:40], FPS)
    return folder


class Scene:
    def __init__(self, folder, videos, drawn, monkeypatch, run_script):
        self.folder, self.videos, self.run_script, self.out = folder, videos, run_script, folder / "set"
        self.detector = FakeDetector(*drawn)
        monkeypatch.setattr(program, "find_people", lambda name, **_: self.detector)

    def run(self, csv, *argv, videos=None):
        path = self.folder / "actions.csv"
        path.write_text(csv)
        return self.run_script(program.main, *(videos or [self.videos]), "--actions", path, "--out", self.out, *argv)


@pytest.fixture
def scene(tmp_path, videos, drawn, monkeypatch, run_script):
    return Scene(tmp_path, videos, drawn, monkeypatch, run_script)


BOTH = "file,action,split\none.mp4,hop,train\ntwo.mp4,hop,test\n"
