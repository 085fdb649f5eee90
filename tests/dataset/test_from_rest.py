"""Clips of waving that begin at rest: `python -m dataset.from_rest`."""
import sys

import numpy as np
import pytest

from dataset import from_rest
from dataset.from_rest import HANGING, RISE, STILL
from dataset.penn_action import read_annotation
from dataset.penn_layout import label_bytes
from utils.errors import UserError

STANDING = np.array([[50, 10], [40, 20], [60, 20], [38, 35], [62, 35], [36, 50], [64, 50], [42, 60], [58, 60], [42, 80], [58, 80],
                     [42, 99], [58, 99]], float)


def waving(up):
    """Thirty frames of a person whose given arms (0: index 1, 1: index 2) are up and whose hands sway: (30, 13, 2)."""
    joints = np.repeat(STANDING[None], 30, 0)
    for side in up:
        outwards = (-1, 1)[side]
        joints[:, 3 + side] = STANDING[1 + side] + (15 * outwards, 0)
        joints[:, 5 + side] = joints[:, 3 + side] + (0, -15)
        joints[:, 5 + side, 0] += 3 * np.sin(np.arange(30))
    return joints


@pytest.mark.parametrize("up", [(0,), (1,), (0, 1)])
def test_raised_arms_hang_first_and_then_rise_sideways(up):
    joints, still, rise = waving(up), 3, 8
    found = from_rest.from_rest(joints, still, rise)
    assert found.shape == joints.shape
    np.testing.assert_array_equal(found[still + rise:], joints[:30 - still - rise])
    moving = [3 + side for side in up] + [5 + side for side in up]
    rest = [joint for joint in range(13) if joint not in moving]
    np.testing.assert_array_equal(found[:still + rise, rest], np.repeat(joints[:1, rest], still + rise, 0))
    for side in up:
        outwards, shoulder = (-1, 1)[side], STANDING[1 + side]
        np.testing.assert_allclose(found[:still, 3 + side] - shoulder,
                                   [[15 * outwards * np.sin(HANGING), 15 * np.cos(HANGING)]] * still, atol=0.1)
        assert found[0, 5 + side, 1] > STANDING[7, 1] - 12, "the hand hangs beside the hip"
        height, out = found[:still + rise + 1, 5 + side, 1], outwards * (found[:still + rise + 1, 5 + side, 0] - shoulder[0])
        assert (np.diff(height) <= 1e-9).all() and (out > 0).all() and out.max() > 20
        assert np.linalg.norm(np.diff(found[:still + rise + 1, 5 + side], axis=0), axis=-1).max() < 12, "no jump"


def test_a_hand_above_the_head_got_there_sideways():
    """Its forearm points up and inwards, which is the shorter way from a hanging arm through the body."""
    joints = waving((1,))
    joints[:, 4], joints[:, 6] = (68, 8), (50, 0)
    found = from_rest.from_rest(joints, 1, 9)
    assert found[:11, 6, 0].max() > 75 and (found[:8, 6, 0] > 60).all()


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data/labels").mkdir(parents=True)
    for number, (action, up) in enumerate([("wave", (0,)), ("squat", ()), ("wave", (0, 1))], 1):
        seen = np.ones((30, 13), bool)
        seen[0, 2] = False
        content = label_bytes(action, "front", waving(up), (100, 120), number < 3, seen)
        (tmp_path / f"data/labels/{number:04d}.mat").write_bytes(content)
    return tmp_path


def run(monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", ["from_rest", *map(str, argv)])
    return from_rest.main()


def test_named_actions_begin_at_rest_and_others_are_copied(data, monkeypatch, capsys):
    run(monkeypatch, data / "data", data / "out", "--actions", "Wave")
    assert capsys.readouterr().out == "3 annotations written, 2 of them begin at rest now\n"
    before, after = ([read_annotation(path) for path in sorted((data / folder / "labels").iterdir())]
                     for folder in ("data", "out"))
    for old, new in zip(before, after):
        assert (old.action, old.train, old.size) == (new.action, new.train, new.size) and new.joints.shape == (30, 13, 2)
    np.testing.assert_array_equal(after[1].joints, before[1].joints)
    first = STILL[1] + RISE[1]
    np.testing.assert_allclose(after[0].joints[first:], before[0].joints[:30 - first])
    assert not after[0].visibility[:first + 1, 2].any() and after[0].visibility[first + 1:].all()
    second = STILL[2] + RISE[2]
    assert second != first
    np.testing.assert_allclose(after[2].joints[second:], before[2].joints[:30 - second])


def test_a_missing_action_is_an_error(data):
    with pytest.raises(UserError, match="there is no video of juggle; --actions names"):
        from_rest.convert(data / "data", data / "out", ["wave", "juggle"])
    assert not (data / "out").exists()


def test_the_annotations_are_not_overwritten(data, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, data / "data", data / "data", "--actions", "wave")
    assert "OUT is ROOT" in capsys.readouterr().err
