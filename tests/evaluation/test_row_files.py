"""The files for one's own evaluation: sampled and true poses, and the numbers of each row."""
import numpy as np

import train_actvae
from dataset.penn_action import read_annotation
from evaluation.row_files import ROWS


def test_a_test_writes_its_poses_and_the_numbers_that_follow_from_them(tmp_path, tiny, penn_root, run_script):
    argv = ["--config", "config/Penn_actvae.yaml", "--output_path", tmp_path]
    assert run_script(train_actvae.main, *argv, overrides=[*tiny, "batch_size=28"]).status == 0
    outcome = run_script(train_actvae.main, *argv, "--test", "--resume", "--samples", "3", "--limit", "20", "--save_poses",
                         tmp_path / "poses.npz", overrides=tiny)
    assert outcome.status == 0
    with np.load(tmp_path / "poses.npz") as content:
        poses = dict(content)
    with np.load(next((tmp_path / "outputs").glob(f"*/test*/{ROWS}"))) as content:
        rows = dict(content)
    assert poses["samples"].shape == (20, 3, 4, 13, 2) and poses["truth"].shape == (20, 5, 13, 2)
    distance = np.linalg.norm(poses["samples"] - poses["truth"][:, None, 1:], axis=-1)
    np.testing.assert_allclose(rows["ade"], distance.mean((1, 2, 3)), rtol=1e-5)
    for name in ("video", "frame", "row", "action"):
        np.testing.assert_array_equal(rows[name], poses[name])
    assert set(poses["video"]) == {"0003", "0004"} and poses["visible"].shape == (20, 5, 13)
    label = read_annotation(penn_root / "labels" / f"{poses['video'][0]}.mat")
    assert poses["visible"][0].all() == label.visibility.all() and (poses["valid_steps"] >= 4).all()


def test_the_name_of_the_file_is_checked_before_anything_is_done(tmp_path, tiny, run_script):
    outcome = run_script(train_actvae.main, "--config", "config/Penn_actvae.yaml", "--output_path", tmp_path, "--test",
                         "--resume", "--save_poses", tmp_path / "poses.csv", overrides=tiny)
    assert outcome.status == 2 and "must end with .npz" in outcome.err
