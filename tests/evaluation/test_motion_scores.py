"""Scores of sampled motions, on cases with a known answer."""
import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from dataset.pair_list import TEST_LIST
from dataset.penn_action import build
from evaluation import recognition
from evaluation.metrics import pose_curves, pose_metrics
from evaluation.motion import acceleration, bone_drift, calibration_error, rank_counts
from evaluation.poses import score_rows
from evaluation.recognition import find_classifier, frechet_distance, train_classifier
from evaluation.sampling import scored_rows, valid_rows
from evaluation.scores import MotionScores
from trainer_actvae import Trainer
from utils.errors import UserError
from utils_file import load_config


def line(values):
    """Poses of one joint at these x: (N, 1, 1, 2)."""
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1) * torch.tensor([1.0, 0.0], dtype=torch.float64)


# ---- energy score ----

def test_two_samples_on_both_sides_of_the_truth():
    truth = line([0.0])
    values = pose_metrics(line([1.0, -1.0])[None], truth, truth[:, 0])
    assert {name: float(value) for name, value in values.items() if "zero" not in name} == {
        "ade": 1, "ade_best": 1, "ade_of_mean": 0, "fde": 1, "fde_best": 1, "fde_of_mean": 0, "energy_score": 0, "spread": 2,
        "apd": 2}


@pytest.mark.parametrize("count", [2, 3, 20, 21])
def test_energy_score_of_gaussians(count):
    """In the plane E |X| = sqrt(pi / 2) and E |X - X'| = sqrt(pi)."""
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(20000, count, 1, 1, 2, generator=generator)
    values = pose_metrics(samples, torch.zeros(20000, 1, 1, 2), torch.zeros(20000, 1, 2))
    assert float(values["ade"].mean()) == pytest.approx(math.sqrt(math.pi / 2), rel=0.02)
    assert float(values["spread"].mean()) == pytest.approx(math.sqrt(math.pi), rel=0.02)


def test_of_one_sample_all_scores_are_its_distance():
    samples, truth = torch.randn(3, 1, 4, 13, 2), torch.randn(3, 4, 13, 2)
    values, curves = pose_metrics(samples, truth, truth[:, 0]), pose_curves(samples, truth, truth[:, 0])
    for name in ("energy_score", "ade_best", "ade_of_mean"):
        assert torch.allclose(values[name], values["ade"]) and torch.allclose(curves[name], curves["ade"])
    assert values["apd"].abs().max() == values["spread"].abs().max() == 0


def test_curves_are_the_scores_of_each_step():
    samples, truth, source = torch.randn(3, 5, 4, 13, 2), torch.randn(3, 4, 13, 2), torch.randn(3, 13, 2)
    curves = pose_curves(samples, truth, source)
    for step in range(4):
        values = pose_metrics(samples[:, :, step:step + 1], truth[:, step:step + 1], source)
        assert all(torch.allclose(curve[:, step], values[name], atol=1e-6) for name, curve in curves.items())


# ---- calibration, bodies ----

def test_ranks_of_a_calibrated_a_narrow_and_a_tied_forecast():
    generator = torch.Generator().manual_seed(0)
    samples, truth = torch.randn(2000, 9, 2, 3, 2, generator=generator), torch.randn(2000, 2, 3, 2, generator=generator)
    counts = rank_counts(samples, truth)
    assert len(counts) == 10 and counts.sum() == 24000 and calibration_error(counts) < 0.05
    narrow = rank_counts(samples / 4, truth)
    assert narrow[0] > 3 * narrow[5] < narrow[9] and calibration_error(narrow) > 0.5
    assert calibration_error(rank_counts(torch.zeros(5, 9, 2, 3, 2), torch.zeros(5, 2, 3, 2))) < 1e-9
    counts = rank_counts(torch.zeros(5, 9, 2, 3, 2), torch.ones(5, 2, 3, 2))
    assert counts[-1] == counts.sum() == 60 and calibration_error(counts) == pytest.approx(1.8)


def test_bodies_that_move_stretch_and_accelerate():
    source = torch.randn(4, 13, 2)
    walk = source[:, None] + torch.arange(1, 6).view(1, 5, 1, 1) * 0.1
    assert bone_drift(walk, source).abs().max() < 1e-5 and acceleration(walk, source).max() < 1e-5
    assert torch.allclose(bone_drift((source * 2)[:, None], source), torch.ones(4), atol=1e-5)
    fall = torch.arange(0, 6.0).view(1, 6, 1, 1) ** 2 * torch.tensor([1.0, 0.0])
    assert torch.allclose(acceleration(fall[:, 1:], fall[:, 0]), torch.tensor(2.0))
    assert acceleration(walk[:, :1], source).tolist() == [0, 0, 0, 0]


# ---- recognition ----

def two_actions(rows, generator):
    """Motions that go left (0) or right (1) from any pose."""
    action = torch.arange(rows) % 2
    way = torch.linspace(0, 1, 7).view(1, 7, 1, 1) * (2 * action - 1).view(-1, 1, 1, 1) * torch.tensor([1.0, 0.0])
    return torch.randn(rows, 1, 13, 2, generator=generator) + way, action


def test_the_classifier_tells_actions_apart_and_leaves_torch_s_random_state_alone():
    path, action = two_actions(300, torch.Generator().manual_seed(0))
    before = torch.get_rng_state()
    net = train_classifier(path, action, 2, iterations=100)
    assert torch.equal(before, torch.get_rng_state())
    path, action = two_actions(100, torch.Generator().manual_seed(1))
    assert (net(path).argmax(-1) == action).float().mean() > 0.95
    scores = MotionScores(net)
    scores.add(torch.stack([path[:, 1:], path[:, :1].expand(-1, 6, -1, -1)], 1), path[:, 1:], path[:, 0], action)
    found = scores.summary(action, ("left", "right"), {"normalised": 1.0})
    assert found["recognition"]["recognised_true"] > 0.95
    assert 0.6 < found["recognition"]["recognised"] < 0.9, "half of the samples move as they should"
    assert "frechet_distance" not in found["recognition"], "fewer rows than features"


def test_frechet_distance_of_gaussians():
    features = torch.randn(5000, 4, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(features, features + 1) == pytest.approx(4)
    centred = features - features.mean(0)
    assert frechet_distance(centred, 2 * centred) == pytest.approx(float(torch.cov(features.T).trace()), rel=1e-5)


def test_without_enough_true_motion_recognition_is_left_out_with_a_reason(tiny, lists, caplog, monkeypatch):
    config, log = load_config("config/Penn_actvae.yaml", tiny), logging.getLogger("recognition")

    def read():
        return PennActionPairs(config.train_data_list, config.data_root, config.imsize, False, config.actions)

    with caplog.at_level("INFO", "recognition"):
        assert find_classifier(read, 4, log) is None
        config.train_data_list = "missing.txt"
        assert find_classifier(read, 4, log) is None and find_classifier(None, 4, log) is None
    assert "56 rows hold 4 targets, 200 are needed" in caplog.text and "missing.txt: cannot read" in caplog.text
    monkeypatch.setattr(recognition, "LEAST_ROWS", 50)
    monkeypatch.setattr(recognition, "ITERATIONS", 3)
    config.train_data_list = str(lists[0])
    assert find_classifier(read, 4, log) is not None


# ---- rows that end with their clip ----

def test_only_rows_that_hold_the_horizon_are_scored():
    data = SimpleNamespace(valid_steps=torch.tensor([5, 3, 0, 4, 2]), rows=SimpleNamespace(path="list.txt"))
    assert valid_rows(data, 4).tolist() == [0, 2, 3] and scored_rows(data, 4, 2).tolist() == [0, 3]
    data.valid_steps = torch.tensor([1, 2])
    with pytest.raises(UserError, match="list.txt: no row holds 4 targets"):
        scored_rows(data, 4)


def test_scores_of_a_padded_list_are_those_of_a_list_of_that_horizon(penn_root, tmp_path, tiny):
    trainer, found = Trainer(load_config("config/Penn_actvae.yaml", tiny)), []
    for name, rules in (("plain", {"horizon": 9, "count": 24}), ("padded", {"horizon": 30, "pad": True})):
        build(penn_root, tmp_path / name, **rules)
        data = PennActionTestPairs(tmp_path / name / TEST_LIST, penn_root, 32, images=False)
        rows = scored_rows(data, 9)
        found.append((data, rows))
    (plain, first), (padded, second) = found
    common = np.isin(padded.frame_numbers[second, 1], plain.frame_numbers[first, 1])
    assert len(first) == 48 and len(second) == 54 and len(padded) == 56
    kept = {0: 2}
    scores = score_rows(trainer, padded, second, 3, 9, kept=kept)
    assert scores.values["ade"].shape == (54,) and kept[0].shape == (2, 9, 13, 2)
    still = [scores_of["zero_velocity_ade"] for scores_of in (
        score_rows(trainer, plain, first, 1, 9).values, scores.values)]
    assert torch.allclose(still[0], still[1][common])
