"""Masks of the annotated people are added to a data set, once."""
import numpy as np
import pytest

from dataset import add_masks
from dataset.penn_action import find_labels, read_annotation
from dataset.synthetic.layout import make
from pose import DETECTORS
from pose.detector import Detector, DetectorError, Person
from pose.masks import read_mask
from pose.regions import Region


class StandIn(Detector):
    """Finds a square around the joints, unless it is `blind` to them."""

    min_score, default_weights, finds_masks, asked, blind = 0.5, "none", True, [], lambda joints: False

    def __init__(self, weights=None, device="cpu", min_score=None):
        if weights is not None:
            raise DetectorError(f"{weights}: there are no such weights")

    def detect(self, picture):
        raise AssertionError("the annotation says where the person is")

    def find_again(self, picture, joints, visible):
        self.asked.append(joints)
        if type(self).blind(joints):
            return None
        side = 2 * np.ptp(joints, axis=0).max()
        soft = np.zeros((32, 32), np.float32)
        soft[8:24, 8:24] = 1
        centre = (joints.min(0) + joints.max(0)) / 2
        return Person(np.concatenate([centre - side / 4, centre + side / 4]), 1.0, joints, visible, Region(*centre, side), soft)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setitem(DETECTORS, "stand_in", f"{__name__}:StandIn")
    monkeypatch.setattr(StandIn, "asked", [])
    make(tmp_path / "set", videos=1, frames=(6, 6))
    return tmp_path / "set"


def test_every_frame_gets_the_mask_of_its_annotated_person(root, run_script, monkeypatch):
    frames = sorted((root / "frames").rglob("*.jpg"))
    monkeypatch.setattr(StandIn, "blind", lambda joints: len(StandIn.asked) == 2)
    outcome = run_script(add_masks.main, root, "--detector", "stand_in")
    assert outcome.status == 0, outcome.err
    assert f"{len(frames) - 1} masks written, 0 existed, 1 frames without a mask" in outcome.out
    masks = sorted((root / "masks").rglob("*.png"))
    expected = [path.relative_to(root / "frames").with_suffix(".png") for path in frames]
    assert [path.relative_to(root / "masks") for path in masks] == [path for at, path in enumerate(expected) if at != 1]
    for label in find_labels(root):
        annotation = read_annotation(label)
        x, y = annotation.joints[0].mean(0).round().astype(int)
        assert read_mask(root / "masks" / label.stem / "000001.png", annotation.size)[y, x] > 0.9
    masks[3].unlink()
    monkeypatch.setattr(StandIn, "blind", lambda joints: False)
    monkeypatch.setattr(StandIn, "asked", [])
    outcome = run_script(add_masks.main, root, "--detector", "stand_in")
    assert len(StandIn.asked) == 2 and f"2 masks written, {len(frames) - 2} existed, 0 frames" in outcome.out


def test_bad_input(root, run_script, tmp_path):
    next((root / "frames").iterdir()).rename(tmp_path / "elsewhere")
    for argv, message in (((tmp_path / "nothing",), "holds no .mat annotation"),
                          ((root,), "these frames are needed"),
                          ((root, "--detector_weights", "none.whl"), "none.whl: there are no such")):
        outcome = run_script(add_masks.main, *argv, "--detector", "stand_in")
        assert outcome.status == 2 and message in outcome.err and "Traceback" not in outcome.err
    assert not (root / "masks").exists()
