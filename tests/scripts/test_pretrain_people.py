"""The weights that ship: `pretrain/people` tests any list of its actions."""
import json

import numpy as np
import pytest
import torch
from conftest import ROOT

import train_actvae_p2inetwork as script
from utils.config import load_config

FOLDER, PARTS = "pretrain/people", ("generator", "motion")


def test_size_and_description():
    files = list((ROOT / FOLDER).iterdir())
    assert sum(path.stat().st_size for path in files) <= 6_000_000
    assert {path.name for path in files} >= {"config.yaml", "README.md", *(f"{name}.pt" for name in PARTS)}
    config = load_config(ROOT / FOLDER / "config.yaml")
    assert (config.generator.kind, config.imsize, len(config.actions)) == ("limb_warp", 64, 12)


@pytest.fixture
def rows(penn_root, lists, tmp_path):
    """A list whose ids are those of a shorter set of actions."""
    text = lists[1].read_text().replace(",pullup,1,", ",pullup,0,").replace(",squat,7,", ",squat,1,").splitlines()
    path = tmp_path / "list.txt"
    path.write_text("\n".join(text[::9]) + "\n")
    argv = ["--config", f"{FOLDER}/config.yaml", "--output_path", tmp_path, "--name", "_x", "--test", "--pretrain", FOLDER,
            "--samples", 2, "--set", f"data_root={penn_root}", "--set", f"test_data_list={path}",
            "--set", f"cache_dir={tmp_path / 'cache'}", "--set", "device=cpu"]
    return argv, tmp_path / "outputs/config_x/test/metrics.json", path


@pytest.mark.parametrize("size", [None, 96])
def test_any_list_of_its_actions(rows, run_script, size):
    argv, metrics, _ = rows
    outcome = run_script(script.main, *argv, *(["--paint_size", size] if size else []))
    assert outcome.status == 0, outcome.err
    found = json.loads(metrics.read_text())
    assert found["imsize"] == (size or 64) and set(found["actions"]) == {"pullup", "squat"}
    pictures = found["overall"]["pictures"]
    assert pictures["identity"] > 40 and np.isfinite(list(pictures.values())).all()


def test_other_actions_are_one_line(rows, run_script):
    argv, _, path = rows
    path.write_text(path.read_text().replace(",squat,", ",juggle,"))
    outcome = run_script(script.main, *argv)
    assert outcome.status == 2 and outcome.err.count("\n") == 1
    assert "unknown action 'juggle'; known are tennis_serve" in outcome.err


def test_paint_size_of_the_published_generator_is_one_line(tmp_path, tiny, run_script):
    small = [*tiny, "generator.ngf=4", "generator.n_blocks=1", "discriminator.ndf=4", "image_loss.vgg=0"]
    config = "config/Penn_actvae_p2inetwork.yaml"
    script.Trainer(load_config(config, small)).save(tmp_path / "weights", 1, 0)
    outcome = run_script(script.main, "--config", config, "--output_path", tmp_path, "--test", "--pretrain", tmp_path / "weights",
                         "--paint_size", 64, overrides=small)
    assert outcome.status == 2
    assert outcome.err == "error: pictures of 64 pixels: the generator pose_attention paints those of its training, 32\n"


def test_halves_become_singles():
    weights = torch.load(f"{FOLDER}/generator.pt", weights_only=True)["a"]
    assert {value.dtype for value in weights.values()} == {torch.float16}
