"""The forecasting protocol: its windows, its score, the mode of samples, and the command."""
import json

import numpy as np
import torch

from dataset.penn_action import Annotation
from tools import forecasting
from tools.forecasting import STEPS, Windows, mode, normalised, pck, video_windows


def annotation(count):
    joints = np.random.default_rng(count).random((count, 13, 2)) * (200, 100)
    return Annotation("0001", "bowl", True, joints, np.ones((count, 13), bool), (240, 320))


def test_windows_are_the_frames_that_the_protocol_names():
    """A video of 60 frames: stride floor(59 / 17) = 3."""
    video = annotation(60)
    poses, visible = video_windows(video)
    known = normalised(video.joints)
    assert poses.shape == (60, STEPS + 1, 13, 2) and visible.shape == (60, STEPS, 13)
    np.testing.assert_allclose(poses[10], known[[10, *range(13, 59, 3)]], atol=1e-6)
    np.testing.assert_allclose(poses[50], known[[50, 53, 56, 59, *[59] * 13]], atol=1e-6)
    np.testing.assert_allclose(video_windows(annotation(10))[0][3, 1], normalised(annotation(10).joints)[4], atol=1e-6)


def test_the_longer_side_of_the_box_fills_the_coordinates():
    found = normalised(np.array([[[10, 20], [110, 40]], [[60, 70], [10, 20]]]))
    np.testing.assert_allclose(found, [[[-1, -0.5], [1, -0.1]], [[0, 0.5], [-1, -0.5]]])


def test_pck_counts_visible_joints_within_the_radius():
    visible = torch.ones(2, STEPS, 13, dtype=torch.bool)
    visible[1, :, 3:] = False
    predicted = torch.zeros(2, STEPS, 13, 2)
    predicted[0, 0, :, 0] = 0.099
    predicted[0, 1, :5, 0] = 0.101
    predicted[1, 2, 3:, 0] = 5                                                       # invisible
    found = pck(predicted, Windows(torch.zeros(2, STEPS + 1, 13, 2), visible, torch.zeros(2)))
    np.testing.assert_allclose(found[:4], [100, 100 * 11 / 16, 100, 100], atol=1e-4)


def test_the_mode_ignores_outliers():
    at = torch.tensor([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 3.0, 3.01])
    samples = at[None, :, None, None, None].expand(-1, -1, 2, 13, 2)
    np.testing.assert_allclose(mode(samples), 0.03, atol=1e-6)


def test_the_command_writes_the_table(tmp_path, write_label, run_script):
    for number in range(4):
        write_label(tmp_path, f"{number:04d}", action=("bowl", "squat")[number % 2], nframes=30, train=number < 2)
    outcome = run_script(forecasting.main, "--root", tmp_path, "--minutes", "0.01", "--samples", "3", "--limit", "40", "--out",
                         tmp_path / "out")
    assert outcome.status == 0
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["test_windows"] == 40 and len(scores["iterations"]) == 2
    assert all(len(values) == STEPS and all(0 <= value <= 100 for value in values)
               for name, values in scores["scores"].items() if "3D-PFNet" not in name)
    table = (tmp_path / "out" / "table.md").read_text()
    assert len(table.splitlines()) == 7 and "ours, without the action's name" in table
