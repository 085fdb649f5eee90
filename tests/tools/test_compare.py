"""tools.compare: known differences, intervals over videos, and tests that cannot be compared."""
import csv
import json

import numpy as np

from evaluation.row_files import ROWS
from tools import compare
from utils.files import write_npz

VIDEOS = np.repeat(["0001", "0002", "0003", "0004"], 5)


def write_test(folder, score, steps=4, samples=20, **changes):
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"steps": steps, "samples": samples}))
    count = np.arange(len(VIDEOS))
    write_npz(folder / ROWS, **{"video": VIDEOS, "frame": count.astype(str), "row": count,
                                "action": np.where(count < 10, "squat", "bowl"), "energy_score": score.astype(np.float32),
                                **changes})
    return folder


def test_the_table_has_differences_and_intervals(tmp_path, run_script):
    score = np.linspace(0.1, 0.2, 20)
    write_test(tmp_path / "a" / "test", score)
    write_test(tmp_path / "b", score - 0.02)
    outcome = run_script(compare.main, tmp_path / "a", tmp_path / "b", "--actions", "--out", tmp_path / "table")
    assert outcome.status == 0 and "-0.0200 (-0.0200 .. -0.0200)" in outcome.out
    lines = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [(line["action"], line["test"]) for line in lines] == [(action, test) for action in ("all", "bowl", "squat")
                                                                  for test in "ab"]
    assert abs(float(lines[0]["mean"]) - 0.15) < 1e-6 and abs(float(lines[1]["difference"]) + 0.02) < 1e-6
    assert (tmp_path / "table.md").read_text().count("\n") == 5


def test_intervals_resample_videos_not_windows():
    """All rows of a video are the same, so 4 numbers are known, not 400."""
    values = np.repeat([0.0, 1.0, 2.0, 3.0], 100)
    low, high = compare.interval(values, np.repeat(["a", "b", "c", "d"], 100))
    deviation = np.std([0, 1, 2, 3]) / 2
    assert 1.5 * deviation < (high - low) / 2 < 2.5 * deviation and abs((low + high) / 2 - 1.5) < 0.3
    assert compare.interval(np.array([1.0, np.nan, 1.0]), np.array(["a", "a", "b"])) == (1, 1)


def test_tests_of_other_windows_are_refused(tmp_path, run_script):
    first = write_test(tmp_path / "a", np.zeros(20))
    other = write_test(tmp_path / "b", np.zeros(20), row=np.arange(20) + 1)
    assert "other rows" in run_script(compare.main, first, other).err
    for name, value in (("steps", 3), ("samples", 5)):
        other = write_test(tmp_path / name, np.zeros(20), **{name: value})
        assert f"it was tested with {value} {name}" in run_script(compare.main, first, other).err
    assert "name a run that was tested" in run_script(compare.main, first, tmp_path / "none").err
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / ROWS).write_text("no numbers")
    assert "not the scores" in run_script(compare.main, first, tmp_path / "c").err
