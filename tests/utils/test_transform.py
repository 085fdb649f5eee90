"""Crop, letterbox, masks and joints against the published numbers, and the data sets that are made with them."""
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


def test_masks_are_a_filled_box_cropped_and_resized_nearest():
    random = np.random.RandomState(0)
    for _ in range(300):
        h, w = random.randint(20, 500, 2)
        size = int(random.choice([16, 32, 100, 128]))
        x1, y1 = random.randint(0, w - 12), random.randint(0, h - 12)
        crop = (x1, y1, random.randint(x1 + 10, w), random.randint(y1 + 10, h))
        if max(crop[2] - x1, crop[3] - y1) > 8 * min(crop[2] - x1, crop[3] - y1):
            continue
        corners = random.randint(-60, 560, (5, 2, 2))
        persons = np.concatenate([corners.min(1), corners.max(1)], 1)
        masks = transform.person_masks(persons, crop, (h, w), size)
        assert masks.dtype == np.uint8 and masks.shape == (5, size, size)
        for mask, person in zip(masks, persons, strict=True):
            naive = np.zeros((h, w), np.uint8)
            left, right = np.clip(person[::2], 0, w - 1)
            top, bottom = np.clip(person[1::2], 0, h - 1)
            naive[top:bottom, left:right] = 1
            naive, *_ = naive_letterbox(naive[y1:crop[3], x1:crop[2]], size, cv2.INTER_NEAREST, 0)
            np.testing.assert_array_equal(mask, naive, err_msg=f"{h}x{w}, crop {crop}, person {person}, size {size}")


@pytest.mark.parametrize("size", [100, 128])
def test_mask_edges_are_those_of_cv2_for_every_length(size):
    for length in range(8, 481):
        edge = np.arange(0, length, max(1, length // 8))
        persons = np.stack([edge * 0, edge * 0, edge, edge * 0 + length], 1)
        masks = transform.person_masks(persons, (0, 0, length, length), (length + 1, length + 1), size)
        columns = cv2.resize(np.arange(length, dtype=np.uint16)[None], (size, 1), interpolation=cv2.INTER_NEAREST)
        np.testing.assert_array_equal(masks[:, size // 2].sum(1), (columns < edge[:, None]).sum(1),
                                      err_msg=str(length))


def test_pictures_and_poses_follow_the_rule():
    random = np.random.RandomState(1)
    for _ in range(20):
        h, w = random.randint(100, 300, 2)
        crop = np.array([*random.randint(0, 40, 2), random.randint(60, w), random.randint(60, h)])
        frame = random.randint(0, 256, (h, w, 3)).astype(np.uint8)
        joints = random.uniform(-20, 320, (6, 13, 2))
        naive, ratio, dw, dh = naive_letterbox(frame[crop[1]:crop[3], crop[0]:crop[2]], 64, cv2.INTER_AREA,
                                               transform.PAD_RGB)
        np.testing.assert_array_equal(transform.picture_from_frame(frame, crop, 64), naive)
        pixels = np.clip((joints - crop[:2]) * ratio + (dw, dh), 0, 63)
        np.testing.assert_allclose(transform.pose_to_picture(joints, crop, 64), 2 * pixels / 64 - 1, atol=1e-12)


@pytest.fixture
def many():
    """200 crops (inside 400 x 300 frames) and joints inside each."""
    random = np.random.RandomState(2)
    corner = random.randint(0, 100, (200, 2))
    crop = np.concatenate([corner, corner + random.randint(5, 200, (200, 2))], 1)
    share = random.uniform(0, 0.95, (200, 6, 13, 2))
    return crop, crop[:, None, None, :2] + share * (crop[:, 2:] - crop[:, :2])[:, None, None]


def test_many_at_once_are_one_by_one(many):
    crop, joints = many
    size = np.stack([crop[:, 3] - 7, crop[:, 2] + 3], 1)
    clamped, poses = transform.clamp_box(crop, size), transform.pose_to_picture(joints, crop, 128)
    for row in range(len(crop)):
        np.testing.assert_array_equal(clamped[row], transform.clamp_box(crop[row], size[row]))
        np.testing.assert_array_equal(poses[row], transform.pose_to_picture(joints[row], crop[row], 128))


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


def test_item_is_as_the_spec_says(penn_root, lists):
    item = PennActionPairs(lists[0], penn_root, 64)[5]
    assert {name: (value.dtype, tuple(value.shape)) for name, value in item.items()} == {
        "poses": (torch.float32, (6, 13, 2)), "action": (torch.int64, ()), "images": (torch.float32, (6, 3, 64, 64)),
        "masks": (torch.float32, (5, 1, 64, 64))}
    assert -1 <= item["images"].min() < item["images"].max() <= 1 and set(item["masks"].unique().tolist()) == {0, 1}
    item = PennActionTestPairs(lists[1], penn_root, 64, images=False)[0]
    assert set(item) == {"poses", "action", "extent", "video", "frame", "gap"}


def test_poses_need_the_labels_only_and_open_no_picture(copy, lists, monkeypatch):
    root, _ = copy
    whole = PennActionPairs(lists[0], root, 128)
    assert (whole.rows.crop != whole.crop).any(), "no crop box leaves its frame, so sizes would not matter"
    shutil.rmtree(root / "frames")
    monkeypatch.setattr(PIL.Image, "open", lambda *args: pytest.fail("a picture was opened"))
    poses = PennActionPairs(lists[0], root, 128, images=False)
    assert torch.equal(poses.poses, whole.poses) and torch.equal(poses.action, whole.action)
    assert "images" not in poses[0]


def test_without_labels_the_frames_tell_the_size(copy, lists):
    root, _ = copy
    whole = PennActionPairs(lists[0], root, 128, images=False)
    shutil.rmtree(root / "labels")
    assert torch.equal(PennActionPairs(lists[0], root, 128, images=False).poses, whole.poses)


def test_with_neither_labels_nor_frames_it_warns(lists, tmp_path):
    with pytest.warns(UserWarning, match="neither labels nor frames of 2 of 2 videos"):
        data = PennActionPairs(lists[0], tmp_path, 128, images=False)
    assert len(data) == 56 and (data.crop == data.rows.crop.clip(0)).all()


def test_missing_frame_is_told_at_once_with_row_and_field(copy):
    root, path = copy
    (root / "frames/0001/000004.jpg").unlink()            # target 3 of row 1
    with pytest.raises(ListError, match=rf"{re.escape(str(path))}:1, field 3 .*frames/0001/000004.jpg is missing"):
        PennActionPairs(path, root, 64)
    assert len(PennActionPairs(path, root, 64, images=False)) == 3, "the poses need no frame"


@pytest.mark.parametrize("damage", [lambda data: data[:len(data) // 2], lambda data: data[:20],
                                    lambda data: b"GIF89a?", lambda data: b""],
                         ids=["half", "header", "foreign", "empty"])
def test_broken_frame_is_told_with_file_and_row(copy, damage):
    root, path = copy
    frame = root / "frames/0001/000008.jpg"               # target 5 of row 3, a frame of no other row
    frame.write_bytes(damage(frame.read_bytes()))
    data = PennActionPairs(path, root, 64)
    data[0], data[1]
    with pytest.raises(FrameError, match=re.escape(f"{path}:3: frame {frame} ")) as caught:
        data[2]
    assert re.search("cannot be decoded|is not a readable picture", str(caught.value))
    assert "\n" not in str(caught.value)


def test_frame_of_another_size_is_told(copy):
    root, path = copy
    Image.new("RGB", (50, 50)).save(root / "frames/0001/000008.jpg")
    with pytest.raises(FrameError,
                       match=r":3: frame .*000008.jpg is 50 x 50 pixels but others of its video are 96 x 72"):
        PennActionPairs(path, root, 64)[2]


def test_grey_frame_is_read_as_rgb(copy):
    root, path = copy
    frame = root / "frames/0001/000001.jpg"
    Image.open(frame).convert("L").save(frame)
    assert PennActionPairs(path, root, 64)[0]["images"].shape == (6, 3, 64, 64)


@pytest.mark.parametrize("images", [True, False])
def test_crop_beyond_the_frame_is_told_with_its_row(copy, images):
    root, path = copy
    lines = path.read_text().splitlines()
    lines[1] = format_row(parse_row(lines[1])._replace(crop=np.array([96, 5, 120, 60])))
    path.write_text("\n".join(lines))
    with pytest.raises(ListError, match=r":2, field 8 .*\(96, 5, 120, 60\) lies outside the image, which is 96 x 72"):
        PennActionPairs(path, root, 64, images=images)
