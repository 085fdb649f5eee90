"""Testing, resuming and `--vae_path` build the networks that a snapshot describes; runs do not mix."""
import shutil
import signal
import time

import pytest
import torch
from helpers import P2I_CONFIG, Scene, metrics, newest_weights, p2i_scene, tree

import train_actvae
from trainer_actvae import Trainer
from training.prediction import row_noise
from utils.schema import ACTIONS
from utils_file import load_config

CONFIG = "config/Penn_actvae.yaml"


def without(overrides, *keys):
    return [override for override in overrides if override.partition("=")[0] not in keys]


@pytest.fixture
def scene(tmp_path, tiny, lists, run_script):
    """The pose module; 6 rows, 3 iterations an epoch."""
    made = Scene(tmp_path, train_actvae, CONFIG, tiny, lists[0].read_text().splitlines()[:6], run_script)
    made.tiny.append(made.write_list())
    return made


@pytest.fixture
def p2i(tmp_path, tiny, lists, run_script):
    made = p2i_scene(tmp_path, tiny, lists, run_script)
    made.tiny.append(f"test_data_list={made.list}")
    made.vae = tmp_path / "vae"
    Trainer(load_config(CONFIG, tiny), seed=3).save(made.vae, 5, 0)
    return made


# ---- the description of a snapshot ----

def test_a_test_without_the_trainings_overrides_uses_what_was_trained(scene):
    assert scene.run(overrides=["actvae.z_dim=6", "imsize=48"]).status == 0
    scene.tiny = without(scene.tiny, "imsize", "actvae.z_dim")
    outcome = scene.run("--test", "--resume", "--samples", 2)
    assert outcome.status == 0, outcome.err
    assert metrics(scene)["imsize"] == 48
    assert "actvae.z_dim: 6 -> 512" in outcome.out and "imsize: 48 -> 128" in outcome.out
    for override in ("actvae.z_dim=7", "actvae={z_dim: 7}", "actvae={kind: lstm_vae, z_dim: 7}"):
        outcome = scene.run("--test", "--resume", overrides=[override])
        assert outcome.status == 2 and "--set actvae.z_dim=7: the weights of" in outcome.err, override
        assert "were trained with actvae.z_dim: 6" in outcome.err


def test_pretrained_weights_bring_their_networks(scene, tmp_path):
    Trainer(load_config(CONFIG, [*scene.tiny, "actvae.z_dim=6"])).save(tmp_path / "weights", 9, 0)
    scene.tiny = without(scene.tiny, "actvae.z_dim")
    outcome = scene.run("--test", "--pretrain", tmp_path / "weights", "--samples", 2)
    assert outcome.status == 0, outcome.err
    assert "actvae.z_dim: 6 (configuration: 512)" in outcome.out


def test_a_run_s_own_configuration_names_the_run(scene):
    assert scene.run(overrides=["actvae.z_dim=6"]).status == 0
    scene.tiny = []
    assert scene.run("--test", "--resume", "--samples", 2, config=scene.run_folder / "config.yaml").status == 0
    assert metrics(scene)["iteration"] == 3
    assert scene.run("--resume", overrides=["train_epoch=2"], config=scene.run_folder / "config.yaml").status == 0
    assert (scene.checkpoints / "0001_im_encode_vae_00000006.pt").exists()


def test_old_runs_without_a_description_go_by_their_configuration(scene):
    assert scene.run(overrides=["actvae.z_dim=6"]).status == 0
    for path in scene.checkpoints.glob("*.json"):
        path.unlink()
    scene.tiny = without(scene.tiny, "actvae.z_dim")
    assert scene.run("--test", "--resume", "--samples", 2).status == 0


@pytest.mark.parametrize("text", ["{", '{"actvae": 3}', '{"actvae": {"kind": "diffusion"}}', '{"imsize": "big"}'])
def test_a_damaged_description_is_reported(scene, text):
    scene.save_run()
    (scene.checkpoints / "0000_networks_00000028.json").write_text(text)
    scene.refused("0000_networks_00000028.json", "--resume")


# ---- the pose module of P2I ----

def test_a_pose_module_with_other_actions_is_refused(p2i):
    Trainer(load_config(CONFIG, [*p2i.tiny, f"actions={[*ACTIONS[1:], ACTIONS[0]]}"])).save(p2i.folder / "other", 5, 0)
    p2i.refused("this pose module was trained with the actions pullup, clean_and_jerk", "--vae_path", p2i.folder / "other")


@pytest.mark.parametrize("argv", [("--resume",), ("--test", "--resume", "--samples", "1")], ids=" ".join)
def test_vae_path_replaces_the_pose_module_of_a_run(p2i, argv):
    assert p2i.run("--vae_path", p2i.vae).status == 0
    other = p2i.folder / "other"
    Trainer(load_config(CONFIG, [*without(p2i.tiny, "actvae.z_dim"), "actvae.z_dim=5"]), seed=9).save(other, 5, 0)
    p2i.tiny = without(p2i.tiny, "actvae.z_dim")
    if "--test" in argv:
        assert p2i.run(*argv).status == 0
        before = metrics(p2i)["overall"]["pixels"]["ade"]
    outcome = p2i.run(*argv, "--vae_path", other, overrides=[] if "--test" in argv else ["train_epoch=2"])
    assert outcome.status == 0, outcome.err
    assert f"pose module of {other}" in outcome.out
    if "--test" in argv:
        assert metrics(p2i)["overall"]["pixels"]["ade"] != before
    else:
        saved, given = newest_weights(p2i.checkpoints), newest_weights(other)
        assert all(torch.equal(value, saved[name]) for name, value in given.items())


# ---- choosing a snapshot, starting from weights ----

def test_a_snapshot_can_be_chosen(scene):
    assert scene.run(overrides=["train_epoch=2", "snapshot_save_iter=2"]).status == 0
    assert scene.run("--test", "--resume", "--iteration", 4, "--samples", 2).status == 0 and metrics(scene)["iteration"] == 4
    outcome = scene.run("--test", "--resume", "--iteration", 5)
    assert outcome.status == 2 and "no complete checkpoint of iteration 5; there are 2, 4, 6" in outcome.err
    whole = newest_weights(scene.checkpoints)
    outcome = scene.run("--resume", "--iteration", 4, overrides=["train_epoch=2"])
    assert f"going on from iteration 4, epoch 2, of {scene.checkpoints / '0001_im_encode_content_00000004.pt'}" in outcome.out
    assert all(torch.equal(value, whole[name]) for name, value in newest_weights(scene.checkpoints).items())
    assert len(list((scene.checkpoints / "after_00000004").glob("*_00000006.pt"))) == 3
    assert scene.run("--test", "--resume", "--samples", 2).status == 0 and metrics(scene)["iteration"] == 6


@pytest.mark.parametrize("form", ["run", "checkpoints", "a", "state_dict", "model", "bare", "ddp"])
def test_training_starts_from_weights(scene, form):
    source = scene.folder / "source" / "checkpoints"
    trainer = Trainer(load_config(CONFIG, scene.tiny), seed=5)
    trainer.save(source, 40, 2)
    folder = {"run": source.parent, "checkpoints": source}.get(form, scene.folder / "given")
    if folder.name == "given":
        folder.mkdir()
        for part, module in trainer.parts.items():
            state = {("module." if form == "ddp" else "") + name: value for name, value in module.state_dict().items()}
            torch.save(state if form in ("bare", "ddp") else {form: state, "epoch": 3}, folder / f"{part}.pt")
    outcome = scene.run("--pretrain", folder, overrides=["lr=1e-30", "weight_decay=0"])
    assert outcome.status == 0, outcome.err
    weights = newest_weights(scene.checkpoints)
    assert (scene.checkpoints / "0000_im_encode_vae_00000003.pt").exists()
    for part, module in trainer.parts.items():
        assert all(torch.equal(value, weights[f"{part}.{name}"]) for name, value in module.state_dict().items())


# ---- lists and batches that change ----

def test_a_rewritten_list_is_noticed(scene):
    assert scene.run().status == 0
    assert "has changed" not in scene.run("--resume", overrides=["train_epoch=2"]).out
    scene.write_list(*scene.lines[:5])
    outcome = scene.run("--resume", overrides=["train_epoch=4"])
    assert outcome.status == 0 and f"{scene.list} has changed since this run last trained (6 rows then, 5 now)" in outcome.out


def test_another_batch_size_rescales_the_epochs(scene):
    assert scene.run(overrides=["train_epoch=2"]).status == 0                  # 6 iterations of 2 rows
    before = tree(scene.run_folder)
    outcome = scene.run("--resume", overrides=["train_epoch=2", "batch_size=3"])
    assert outcome.status == 0 and "nothing to do: all 2 epochs are trained" in outcome.out
    assert (scene.run_folder / "config.yaml").read_bytes() == before[scene.run_folder / "config.yaml"]
    assert scene.run("--resume", overrides=["train_epoch=4", "batch_size=3"]).status == 0      # 2 epochs of 2 iterations more
    assert (scene.checkpoints / "0003_im_encode_vae_00000010.pt").exists()
    assert scene.run("--resume", overrides=["train_epoch=5", "batch_size=1"]).status == 0
    assert (scene.checkpoints / "0004_im_encode_vae_00000016.pt").exists()


# ---- noise ----

def test_noise_depends_on_seed_row_and_sample_alone():
    noise = row_noise(7, [3, 5], 4, (5, 8))
    assert torch.equal(row_noise(7, [5], 2, (5, 8))[0], noise[1, :2])
    assert torch.equal(row_noise(7, [3], 1, (9, 8))[0, 0, :5], noise[0, 0])
    every = row_noise(7, range(40), 5, (5, 8)).flatten(0, 1)
    assert len({tuple(sample.flatten().tolist()) for sample in every}) == 200
    assert not torch.equal(row_noise(8, [3], 1, (5, 8)), noise[:1, :1])
    assert abs(float(every.mean())) < 0.03 and abs(float(every.std()) - 1) < 0.03


# ---- two runs of one name ----

def test_two_trainings_of_one_name_do_not_mix(scene, fork_server):
    first = fork_server.start("train_actvae", "--config", CONFIG, "--output_path", scene.out, *(
        f"--set={override}" for override in [*scene.tiny, "train_epoch=100000", "snapshot_save_iter=100000"]))
    log = scene.run_folder / "log.txt"
    while not (log.exists() and "iteration 3 " in log.read_text()):
        assert first.poll() is None, first.errors()
        time.sleep(0.02)
    outcome = scene.run()
    assert outcome.status == 2 and f"process {first.pid} on " in outcome.err and "is training in this folder" in outcome.err
    first.send_signal(signal.SIGTERM)
    assert first.wait() == 143
    assert not list(scene.run_folder.glob(".*"))
    assert scene.run("--test", "--resume", "--samples", 2).status == 0


# ---- results, options ----

def test_tests_of_both_modules_under_one_name_keep_apart(p2i, scene):
    assert p2i.run("--vae_path", p2i.vae, "--name", "_x").status == 0
    assert p2i.run("--test", "--resume", "--samples", 1, "--name", "_x").status == 0
    shared = p2i.out / "outputs/Penn_actvae_p2inetwork_x"
    before = tree(shared / "test")
    assert p2i.run_script(train_actvae.main, "--config", P2I_CONFIG, "--name", "_x", "--output_path", p2i.out, "--test",
                          "--pretrain", p2i.vae, "--samples", 2, overrides=p2i.tiny).status == 0
    assert tree(shared / "test") == before and (shared / "test_poses/metrics.json").exists()


def test_windows_of_one_source_with_other_gaps_have_files_of_their_own(scene):
    scene.save_run()
    fields = scene.lines[0].split(",")
    fields[1:6] = [f"frames/0001/{frame:06d}.jpg" for frame in (3, 5, 7, 9, 11)]
    scene.write_list(scene.lines[0], ",".join(fields), scene.lines[1])
    assert scene.run("--test", "--resume", "--gifs", "all", overrides=[f"test_data_list={scene.list}"]).status == 0
    names = {path.name for path in (scene.run_folder / "test/results_gif_real").iterdir()}
    assert names == {"0001_0001_gap1.gif", "0001_0001_gap2.gif", "0001_0002.gif"}


def test_keys_without_effect_are_reported(scene):
    outcome = scene.run(overrides=["generator.ngf=3", "compile=true"])
    assert outcome.status == 0
    assert "without effect in this module: --set compile, --set generator.ngf" in outcome.warnings


def test_only_the_gallery_is_drawn_unless_gifs_all(scene, lists):
    scene.save_run()
    assert scene.run("--test", "--resume", "--samples", 2).status == 0
    folder = scene.run_folder / "test"
    assert metrics(scene)["rows"] == 56 and len(list((folder / "results_gif_real").iterdir())) == 12
    shutil.rmtree(folder)
    assert scene.run("--test", "--resume", "--samples", 2, "--gifs", "all").status == 0
    assert len(list((folder / "results_gif_fake").iterdir())) == 112
