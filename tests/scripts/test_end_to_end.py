"""The README's commands, run as they stand on a small data set and shrunken configurations."""
import json
import re
import shlex
import shutil

import cv2
import numpy as np
import pytest
import yaml
from conftest import ROOT
from helpers import entry_point, own_photo, shell_commands
from PIL import Image

from dataset.penn_layout import frame_mask
from dataset.synthetic.people import draw_video
from pose import DEFAULT_DETECTOR, detector_class
from pose.masks import write_mask
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
        frames = np.stack([frame[:len(frame) // 2 * 2, :frame.shape[1] // 2 * 2, ::-1] for frame in frames])     # even sides
        write_mp4(folder / f"videos/{name}.mp4", frames, fps=25)
        write_poses(folder / f"videos/{name}.json", joints)
    (folder / "videos/actions.csv").write_text("file,action,split\nme1.mp4,jumping_jacks,train\nme2.mp4,jumping_jacks,test\n")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, run_script):
    """A folder with a small Penn Action data set, in which every command of the README and docs/training.md was run once.

    Its configurations and weights are copies of the project's, the former made smaller.
    """
    folder = tmp_path_factory.mktemp("project")
    for name in ("config", "pretrain"):
        shutil.copytree(ROOT / name, folder / name)
    for name, small in (("Penn_actvae.yaml", SMALL), ("Penn_actvae_p2inetwork.yaml", SMALL | SMALL_P2I),
                        ("mixture.yaml", SMALL | {"actvae": {"kind": "mixture", "horizon": 32, "networks": 1}}),
                        ("mine.yaml", {"train_minutes": 0.01, "batch_size": 2, "precision": "fp32", "display_size": 1})):
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
        if "--image" in command:                            # nothing is downloaded here, and clips are short
            command += " --steps 2" + (" --pose photos/me.json" if not detector_class(DEFAULT_DETECTOR).at_hand() else "")
        results.append((command, run(folder, command, run_script)))
        if "dataset.from_video" in command:                 # poses of one's own come without masks
            for frame in (folder / "data/mine/frames").glob("*/*.jpg"):
                frame_mask(frame).parent.mkdir(parents=True, exist_ok=True)
                height, width = cv2.imread(str(frame)).shape[:2]
                mask = np.zeros((height, width))
                mask[height // 4:-height // 4, width // 4:-width // 4] = 1
                write_mask(frame_mask(frame), mask)
    return folder, results


def test_every_command_of_the_readme_runs(workshop):
    _, results = workshop
    for script in ("train_actvae.py", "train_actvae_p2inetwork.py"):
        assert any(script in command and "--test --resume" in command for command, _ in results)
    for command, outcome in results:
        assert outcome.status == 0, f"{command}\n{outcome.out}\n{outcome.err}"
        assert "Traceback" not in outcome.err


def test_run_folder(workshop):
    folder = workshop[0] / RUN
    assert {path.name for path in folder.iterdir()} >= {"checkpoints", "images", "config.yaml", "index.html", "log.txt"}
    assert yaml.safe_load((folder / "config.yaml").read_text())["actvae"] == {"kind": "lstm_vae", "z_dim": 8}
    assert {path.name for path in (folder / "images").iterdir()} >= {"train_00000005.jpg", "test_00000005.jpg"}
    assert re.search(r"iteration 2  kl [\d.]+  reconstruction [\d.]+", (folder / "log.txt").read_text())
    assert list((workshop[0] / "logs/Penn_actvae_test").glob("events.out.tfevents.*"))


def test_gifs_have_the_published_names_and_four_frames(workshop):
    folder = workshop[0] / RUN / "test"
    real, fake = (sorted((folder / f"results_gif_{kind}").iterdir()) for kind in ("real", "fake"))
    metrics, quick = (json.loads((place / "metrics.json").read_text()) for place in (folder, folder.with_name("test_limit")))
    assert metrics["samples"] == 20 and metrics["seed"] == 7 and re.fullmatch(r"[0-9a-f]{64}", metrics["list_sha256"])
    shown = sum(min(6, group["rows"]) for group in metrics["actions"].values())         # those of the gallery's first page
    assert metrics["rows"] == metrics["rows_in_list"] > 20 and len(real) == shown and len(fake) == 2 * shown
    assert quick["rows"] == 20 and quick["rows_in_list"] == metrics["rows"]
    assert all(re.fullmatch(r"\d{4}_\d{4}\.gif", path.name) for path in real)
    assert [path.name for path in fake[:2]] == [f"{real[0].stem}_0.gif", f"{real[0].stem}_1.gif"]
    with Image.open(fake[0]) as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"], gif.info["loop"]) == (4, (128, 128), 500, 0)
