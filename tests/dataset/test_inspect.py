"""Inspection of a data set: suspicious rows are found, good ones are not, and the page is complete."""
import re

import numpy as np
import pytest
from helpers import Links
from PIL import Image

from dataset.inspect.__main__ import actions_of, main
from dataset.inspect.statistics import measure, suspicious
from dataset.pair_list import ACTIONS
from dataset.penn_action import build
from dataset.synthetic.layout import make
from dataset.synthetic.people import draw_video
from pose.skeleton import ANKLES, ELBOWS, KNEES, MIRROR, WRISTS


@pytest.fixture(scope="module")
def poses():
    """Good windows (N, 6, 13, 2) of drawn people."""
    joints = [draw_video(7, action, 1, (34, 34))[1] for action in ("jumping_jacks", "squat", "clean_and_jerk")]
    return np.stack([walk[start:start + 6] for walk in joints for start in range(0, 28, 4)])


def changed(poses, row, frame, joints, change):
    poses = poses.copy()
    poses[row, frame, joints] = change(poses[row, frame, joints])
    return poses


def test_drawn_people_are_not_suspicious(poses):
    found = suspicious(measure(poses, np.full((len(poses), 2), 2000.0)))
    assert all(reasons == ["stands still"] for reasons in found.values()) and len(found) < len(poses) / 4


@pytest.mark.parametrize("joints, change, reason", [
    (WRISTS[0], lambda point: point + 200, "a joint jumps"),
    (KNEES[0], lambda point: point + 90, "a bone changes its length"),
    (slice(None), lambda pose: pose[list(MIRROR)], "sides are swapped between frames"),
    ([*KNEES, *ANKLES], lambda legs: legs[[1, 0, 3, 2]], "sides are swapped between frames"),
    ([*ELBOWS, *WRISTS], lambda arms: arms[[1, 0, 3, 2]], "sides are swapped between frames"),
    (3, lambda point: point * 0 - 100, "a joint lies outside the frame")])
def test_suspicious_rows_are_found(poses, joints, change, reason):
    calm = [row for row in range(len(poses)) if row not in suspicious(measure(poses))]
    wide = max(calm, key=lambda row: np.abs(poses[row, :, WRISTS[0]] - poses[row, :, WRISTS[1]]).min())
    found = suspicious(measure(changed(poses, wide, 3, joints, change), np.full((len(poses), 2), 2000.0)))
    assert reason in found[wide]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo")
    make(root, videos=2, frames=(12, 12))
    for horizon in (5, 11):
        build(root, root / f"lists{horizon}", horizon=horizon)
    return root


@pytest.mark.parametrize("horizon", [5, 11])
def test_a_page_of_any_horizon(demo, tmp_path, run_script, horizon):
    out = tmp_path / "new" / "page.html"
    outcome = run_script(main, demo / f"lists{horizon}/training_pair_penn5.txt", "--data_root", demo, "--out", out, "--rows", 4)
    assert outcome.status == 0 and re.match(rf"{out}: \d+ rows, \d+ of them suspicious", outcome.out)
    links = Links(out).found
    assert 4 <= len(links) <= 8 and all((out.parent / link).is_file() for link in links)
    assert {out.parent / link for link in links} == set((tmp_path / "new/page_files").iterdir())
    text = out.read_text()
    assert f"windows of {horizon + 1} frames" in text and all(f"<td>{action}</td>" in text for action in ACTIONS)
    assert "drawn on grey" not in text
    width, height = Image.open(out.parent / links[0]).size
    assert height == 160 and width == min(horizon + 1, 9) * 162 - 2


def test_without_frames_poses_are_drawn_on_grey(demo, tmp_path, run_script):
    out = tmp_path / "page.html"
    (tmp_path / "page_files").mkdir()
    (tmp_path / "page_files/mine.jpg").write_text("keep")
    for seed in (1, 2):
        outcome = run_script(main, demo / "lists5/testing_pair_penn5.txt", "--data_root", tmp_path / "nowhere", "--out", out,
                             "--rows", 3, "--seed", seed)
        assert outcome.status == 0 and "neither labels nor frames" in outcome.out
    assert "drawn on grey" in out.read_text()
    assert {path.name for path in (tmp_path / "page_files").iterdir()} == {*(link[-10:] for link in Links(out).found), "mine.jpg"}


def test_own_actions_are_read_from_the_list(penn_root, tmp_path, run_script):
    build(penn_root, tmp_path, actions=("walk", "pullup", "squat"))
    path = tmp_path / "testing_pair_penn5.txt"
    assert actions_of(path) == ("(id 0)", "pullup", "squat")
    assert run_script(main, path, "--data_root", penn_root, "--out", tmp_path / "page.html").status == 0


def test_bad_input(tmp_path, run_script):
    (tmp_path / "bad.txt").write_text("1,2,3\n")
    for argv, message in (((tmp_path / "none.txt",), "cannot read this list"), ((tmp_path / "bad.txt",), "this one has 3"),
                          ((tmp_path / "bad.txt", "--out", tmp_path), "the page must be called something.html"),
                          ((tmp_path / "bad.txt", "--rows", 0), "--rows must be at least 1")):
        outcome = run_script(main, *argv)
        assert outcome.status == 2 and message in outcome.err
