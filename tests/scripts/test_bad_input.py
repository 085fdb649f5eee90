"""Wrong input to `train_actvae.py`: one line that says what is wrong, exit status 2, nothing written."""
import os
import shutil
from pathlib import Path

import pytest
import torch
from helpers import Scene, metrics

import train_actvae

CONFIG = "config/Penn_actvae.yaml"
PARTS = ("im_encode_content", "im_encode_vae")


@pytest.fixture
def scene(tmp_path, tiny, lists, run_script):
    return Scene(tmp_path, train_actvae, CONFIG, tiny, lists[0].read_text().splitlines()[:6], run_script)


def test_the_scene_itself_trains_and_resumes(scene):
    """What the tests below change one thing of."""
    overrides = [scene.write_list()]
    assert scene.run(overrides=overrides).status == 0
    names = [f"0000_{part}_00000003.pt" for part in (*PARTS, "training_state")] + ["optimizer.pt", "0000_networks_00000003.json"]
    assert sorted(path.name for path in scene.checkpoints.iterdir()) == sorted(names)
    assert scene.run("--resume", overrides=[*overrides, "train_epoch=2"]).status == 0
    assert (scene.checkpoints / "0001_im_encode_vae_00000006.pt").exists()
    assert scene.run("--test", "--resume", "--limit", 2, "--samples", 2).status == 0
    assert (scene.out / "outputs/Penn_actvae/test/metrics.json").exists()


# ---- lists ----

@pytest.mark.parametrize("key", ["train_data_list", "test_data_list"])
def test_missing_list(scene, key):
    scene.refused(f"{scene.folder / 'none.txt'}: cannot read this list: No such file",
                  overrides=[f"{key}={scene.folder / 'none.txt'}"])


@pytest.mark.parametrize("field, value, message", [
    (187, "1,2", ":3: a row has 188 comma-separated fields, this one has 189"),
    (40, "four", ":3, field 40 (x of right_elbow, target 1): 'four' is not a number"),
    (7, "9", ":3, field 7 (action id): unknown action id 9"),
    (6, "golf_swing", ":3, field 6 (action name): 'golf_swing' disagrees with action id"),
    (8, "96", ":3, field 8 (crop x1): the crop box"),
])
def test_bad_row(scene, field, value, message):
    scene.refused(f"{scene.list}{message}", overrides=[scene.edited(field, value)])


def test_empty_list_and_list_smaller_than_a_batch(scene):
    scene.list.write_text("\n\n")
    scene.refused(f"{scene.list}: this list is empty", overrides=[f"train_data_list={scene.list}"])
    scene.refused(f"{scene.list}: its 6 rows are fewer than a batch of 7",
                  overrides=[scene.write_list(), "batch_size=7"])


# ---- configuration and options ----

@pytest.mark.parametrize("text, message", [
    ("base: {base}\nbatchsize: 3\n", "c.yaml:2: unknown key 'batchsize'; did you mean 'batch_size'?"),
    ("base: {base}\nbatch_size: many\n", "c.yaml:2: 'batch_size' must be an integer"),
    ("base: none.yaml\n", "none.yaml: cannot read this configuration"), ("lr: [\n", "not valid YAML")])
def test_bad_configuration_file(scene, text, message):
    path = scene.folder / "c.yaml"
    path.write_text(text.format(base=Path(CONFIG).resolve()))
    scene.refused(message, config=path)


@pytest.mark.parametrize("override, message", [
    ("lr", "write it as key=value"), ("actvae.z_dims=3", "unknown key 'z_dims'; did you mean 'z_dim'?"),
    ("device=abacus", "device 'abacus' cannot be used"), ("precision=fp8", "must be one of fp32, bf16, fp16")])
def test_bad_override(scene, override, message):
    scene.refused(message, overrides=[override])


@pytest.mark.parametrize("name", ["a/b", "../up"])
def test_name_with_a_path(scene, name):
    scene.refused(f"--name {name}: ", "--name", name)


def test_output_path_that_is_a_file(scene):
    scene.out.write_text("in the way\n")
    scene.refused("the run folder cannot be written")


@pytest.mark.parametrize("argv, message", [
    (["--test"], "--test needs weights"), (["--test", "--resume", "--pretrain", "x"], "--test needs weights"),
    (["--pretrain", "x", "--resume"], "--pretrain starts from other weights"), (["--seed", "-1"], "--seed: -1 must lie in"),
    (["--test", "--resume", "--samples", "0"], "--samples: 0 must be at least 1"),
    (["--epochs", "3"], "unrecognized arguments")])
def test_bad_options(scene, argv, message):
    outcome = scene.run(*argv)
    assert outcome.status == 2 and outcome.err.count("error: ") == 1 and message in outcome.err
    assert "Traceback" not in outcome.err and not scene.out.exists()


# ---- checkpoints ----

@pytest.mark.parametrize("argv", [["--resume"], ["--test", "--resume"]], ids=" ".join)
def test_resume_without_checkpoints(scene, argv):
    scene.refused(f"{scene.checkpoints}: no complete checkpoint here", *argv)
    scene.checkpoints.mkdir(parents=True)
    (scene.checkpoints / "0000_im_encode_vae_00000028.pt").touch()
    scene.refused("no complete checkpoint here (needs <epoch>_<part>_<iteration>.pt for im_encode_content and "
                  "im_encode_vae)", *argv)


def test_checkpoint_of_another_shape(scene):
    scene.save_run("actvae.z_dim=9")
    scene.refused(f"--set actvae.z_dim=8: the weights of {scene.checkpoints} were trained with actvae.z_dim: 9", "--resume")
    for path in scene.checkpoints.glob("*_networks_*"):                   # as the published system leaves it
        path.unlink()
    scene.refused("0000_im_encode_content_00000028.pt: rnn.weight_ih_l0 has shape (104, 44), the network of this "
                  "configuration (104, 43)", "--test", "--resume")


@pytest.mark.parametrize("part", ["im_encode_vae", "training_state"])
@pytest.mark.parametrize("damage", [lambda data: data[:len(data) // 2], lambda data: b"hello\n"], ids=["truncated", "foreign"])
def test_corrupted_checkpoint(scene, part, damage):
    scene.save_run()
    path = scene.checkpoints / f"0000_{part}_00000028.pt"
    path.write_bytes(damage(path.read_bytes()))
    scene.refused(f"{path}: not a checkpoint that can be read safely", "--resume")


@pytest.mark.parametrize("value, message", [
    ([1, 2], "expected a state dict"),
    ({"a": {"x": torch.zeros(3)}}, "lacks entry 'rnn.bias_hh_l0'; is it a checkpoint of another network?")])
def test_checkpoint_that_holds_something_else(scene, value, message):
    scene.save_run()
    path = scene.checkpoints / "0000_im_encode_vae_00000028.pt"
    torch.save(value, path)
    scene.refused(f"{path}: {message}", "--resume")


class Bomb:
    """Unpickled, it runs a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("part", ["im_encode_vae", "training_state"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_malicious_checkpoint_is_not_executed(scene, part, legacy):
    scene.save_run()
    path, mark = scene.checkpoints / f"0000_{part}_00000028.pt", scene.folder / "executed"
    torch.save({"a": Bomb(f"touch {mark}")}, path, _use_new_zipfile_serialization=not legacy)
    scene.refused(f"{path}: not a checkpoint that can be read safely", "--resume")
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the bomb would not have worked, so this test showed nothing"


def test_training_over_an_existing_run(scene):
    scene.save_run()
    scene.refused("Penn_actvae holds a trained run; continue it with --resume or choose another --name")


def test_pretrained_folder_that_cannot_serve(scene):
    folder = scene.folder / "pretrain"
    scene.refused(f"{folder}: there is no such folder", "--test", "--pretrain", folder)
    folder.mkdir()
    scene.refused(f"{folder}: no complete checkpoint here (needs <epoch>_<part>_<iteration>.pt for im_encode_content and "
                  "im_encode_vae), and no pretrained im_encode_content.pt", "--test", "--pretrain", folder)
    (folder / "im_encode_vae.pt").touch()
    scene.refused(f"{folder / 'im_encode_content.pt'}: this checkpoint file is missing", "--test", "--pretrain", folder)
    shutil.move(folder / "im_encode_vae.pt", folder / "mine.pt")
    scene.refused(f"{folder}: no complete checkpoint here", "--test", "--pretrain", folder / "mine.pt")


@pytest.mark.parametrize("wrap", [lambda weights: {"state_dict": weights, "epoch": 3}, lambda weights: weights])
def test_one_file_stands_for_its_snapshot_or_its_folder(scene, wrap):
    scene.save_run()
    folder = scene.folder / "others"
    folder.mkdir()
    for part in PARTS:
        weights = torch.load(scene.checkpoints / f"0000_{part}_00000028.pt", weights_only=True)["a"]
        torch.save(wrap({f"module.{name}": value for name, value in weights.items()}), folder / f"{part}.pt")
    found = []
    for file in (scene.checkpoints / "0000_im_encode_vae_00000028.pt", folder / "im_encode_content.pt"):
        assert scene.run("--test", "--pretrain", file, "--limit", 2, "--samples", 2).status == 0
        found.append(metrics(scene))
        shutil.rmtree(scene.run_folder / "test")
    assert found[0]["iteration"] == 28 and found[0]["overall"] == found[1]["overall"]


def test_list_of_names_without_numbers_in_test_mode(scene):
    scene.save_run()
    scene.edited(0, "frames/0001/first.jpg")
    assert scene.run("--test", "--resume", "--gifs", "all", overrides=[f"test_data_list={scene.list}"]).status == 0
    assert (scene.run_folder / "test/results_gif_real/0001_first.gif").is_file()
