"""The strip of what is bad in motion: which row is drawn, and what cannot be drawn."""
import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.row_files import write_npz
from pose.skeleton import WRISTS
from tools import motion_strip

ROWS, SAMPLES, STEPS = 11, 3, 8


def write_poses(path, action="golf_swing"):
    """Rows of which the true wrists begin to move at step 1, 2, ... and the samples' at step 1."""
    pose = torch.rand(13, 2, generator=torch.Generator().manual_seed(1)) - 0.5
    truth, samples = pose.repeat(ROWS, STEPS + 1, 1, 1), pose.repeat(ROWS, SAMPLES, STEPS, 1, 1)
    samples[..., list(WRISTS), 1] += 1
    for row in range(ROWS):
        truth[row, min(row + 1, STEPS):, list(WRISTS), 1] += 1
    write_npz(path, samples=samples.numpy(), truth=truth.numpy(), action=np.array([action] * ROWS),
              video=np.array(["0001"] * ROWS), frame=np.arange(ROWS))
    return samples, truth


def test_the_line_shows_a_row_whose_fault_is_larger_than_most():
    assert motion_strip.worse_row(torch.tensor([5.0, 0, 10, 1, 2, 3, 4, 6, 7, 8, 9])) == 10            # 9 of the faults 0..10


@pytest.mark.parametrize("fault, sign", [(motion_strip.early, 1), (motion_strip.restless, 0)])
def test_faults(fault, sign, tmp_path):
    samples, truth = write_poses(tmp_path / "poses.npz")
    starts = truth[:, :1].expand(-1, SAMPLES, -1, -1)
    found = fault(samples, truth[:, 1:], starts, truth[:, 0])
    expected = sign * torch.arange(ROWS).clamp(max=STEPS - 1).float()
    torch.testing.assert_close(found[:STEPS - 1], expected[:STEPS - 1], atol=1e-5, rtol=0)


def test_a_picture_is_written(tmp_path, run_script):
    write_poses(tmp_path / "poses.npz")
    outcome = run_script(motion_strip.main, tmp_path / "poses.npz", tmp_path / "strip.jpg")
    assert outcome.status == 0, outcome.err
    with Image.open(tmp_path / "strip.jpg") as picture:
        assert picture.height == motion_strip.SIDE + motion_strip.TITLE and np.asarray(picture).std() > 5


@pytest.mark.parametrize("action, name, message", [("bowl", "strip.jpg", "none of the actions"),
                                                   ("golf_swing", "strip.txt", "ends in .jpg or .png")])
def test_what_cannot_be_drawn(action, name, message, tmp_path, run_script):
    write_poses(tmp_path / "poses.npz", action)
    outcome = run_script(motion_strip.main, tmp_path / "poses.npz", tmp_path / name)
    assert outcome.status and message in outcome.err and not (tmp_path / name).exists()
