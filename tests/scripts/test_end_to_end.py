"""The README's commands, run as they stand on a small data set and shrunken configurations."""
import json
import re
import shlex
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT
from helpers import Links, entry_point, own_photo, shell_commands
from PIL import Image

from dataset.synthetic.people import draw_video
from pose import DEFAULT_DETECTOR, detector_class
from pose.pose_file import write_poses
from utils.media import write_mp4

RUN, P2I_RUN = "outputs/Penn_actvae_test", "outputs/Penn_actvae_p2inetwork_generate"
SMALL = {"actvae": {"z_dim": 8}, "batch_size": 4, "train_epoch": 1, "log_iter": 2, "image_save_iter": 5,
         "snapshot_save_iter": 5, "display_size": 2}

SMALL_P2I = {"imsize": 32, "generator": {"ngf": 4, "n_blocks": 1}, "discriminator": {"ndf": 4, "n_blocks": 0},
             "image_loss": {"vgg": 0}, "image_save_iter": 100}


def run(folder, command, run_script):
    """Run a command in a folder, inside this process: its :class:`conftest.Outcome`."""
    main, arguments = entry_point(shlex.split(command))
    return run_script(main, *arguments, folder=folder)


def own_pictures(folder):
    """A photo with its pose, and two videos with theirs, as somebody might bring them."""
    own_photo(folder / "photos")
    (folder / "videos").mkdir()
    for number, name in enumerate(("me1", "me2")):
        frames, joints, _, _ = draw_video(5, "jumping_jacks", number, (20, 20), 1)
        frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in frames]
        write_mp4(folder / f"videos/{name}.mp4", frames_of_even_sides(frames), fps=25)
        write_poses(folder / f"videos/{name}.json", joints)
    (folder / "videos/actions.csv").write_text("file,action,split\nme1.mp4,jumping_jacks,train\nme2.mp4,jumping_jacks,test\n")


def frames_of_even_sides(frames):
    return np.stack([frame[:frame.shape[0] // 2 * 2, :frame.shape[1] // 2 * 2] for frame in frames])


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, run_script):
    """A folder with a small Penn Action data set, in which every command of the README and docs/training.md was run once.

    Its configurations and weights are copies of the project's, the former made smaller.
    """
    folder = tmp_path_factory.mktemp("project")
    for name in ("config", "pretrain"):
        shutil.copytree(ROOT / name, folder / name)
    for name, small in (("Penn_actvae.yaml", SMALL), ("Penn_actvae_p2inetwork.yaml", SMALL | SMALL_P2I),
                        ("motion.yaml", SMALL | {"actvae": {"kind": "residual", "horizon": 32, "networks": 1}}),
                        ("mine.yaml", {"train_minutes": 0.02})):
        path = folder / "config" / name
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | small))
    made = run(folder, "python -m dataset.synthetic --out data/Penn_Action --videos 2 --frames 9 9 --people 1", run_script)
    assert made.status == 0, made.err
    videos = sorted((folder / "data/Penn_Action/labels").glob("*.mat"))[::2]
    (folder / "data_lists").mkdir()
    (folder / "data_lists/published_test_videos.txt").write_text("".join(f"{path.stem}\n" for path in videos))
    own_pictures(folder)
    results = []
    for command in dict.fromkeys([*shell_commands("README.md"), *shell_commands("docs/training.md")]):
        if not command.startswith("python "):               # `make demo`; `torchrun`, see tests/utils/test_processes.py
            continue
        if command.endswith("--pretrain pretrain"):         # the authors' files, under their names
            for part, trained in (("im_encode_content", RUN), ("im_encode_vae", RUN), ("generator", P2I_RUN)):
                newest = sorted((folder / trained / "checkpoints").glob(f"*_{part}_*.pt"))[-1]
                shutil.copy(newest, folder / "pretrain" / f"{part}.pt")
        if "--image" in command and not detector_class(DEFAULT_DETECTOR).at_hand():
            command += " --pose photos/me.json"             # nothing is downloaded here
        results.append((command, run(folder, command, run_script)))
    return folder, results


def test_every_command_of_the_readme_runs(workshop):
    _, results = workshop
    for script in ("train_actvae.py", "train_actvae_p2inetwork.py"):
        assert any(script in command and "--test --resume" in command for command, _ in results)
    for command, outcome in results:
        assert outcome.status == 0, f"{command}\n{outcome.out}\n{outcome.err}"
        assert "Traceback" not in outcome.err


def test_run_folder(workshop):
    run_folder = workshop[0] / RUN
    assert {path.name for path in run_folder.iterdir()} >= {"checkpoints", "images", "config.yaml", "index.html", "log.txt"}
    assert yaml.safe_load((run_folder / "config.yaml").read_text())["actvae"] == {"kind": "lstm_vae", "z_dim": 8}
    names = {path.name for path in (run_folder / "images").iterdir()}
    assert {"train_00000005.jpg", "test_00000005.jpg"} <= names
    assert re.search(r"iteration 2  kl [\d.]+  reconstruction [\d.]+", (run_folder / "log.txt").read_text())
    assert list((workshop[0] / "logs/Penn_actvae_test").glob("events.out.tfevents.*"))


def test_every_link_of_every_page_resolves(workshop):
    pages = list((workshop[0] / "outputs").rglob("*.html"))
    assert len(pages) >= 3
    for page in pages:
        links = Links(page).found
        assert links, page
        assert all((page.parent / link).exists() for link in links), page


def test_gifs_have_the_published_names_and_four_frames(workshop):
    folder = workshop[0] / RUN / "test"
    real = sorted((folder / "results_gif_real").iterdir())
    fake = sorted((folder / "results_gif_fake").iterdir())
    metrics = json.loads((folder / "metrics.json").read_text())
    shown = sum(min(6, group["rows"]) for group in metrics["actions"].values())         # those of the gallery's first page
    assert metrics["rows"] == metrics["rows_in_list"] > 20 and len(real) == shown and len(fake) == 2 * shown
    quick = json.loads((folder.with_name("test_limit") / "metrics.json").read_text())
    assert quick["rows"] == 20 and quick["rows_in_list"] == metrics["rows"]
    assert all(re.fullmatch(r"\d{4}_\d{4}\.gif", path.name) for path in real)
    assert [path.name for path in fake[:2]] == [f"{real[0].stem}_0.gif", f"{real[0].stem}_1.gif"]
    assert fake[0].read_bytes() != fake[1].read_bytes()                  # defect D2
    with Image.open(fake[0]) as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"], gif.info["loop"]) == (4, (128, 128), 500, 0)


def test_metrics_file(workshop):
    metrics = json.loads((workshop[0] / RUN / "test/metrics.json").read_text())
    assert metrics["samples"] == 20 and metrics["seed"] == 7 and re.fullmatch(r"[0-9a-f]{64}", metrics["list_sha256"])
    assert len(metrics["actions"]) == 9
    overall = metrics["overall"]
    assert 0 < overall["normalised"]["ade_best"] <= overall["normalised"]["ade"]
    assert overall["pixels"]["ade"] == pytest.approx(64 * overall["normalised"]["ade"])
    assert sum(group["rows"] for group in metrics["actions"].values()) == overall["rows"] == metrics["rows"]


def test_training_stopped_and_resumed_ends_like_training_in_one_go(workshop, run_script):
    folder, _ = workshop
    train = "python train_actvae.py --config config/Penn_actvae.yaml --set train_epoch=2 --name "
    for ending in ("_whole", "_part --set train_epoch=1", "_part --resume"):
        assert run(folder, train + ending, run_script).status == 0
    whole, part = (folder / f"outputs/Penn_actvae{name}/checkpoints" for name in ("_whole", "_part"))
    newest = sorted(path.name for path in whole.glob("0001_*.pt"))[-3:]
    assert len(newest) == 3
    for name in newest:
        if "training_state" not in name and name.endswith(".pt"):
            first, second = (torch.load(path / name, weights_only=True)["a"] for path in (whole, part))
            assert all(torch.equal(value, second[entry]) for entry, value in first.items())


def test_sigterm_saves_and_resume_goes_on(workshop):
    folder, _ = workshop
    command = [ROOT / "train_actvae.py", "--config", "config/Penn_actvae.yaml", "--name", "_stopped",
               *(f"--set={key}=100000" for key in ("train_epoch", "snapshot_save_iter", "image_save_iter"))]
    process = subprocess.Popen([sys.executable, *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True)
    log = folder / "outputs/Penn_actvae_stopped/log.txt"
    while process.poll() is None and not (log.exists() and "iteration 4 " in log.read_text()):
        time.sleep(0.05)
    process.terminate()
    assert process.wait(60) == 143
    assert list(log.parent.glob("checkpoints/*_training_state_*.pt"))
    assert "--resume goes on" in log.read_text()
