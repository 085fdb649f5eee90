"""Margins of training crops: known answers, the command, and what is read back."""
import json

import numpy as np
import pytest

from dataset.pair_list import PairList, read_list
from photo import margins
from photo.margins import action_margins, read_margins
from utils.errors import UserError


def rows_of(poses, crops, action):
    poses, crops, action = np.array(poses, float), np.array(crops), np.array(action)
    return PairList("list", None, None, ("squat", "pullup", "golf_swing"), action, crops, np.zeros((len(action), 1, 4)),
                    poses[:, None], "")


def person(x1, y1, x2, y2):
    return [[x1, y1], [x2, y2], *[[(x1 + x2) / 2, (y1 + y2) / 2]] * 11]


def test_known_answers():
    """A person 20 wide and 100 high; crops that reach 10, 20, 30, 0 pixels further, and in the second row the double."""
    rows = rows_of([person(50, 100, 70, 200)] * 2 + [person(0, 0, 100, 50)],
                   [[40, 80, 100, 200], [30, 60, 130, 200], [-10, -20, 130, 90]], [0, 0, 2])
    found = action_margins(rows)
    share = 1 + margins.QUANTILE                             # between 1 and 2 times
    assert found == {"squat": {"left": round(0.1 * share, 4), "top": round(0.2 * share, 4), "right": round(0.3 * share, 4),
                               "bottom": margins.SMALLEST},
                     "golf_swing": {"left": 0.1, "top": 0.2, "right": 0.3, "bottom": 0.4}}


def test_a_pose_that_is_one_point_does_not_divide_by_zero():
    found = action_margins(rows_of([person(50, 50, 50, 50)], [[0, 0, 100, 100]], [1]))
    assert found == {"pullup": dict.fromkeys(margins.SIDES, margins.LARGEST)}


def test_the_command_writes_what_is_read(tmp_path, lists, run_script):
    outcome = run_script(margins.main, lists[0], "--out", tmp_path / margins.MARGINS)
    assert outcome.status == 0 and "squat" in outcome.out
    expected = action_margins(read_list(lists[0]))
    for folder in (tmp_path, tmp_path / "checkpoints"):
        found = read_margins(folder)
        assert {name: dict(zip(margins.SIDES, values)) for name, values in found.items()} == expected
    assert read_margins(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize("content", ["", "[1]", '{"squat": 3}', '{"squat": {"left": 1}}', "nan", '{"squat": null}', "[" * 10_000,
                                     json.dumps({"squat": dict.fromkeys(margins.SIDES, "x")}),
                                     json.dumps({"squat": dict.fromkeys(margins.SIDES, float("nan"))}),
                                     json.dumps({"squat": dict.fromkeys(margins.SIDES, -1)})])
def test_margins_that_are_none(tmp_path, content):
    (tmp_path / margins.MARGINS).write_text(content)
    with pytest.raises(UserError, match="not the margins of crops"):
        read_margins(tmp_path)
