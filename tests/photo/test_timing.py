"""Time: frame rates of training data, poses in between, clips that go there and back."""
import json

import numpy as np
import pytest
from conftest import ROOT

from dataset.pair_list import read_list
from photo import timing
from photo.options import PhotoRequest
from photo.timing import (
    TIMING,
    Timing,
    closed,
    measure_timing,
    read_timing,
    steps_of,
    there_and_back,
    with_between,
    write_timing,
)
from utils.errors import UserError

REQUEST = PhotoRequest([], None)


def test_poses_in_between_follow_the_poses_and_go_no_further():
    motion = np.random.default_rng(0).uniform(0, 100, (5, 13, 2))
    smooth, fps = with_between(motion, 10)
    assert fps == 20 and smooth.shape == (9, 13, 2)
    np.testing.assert_allclose(smooth[::2], motion, atol=1e-9)
    low, high = np.minimum(motion[:-1], motion[1:]), np.maximum(motion[:-1], motion[1:])
    assert (smooth[1::2] >= low - 1e-9).all() and (smooth[1::2] <= high + 1e-9).all()
    line = np.arange(3.0)[:, None, None] * np.ones((13, 2))
    np.testing.assert_allclose(with_between(line, 6.25)[0][:, 0, 0], np.arange(9) / 4, atol=1e-12)
    assert with_between(motion, 30)[1] == 30 and with_between(motion, 30)[0].shape == motion.shape
    assert with_between(motion[:2], 12)[0].shape == (3, 13, 2)


def test_there_and_back_repeats_without_a_double():
    assert there_and_back(4).tolist() == [0, 1, 2, 3, 2, 1]
    assert there_and_back(2).tolist() == [0, 1]


def test_a_motion_ends_where_it_closes():
    """A round of ten steps, which is not quite the first pose at its end, in a motion that goes on."""
    turns = 2 * np.pi * np.arange(17) / 10
    centre = np.random.default_rng(0).uniform(0, 100, (13, 2))
    motion = centre + 5 * np.stack([np.cos(turns), np.sin(turns)], -1)[:, None] + 0.01 * np.arange(17)[:, None, None]
    part, apart = closed(motion)
    assert len(part) == 10 and apart == pytest.approx(0.1 * 2 ** 0.5 / np.ptp(motion[0], 0).max())
    np.testing.assert_array_equal(part[0], motion[0])
    steps = np.linalg.norm(np.diff(part, axis=0, append=part[:1]), axis=-1)
    np.testing.assert_allclose(steps, 10 * np.sin(np.pi / 10), rtol=1e-9)      # also the step back to the beginning
    assert len(closed(motion[:9])[0]) == 8, "it comes nearest at its end"
    assert len(closed(np.repeat(motion[:1], 9, 0))[0]) == 3, "a third at least"
    assert closed(motion[:2])[0].shape == (2, 13, 2) and len(closed(motion[:3])[0]) == 2


def test_steps():
    assert steps_of(REQUEST, 8) == 16 and steps_of(REQUEST._replace(steps=5), 8) == 5
    assert steps_of(REQUEST._replace(seconds=1.5), 8) == 12 and steps_of(REQUEST._replace(seconds=0.01), 8) == 1
    known = Timing({"wave": 12.5}, 32)
    assert (known.of("wave", REQUEST), known.of("jump", REQUEST), known.of("wave", REQUEST._replace(fps=5))) == (12.5, 8, 5)


def test_frame_rates_follow_from_the_gaps_of_a_list(lists, tmp_path):
    rows = read_list(lists[0])
    found = measure_timing([rows], [30], 5)
    gaps = rows.frame_numbers()[:, 2]
    for number in np.unique(rows.action):
        known = gaps[(rows.action == number) & (gaps > 0)]
        if len(known):
            assert found.fps[rows.actions[number]] == pytest.approx(30 / known.mean(), abs=0.01)
    assert found.fps and found.steps == 5
    write_timing(tmp_path / TIMING, found)
    weights = tmp_path / "checkpoints" / "generator.pt"
    weights.parent.mkdir()
    weights.touch()
    assert read_timing(tmp_path) == read_timing(weights.parent) == read_timing(weights) == found
    assert read_timing(tmp_path / "elsewhere") == Timing()


@pytest.mark.parametrize("content", ["{", [], {"fps": {"a": 0}, "steps": 3}, {"fps": {"a": "x"}, "steps": 3},
                                     {"fps": {}, "steps": -1}, {"fps": {}}])
def test_a_file_of_something_else(tmp_path, content):
    (tmp_path / TIMING).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UserError, match="not the timing of training data"):
        read_timing(tmp_path)


def test_the_command_measures_lists(lists, tmp_path, run_script):
    out = tmp_path / TIMING
    assert run_script(timing.main, lists[0], "--data_fps", 15, "--out", out).status == 0
    assert read_timing(tmp_path) == measure_timing([read_list(lists[0])], [15], 5)
    outcome = run_script(timing.main, lists[0], "--data_fps", 15, 25, "--out", out)
    assert outcome.status == 2 and "2 numbers for 1 lists" in outcome.err


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "pretrain").iterdir() if path.is_dir()))
def test_shipped_weights_know_their_time(folder):
    known = read_timing(ROOT / "pretrain" / folder)
    assert known.steps == 32 and len(known.fps) >= 9 and all(3 < fps <= 30 for fps in known.fps.values())
