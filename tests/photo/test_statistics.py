"""Statistics of training windows beside the weights: crop margins and frame rates, measured, written and read."""
import numpy as np
import pytest
from conftest import ROOT

from dataset.pair_list import PairList, read_list
from photo import statistics
from photo.crop import DEFAULT_MARGIN
from photo.statistics import STATISTICS, Statistics, measure, normalised, read_statistics, write_statistics
from pose.skeleton import mirror_pose
from utils.errors import UserError


class Windows(PairList):
    """A list whose windows have no frame numbers."""

    def frame_numbers(self):
        return np.zeros((len(self.action), 3), int)


def windows_of(poses, crops, action):
    poses, crops, action = np.array(poses, float), np.array(crops), np.array(action)
    return Windows("list", None, None, ("squat", "pullup", "golf_swing"), action, crops, np.zeros((len(action), 1, 4)),
                   poses[:, None], "")


def person(x1, y1, x2, y2):
    return [[x1, y1], [x2, y2], *[[(x1 + x2) / 2, (y1 + y2) / 2]] * 11]


def test_measured_margins():
    """A person 20 wide and 100 high, whose crop reaches 10, 20, 30, 0 pixels further; and a pose that is one point."""
    found = measure([windows_of([person(50, 100, 70, 200), person(0, 0, 100, 50), person(50, 50, 50, 50)],
                                [[40, 80, 100, 200], [-10, -20, 130, 90], [0, 0, 100, 100]], [0, 2, 2])], 30, 5)
    np.testing.assert_allclose(found.margins[:2], [[0.1, 0.2, 0.3, 0.05], [0.1, 0.2, 0.3, 0.4]], atol=1e-3)
    assert (found.margins[2] == statistics.LARGEST).all() and np.isfinite(found.poses).all() and found.steps == 5
    for action in ("pullup", "unknown"):
        assert (found.margins_of(action, np.array(person(0, 0, 1, 1))) == DEFAULT_MARGIN).all() and found.fps_of(action) == 8


def test_the_median_margins_of_the_nearest_poses():
    """Ten windows stand, ten others of the same action and all of another one lie."""
    generator = np.random.default_rng(0)
    standing = generator.random((13, 2)) * (20, 100)
    poses = np.array([*(standing + generator.random((13, 2)) for _ in range(10)), *[standing[:, ::-1] * (1, 0.5)] * 20])
    margins = np.array([*([margin, 1, 2, 3] for margin in np.linspace(0.1, 1, 10)), *[[4] * 4] * 20])
    found = Statistics(("squat", "pullup"), np.array([0] * 20 + [1] * 10), normalised(poses), margins)
    np.testing.assert_allclose(found.margins_of("squat", 3 * standing + 500), [0.55, 1, 2, 3], atol=1e-3)
    np.testing.assert_allclose(found.margins_of("squat", mirror_pose(3 * standing) + 500), [2, 1, 0.55, 3], atol=1e-3)
    np.testing.assert_allclose(found.margins_of("pullup", standing), 4)


def test_what_is_written_is_read(tmp_path, lists):
    windows = read_list(lists[0])
    found = measure([windows], 30, 5)
    gaps = windows.frame_numbers()[:, 2]
    for number in np.unique(windows.action):
        expected = 30 / gaps[(windows.action == number) & (gaps > 0)].mean()
        assert found.fps_of(windows.actions[number]) == pytest.approx(expected)
    write_statistics(tmp_path / STATISTICS, found)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "generator.pt").touch()
    for weights in (tmp_path, tmp_path / "checkpoints", tmp_path / "checkpoints" / "generator.pt"):
        again = read_statistics(weights)
        assert (again.actions, again.steps) == (found.actions, found.steps)
        for name in ("action", "poses", "margins", "fps"):
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert read_statistics(tmp_path / "elsewhere").fps_of("squat") == 8
    (tmp_path / STATISTICS).write_text("no archive")
    with pytest.raises(UserError, match="not the statistics of training data"):
        read_statistics(tmp_path)


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "pretrain").iterdir() if path.is_dir()))
def test_shipped_weights_have_statistics(folder):
    known = read_statistics(ROOT / "pretrain" / folder)
    assert known.steps == 32 and len(known.actions) >= 9 and ((known.fps > 3) & (known.fps <= 30)).all() and len(known.poses)
