"""Scores of sampled motions, on cases with a known answer."""
import logging
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from dataset.pair_list import TEST_LIST
from dataset.penn_action import build
from evaluation import recognition
from evaluation.metric import CALIBRATION, CURVE, MOTION, RATIOS
from evaluation.motion_metrics import Futures, bone_change, mean_acceleration, rank_counts
from evaluation.poses import PoseEvaluation
from evaluation.recognition import find_classifier, gaussian_distance, train_classifier
from evaluation.registry import measure
from evaluation.sampling import scored_rows, valid_rows
from evaluation.scores import Scores
from trainer_actvae import Trainer
from utils.errors import UserError
from utils_file import load_config


def line(values):
    """Poses of one joint at these x: (N, 1, 1, 2)."""
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1) * torch.tensor([1.0, 0.0], dtype=torch.float64)


def motion(samples, truth, source):
    """The numbers of motion of each row, name -> (B,)."""
    return measure(MOTION, Futures(samples, truth, source))


def calibration_error(counts):
    return measure(CALIBRATION, SimpleNamespace(ranks=counts))["error"]


# ---- distances ----

def distance(a, b):
    """Mean distance of the joints of two poses (13, 2)."""
    return sum(float(np.hypot(*(a[joint] - b[joint]))) for joint in range(13)) / 13


def wrist_steps(source, poses):
    """How far each wrist moves in each step."""
    return [[np.hypot(*(after[joint] - before[joint])) for before, after in zip([source, *poses], poses)] for joint in (5, 6)]


def naive_metrics(samples, truth, source):
    """The registered meanings in loops, for one row."""
    count, steps = samples.shape[:2]
    ades = [sum(distance(sample[t], truth[t]) for t in range(steps)) / steps for sample in samples]
    fdes = [distance(sample[-1], truth[-1]) for sample in samples]
    pairs = [np.linalg.norm(a - b) for i, a in enumerate(samples) for j, b in enumerate(samples) if i != j]
    apart = [np.mean([distance(a[t], b[t]) for t in range(steps)]) for i, a in enumerate(samples)
             for j, b in enumerate(samples) if i != j]
    spread, middle = np.mean(apart) if count > 1 else 0.0, samples.mean(0)
    clean = [(a + 2 * b + c) / 4 for a, b, c in zip([source, *truth], truth, truth[1:])] + [truth[-1]]
    true_speeds, speeds = wrist_steps(source, clean), [wrist_steps(source, sample) for sample in samples]
    return {"peak_speed": np.mean([max(wrist) for sample in speeds for wrist in sample]),
            "peak_speed_true": np.mean([max(wrist) for wrist in true_speeds]),
            "path_length": np.mean([sum(wrist) for sample in speeds for wrist in sample]),
            "path_length_true": np.mean([sum(wrist) for wrist in true_speeds]),
            "ade": np.mean(ades), "ade_best": min(ades), "fde": np.mean(fdes), "fde_best": min(fdes),
            "ade_of_mean": np.mean([distance(middle[t], truth[t]) for t in range(steps)]),
            "fde_of_mean": distance(middle[-1], truth[-1]), "spread": spread, "energy_score": np.mean(ades) - spread / 2,
            "apd": np.mean(pairs) if count > 1 else 0.0,
            "zero_velocity_ade": np.mean([distance(source, truth[t]) for t in range(steps)]),
            "zero_velocity_fde": distance(source, truth[-1])}


@pytest.mark.parametrize("count", [1, 2, 7])
def test_distances_are_their_definitions(count):
    random = np.random.RandomState(count)
    shapes = (5, count, 4, 13, 2), (5, 4, 13, 2), (5, 13, 2)
    samples, truth, source = (random.uniform(-1, 1, shape) for shape in shapes)
    values = motion(*map(torch.from_numpy, (samples, truth, source)))
    for row in range(5):
        expected = naive_metrics(samples[row], truth[row], source[row])
        assert set(values) == {*expected, "acceleration", "acceleration_true"}
        for name, value in expected.items():
            assert float(values[name][row]) == pytest.approx(value, rel=1e-12, abs=1e-15), name


def test_perfect_samples_have_no_error_and_no_diversity():
    truth = torch.rand(3, 4, 13, 2)
    values = motion(truth[:, None].repeat(1, 6, 1, 1, 1), truth, truth[:, 0])
    assert all(value.abs().max() < 1e-6 for name, value in values.items() if "zero_velocity" not in name and
               not name.startswith(("acceleration", "peak_speed", "path_length")))
    assert torch.allclose(values["acceleration"], values["acceleration_true"])
    assert values["zero_velocity_ade"].min() > 0


def test_onset_and_amplitude():
    """A person of body size 1 whose wrist moves 0.1 a step: 0.15 is passed in step 2; another one stands still."""
    source = torch.zeros(13, 2)
    source[[0, 11], 0] = torch.tensor([13.0, -13.0]) / 6
    truth = source.repeat(4, 1, 1)
    truth[:, 5, 1] = torch.arange(1, 5) / 10
    futures = Futures(torch.stack([truth, source.repeat(4, 1, 1)])[None], truth[None], source[None])
    found = measure(RATIOS, futures)
    assert found["onset_true"].tolist() == [2] and found["onset"].tolist() == [(2 + 5) / 2]
    assert found["amplitude_in_range"].tolist() == [1]
    assert measure(RATIOS, replace(futures, truth=2 * truth[None]))["amplitude_in_range"].tolist() == [0]


def test_poses_without_wrists_have_no_numbers_of_wrists():
    assert "peak_speed" not in motion(torch.rand(2, 3, 4, 1, 2), torch.rand(2, 4, 1, 2), torch.rand(2, 1, 2))


def test_one_perfect_sample_is_the_best_one():
    truth = torch.rand(3, 4, 13, 2)
    samples = torch.cat([truth[:, None] + 1, truth[:, None]], 1)
    values = motion(samples, truth, truth[:, 0])
    assert values["ade_best"].max() == values["fde_best"].max() == 0
    assert values["ade"].tolist() == pytest.approx(3 * [2 ** 0.5 / 2])


def test_summary_is_the_mean_of_each_action_in_each_unit():
    truth = torch.zeros(3, 2, 13, 2)
    far = torch.tensor([1.0, 2.0, 6.0]).view(3, 1, 1, 1, 1) * torch.tensor([1.0, 0.0])           # of every joint, to the right
    scores = Scores()
    for rows in (slice(0, 2), slice(2, 3)):                                   # as they come
        futures = Futures(truth[rows, None] + far[rows], truth[rows], truth[rows, 0], torch.tensor([2, 0, 2])[rows])
        assert scores.add(futures)[MOTION]["ade"].tolist() == far[rows, 0, 0, 0, 0].tolist()
    found = scores.summary(("a", "b", "c"), {"normalised": 1, "pixels": 64})
    groups = {"overall": found["overall"], **found["actions"]}
    assert {name: (group["rows"], group["normalised"]["ade"], group["pixels"]["ade"], group["curve"]["pixels"]["ade"])
            for name, group in groups.items()} == {"overall": (3, 3.0, 192.0, [192.0] * 2), "a": (1, 2.0, 128.0, [128.0] * 2),
                                                   "c": (2, 3.5, 224.0, [224.0] * 2)}


# ---- energy score ----

def test_two_samples_on_both_sides_of_the_truth():
    truth = line([0.0])
    values = motion(line([1.0, -1.0])[None], truth, truth[:, 0])
    assert {name: float(value) for name, value in values.items() if "zero" not in name and "acceleration" not in name} == {
        "ade": 1, "ade_best": 1, "ade_of_mean": 0, "fde": 1, "fde_best": 1, "fde_of_mean": 0, "energy_score": 0, "spread": 2,
        "apd": 2}


@pytest.mark.parametrize("count", [2, 3, 20, 21])
def test_energy_score_of_gaussians(count):
    """In the plane E |X| = sqrt(pi / 2) and E |X - X'| = sqrt(pi)."""
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(20000, count, 1, 1, 2, generator=generator)
    values = motion(samples, torch.zeros(20000, 1, 1, 2), torch.zeros(20000, 1, 2))
    assert float(values["ade"].mean()) == pytest.approx(math.sqrt(math.pi / 2), rel=0.02)
    assert float(values["spread"].mean()) == pytest.approx(math.sqrt(math.pi), rel=0.02)


def test_of_one_sample_all_scores_are_its_distance():
    samples, truth = torch.randn(3, 1, 4, 13, 2), torch.randn(3, 4, 13, 2)
    values = motion(samples, truth, truth[:, 0])
    curves = measure(CURVE, Futures(samples, truth, truth[:, 0]))
    for name in ("energy_score", "ade_best", "ade_of_mean"):
        assert torch.allclose(values[name], values["ade"]) and torch.allclose(curves[name], curves["ade"])
    assert values["apd"].abs().max() == values["spread"].abs().max() == 0


def test_curves_are_the_scores_of_each_step():
    samples, truth, source = torch.randn(3, 5, 4, 13, 2), torch.randn(3, 4, 13, 2), torch.randn(3, 13, 2)
    curves = measure(CURVE, Futures(samples, truth, source))
    assert set(curves) == {"energy_score", "ade", "ade_of_mean", "ade_best", "zero_velocity_ade"}
    for step in range(4):
        values = motion(samples[:, :, step:step + 1], truth[:, step:step + 1], source)
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
    assert bone_change(walk, source).abs().max() < 1e-5 and mean_acceleration(walk, source).max() < 1e-5
    assert torch.allclose(bone_change((source * 2)[:, None], source), torch.ones(4), atol=1e-5)
    fall = torch.arange(0, 6.0).view(1, 6, 1, 1) ** 2 * torch.tensor([1.0, 0.0])
    assert torch.allclose(mean_acceleration(fall[:, 1:], fall[:, 0]), torch.tensor(2.0))
    assert mean_acceleration(walk[:, :1], source).tolist() == [0, 0, 0, 0]


# ---- recognition ----

def two_actions(rows, generator):
    """Motions that go left (0) or right (1) from any pose."""
    action = torch.arange(rows) % 2
    way = torch.linspace(0, 1, 7).view(1, 7, 1, 1) * (2 * action - 1).view(-1, 1, 1, 1) * torch.tensor([1.0, 0.0])
    return torch.randn(rows, 1, 13, 2, generator=generator) + way, action


def test_the_classifier_tells_actions_apart_and_leaves_torch_s_random_state_alone():
    path, action = two_actions(300, torch.Generator().manual_seed(0))
    before = torch.get_rng_state()
    net, again = (train_classifier(path, action, 2, iterations=100) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in net.state_dict().items())
    path, action = two_actions(100, torch.Generator().manual_seed(1))
    assert (net(path).argmax(-1) == action).float().mean() > 0.95
    scores = Scores(net)
    samples = torch.stack([path[:, 1:], path[:, :1].expand(-1, 6, -1, -1)], 1)
    scores.add(Futures(samples, path[:, 1:], path[:, 0], action, net))
    found = scores.summary(("left", "right"), {"normalised": 1.0})
    assert found["recognition"]["iterations"] == 100
    assert found["recognition"]["recognised_true"] > 0.95
    assert 0.6 < found["recognition"]["recognised"] < 0.9, "half of the samples move as they should"
    assert "frechet_distance" not in found["recognition"], "fewer rows than features"


def test_frechet_distance_of_gaussians():
    features = torch.randn(5000, 4, generator=torch.Generator().manual_seed(0))
    assert gaussian_distance(features, features) == pytest.approx(0, abs=1e-6)
    assert gaussian_distance(features, features + 1) == pytest.approx(4)
    centred = features - features.mean(0)
    assert gaussian_distance(centred, 2 * centred) == pytest.approx(float(torch.cov(features.T).trace()), rel=1e-5)


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
    values = [PoseEvaluation().score(trainer, data, rows, 3, 9).values(MOTION) for data, rows in found]
    assert values[1]["ade"].shape == (54,)
    assert torch.allclose(values[0]["zero_velocity_ade"], values[1]["zero_velocity_ade"][common])
