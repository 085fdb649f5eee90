"""`tools.measure_generator`: its numbers are right for known pictures, and the table and the sheet are complete."""
import pytest
import torch
from PIL import Image

from dataset.synthetic.layout import write_video
from dataset.synthetic.people import draw_video
from model_variants import build_generator
from tools import measure_generator as tool
from utils.config import load_config
from utils.torch_files import save_torch

CUTOUT = "kind: cutout, size: 16, segmentation_widths: [8, 8, 8, 8], compositing_widths: [8, 8, 8, 8]"


def make_weights(folder, generator):
    folder.mkdir()
    (folder / "config.yaml").write_text(f"generator: {{{generator}}}\n")
    config = load_config(folder / "config.yaml")
    save_torch(folder / "generator.pt", {"a": build_generator(config.generator, len(config.actions)).state_dict()})
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two drawn videos with masks, of which the annotation calls the last one a test video."""
    root = tmp_path_factory.mktemp("data")
    (root / "labels").mkdir()
    for number, action in enumerate(("jumping_jacks", "golf_swing"), 1):
        write_video(root, number, action, number < 2, draw_video(3, action, 0, (8, 8), masks=True))
    return root


def test_table_and_sheet(root, tmp_path, run_script):
    weights = make_weights(tmp_path / "cutout", CUTOUT)
    outcome = run_script(tool.main, "--root", root, "--pretrain", weights, "--size", 48, "--pictures", 3, "--clips",
                         "--out", tmp_path / "table.md", "--sheet", tmp_path / "sheet.png")
    assert outcome.status == 0, outcome.err
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("| ")][1:] == [
        "source copied", str(weights), "", "0002"]
    assert Image.open(tmp_path / "sheet.png").size == (4 * 48, 2 * 48)
    other = make_weights(tmp_path / "published", "ngf: 4, n_blocks: 1")
    outcome = run_script(tool.main, "--root", root, "--pretrain", other)
    assert outcome.status == 2 and "the generator pose_attention does not cut the person out" in outcome.err


def test_which_videos_are_rendered(root, tmp_path):
    assert tool.kept_videos(root, None) == ["0002"]
    (tmp_path / "kept.txt").write_text("0002\n0001\n")
    assert sorted(tool.kept_videos(root, tmp_path / "kept.txt")) == ["0001", "0002"]
    rows = "".join(f"{number:04d},squat,8,p{number % 20:03d},\n" for number in range(40))
    (tmp_path / "clips.csv").write_text("number,action,frames,person,note\n" + rows)
    assert tool.kept_videos(tmp_path, None) == ["0004", "0014", "0024", "0034"]


def test_known_numbers(root):
    clip = tool.read_clip(root, "0001", 64, 3)
    found = tool.measure(clip, clip.pictures[1:], clip.masks[1:])
    assert found["psnr"] == found["person"] == found["uncovered"] == 100
    assert found["ssim"] == pytest.approx(1, abs=1e-4) and found["energy"] == found["flicker"] == 1 and found["iou"] == 1
    worse = tool.measure(clip, clip.pictures[1:] + 0.2 * (clip.masks[1:] > 0.5), torch.zeros_like(clip.masks[1:]))
    assert worse["person"] == pytest.approx(20, abs=1) and worse["uncovered"] > 90 and worse["iou"] == 0
