"""The ablation runs, with next to no time for each row."""
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset import layouts
from dataset.image_loader2_test import PennActionTestPairs
from dataset.pair_list import TEST_LIST, TRAIN_LIST
from dataset.penn_action import build
from evaluation import recognition
from tools.ablation import __main__ as ablation
from tools.ablation.report import HORIZONS
from tools.ablation.rows import MOTION, PUBLISHED, ROWS
from utils.config import load_config

TWO = ("--rows", "z 16", "+ residual")


@pytest.fixture
def padded(penn_root, tmp_path):
    build(penn_root, tmp_path, horizon=32, pad=True, every_frame=True)
    return [f"data_root={penn_root}", f"train_data_list={tmp_path / TRAIN_LIST}", f"test_data_list={tmp_path / TEST_LIST}",
            "imsize=32", "device=cpu", "batch_size=4"]


@pytest.fixture
def run(padded, tmp_path, run_script, monkeypatch):
    """`run(*argv)`: the ablation with a thousandth of a second for each row -> (its outcome, its numbers)."""
    monkeypatch.setattr(ablation, "WARM_UP", 1)

    def run(*argv):
        outcome = run_script(ablation.main, "--seconds", 0.001, "--samples", 3, "--limit", 5, "--out", tmp_path / "out", *argv,
                             overrides=padded)
        assert outcome.status == 0, outcome.err
        return outcome, json.loads((tmp_path / "out/ablation.json").read_text())
    return run


@pytest.mark.parametrize("split, seeds", [("val", (0, 1)), ("test", (0,))])
def test_two_rows_are_trained_and_reported(run, tmp_path, monkeypatch, split, seeds):
    monkeypatch.setattr(recognition, "LEAST_ROWS", 10)
    monkeypatch.setattr(recognition, "ITERATIONS", 2)
    outcome, known = run("--split", split, "--seeds", *seeds, *TWO)
    assert list(known["rows"]) == ["z 16, 16 steps", "+ residual"] and known["split"] == split
    lines = (tmp_path / "out/ablation.md").read_text().splitlines()
    assert len(lines) == 3 + 2 and len({line.count("|") for line in lines}) == 1 and lines[-1] in outcome.out
    assert lines[2].startswith("| zero-velocity baseline | " + " | ".join([f"{known['baseline'][0]:.4f}"] * 4))
    for line, runs in zip(lines[3:], known["rows"].values()):
        energies = [scores[0]["energy_score"] for scores, _ in runs]
        mean, _, deviation = line.split(" | ")[1].partition(" ± ")
        assert len(runs) == len(seeds) and float(mean) == pytest.approx(np.mean(energies), abs=1e-4)
        assert float(deviation or 0) == pytest.approx(np.std(energies, ddof=1) if len(seeds) > 1 else 0, abs=1e-4)
        assert all(0 <= scores[1]["recognised"] <= 1 and scores[1]["bone_ratio"] > 0 for scores, _ in runs)
        assert [scores[index]["rows"] for scores, _ in runs for index in range(len(HORIZONS))] == [5] * 2 * len(seeds)
    assert (tmp_path / "out/ablation.png").stat().st_size > 1000


class LinkedPairs(PennActionTestPairs):
    """A layout whose lists hold nothing but the path of Penn Action's."""

    @staticmethod
    def read_rows(path, actions, by_name):
        return PennActionTestPairs.read_rows(Path(path).read_text(), actions, by_name)


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_layout_of_the_configuration_counts(run, padded, tmp_path, monkeypatch, split):
    monkeypatch.setitem(layouts.LAYOUTS, "linked", (LinkedPairs, LinkedPairs))
    for name in ("train", "test"):
        (tmp_path / f"{name}.link").write_text(str(tmp_path / {"train": TRAIN_LIST, "test": TEST_LIST}[name]))
        padded.append(f"{name}_data_list={tmp_path / name}.link")
    _, known = run("--split", split, TWO[0], TWO[1], "--set", "layout=linked")
    assert list(known["rows"]) == ["z 16, 16 steps"]


def test_every_row_can_be_trained(padded, penn_root, tmp_path):
    data = PennActionTestPairs(tmp_path / TRAIN_LIST, penn_root, 32, images=False)
    numbers = np.flatnonzero(data.valid_steps.numpy() >= 17)[:8]
    small = {PUBLISHED: ["actvae.z_dim=8"], MOTION: ["actvae.trunk=16", "actvae.head=8", "actvae.terms=6"]}
    trainers = {}
    for name, row in ROWS.items():
        config = load_config(row.config, [*row.overrides, *padded, *small[row.config]])
        trainers[name] = ablation.train(row, config, data, numbers, 2, seed=0)
        assert trainers[name].iteration == 2
    weights = {name: next(iter(trainer.parts.values())).state_dict() for name, trainer in trainers.items()}
    for variant, plain in (("+ residual", "z 16, 16 steps"), ("best of many instead", "energy score, sine basis")):
        assert any(not torch.equal(value, weights[plain][key]) for key, value in weights[variant].items())


def test_a_residual_module_starts_from_the_source(padded):
    config = load_config(PUBLISHED, [*padded, "actvae.z_dim=8"])
    trainer = ablation.train(ROWS["+ residual"], config, None, np.arange(4), 0, seed=0)
    for value in trainer.model.parameters():
        value.detach().zero_()
    pose = torch.rand(2, 13, 2)
    assert torch.equal(trainer.model.rollout(pose, torch.tensor([0, 1]), 4).pose, pose[:, None].expand(-1, 4, -1, -1))


def test_known_rows_are_not_trained_again(run):
    _, first = run("--rows", "residual")
    _, both = run(*TWO)
    assert list(both["rows"]) == ["z 16, 16 steps", "+ residual"] and both["rows"]["+ residual"] == first["rows"]["+ residual"]
    _, other = run("--seeds", 1, "--rows", "z 16")
    assert list(other["rows"]) == ["z 16, 16 steps"], "of another seed: the table begins anew"


def test_rows_are_scored_on_videos_that_none_is_trained_on(padded, penn_root, tmp_path):
    data = PennActionTestPairs(tmp_path / TRAIN_LIST, penn_root, 32, images=False)
    first, second = ablation.split_by_video(data)
    videos = [set(data.frame_numbers[rows, 0].tolist()) for rows in (first, second)]
    assert not videos[0] & videos[1] and len(first) + len(second) == len(data)


def test_lists_that_are_too_short_and_unknown_rows_are_one_line(padded, lists, run_script):
    outcome = run_script(ablation.main, overrides=[*padded, f"train_data_list={lists[0]}"])
    assert outcome.status == 2 and "hold 5 targets" in outcome.err and outcome.err.count("\n") == 1
    assert "--rows: there are faithful" in run_script(ablation.main, "--rows", "nothing", overrides=padded).err


def test_another_file_is_not_overwritten(padded, tmp_path, run_script):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/ablation.json").write_text("[]")
    outcome = run_script(ablation.main, "--out", tmp_path / "out", *TWO, overrides=padded)
    assert outcome.status == 2 and "not an ablation's numbers" in outcome.err
    assert (tmp_path / "out/ablation.json").read_text() == "[]"
