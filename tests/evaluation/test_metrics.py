"""Metrics of motion and of rendered videos, on cases with a known answer."""
import logging
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from dataset.pair_list import TEST_LIST
from dataset.penn_action import build
from evaluation import picture_metrics, recognition
from evaluation.motion_metrics import Futures, bone_change, mean_acceleration
from evaluation.picture_metrics import BEST, Videos, flicker, psnr, psnr_inside, psnr_outside
from evaluation.recognition import find_classifier, train_classifier
from evaluation.registry import MOTION, RATIOS, measure
from evaluation.scores import Scores, mean_of_steps, scored_rows, valid_rows
from evaluation.visibility import visibility
from utils.errors import UserError
from utils_file import load_config


def scores_of(samples, truth, source):
    """The motion scores of each window, name -> (B,)."""
    scores = Scores()
    scores.add(Futures(samples, truth, source, torch.zeros(len(truth), dtype=torch.long)))
    return scores.values(MOTION)


# ---- motion ----

def distance(a, b):
    return sum(float(np.hypot(*(a[joint] - b[joint]))) for joint in range(13)) / 13


def wrist_steps(source, poses):
    return [[np.hypot(*(after[joint] - before[joint])) for before, after in zip([source, *poses], poses)] for joint in (5, 6)]


def naive_scores(samples, truth, source):
    """The definitions in loops, for one window."""
    count, steps = samples.shape[:2]
    ades = [sum(distance(sample[t], truth[t]) for t in range(steps)) / steps for sample in samples]
    fdes = [distance(sample[-1], truth[-1]) for sample in samples]
    pairs = [(a, b) for i, a in enumerate(samples) for j, b in enumerate(samples) if i != j]
    spread = np.mean([distance(a[t], b[t]) for a, b in pairs for t in range(steps)]) if count > 1 else 0.0
    middle = samples.mean(0)
    smooth = [(a + 2 * b + c) / 4 for a, b, c in zip([source, *truth], truth, truth[1:])] + [truth[-1]]
    true_speeds, speeds = wrist_steps(source, smooth), [wrist for sample in samples for wrist in wrist_steps(source, sample)]
    return {"peak_speed": np.mean([max(wrist) for wrist in speeds]), "peak_speed_true": np.mean([max(w) for w in true_speeds]),
            "path_length": np.mean([sum(wrist) for wrist in speeds]), "path_length_true": np.mean([sum(w) for w in true_speeds]),
            "ade": np.mean(ades), "ade_best": min(ades), "fde": np.mean(fdes), "fde_best": min(fdes),
            "ade_of_mean": np.mean([distance(middle[t], truth[t]) for t in range(steps)]),
            "fde_of_mean": distance(middle[-1], truth[-1]), "energy_score": np.mean(ades) - spread / 2,
            "apd": np.mean([np.linalg.norm(a - b) for a, b in pairs]) if count > 1 else 0.0,
            "zero_velocity_ade": np.mean([distance(source, truth[t]) for t in range(steps)]),
            "zero_velocity_fde": distance(source, truth[-1])}


@pytest.mark.parametrize("count", [1, 2, 7])
def test_motion_scores_are_their_definitions(count):
    random = np.random.RandomState(count)
    samples, truth, source = (random.uniform(-1, 1, shape) for shape in ((5, count, 4, 13, 2), (5, 4, 13, 2), (5, 13, 2)))
    values = scores_of(*map(torch.from_numpy, (samples, truth, source)))
    for row in range(5):
        expected = naive_scores(samples[row], truth[row], source[row])
        assert set(values) == {*expected, "acceleration", "acceleration_true", "ade_all_joints", "fde_all_joints"}
        for name, value in expected.items():
            assert float(values[name][row]) == pytest.approx(value, rel=1e-12, abs=1e-15), name


def test_joints_that_are_not_visible_do_not_count():
    samples, truth, source = (torch.randn(shape, dtype=torch.float64) for shape in ((5, 3, 4, 13, 2), (5, 4, 13, 2), (5, 13, 2)))
    visible = torch.rand(5, 4, 13) < 0.7
    visible[0, 1] = False
    moved = torch.where(visible[..., None], truth, -truth)
    one, two = (measure(MOTION, Futures(samples, poses, source, visible=visible)) for poses in (truth, moved))
    for name in ("energy_score", "ade", "ade_best", "ade_of_mean", "fde", "zero_velocity_ade", "zero_velocity_fde"):
        torch.testing.assert_close(one[name], two[name], equal_nan=True)
    first = (samples[0, :, 0] - truth[0, 0])[:, visible[0, 0]].norm(dim=-1).mean()
    assert one["ade"][0, 0] == pytest.approx(float(first)) and one["ade"][0].isnan().tolist() == [False, True, False, False]
    everywhere = measure(MOTION, Futures(samples, moved, source))
    for name in ("ade", "fde"):
        torch.testing.assert_close(two[f"{name}_all_joints"], mean_of_steps(everywhere[name]))
    counted = measure(RATIOS, Futures(samples, truth, source, visible=visible))["joints_counted"]
    torch.testing.assert_close(counted, visible.float().mean((1, 2)))


@pytest.mark.parametrize("first", [0, 1, 100])
def test_visibility_comes_from_the_frame_s_annotation(tmp_path, write_label, first):
    visible = np.random.RandomState(0).rand(36, 13) < 0.9
    write_label(tmp_path, "0002", train=False, visibility=visible)
    write_label(tmp_path, "0004", train=False)
    build(tmp_path, tmp_path)
    path = tmp_path / TEST_LIST
    path.write_text(re.sub(r"/(\d{6})", lambda found: f"/{int(found[1]) - 1 + first:06d}", path.read_text()))
    (tmp_path / "labels/0004.mat").unlink()
    with pytest.warns(UserWarning, match="neither labels nor frames"):
        data = PennActionTestPairs(path, tmp_path, 32, images=False)
    rows = np.arange(len(data))[::2]
    frame = data.frame_numbers[rows, 1].numpy()[:, None] + np.arange(6) - first
    annotated = np.array([window.video == "0002" for window in data.windows])[rows]
    found = visibility(data, rows).numpy()
    assert (found[annotated] == visible[frame[annotated]]).all() and found[~annotated].all()


def test_energy_score_of_gaussians():
    """In the plane E |X| = sqrt(pi / 2) and E |X - X'| = sqrt(pi)."""
    samples = torch.randn(2000, 20, 1, 1, 2, generator=torch.Generator().manual_seed(0)).expand(-1, -1, -1, 13, -1)
    values = scores_of(samples, torch.zeros(2000, 1, 13, 2), torch.zeros(2000, 13, 2))
    assert float(values["energy_score"].mean()) == pytest.approx(math.sqrt(math.pi / 2) - math.sqrt(math.pi) / 2, rel=0.04)


def test_summary_is_the_mean_of_each_action_in_each_unit():
    truth = torch.zeros(3, 2, 13, 2)
    far = torch.tensor([1.0, 2.0, 6.0]).view(3, 1, 1, 1, 1) * torch.tensor([1.0, 0.0])           # all joints, to the right
    scores = Scores()
    for rows in (slice(0, 2), slice(2, 3)):                                   # as they come
        futures = Futures(truth[rows, None] + far[rows], truth[rows], truth[rows, 0], torch.tensor([2, 0, 2])[rows])
        assert scores.add(futures)["ade"].tolist() == far[rows, 0, 0, 0, 0].tolist()
    found = scores.summary(("a", "b", "c"), {"normalised": 1, "pixels": 64})
    groups = {"overall": found["overall"], **found["actions"]}
    assert {name: (group["rows"], group["normalised"]["ade"], group["pixels"]["ade"], group["curve"]["pixels"]["ade"])
            for name, group in groups.items()} == {"overall": (3, 3.0, 192.0, [192.0] * 2), "a": (1, 2.0, 128.0, [128.0] * 2),
                                                   "c": (2, 3.5, 224.0, [224.0] * 2)}


def test_bodies_that_move_stretch_and_accelerate():
    source = torch.randn(4, 13, 2)
    walk = source[:, None] + torch.arange(1, 6).view(1, 5, 1, 1) * 0.1
    assert bone_change(walk, source).abs().max() < 1e-5 and mean_acceleration(walk, source).max() < 1e-5
    assert torch.allclose(bone_change((source * 2)[:, None], source), torch.ones(4), atol=1e-5)
    fall = torch.arange(0, 6.0).view(1, 6, 1, 1) ** 2 * torch.tensor([1.0, 0.0])
    assert torch.allclose(mean_acceleration(fall[:, 1:], fall[:, 0]), torch.tensor(2.0))
    assert mean_acceleration(walk[:, :1], source).tolist() == [0, 0, 0, 0]


# ---- recognition ----

def two_actions(count, seed):
    """Motions that go left (0) or right (1) from any pose."""
    action = torch.arange(count) % 2
    way = torch.linspace(0, 1, 7).view(1, 7, 1, 1) * (2 * action - 1).view(-1, 1, 1, 1) * torch.tensor([1.0, 0.0])
    return torch.randn(count, 1, 13, 2, generator=torch.Generator().manual_seed(seed)) + way, action


def test_the_classifier_recognises_actions_and_is_deterministic():
    path, action = two_actions(150, 0)
    before = torch.get_rng_state()
    net, again = (train_classifier(path, action, 2, iterations=40) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in net.state_dict().items())
    path, action = two_actions(100, 1)
    samples = torch.stack([path[:, 1:], path[:, :1].expand(-1, 6, -1, -1)], 1)          # half of them do not move
    found = measure(RATIOS, Futures(samples, path[:, 1:], path[:, 0], action, net))
    assert found["recognised_true"].mean() > 0.95 and 0.6 < found["recognised"].mean() < 0.9


def test_without_enough_true_motion_recognition_is_left_out_with_a_reason(tiny, lists, caplog, monkeypatch):
    config, log = load_config("config/Penn_actvae.yaml", tiny), logging.getLogger("recognition")

    def read():
        return PennActionPairs(config.train_data_list, config.data_root, config.imsize, False, config.actions)

    with caplog.at_level("INFO", "recognition"):
        assert find_classifier(read, 4, log) is None
        config.train_data_list = "missing.txt"
        assert find_classifier(read, 4, log) is None and find_classifier(None, 4, log) is None
    assert "56 windows have 4 targets, 200 are needed" in caplog.text and "missing.txt: cannot read" in caplog.text
    monkeypatch.setattr(recognition, "LEAST_ROWS", 50)
    monkeypatch.setattr(recognition, "ITERATIONS", 3)
    config.train_data_list = str(lists[0])
    assert find_classifier(read, 4, log) is not None


# ---- windows that end with their clip ----

def test_only_windows_that_hold_the_steps_are_scored():
    data = SimpleNamespace(valid_steps=torch.tensor([5, 3, 0, 4, 2]), rows=SimpleNamespace(path="list.txt"))
    assert valid_rows(data, 4).tolist() == [0, 2, 3] and scored_rows(data, 4, 2).tolist() == [0, 3]
    data.valid_steps = torch.tensor([1, 2])
    with pytest.raises(UserError, match="list.txt: no window has 4 targets"):
        scored_rows(data, 4)


def test_a_padded_list_has_the_windows_of_a_plain_one(penn_root, tmp_path):
    found = []
    for name, rules in (("plain", {"horizon": 9, "count": 24}), ("padded", {"horizon": 30, "pad": True})):
        build(penn_root, tmp_path / name, **rules)
        data = PennActionTestPairs(tmp_path / name / TEST_LIST, penn_root, 32, images=False)
        rows = scored_rows(data, 9)
        found.append((data.frame_numbers[rows, 1], data.poses[rows, :10]))
    (first, plain), (second, padded) = found
    assert len(first) == 48 and len(second) == 54
    assert torch.allclose(plain, padded[np.isin(second, first)])


# ---- pictures ----

def clip(count=4):
    return torch.zeros(2, count, 3, 16, 16, dtype=torch.float64)


def test_psnr_inside_and_outside():
    truth, boxes = clip(), torch.zeros(2, 4, 1, 16, 16)
    boxes[..., :4, :4] = 1
    videos = Videos(truth + 0.2 * boxes, truth, boxes)                        # off by 0.1 of [0, 1] inside only
    assert psnr_inside(videos).tolist() == pytest.approx([20, 20]) and psnr_outside(videos).tolist() == [BEST] * 2
    assert psnr(videos).tolist() == pytest.approx([20 + 10 * math.log10(16)] * 2)
    assert psnr_inside(Videos(truth, truth, 0 * boxes)).isnan().all()


def test_flicker():
    steady = torch.linspace(-.8, .8, 5, dtype=torch.float64)[None, :, None, None, None].expand(1, 5, 3, 8, 8)
    jumpy = steady + 0.1 * torch.tensor([1.0, -1, 1, -1, 1])[None, :, None, None, None]
    assert flicker(Videos(jumpy, steady)).isnan().all(), "steady motion has no second difference to divide by"
    torch.testing.assert_close(flicker(Videos(jumpy * .5, jumpy)), torch.tensor([0.5], dtype=torch.float64))
    assert flicker(Videos(clip(count=2), clip(count=2))) is None


def test_lpips_is_left_out_without_its_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    picture_metrics.lpips_network.cache_clear()
    assert picture_metrics.lpips(Videos(clip(), clip())) is None
    picture_metrics.lpips_network.cache_clear()
