"""Masks of people beside the frames: they fit their pictures, through the cache, in windows and pairs, with changes."""
import shutil
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import SIZE as CONFTEST_SIZE

from dataset import mixture
from dataset.augment import Change, change_masks, roughen
from dataset.image_loader2 import PennActionPairs
from dataset.mixture import Draw, TrainingPairs, training_pairs
from dataset.pair_list import TRAIN_LIST
from dataset.penn_action import build
from networks.background import pose_mask
from utils.config import load_config
from utils.errors import UserError

SIZE = 32
CONFIG = "config/people.yaml"
MOVED = Change(True, (0, 1, 2), torch.ones(3, 1, 1), torch.zeros(3, 1, 1), torch.tensor([[.8, .1, .1], [-.1, .8, 0]]))


@pytest.fixture(scope="module")
def masked_root(penn_root, tmp_path_factory):
    """A data set whose masks are the frames in grey, so that a mask tells which picture it belongs to, and where."""
    root = tmp_path_factory.mktemp("masked") / "data"
    shutil.copytree(penn_root, root)
    for path in root.glob("frames/*/*.jpg"):
        mask = root / "masks" / path.parent.name / f"{path.stem}.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(mask), cv2.imread(str(path)).mean(-1).round().astype(np.uint8))
    build(root, root)
    return root


@pytest.fixture
def root(masked_root, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(masked_root, tmp_path / "data")
    return tmp_path / "data"


def pairs(root, masks=True):
    return PennActionPairs(root / TRAIN_LIST, root, SIZE, masks=masks)


def assert_fits(images, masks, inside=1.0):
    """The masks (n, 1, S, S) are the pictures (n, 3, S, S) in grey, but for the margins of the letterbox, where they are 0."""
    grey = (images.mean(1, keepdim=True) + 1) / 2
    close = (masks - grey).abs() < .03
    assert (close | (masks == 0)).float().mean() >= inside and close.float().mean() > .5
    assert masks.min() >= 0 and masks.max() <= 1


@pytest.mark.parametrize("cached", [False, True])
def test_masks_fit_their_pictures(masked_root, tmp_path, cached):
    data = pairs(masked_root)
    if cached:
        data.use_cache(tmp_path)
    for row in (0, 40):
        item = data[row]
        assert item["person_masks"].shape == (6, 1, SIZE, SIZE)
        assert_fits(item["images"], item["person_masks"])
        chosen = data[row, (4, 0, 2)]
        assert torch.equal(chosen["person_masks"], item["person_masks"][[0, 5, 1, 3]])
        assert torch.equal(data.person_masks(row, [2]), item["person_masks"][2:3])
    assert torch.equal(data[0]["masks"], pairs(masked_root, False)[0]["masks"]), "person boxes stay what they are"


def test_masks_are_read_only_if_wanted(masked_root, penn_root, lists):
    assert "person_masks" not in pairs(masked_root, False)[0]
    data = PennActionPairs(lists[0], penn_root, SIZE, masks=True)
    assert not data.masked and "person_masks" not in data[0]


def test_pairs_and_changes(masked_root, monkeypatch):
    data = TrainingPairs([pairs(masked_root)], (1.0,), "anywhere")
    for seed in range(5):
        item = data[Draw(seed, seed)]
        assert item["person_masks"].shape == (2, 1, SIZE, SIZE)
        assert_fits(item["images"], item["person_masks"])
    changed = TrainingPairs([pairs(masked_root)], (1.0,), "anywhere", augment=True)
    monkeypatch.setattr(mixture, "draw_change", lambda random: MOVED)
    monkeypatch.setattr(mixture, "roughen", lambda mask, random: mask)
    item, plain = changed[Draw(3, 3)], data[Draw(3, 3)]
    assert_fits(item["images"], item["person_masks"], inside=.94)
    assert not torch.equal(item["person_masks"], plain["person_masks"])


def test_only_the_mask_of_the_source_is_roughened(masked_root, monkeypatch):
    data = TrainingPairs([pairs(masked_root)], (1.0,), "anywhere", augment=True)
    monkeypatch.setattr(mixture, "roughen", lambda mask, random: torch.full_like(mask, .5))
    masks = data[Draw(3, 3)]["person_masks"]
    assert (masks[0] == .5).all() and not (masks[1] == .5).all()


def test_roughened_masks():
    mask = torch.zeros(1, 40, 40)
    mask[0, 10:30, 15:25] = 1
    changed = [roughen(mask, np.random.default_rng(seed)) for seed in range(60)]
    sums = torch.tensor([float(one.sum()) for one in changed])
    assert (sums < 200).any() and (sums == 200).any() and (sums > 200).any() and sums.min() > 100 and sums.max() < 320
    assert all(torch.equal(one, roughen(mask, np.random.default_rng(seed))) for seed, one in enumerate(changed))
    assert not roughen(torch.zeros(1, 8, 8), np.random.default_rng(0)).any()
    assert change_masks(mask[None] / 2, MOVED, "bilinear").max() == .5


def test_masks_for_some_of_the_sets(masked_root, lists, penn_root):
    with pytest.raises(UserError, match="its frames have no masks of people"):
        TrainingPairs([pairs(masked_root), PennActionPairs(lists[0], penn_root, SIZE, masks=True)], (.5, .5))


def test_a_set_without_masks_is_an_error(penn_root, lists):
    config = load_config(CONFIG, ["train_data=[]", f"data_root={penn_root}", f"train_data_list={lists[0]}", "imsize=32"])
    with pytest.raises(UserError, match="need masks of the people, .*masks/0001/000001.png"):
        training_pairs(config, True)


def spoil(path, how):
    """Take a mask away, make it empty or white, or damage its file."""
    path.unlink()
    if how in ("black", "white"):
        cv2.imwrite(str(path), np.full(CONFTEST_SIZE, 255 * (how == "white"), np.uint8))
    elif how == "damaged":
        path.write_bytes(b"no picture")


@pytest.mark.parametrize("how", ["missing", "black", "white"])
@pytest.mark.parametrize("cached", [False, True])
def test_the_surroundings_of_the_pose_replace_an_unusable_mask(root, tmp_path, how, cached):
    before = pairs(root)[0]["person_masks"]
    path = root / "masks" / "0001" / "000003.png"
    spoil(path, how)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = pairs(root)
        if cached:
            data.use_cache(tmp_path)
        found = [data[0]["person_masks"] for _ in range(2)]
    lines = [str(warning.message) for warning in caught]
    assert len(lines) == 1 and str(path) in lines[0] and "the surroundings of the pose take" in lines[0], lines
    frame = [Path(name).name for name in data.rows.frames[0]].index("000003.jpg")
    others = [number for number in range(6) if number != frame]
    for masks in found:
        assert torch.equal(masks[others], before[others])
        assert torch.equal(masks[frame], pose_mask(data.poses[0, [frame]], masks[:1])[0])
        assert masks.isfinite().all() and masks[frame].max() > .9 and masks[frame].mean() < .9


def test_a_damaged_mask_is_an_error(root):
    path = root / "masks" / "0001" / "000003.png"
    spoil(path, "damaged")
    with pytest.raises(UserError, match=f"{path}: this "):
        pairs(root)[0]
