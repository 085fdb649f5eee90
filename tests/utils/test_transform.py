"""Crop, letterbox, masks and joints against the published numbers, and the data sets that use them."""
import re
import shutil

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from golden import FIXTURES
from PIL import Image

from dataset.image_loader2 import FrameError, PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from dataset.pair_list import ListError, format_row, parse_row
from utils import transform

GOLDEN = np.load(FIXTURES / "dataset.npz")
ROWS = FIXTURES / "dataset_rows.txt"
SIZES = {"0007": (270, 480), "0008": (360, 480), "0009": (480, 270), "0010": (240, 240)}


def frame_by_rule(height, width, number):
    """The golden frame with this number: pixels `(3x + 5y + 40 channel + 10 number) % 256`."""
    y, x, channel = np.ogrid[:height, :width, :3]
    return ((3 * x + 5 * y + 40 * channel + 10 * number) % 256).astype(np.uint8)


# ---- the published numbers ----

@pytest.mark.parametrize("row", GOLDEN["letterbox"], ids=lambda row: f"{row[0]:.0f}x{row[1]:.0f}")
def test_letterbox_is_the_published_one(row):
    height, width = map(int, row[:2])
    box = transform.letterbox(height, width, 128)
    picture = transform.picture_from_frame(frame_by_rule(height, width, 0), (0, 0, width, height), 128)
    np.testing.assert_allclose([box.ratio, box.dw, box.dh, *picture.shape[:2]], row[2:7], rtol=1e-12)
    assert picture.mean() == pytest.approx(row[7], abs=1e-9)


@pytest.fixture(scope="module")
def golden_data(tmp_path_factory):
    root = tmp_path_factory.mktemp("golden")
    for line in ROWS.read_text().splitlines():
        for path in parse_row(line).frames:
            _, video, name = path.split("/")
            (root / "frames" / video).mkdir(parents=True, exist_ok=True)
            Image.fromarray(frame_by_rule(*SIZES[video], int(name[:6]))).save(root / path, compress_level=1)
    return PennActionTestPairs(ROWS, root, 128)


@pytest.mark.parametrize("row", range(4))
def test_prepared_sample_is_the_published_one(golden_data, row):
    item = golden_data[row]
    assert item["images"].shape == (6, 3, 128, 128) and item["masks"].shape == (5, 1, 128, 128)
    pixels = ((item["images"] + 1) * 127.5).round().numpy()
    for frame, name in ((0, "source"), (5, "target5")):
        assert np.abs(pixels[frame] - GOLDEN[f"{name}_{row}"]).max() <= 1
    for target in (1, 5):
        np.testing.assert_array_equal(item["masks"][target - 1, 0], GOLDEN[f"mask{target}_{row}"])
    np.testing.assert_allclose(item["poses"], GOLDEN[f"pose_{row}"], rtol=0, atol=1e-7)
    assert [int(item[name]) for name in ("video", "frame", "gap")] == GOLDEN[f"ids_{row}"].tolist()
    assert item["action"] == GOLDEN[f"action_{row}"][0] and item["action"].dtype == torch.int64


# ---- against plain constructions ----

def naive_letterbox(picture, size, interpolation, colour):
    """The published preparation, word by word (docs/published_system.md, "Data")."""
    height, width = picture.shape[:2]
    ratio = size / max(height, width)
    new_w, new_h = round(width * ratio), round(height * ratio)
    dw, dh = (size - new_w) / 2, (size - new_h) / 2
    resized = cv2.resize(picture, (new_w, new_h), interpolation=interpolation)
    return cv2.copyMakeBorder(resized, round(dh - 0.1), round(dh + 0.1), round(dw - 0.1), round(dw + 0.1),
                              cv2.BORDER_CONSTANT, value=colour), ratio, dw, dh


def test_pictures_masks_and_poses_follow_the_rule():
    random = np.random.RandomState(1)
    for _ in range(20):
        h, w = random.randint(100, 300, 2)
        crop = np.array([*random.randint(0, 40, 2), random.randint(60, w), random.randint(60, h)])
        frame = random.randint(0, 256, (h, w, 3)).astype(np.uint8)
        joints = random.uniform(-20, 320, (6, 13, 2))
        naive, ratio, dw, dh = naive_letterbox(frame[crop[1]:crop[3], crop[0]:crop[2]], 64, cv2.INTER_AREA, transform.PAD_RGB)
        np.testing.assert_array_equal(transform.picture_from_frame(frame, crop, 64), naive)
        mask = np.zeros((h, w), np.uint8)
        mask[10:50, 20:w - 1] = 1
        naive, *_ = naive_letterbox(mask[crop[1]:crop[3], crop[0]:crop[2]], 64, cv2.INTER_NEAREST, 0)
        np.testing.assert_array_equal(transform.person_masks(np.array([[20, 10, 900, 50]]), crop, (h, w), 64)[0], naive)
        pixels = np.clip((joints - crop[:2]) * ratio + (dw, dh), 0, 63)
        np.testing.assert_allclose(transform.pose_to_picture(joints, crop, 64), 2 * pixels / 64 - 1, atol=1e-12)


def test_boxes_are_clamped_to_the_last_pixel():
    assert transform.clamp_box((-5, 3, 500, 480), (480, 270)).tolist() == [0, 3, 269, 479]


def test_flat_crop_stays_a_picture():
    picture = transform.picture_from_frame(frame_by_rule(300, 500, 1), (0, 10, 400, 11), 64)
    assert picture.shape == (64, 64, 3)
    assert transform.person_masks(np.array([[0, 0, 499, 299]]), (0, 10, 400, 11), (300, 500), 64).sum() == 64


# ---- the data sets ----

@pytest.fixture
def copy(penn_root, lists, tmp_path):
    """A writable copy of the data set and of the first rows of its training list."""
    shutil.copytree(penn_root, tmp_path / "penn")
    (tmp_path / "list.txt").write_text("".join(lists[0].read_text().splitlines(True)[:3]))
    return tmp_path / "penn", tmp_path / "list.txt"


def test_shapes_of_an_item(penn_root, lists):
    item = PennActionPairs(lists[0], penn_root, 64)[5]
    assert {name: (value.dtype, tuple(value.shape)) for name, value in item.items()} == {
        "poses": (torch.float32, (6, 13, 2)), "action": (torch.int64, ()), "images": (torch.float32, (6, 3, 64, 64)),
        "masks": (torch.float32, (5, 1, 64, 64))}
    assert -1 <= item["images"].min() < item["images"].max() <= 1 and set(item["masks"].unique().tolist()) == {0, 1}
    item = PennActionTestPairs(lists[1], penn_root, 64, images=False)[0]
    assert set(item) == {"poses", "action", "extent", "video", "frame", "gap"}


def test_poses_need_labels_only(copy, lists, monkeypatch):
    root, _ = copy
    whole = PennActionPairs(lists[0], root, 128)
    assert (whole.rows.crop != whole.crop).any(), "no crop box leaves its frame, so sizes would not matter"
    shutil.rmtree(root / "frames")
    monkeypatch.setattr(PIL.Image, "open", lambda *args: pytest.fail("a picture was opened"))
    poses = PennActionPairs(lists[0], root, 128, images=False)
    assert torch.equal(poses.poses, whole.poses) and torch.equal(poses.action, whole.action)
    assert "images" not in poses[0]


def test_with_neither_labels_nor_frames_it_warns(lists, tmp_path):
    with pytest.warns(UserWarning, match="neither labels nor frames of 2 of 2 videos"):
        data = PennActionPairs(lists[0], tmp_path, 128, images=False)
    assert len(data) == 56 and (data.crop == data.rows.crop.clip(0)).all()


def test_a_missing_frame_is_reported_at_once_with_row_and_field(copy):
    root, path = copy
    (root / "frames/0001/000004.jpg").unlink()            # target 3 of row 1
    with pytest.raises(ListError, match=rf"{re.escape(str(path))}:1, field 3 .*frames/0001/000004.jpg is missing"):
        PennActionPairs(path, root, 64)
    assert len(PennActionPairs(path, root, 64, images=False)) == 3, "the poses need no frame"


@pytest.mark.parametrize("damage", [lambda data: data[:len(data) // 2], lambda data: b"GIF89a?"], ids=["half", "foreign"])
def test_a_broken_frame_is_reported_with_file_and_row(copy, damage):
    root, path = copy
    frame = root / "frames/0001/000008.jpg"               # target 5 of row 3, a frame of no other row
    frame.write_bytes(damage(frame.read_bytes()))
    data = PennActionPairs(path, root, 64)
    data[0], data[1]
    with pytest.raises(FrameError, match=re.escape(f"{path}:3: frame {frame} ")) as caught:
        data[2]
    assert re.search("cannot be decoded|is not a readable picture", str(caught.value))
    assert "\n" not in str(caught.value)


def test_a_frame_of_another_size_is_reported(copy):
    root, path = copy
    Image.new("RGB", (50, 50)).save(root / "frames/0001/000008.jpg")
    with pytest.raises(FrameError,
                       match=r":3: frame .*000008.jpg is 50 x 50 pixels but others of its video are 96 x 72"):
        PennActionPairs(path, root, 64)[2]


@pytest.mark.parametrize("images", [True, False])
def test_a_crop_beyond_the_frame_is_reported_with_its_row(copy, images):
    root, path = copy
    lines = path.read_text().splitlines()
    lines[1] = format_row(parse_row(lines[1])._replace(crop=np.array([96, 5, 120, 60])))
    path.write_text("\n".join(lines))
    with pytest.raises(ListError, match=r":2, field 8 .*\(96, 5, 120, 60\) lies outside the image, which is 96 x 72"):
        PennActionPairs(path, root, 64, images=images)
