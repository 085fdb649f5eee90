"""The ablation runs, with a budget of next to nothing."""
import json

import pytest

from dataset.pair_list import TEST_LIST, TRAIN_LIST
from dataset.penn_action import build
from tools import ablation


@pytest.fixture
def padded(penn_root, tmp_path):
    build(penn_root, tmp_path, horizon=32, pad=True, every_frame=True)
    return [f"data_root={penn_root}", f"train_data_list={tmp_path / TRAIN_LIST}", f"test_data_list={tmp_path / TEST_LIST}",
            "imsize=32", "device=cpu", "batch_size=4"]


@pytest.mark.parametrize("split", ["val", "test"])
def test_every_row_is_trained_and_told(padded, tmp_path, run_script, split):
    outcome = run_script(ablation.main, "--seconds", 0.01, "--samples", 3, "--limit", 5, "--split", split, "--out",
                         tmp_path / "o", "--seeds", 0, *((1,) if split == "val" else ()), overrides=padded)
    assert outcome.status == 0, outcome.err
    told = json.loads((tmp_path / "o/ablation.json").read_text())
    assert list(told["rows"]) == list(ablation.ROWS) and told["split"] == split
    lines = (tmp_path / "o/ablation.md").read_text().splitlines()
    assert len(lines) == 3 + len(ablation.ROWS) and len({line.count("|") for line in lines}) == 1
    assert ("±" in lines[-1]) == (split == "val") and lines[-1] in outcome.out
    assert (tmp_path / "o/ablation.png").stat().st_size > 1000


def test_a_table_is_gone_on_with(padded, tmp_path, run_script):
    def rows(*names, seed=0):
        outcome = run_script(ablation.main, "--seconds", 0.01, "--samples", 2, "--limit", 3, "--out", tmp_path / "o",
                             "--seeds", seed, "--rows", *names, overrides=padded)
        assert outcome.status == 0, outcome.err
        return json.loads((tmp_path / "o/ablation.json").read_text())["rows"]

    first = rows("residual")
    both = rows("z 16", "residual")
    assert list(both) == ["z 16, 16 steps", "+ residual"] and both["+ residual"] == first["+ residual"]
    assert list(rows("z 16", seed=1)) == ["z 16, 16 steps"]                    # of another seed: begun again


def test_rows_that_are_judged_are_of_videos_that_none_is_trained_on(padded, penn_root, tmp_path):
    data = ablation.PennActionTestPairs(tmp_path / TRAIN_LIST, penn_root, 32, images=False)
    first, second = ablation.split_by_video(data)
    videos = [set(data.frame_numbers[rows, 0].tolist()) for rows in (first, second)]
    assert not videos[0] & videos[1] and len(first) + len(second) == len(data)


def test_lists_that_are_too_short_and_unknown_rows_are_told(padded, lists, run_script):
    outcome = run_script(ablation.main, overrides=[*padded, f"train_data_list={lists[0]}"])
    assert outcome.status == 2 and "hold 5 targets" in outcome.err and outcome.err.count("\n") == 1
    assert "--rows: there are faithful" in run_script(ablation.main, "--rows", "nothing", overrides=padded).err
