"""`python -m tools.left_out`: a run of the pose module `mixture` without the library's videos near to the test video."""
import re
import sys

import pytest

import train_actvae
from dataset.pair_list import TEST_LIST, TRAIN_LIST
from dataset.penn_action import build
from tools import left_out
from utils.errors import UserError


@pytest.fixture(scope="module")
def runs(tmp_path_factory, write_label, run_script):
    """A folder with a trained run, and one without a library: six training videos of two actions, and a test video."""
    root = tmp_path_factory.mktemp("videos")
    for number in range(7):
        write_label(root, f"{number:04d}", action=("squat", "pullup")[number % 2], nframes=24, train=number < 6)
    build(root, root, horizon=17, pad=True)
    for name, kind in (("_a", "mixture"), ("_b", "residual")):
        small = {"kind": kind, "networks": 1, "trunk": 8, "head": 8, "terms": 4}
        small |= {"neighbours": 2} if kind == "mixture" else {}
        changes = [f"train_data_list={root / TRAIN_LIST}", f"test_data_list={root / TEST_LIST}", f"data_root={root}",
                   "device=cpu", "batch_size=24", "train_epoch=1", "image_save_iter=1000",
                   *(f"actvae.{key}={value}" for key, value in small.items())]
        outcome = run_script(train_actvae.main, "--config", "config/mixture.yaml", "--output_path", root, "--name", name,
                             overrides=changes)
        assert outcome.status == 0, outcome
    return root / "outputs"


def test_only_videos_that_are_near_are_left_out(runs, monkeypatch, capsys):
    """The test video, 6, is no training video; its action is that of videos 0, 2 and 4."""
    def score(near):
        monkeypatch.setattr(sys, "argv", ["left_out", str(runs / "mixture_a"), "--samples", "6", "--near", str(near)])
        left_out.main()
        out = capsys.readouterr().out
        assert "6 samples of each, 16 steps" in out
        return [float(value) for value in re.findall(r"energy_score ([\d.]+)", out)]

    whole, none = score(0)
    assert whole == none > 0
    assert score(1) == [whole, whole], "video 5 has another action"
    assert score(2)[1] != whole and score(2)[0] == whole


def test_other_pose_modules_are_one_line(runs, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["left_out", str(runs / "mixture_b")])
    with pytest.raises(UserError, match="its pose module is residual, which has no library"):
        left_out.main()


def test_videos_without_numbers_are_one_line():
    assert left_out.video_numbers(["frames/0007", r"D:\frames\0012"]) == [7, 12]
    with pytest.raises(UserError, match="juggler: the videos of this list have no numbers"):
        left_out.video_numbers(["frames/juggler"])
