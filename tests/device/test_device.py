"""Both modules on a simulated GPU (sim_device.py): they are trained, resumed, tested and make clips of a photo.

A tensor on the wrong device fails with its line. Each run is a process of its own, because a device is registered for a whole
process. With the environment variable TEST_DEVICE=cuda a real GPU is used.
"""
import json
import os
import re
import shutil

import numpy as np
import pytest
import torch
from conftest import SIZE
from PIL import Image
from torch.utils import backend_registration

from dataset.pair_list import TEST_LIST, TRAIN_LIST
from dataset.penn_action import build

DEVICE = os.environ.get("TEST_DEVICE", "sim")
pytestmark = pytest.mark.skipif(DEVICE == "sim" and not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
                                reason=f"torch {torch.__version__} cannot register a device from Python, newer ones can")

POSE, PICTURES = "train_actvae", "train_actvae_p2inetwork"
RUNS = {                 # kind -> script, configuration, overrides
    "lstm_vae": (POSE, "Penn_actvae", ["actvae.z_dim=8"]),
    "mixture": (POSE, "people_motion", ["actvae.networks=1", "actvae.terms=4", "actvae.trunk=8", "actvae.head=8",
                                        "actvae.neighbours=3", "actvae.retrieval_rows=4", "train_data=[]",
                                        "train_data_list={data}/long.txt"]),
    "pose_attention": (PICTURES, "Penn_actvae_p2inetwork", ["generator.ngf=4", "generator.n_blocks=1", "discriminator.ndf=4",
                                                           "discriminator.n_blocks=1", "image_loss.vgg=0"]),
    "cutout": (PICTURES, "people", ["generator.size=16", "generator.segmentation_widths=[8, 8, 8, 8]",
                                    "generator.compositing_widths=[8, 8, 8, 8]", "discriminator.width=4",
                                    "discriminator.start_iter=0", "train_data=[]"])}
TINY = [f"device={DEVICE}", "imsize=32", "batch_size=4", "train_epoch=1", "workers=0", "cache=false", "log_iter=1",
        "display_size=1", "data_root={data}", "train_data_list={data}/list.txt", "test_data_list={data}/one.txt"]
POSE_MODULES = {"pose_attention": "lstm_vae", "cutout": "mixture"}
# How often the CPU waits for the device in an update, at most: once for each step of the optimizers, which reads whether loss and
# gradients are finite. After each wait the device idles. A process's first update also copies constants to the device.
MOST_WAITS = {"lstm_vae": 1, "mixture": 1, "pose_attention": 4, "cutout": 2}


@pytest.fixture(scope="module")
def data(penn_root, lists, tmp_path_factory):
    """A folder of four videos, two of each action, whose people have masks, and with lists of a row of each, or of one."""
    root = tmp_path_factory.mktemp("data")
    build(penn_root, root / "long", horizon=17, pad=True)                   # for the library of `mixture`
    for name, folder in (("long.txt", root / "long"), ("list.txt", lists[0].parent)):
        parts = [(folder / each).read_text().splitlines(keepends=True) for each in (TRAIN_LIST, TEST_LIST)]
        (root / name).write_text("".join(row for part in parts for row in (part[0], part[-1])))
    (root / "one.txt").write_text(parts[0][0])
    for folder in ("labels", "frames"):
        (root / folder).symlink_to(penn_root / folder)
    draw_mask(root / "mask.png")
    for frame in penn_root.glob("frames/*/*.jpg"):
        mask = root / "masks" / frame.parent.name / f"{frame.stem}.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "mask.png", mask)
    return root


def draw_mask(path):
    mask = np.zeros(SIZE, np.uint8)
    mask[10:60, 30:60] = 255
    Image.fromarray(mask).save(path)


class Device:
    """Runs the training scripts on the simulated device."""

    def __init__(self, folder, data, server):
        self.folder, self.data, self.server = folder, data, server

    def checkpoints(self, kind):
        return self.folder / "outputs" / RUNS[kind][1] / "checkpoints"

    def run(self, kind, *argv, overrides=()):
        """Run a kind's script -> what it waited for in its last update, a list of [times, operator, place]."""
        script, config, changes = RUNS[kind]
        words = [word for override in [*TINY, *changes, *overrides] for word in ("--set", override.format(data=self.data))]
        started, found = self.start(script, "--config", f"config/{config}.yaml", "--output_path", self.folder, *argv, *words)
        assert not found["mismatches"], "\n".join([*found["mismatches"], started.errors()])
        assert started.returncode == 0, started.errors()
        return found["waits"]

    def start(self, module, *argv):
        """Run the `main()` of a module -> the process that ended, and its report."""
        report = self.folder / "report.json"
        started = self.server.start("device.sim_script", report, module, *argv)
        started.wait(300)
        return started, json.loads(report.read_text())


@pytest.fixture(scope="module")
def device(data, tmp_path_factory, fork_server):
    return Device(tmp_path_factory.mktemp("runs"), data, fork_server)


@pytest.fixture
def photo(tmp_path):
    """Options that name a photo with a pose and a mask."""
    random = np.random.RandomState(0)
    Image.fromarray(random.randint(0, 256, (*SIZE, 3)).astype(np.uint8)).save(tmp_path / "me.png")
    (tmp_path / "me.json").write_text(json.dumps(random.uniform((35, 15), (55, 55), (13, 2)).round(2).tolist()))
    draw_mask(tmp_path / "me_mask.png")
    return ["--image", tmp_path / "me.png", "--pose", tmp_path / "me.json", "--mask", tmp_path / "me_mask.png"]


def test_the_simulation_refuses_what_cuda_refuses(device):
    ended, found = device.start("device.mistakes")
    assert ended.returncode == 0, ended.errors()
    assert DEVICE != "sim" or re.match(r"tests/device/mistakes\.py:\d+: add: tensors on different", found["mismatches"][0])


@pytest.mark.skipif(DEVICE != "sim", reason="the check itself runs these tests on other devices")
def test_the_check_of_a_gpu_runs(device, tmp_path):
    path = tmp_path / "check.txt"
    ended, found = device.start("tools.gpu_check", "cutout", "--device", "sim", "--tiny", "--out", path)
    report = path.read_text()
    assert ended.returncode == 0 and report.endswith("all is well\n") and not found["mismatches"], report


@pytest.mark.parametrize("kind", RUNS)
def test_a_kind_works_on_a_gpu_and_seldom_makes_the_cpu_wait(device, kind, photo, tmp_path):
    given = ["--vae_path", device.checkpoints(POSE_MODULES[kind])] if kind in POSE_MODULES else []
    device.run(kind, *given)
    waits = device.run(kind, "--resume", overrides=["train_epoch=3"])
    total = sum(times for times, *_ in waits)
    assert total <= MOST_WAITS[kind], "\n".join(f"{times} times {name} at {place}" for times, name, place in waits)
    device.run(kind, "--test", "--resume", "--samples", 2)
    device.run(kind, "--test", "--resume", *photo, "--action", "squat", "--samples", 2, "--steps", 2, "--formats", "strip,poses",
               "--out", tmp_path / "clips")
    assert (tmp_path / "clips/me_squat_2.json").exists()
