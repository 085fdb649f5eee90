"""The ablation of the painter: its rows differ as their names say, and its numbers are right for known pictures."""
import numpy as np
import pytest
import torch
from PIL import Image

from dataset.synthetic.layout import write_video
from dataset.synthetic.people import draw_video
from model_variants import build_generator
from networks.cutout_generator import CutoutGenerator
from tools import painter_ablation as ablation
from tools import painter_clips
from utils.config import load_config
from utils.torch_files import save_torch

SMALL = "size: 16, own_widths: [8, 8, 8, 8], widths: [8, 8, 8, 8]"
ROWS = ["source copied", "all parts", "no mask", "Telea's plate", "plate without patches", "without completion",
        "without the second network", "without sharpening"]


def make_weights(folder, generator):
    """A pretrained folder whose second network says something."""
    folder.mkdir()
    (folder / "config.yaml").write_text(f"generator: {{{generator}}}\n")
    config = load_config(folder / "config.yaml")
    torch.manual_seed(1)
    network = build_generator(config.generator, len(config.actions))
    for parameter in network.parameters():
        if parameter.ndim > 1 and parameter.abs().max() < 0.05:
            torch.nn.init.normal_(parameter, 0, 0.1)
    save_torch(folder / "generator.pt", {"a": network.state_dict()})
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return make_weights(tmp_path_factory.mktemp("weights") / "cutout", f"kind: cutout, {SMALL}")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Three drawn videos with masks, of which the annotation calls the last one a test video."""
    root = tmp_path_factory.mktemp("data")
    (root / "labels").mkdir()
    for number, action in enumerate(("jumping_jacks", "squat", "golf_swing"), 1):
        write_video(root, number, action, number < 3, draw_video(3, action, 0, (8, 8), masks=True))
    return root


def test_the_table_and_the_strip(root, weights, tmp_path, run_script, monkeypatch):
    monkeypatch.setattr(painter_clips, "DRAWN", painter_clips.DRAWN[:1])
    monkeypatch.setattr(painter_clips, "SIDE", 48)
    other = make_weights(tmp_path / "other", "kind: limb_warp, size: 16, widths: [8, 8, 8, 8]")
    outcome = run_script(ablation.main, "--root", root, "--pretrain", weights, "--beside", other, "--size", 48, "--pictures", 3,
                         "--out", tmp_path / "table.md", "--strip", tmp_path / "strip.png")
    assert outcome.status == 0, outcome.err
    lines = (tmp_path / "table.md").read_text().splitlines()
    names = [line.split(" | ")[0].strip("| ") for line in lines[2:]]
    assert names == [ROWS[0], str(other), *ROWS[1:]] and lines[-1] in outcome.out
    assert len({line.count("|") for line in lines}) == 1
    cells = {name: line.split(" | ")[1:] for name, line in zip(names, lines[2:])}
    assert float(cells["source copied"][-1].strip("| ")) == 100 and cells["source copied"][-2].strip() == ""
    assert float(cells["all parts"][-1].strip("| ")) > 45, "the photo's own pose gives the photo"
    assert 0 < float(cells["all parts"][-2]) < 1
    variants = set(ROWS[1:]) - {"plate without patches"}               # in so plain a picture patches give way of themselves
    assert len({tuple(cells[name][:4]) for name in variants}) == len(variants), "every variant changes something"
    assert np.asarray(Image.open(tmp_path / "strip.png")).shape == (48 * (len(ROWS) + 1), 48 * 4, 3)


def test_without_patches_the_plate_of_a_busy_picture_is_smooth():
    noise = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (1, 3, 48, 48)).astype(np.float32))
    mask = torch.zeros(1, 1, 48, 48)
    mask[..., 12:36, 18:30] = 1
    poses = torch.linspace(-0.5, 0.5, 26).view(1, 13, 2)
    clip = painter_clips.Clip("noise", noise, mask, poses)
    network = CutoutGenerator(size=16, own_widths=(8, 8, 8, 8), widths=(8, 8, 8, 8))
    patched, smooth = (variant(network, clip)[1].plate[..., 16:32, 20:28]
                       for variant in (ablation.all_parts, ablation.no_patches))
    assert smooth.std() < 0.7 * patched.std()


def test_which_videos_are_painted(root, tmp_path):
    assert painter_clips.kept_videos(root, None) == ["0003"]
    (tmp_path / "kept.txt").write_text("0002\n0001\n")
    assert sorted(painter_clips.kept_videos(root, tmp_path / "kept.txt")) == ["0001", "0002"]
    rows = "".join(f"{number:04d},squat,8,p{number % 20:03d},\n" for number in range(40))
    (tmp_path / "clips.csv").write_text("number,action,frames,person,note\n" + rows)
    assert painter_clips.kept_videos(tmp_path, None) == ["0004", "0014", "0024", "0034"]


def test_known_numbers(root):
    clip = painter_clips.read_clip(root, "0001", 64, 3)
    truth = ablation.Painted(clip.pictures[1:], clip.pictures[:1], clip.masks[1:])
    found = ablation.measure(clip, truth)
    assert found["psnr"] == found["person"] == found["uncovered"] == found["own"] == 100
    assert found["ssim"] == pytest.approx(1, abs=1e-4) and found["energy"] == found["flicker"] == 1 and found["iou"] == 1
    worse = ablation.measure(clip, truth._replace(pictures=clip.pictures[1:] + 0.2 * (clip.masks[1:] > 0.5),
                                                  silhouettes=torch.zeros_like(clip.masks[1:])))
    assert worse["person"] == pytest.approx(20, abs=1) and worse["uncovered"] > 90 and worse["iou"] == 0


def test_without_the_second_network_the_network_stays_as_it_was(weights, root):
    network, clip = ablation.load_generator(weights), painter_clips.read_clip(root, "0001", 48, 2)
    before = ablation.paint(network, clip, ablation.all_parts).pictures
    silent = ablation.paint(network, clip, ablation.no_second_network).pictures
    assert not torch.equal(before, silent) and torch.equal(before, ablation.paint(network, clip, ablation.all_parts).pictures)


def test_weights_that_cannot_be(root, weights, tmp_path, run_script):
    for generator, message in (("kind: limb_warp, size: 16, widths: [8, 8, 8, 8]", "no weights of the generator cutout"),
                               ("ngf: 4, n_blocks: 1", "paints only the size that it was trained on")):
        folder = make_weights(tmp_path / message[:5], generator)
        outcome = run_script(ablation.main, "--root", root, "--pretrain", folder)
        assert outcome.status == 2 and message in outcome.err and outcome.err.count("\n") == 1, outcome.err
    outcome = run_script(ablation.main, "--pretrain", weights)
    assert outcome.status == 2 and "give --root, --strip or both" in outcome.err
