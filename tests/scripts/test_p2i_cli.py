"""`train_actvae_p2inetwork.py` from its arguments to its files, and what it says when given something wrong."""
import json
import re
import shutil
import signal
from collections import OrderedDict

import av
import golden
import numpy as np
import pytest
import torch
from helpers import Links, Scene, values_of
from PIL import Image

import train_actvae
import train_actvae_p2inetwork as script
from dataset.image_loader2_test import PennActionTestPairs
from trainer_actvae_p2inetwork import Trainer
from utils.torch_files import load_torch
from utils_file import load_config

CONFIG = "config/Penn_actvae_p2inetwork.yaml"
PARTS = ("im_encode_content", "im_encode_vae", "generator", "classifier")
SIDE = 16
SMALL = ("generator.ngf=4", "generator.n_blocks=1", "discriminator.ndf=4", "discriminator.n_blocks=1",
         "image_loss.vgg=0", f"imsize={SIDE}")
STEPS = 4
ROWS = 7                            # of the training list, 3 iterations an epoch at a batch of 2
TEST_ROWS = (0, 1, 2, 3, 30, 31)    # of the test list: two videos, two actions


class P2IScene(Scene):
    """With a trained ACT-VAE, and a test list of its own."""

    def __init__(self, folder, tiny, lists, penn_root, run_script):
        train, test = (path.read_text().splitlines() for path in lists)
        self.test_list, self.penn_root = folder / "test.txt", penn_root
        super().__init__(folder, script, CONFIG, [*tiny, *SMALL, f"cache_dir={folder / 'cache'}",
                                                  f"test_data_list={self.test_list}"], train[:ROWS], run_script)
        self.tiny.append(self.write_list())
        self.test_list.write_text("".join(test[row] + "\n" for row in TEST_ROWS))
        self.vae = folder / "vae"
        trainer = train_actvae.Trainer(load_config("config/Penn_actvae.yaml", tiny), seed=1)
        for value in trainer.model.parameters():
            value.detach().mul_(2)                        # enough to move
        trainer.save(self.vae, 5, 0)

    def train(self, *argv, overrides=()):
        return self.run("--vae_path", self.vae, *argv, overrides=overrides)

    def trainer(self):
        trainer = Trainer(load_config(CONFIG, self.tiny))
        trainer.resume(self.checkpoints)
        return trainer


@pytest.fixture
def scene(tmp_path, tiny, lists, penn_root, run_script):
    return P2IScene(tmp_path, tiny, lists, penn_root, run_script)


# the large steps make a generator that looks at the pose
TWO_EPOCHS = ["train_epoch=2", "lr=0.03", "image_save_iter=4", "snapshot_save_iter=5", "display_size=2"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny, lists, penn_root, run_script):
    """A run of two epochs, then tested: the scene and both outcomes. Read only."""
    made = P2IScene(tmp_path_factory.mktemp("p2i"), tiny, lists, penn_root, run_script)
    training = made.train(overrides=TWO_EPOCHS)
    return made, training, made.run("--test", "--resume", "--samples", 3, "--gifs", "all")


def names(epoch, iteration, state=True):
    return {f"{epoch:04d}_{part}_{iteration:08d}.pt" for part in (*PARTS, *["training_state"] * state)} | {
        f"{epoch:04d}_networks_{iteration:08d}.json"}


# ---- training ----

def test_training_fills_the_run_folder(trained):
    scene, training, _ = trained
    assert training.status == 0, training.err
    assert {path.name for path in scene.run_folder.iterdir()} == {"checkpoints", "images", "test", "config.yaml", "crops.npz",
                                                                  "index.html", "log.txt"}
    assert {path.name for path in scene.checkpoints.iterdir()} == names(1, 5) | names(1, 6) | {"optimizer.pt"}
    assert list(torch.load(scene.checkpoints / "optimizer.pt")) == ["generator", "classifier"]
    assert list((scene.out / "logs/Penn_actvae_p2inetwork").glob("events.out.tfevents.*"))
    assert load_config(scene.run_folder / "config.yaml") == load_config(CONFIG, [*scene.tiny, *TWO_EPOCHS])


def test_sheets(trained):
    scene, _, _ = trained
    sheets = {path.name: np.asarray(Image.open(path)) for path in (scene.run_folder / "images").iterdir()}
    assert sheets.keys() == {f"{part}_0000000{iteration}.jpg" for part in ("train", "test") for iteration in (4, 6)}
    cells = 1 + 4 * STEPS                                 # source; truth, true poses, sampled poses and these poses
    assert {sheet.shape for sheet in sheets.values()} == {(2 * (SIDE + 2), cells * (SIDE + 2) + 4 * 10, 3)}
    assert not np.array_equal(sheets["test_00000006.jpg"], sheets["train_00000006.jpg"])
    data = PennActionTestPairs(scene.test_list, load_config(CONFIG, scene.tiny).data_root, SIDE)
    source, first = sheets["test_00000006.jpg"][:SIDE, :SIDE], sheets["test_00000006.jpg"][:SIDE, 28:28 + SIDE]
    for cell, frame in ((source, 0), (first, 1)):
        assert np.abs(data.pictures(0, range(6)) - cell.astype(float)).mean((1, 2, 3)).argmin() == frame


def test_log(trained):
    scene, training, testing = trained
    log = (scene.run_folder / "log.txt").read_text()
    assert "7 training rows, 6 test rows, 3 iterations an epoch, cpu" in log
    assert training.out.count("frame cache: ") == 2
    assert f"frame cache: 12 pictures, 0 MB, in {scene.folder / 'cache'}" in training.out
    assert re.findall(r"iteration (\d)  d_real [\d.e+-]+  d_sampled \S+  reconstruction \S+  "
                      r"g_adversarial \S+  features \S+  g_sampled \S+  lr 0.03", log) == list("123456")
    assert re.search(r"iteration 4, test rows, true poses: PSNR [\d.]+ dB, SSIM [\d.]+; copying the source: [\d.]+ dB",
                     log)
    assert "d_real" not in training.out and "sampled poses  PSNR" in testing.out


@pytest.mark.parametrize("number, frames", [(signal.SIGINT, []), (signal.SIGTERM, ["cache=false", "workers=2"])])
def test_a_stopped_and_resumed_run_ends_like_an_uninterrupted_one(trained, scene, monkeypatch, number, frames):
    whole = trained[0]
    update = Trainer.update

    def interrupted(trainer, batch):
        if trainer.iteration == 3:                        # during the fourth, the first of the second epoch
            signal.raise_signal(number)
        return update(trainer, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", interrupted)
        stopped = scene.train(overrides=[*TWO_EPOCHS, *frames])
    assert stopped.status == 128 + number
    assert f"stopped by {number.name} at iteration 4; --resume goes on" in stopped.out
    assert {path.name for path in scene.checkpoints.iterdir()} == names(1, 4) | {"optimizer.pt"}
    assert scene.run("--resume", overrides=[*TWO_EPOCHS, *frames]).status == 0
    for name in names(1, 6) - {"0001_networks_00000006.json"} | {"optimizer.pt"}:
        assert values_of(load_torch(scene.checkpoints / name)) == values_of(load_torch(whole.checkpoints / name)), name
    for name in ("train_00000006.jpg", "test_00000006.jpg"):
        assert (scene.run_folder / "images" / name).read_bytes() == (whole.run_folder / "images" / name).read_bytes()


# ---- test mode ----

def test_videos_of_a_test(trained):
    scene, _, testing = trained
    assert testing.status == 0, testing.err
    folder = scene.run_folder / "test"
    stems = ["0003_0001", "0003_0002", "0003_0003", "0003_0004", "0004_0003", "0004_0004"]
    assert {path.name for path in folder.iterdir()} == {
        "results_gif_real", "results_gif_fake", "strips", "metrics.json", "rows.npz", "index.html",
        "action_00.html", "action_01.html", "overview.gif"}
    for kind in ("real", "fake"):
        place = folder / f"results_gif_{kind}"
        assert {path.name for path in place.iterdir()} == {f"{stem}.{end}" for stem in stems for end in ("gif", "mp4")}
        for stem in stems:
            with Image.open(place / f"{stem}.gif") as gif, av.open(str(place / f"{stem}.mp4")) as video:
                assert (gif.n_frames, gif.size, gif.info["duration"], gif.info["loop"]) == (STEPS, (SIDE, SIDE), 500, 0)
                frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
                assert len(frames) == STEPS and float(video.streams.video[0].average_rate) == 2
                for number, frame in enumerate(frames):
                    gif.seek(number)
                    assert np.abs(np.asarray(gif.convert("RGB")) - frame.astype(float)).mean() < 25
    data = PennActionTestPairs(scene.test_list, load_config(CONFIG, scene.tiny).data_root, SIDE)
    for row, stem in enumerate(stems):
        with Image.open(folder / f"results_gif_real/{stem}.gif") as gif:
            for number in range(STEPS):                   # the four targets, without the source
                gif.seek(number)
                picture = data.pictures(row, [number + 1])[0].astype(float)
                assert np.abs(np.asarray(gif.convert("RGB")) - picture).mean() < 8
    strips = [Image.open(folder / f"strips/{stem}.jpg") for stem in stems]
    assert len(list((folder / "strips").iterdir())) == len(stems)
    assert {strip.size for strip in strips} == {(5 * (SIDE + 2) + 10, 4 * (SIDE + 2))}


def naive_psnr(first, second):
    """In dB, of two uint8 pictures."""
    return 10 * np.log10(255 ** 2 / ((first.astype(float) - second) ** 2).mean())


def test_metrics_file(trained):
    scene, _, _ = trained
    metrics = json.loads((scene.run_folder / "test/metrics.json").read_text())
    assert metrics.items() >= {"iteration": 6, "rows": 6, "rows_in_list": 6, "samples": 3, "seed": 7, "steps": STEPS,
                               "imsize": SIDE, "weights": str(scene.checkpoints), "list": str(scene.test_list)}.items()
    keys = {f"{metric}_{kind}" for metric in ("psnr", "ssim") for kind in ("sampled", "true_poses", "copy_source")}
    groups = {"overall": metrics["overall"], **metrics["actions"]}
    assert {name: group["rows"] for name, group in groups.items()} == {"overall": 6, "pullup": 4, "squat": 2}
    for group in groups.values():
        assert keys <= group["pictures"].keys() and {"ade", "ade_best", "fde", "apd"} <= group["pixels"].keys()
        assert group["pixels"]["ade"] == pytest.approx(SIDE / 2 * group["normalised"]["ade"]) and group["pixels"]["apd"] > 0
    data = PennActionTestPairs(scene.test_list, load_config(CONFIG, scene.tiny).data_root, SIDE)
    trainer, expected = scene.trainer(), {kind: [] for kind in ("copy_source", "true_poses")}
    for row in range(len(data)):                          # from the definition, row by row
        source, *truth = data.pictures(row, range(STEPS + 1))
        item = data[row]
        rendered = trainer.render(item["images"][None, 0], item["poses"][None, 0], item["poses"][None, 1:STEPS + 1],
                                item["action"][None])[0].movedim(1, -1)
        expected["copy_source"].append(np.mean([naive_psnr(source, picture) for picture in truth]))
        expected["true_poses"].append(np.mean([naive_psnr((rendered[step] + 1).numpy() * 127.5, picture)
                                               for step, picture in enumerate(truth)]))
    for kind, values in expected.items():
        for name, rows in (("overall", range(6)), ("pullup", range(4)), ("squat", (4, 5))):
            mean = np.mean([values[row] for row in rows])
            assert groups[name]["pictures"][f"psnr_{kind}"] == pytest.approx(mean, abs=1e-3)
    pictures = metrics["overall"]["pictures"]
    assert abs(pictures["psnr_sampled"] - pictures["psnr_true_poses"]) > 0.01
    assert all(0 < pictures[key] < (100 if "psnr" in key else 1) for key in keys)


def test_every_link_of_every_page_resolves(trained):
    folder = trained[0].run_folder
    pages = list(folder.rglob("*.html"))
    assert len(pages) == 4
    linked = {(page.parent / link).resolve() for page in pages for link in Links(page).found}
    assert all(path.exists() for path in linked)
    shown = {path.resolve() for ending in ("gif", "mp4", "jpg") for path in folder.rglob(f"*.{ending}")}
    results = (folder / "test").resolve()
    assert shown - linked <= {results / "overview.gif", *(results / "results_gif_real").glob("*.mp4")}


def test_a_limited_test_keeps_the_results_of_a_full_one(scene):
    scene.save_run()
    quick = ("--test", "--resume", "--samples", 1, "--limit", 2, "--seed", 9)
    places = scene.run_folder / "test", scene.run_folder / "test_limit"
    for order, (argv, place) in enumerate([(quick, places[0]), (quick[:4], places[0]), (quick, places[1])]):
        assert scene.run(*argv, "--gifs", "all").status == 0
        metrics = json.loads((place / "metrics.json").read_text())
        rows = 6 if order == 1 else 2
        assert (metrics["rows"], metrics["rows_in_list"], metrics["seed"]) == (rows, 6, 7 if order == 1 else 9)
        for name, endings in (("results_gif_real", 2), ("results_gif_fake", 2), ("strips", 1)):
            assert len(list((place / name).iterdir())) == rows * endings
    assert json.loads((places[0] / "metrics.json").read_text())["rows"] == 6
    assert metrics["overall"]["pixels"]["apd"] == 0


# ---- weights of the published system ----

@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_test_mode_with_a_pretrain_folder(trained, scene, legacy):
    folder = scene.folder / "pretrain"
    folder.mkdir()
    for part in PARTS[:3]:                                # the authors' folder has no discriminator
        value = torch.load(trained[0].checkpoints / f"0001_{part}_00000006.pt", weights_only=True)
        torch.save(value, folder / f"{part}.pt", _use_new_zipfile_serialization=not legacy)
    assert scene.run("--test", "--pretrain", folder, "--samples", 3).status == 0
    ours, theirs = (json.loads((each.run_folder / "test/metrics.json").read_text()) for each in (scene, trained[0]))
    assert ours["overall"] == theirs["overall"] and ours["weights"] == str(folder)
    assert not list(scene.checkpoints.iterdir())


def test_published_weights_load_strictly_and_save_back_identically(tmp_path, monkeypatch):
    for name in ("normal_", "uniform_"):                  # every weight is overwritten: no need to draw it
        monkeypatch.setattr(torch.nn.init, name, lambda tensor, *args, **kwargs: tensor)
    published = {}
    for number, part in enumerate(PARTS):                 # names, shapes and order of the published files
        published[part] = OrderedDict(
            (name, torch.full(shape, 1000 * number + entry) if name.endswith("num_batches_tracked") else
             torch.full(shape, number + entry / 1000)) for entry, (name, shape) in enumerate(golden.KEYS[part].items()))
        torch.save({"a": published[part]}, tmp_path / f"{part}.pt")
    trainer = Trainer(load_config(CONFIG, ["imsize=32", "image_loss.vgg=0", "device=cpu"]))
    trainer.load_pretrained(tmp_path)
    trainer.save(tmp_path / "ours", 12, 3)
    for part, expected in published.items():
        saved = torch.load(tmp_path / "ours" / f"0003_{part}_00000012.pt", weights_only=True)
        assert list(saved) == ["a"] and list(saved["a"]) == list(expected)
        for name, value in saved["a"].items():
            assert value.dtype == expected[name].dtype and torch.equal(value, expected[name]), name
    for change, message in ((lambda state: state.popitem(), "lacks entry"),
                            (lambda state: state.update(more=torch.zeros(1)), "has an unknown entry 'more'")):
        changed = OrderedDict(published["im_encode_content"])
        change(changed)
        torch.save({"a": changed}, tmp_path / "im_encode_content.pt")
        with pytest.raises(Exception, match=f"im_encode_content.pt: {message}"):
            trainer.load_pretrained(tmp_path)


# ---- bad input ----

def test_vae_path(scene):
    scene.refused("--vae_path is needed: the checkpoints folder of a trained train_actvae.py run")
    scene.refused(f"--vae_path {scene.folder / 'none'}: there is no such folder", "--vae_path", scene.folder / "none")
    (scene.folder / "empty").mkdir()
    scene.refused(f"--vae_path {scene.folder / 'empty'}: no trained ACT-VAE here", "--vae_path", scene.folder / "empty")
    scene.refused(f"--set actvae.z_dim=9: the weights of {scene.vae} were trained with actvae.z_dim: 8", "--vae_path", scene.vae,
                  overrides=["actvae.z_dim=9"])
    path = scene.vae / "0000_im_encode_vae_00000005.pt"
    path.write_bytes(path.read_bytes()[:500])
    scene.refused(f"{path}: not a checkpoint that can be read safely", "--vae_path", scene.vae)


@pytest.mark.parametrize("overrides, message", [
    (["imsize=30"], "imsize 30 must be a multiple of 4 from 8 on"),
    (["imsize=16", "discriminator.n_downsampling=4"], "imsize 16 is too small for the discriminator"),
    (["imsize=12"], "'imsize' must be at least 16"),
    (["image_loss.vgg=1", "vgg_weights=none.pth"], "none.pth"),
    (["batch_size=8"], "its 7 rows are fewer than a batch of 8")])
def test_bad_sizes_and_weights(scene, overrides, message):
    scene.refused(message, "--vae_path", scene.vae, overrides=overrides)


def test_a_trained_run_is_not_overwritten(scene):
    scene.save_run()
    scene.refused("holds a trained run; continue it with --resume", "--vae_path", scene.vae)
    (scene.checkpoints / "0000_generator_00000028.pt").unlink()
    scene.refused("no complete checkpoint here (needs <epoch>_<part>_<iteration>.pt for im_encode_content and "
                  "im_encode_vae and generator and classifier)", "--resume")
    folder = scene.folder / "pretrain"
    folder.mkdir()
    for part in PARTS[:2]:
        shutil.copy(scene.checkpoints / f"0000_{part}_00000028.pt", folder / f"{part}.pt")
    scene.refused(f"{folder / 'generator.pt'}: this checkpoint file is missing", "--test", "--pretrain", folder)
