"""Margins of training crops: known answers, the nearest poses, the command, and what is read back."""
import json

import numpy as np
import pytest

from dataset.pair_list import PairList, read_list
from photo import margins
from photo.margins import CROPS, NearestCrops, nearest_crops, read_crops, write_crops
from pose.skeleton import mirror_pose
from utils.errors import UserError


def rows_of(poses, crops, action):
    poses, crops, action = np.array(poses, float), np.array(crops), np.array(action)
    return PairList("list", None, None, ("squat", "pullup", "golf_swing"), action, crops, np.zeros((len(action), 1, 4)),
                    poses[:, None], "")


def person(x1, y1, x2, y2):
    return [[x1, y1], [x2, y2], *[[(x1 + x2) / 2, (y1 + y2) / 2]] * 11]


def crops_of(poses, around, action=None):
    action = np.zeros(len(poses), int) if action is None else np.array(action)
    return NearestCrops(("squat", "pullup"), action, margins.centred(np.array(poses, float)).astype(np.float16),
                        np.array(around, np.float16))


def test_known_answers():
    """A person 20 wide and 100 high; a crop that reaches 10, 20, 30, 0 pixels further."""
    found = nearest_crops(rows_of([person(50, 100, 70, 200), person(0, 0, 100, 50)], [[40, 80, 100, 200], [-10, -20, 130, 90]],
                                  [0, 2]))
    np.testing.assert_allclose(found.margins, [[0.1, 0.2, 0.3, margins.SMALLEST], [0.1, 0.2, 0.3, 0.4]], atol=1e-3)
    assert found.action.tolist() == [0, 2] and found.of("pullup", np.array(person(0, 0, 1, 1))) is None
    assert found.of("unknown", np.array(person(0, 0, 1, 1))) is None
    np.testing.assert_allclose(np.linalg.norm(found.poses.astype(float), axis=-1).mean(1), 1, atol=1e-3)


def test_a_pose_that_is_one_point_does_not_divide_by_zero():
    found = nearest_crops(rows_of([person(50, 50, 50, 50)], [[0, 0, 100, 100]], [1]))
    assert (found.margins == margins.LARGEST).all() and np.isfinite(found.poses).all()


def test_only_so_many_rows_of_an_action_are_kept():
    count = margins.MOST_ROWS + 7
    found = nearest_crops(rows_of([person(0, 0, 20, 100)] * count + [person(0, 0, 9, 9)], [[0, 0, 50, 120]] * (count + 1),
                                  [0] * count + [1]))
    assert (found.action == 0).sum() == margins.MOST_ROWS and (found.action == 1).sum() == 1


def test_the_median_of_the_nearest_poses_wherever_and_however_large_they_are():
    """Ten rows stand, ten others of the same action and all of another one lie."""
    generator = np.random.default_rng(0)
    standing = generator.random((13, 2)) * (20, 100)
    lying = standing[:, ::-1] * (1, 0.5)
    near = [standing + generator.random((13, 2)) for _ in range(10)]
    around = [[share, 1, 2, 3] for share in np.linspace(0.1, 1, 10)]
    crops = crops_of([*near, *[lying] * 20], [*around, *[[4, 4, 4, 4]] * 20], [0] * 20 + [1] * 10)
    np.testing.assert_allclose(crops.of("squat", 3 * standing + 500), [0.55, 1, 2, 3], atol=1e-3)
    mirrored = mirror_pose(3 * standing) + 500
    np.testing.assert_allclose(crops.of("squat", mirrored), [2, 1, 0.55, 3], atol=1e-3)
    np.testing.assert_allclose(crops.of("pullup", standing), 4)


def test_the_command_writes_what_is_read(tmp_path, lists, run_script):
    outcome = run_script(margins.main, lists[0], "--out", tmp_path / CROPS)
    assert outcome.status == 0 and "squat" in outcome.out
    expected = nearest_crops(read_list(lists[0]))
    for folder in (tmp_path, tmp_path / "checkpoints"):
        found = read_crops(folder)
        assert found.actions == expected.actions
        for name in ("action", "poses", "margins"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert read_crops(tmp_path / "elsewhere").of("squat", None) is None


def test_margins_of_older_weights_count_until_there_are_crops(tmp_path):
    (tmp_path / margins.MARGINS).write_text(json.dumps({"squat": dict(zip(margins.SIDES, (0.1, 0.2, 0.3, 0.4)))}))
    found = read_crops(tmp_path)
    assert found.of("squat", None).tolist() == [0.1, 0.2, 0.3, 0.4] and found.of("pullup", None) is None
    write_crops(tmp_path / CROPS, crops_of([person(0, 0, 20, 100)], [[1, 1, 1, 1]]))
    assert read_crops(tmp_path).of("squat", np.array(person(0, 0, 20, 100))).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("content", ["", "[1]", '{"squat": 3}', '{"squat": {"left": 1}}', "nan", '{"squat": null}', "[" * 10_000,
                                     json.dumps({"squat": dict.fromkeys(margins.SIDES, "x")}),
                                     json.dumps({"squat": dict.fromkeys(margins.SIDES, float("nan"))}),
                                     json.dumps({"squat": dict.fromkeys(margins.SIDES, -1)})])
def test_margins_that_are_none(tmp_path, content):
    (tmp_path / margins.MARGINS).write_text(content)
    with pytest.raises(UserError, match="not the margins of crops"):
        read_crops(tmp_path)


@pytest.mark.parametrize("change", [{"poses": np.zeros((1, 12, 2))}, {"margins": np.full((1, 4), -1.0)},
                                    {"poses": np.full((1, 13, 2), np.nan)}, {"actions": (1, 2)}, {"action": np.zeros(2)}])
def test_crops_that_are_none(tmp_path, change):
    write_crops(tmp_path / CROPS, crops_of([person(0, 0, 20, 100)], [[1, 1, 1, 1]])._replace(**change))
    with pytest.raises(UserError, match="not the margins of crops"):
        read_crops(tmp_path)
    (tmp_path / CROPS).write_text("no archive")
    with pytest.raises(UserError, match="not the margins of crops"):
        read_crops(tmp_path)
