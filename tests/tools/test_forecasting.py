"""The forecasting protocol: its rows, its score, the mode of samples, and the command."""
import json

import numpy as np
import torch

from dataset.penn_action import Annotation
from tools.forecasting import __main__ as script
from tools.forecasting.forecaster import build, mode
from tools.forecasting.protocol import STEPS, Rows, normalised, pck, video_rows


def annotation(count, train=True):
    joints = np.random.default_rng(count).random((count, 13, 2)) * (200, 100)
    return Annotation("0001", "bowl", train, joints, np.ones((count, 13), bool), (240, 320))


def test_rows_are_the_frames_that_the_protocol_names():
    """A video of 60 frames: stride floor(59 / 17) = 3."""
    video = annotation(60)
    poses, visible = video_rows(video)
    known = normalised(video.joints)
    assert poses.shape == (60, STEPS + 2, 13, 2) and visible.shape == (60, STEPS, 13)
    np.testing.assert_allclose(poses[10], known[[7, 10, *range(13, 59, 3)]], atol=1e-6)
    np.testing.assert_allclose(poses[50], known[[47, 50, 53, 56, 59, *[59] * 13]], atol=1e-6)
    np.testing.assert_allclose(poses[1, 0], known[0], atol=1e-6)                     # before the video begins
    assert video_rows(annotation(10))[0].shape[0] == 10                              # a stride of at least one frame


def test_the_longer_side_of_the_box_fills_the_coordinates():
    joints = np.array([[[10, 20], [110, 40]], [[60, 70], [10, 20]]])
    found = normalised(joints)
    np.testing.assert_allclose(found[0], [[-1, -0.5], [1, -0.1]])
    np.testing.assert_allclose(found[1, 0], [0, 0.5])


def test_pck_counts_visible_joints_within_a_tenth():
    poses = torch.zeros(2, STEPS + 2, 13, 2)
    visible = torch.ones(2, STEPS, 13, dtype=torch.bool)
    visible[1, :, 3:] = False
    predicted = torch.zeros(2, STEPS, 13, 2)
    predicted[0, 0, :, 0] = 0.099
    predicted[0, 1, :5, 0] = 0.101
    predicted[1, 2, 3:, 0] = 5                                                       # invisible
    found = pck(predicted, Rows(poses, visible, torch.zeros(2)))
    np.testing.assert_allclose(found[:4], [100, 100 * 11 / 16, 100, 100], atol=1e-4)


def test_the_mode_is_the_middle_of_the_crowd():
    """Two of nine samples are far away: the mean is not the answer."""
    at = torch.tensor([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 3.0, 3.01])
    samples = at[None, :, None, None, None].expand(-1, -1, 2, 13, 2)
    np.testing.assert_allclose(mode(samples), 0.03, atol=1e-6)


def test_two_poses_matter_only_to_a_network_that_sees_them():
    torch.manual_seed(0)
    model = build(1, 2).eval()
    pose, action = torch.rand(3, 13, 2) - 0.5, torch.zeros(3, dtype=torch.int64)
    noise = torch.randn(3, 1, model.z_dim)
    still, moving = (model.predict(pose, action, 4, noise, pose - change) for change in (0, 0.1))
    assert not torch.equal(still, moving)
    assert build(1, 1).pose_in.weight.shape[1] == model.pose_in.weight.shape[1] - 26


def test_the_command_writes_the_table(tmp_path, write_label, run_script):
    for number in range(4):
        write_label(tmp_path, f"{number:04d}", action=("bowl", "squat")[number % 2], nframes=30, train=number < 2)
    outcome = run_script(script.main, "--root", tmp_path, "--minutes", "0.01", "--samples", "3", "--limit", "40", "--out",
                         tmp_path / "out")
    assert outcome.status == 0
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["test_rows"] == 40 and len(scores["iterations"]) == 4
    assert all(len(values) == STEPS and all(0 <= value <= 100 for value in values)
               for name, values in scores["scores"].items() if "3D-PFNet" not in name)
    table = (tmp_path / "out" / "table.md").read_text()
    assert "as quoted" in table and len(table.splitlines()) == 9 and "ours, two poses, without the action's name" in table
