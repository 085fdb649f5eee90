"""The weights that ship in `pretrain/people` render people that they never saw, on any list."""
import json

import pytest
import torch
from conftest import ROOT

import train_actvae_p2inetwork as script
from dataset.pair_list import ACTIONS, TEST_LIST
from dataset.penn_action import build
from dataset.synthetic.layout import write_video
from dataset.synthetic.people import draw_video
from utils.config import load_config

FOLDER, PARTS = "pretrain/people", ("generator", "motion", "retrieval")
SEED = 1234                                           # of the drawn people


def test_size_and_description():
    files = list((ROOT / FOLDER).iterdir())
    config = load_config(ROOT / FOLDER / "config.yaml")
    assert (config.generator.kind, config.actvae.kind, config.imsize, len(config.actions)) == ("cutout", "mixture", 64, 12)
    assert sum(path.stat().st_size for path in files) <= 8.5e6
    assert {path.name for path in files} >= {"config.yaml", "README.md", *(f"{name}.pt" for name in PARTS)}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Five drawn people, one row each for four of them, whose action ids are those of a shorter set of actions."""
    root, actions = tmp_path_factory.mktemp("drawn"), ACTIONS[1::2] + ACTIONS[:1]
    (root / "labels").mkdir()
    for number, action in enumerate(actions, 1):
        write_video(root, number, action, action == ACTIONS[0], draw_video(SEED, action, 0, (12, 12)))
    build(root, root, actions=actions, count=1)
    return root


@pytest.fixture
def rows(drawn, tmp_path):
    """Arguments that test the weights on a copy of the drawn people's list, the numbers' file, the list."""
    path = tmp_path / "list.txt"
    path.write_text((drawn / TEST_LIST).read_text())
    argv = ["--config", f"{FOLDER}/config.yaml", "--output_path", tmp_path, "--name", "_x", "--test", "--pretrain", FOLDER,
            "--samples", 2, "--set", f"data_root={drawn}", "--set", f"test_data_list={path}",
            "--set", f"cache_dir={tmp_path / 'cache'}", "--set", "device=cpu"]
    return argv, tmp_path / "outputs/config_x/test/metrics.json", path


@pytest.mark.parametrize("size", [None, 96])
def test_unseen_people_are_rendered_better_than_the_source_copied(rows, run_script, size):
    argv, metrics, _ = rows
    outcome = run_script(script.main, *argv, *(["--paint_size", size] if size else []))
    assert outcome.status == 0, outcome.err
    found = json.loads(metrics.read_text())
    assert found["imsize"] == (size or 64) and set(found["actions"]) == set(ACTIONS[1::2])
    pictures = found["overall"]["pictures"]
    assert pictures["psnr_true_poses"] > pictures["psnr_copy_source"] + 2, "random weights stay below"
    assert pictures["ssim_true_poses"] > pictures["ssim_copy_source"]


def test_unknown_actions_are_one_line(rows, run_script):
    argv, _, path = rows
    path.write_text(path.read_text().replace(",pullup,", ",juggle,"))
    outcome = run_script(script.main, *argv)
    assert outcome.status == 2 and outcome.err.count("\n") == 1
    assert "unknown action 'juggle'; known are tennis_serve" in outcome.err


def test_the_published_generator_renders_no_other_size(tmp_path, tiny, run_script):
    small = [*tiny, "generator.ngf=4", "generator.n_blocks=1", "discriminator.ndf=4", "image_loss.vgg=0"]
    config = "config/Penn_actvae_p2inetwork.yaml"
    script.Trainer(load_config(config, small)).save(tmp_path / "weights", 1, 0)
    outcome = run_script(script.main, "--config", config, "--output_path", tmp_path, "--test", "--pretrain", tmp_path / "weights",
                         "--paint_size", 64, overrides=small)
    assert outcome.status == 2
    assert outcome.err == "error: pictures of 64 pixels: the generator pose_attention renders those of its training, 32\n"


def test_half_precision_becomes_single():
    trainer = script.Trainer(load_config(f"{FOLDER}/config.yaml", ["device=cpu", "image_loss.vgg=0"]), trains=False)
    trainer.load_pretrained(FOLDER)
    for part in ("generator", "motion"):                # the library of real motions holds integers, too
        stored, loaded = torch.load(f"{FOLDER}/{part}.pt", weights_only=True)["a"], trainer.parts[part].state_dict()
        assert {value.dtype for value in stored.values()} == {torch.float16}
        assert stored.keys() == loaded.keys()
        assert all(loaded[name].dtype == torch.float32 and torch.equal(loaded[name], value.float())
                   for name, value in stored.items())
