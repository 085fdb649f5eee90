"""The pose one step before the source: where lists have it, and that it is prepared and changed like the other poses."""
import numpy as np
import pytest
import torch

from dataset.augment import NOTHING, change_poses
from dataset.history import earlier_poses
from dataset.image_loader2 import PennActionPairs
from dataset.mixture import Draw, TrainingPairs, training_pairs
from dataset.pair_list import TRAIN_LIST, read_list
from dataset.penn_action import build, read_annotation
from utils.config import load_config
from utils.transform import pose_to_picture

PADDED = {"horizon": 12, "pad": True, "every_frame": True}


@pytest.mark.parametrize("rules", [{}, PADDED, {"horizon": 2, "count": 8}], ids=["published", "padded", "gap 3"])
def test_they_are_the_annotations_poses_and_the_first_repeat_the_source(penn_root, tmp_path, rules):
    build(penn_root, tmp_path, **rules)
    rows = read_list(tmp_path / TRAIN_LIST)
    joints, found, first = {video: read_annotation(penn_root / f"labels/{video}.mat").joints for video in ("0001", "0002")}, 0, 0
    for window, before, poses in zip(rows.windows(), earlier_poses(rows), rows.poses, strict=True):
        _, number, gap = window.numbers
        assert gap == (3 if "count" in rules else 1)
        found, first = found + (number > gap), first + (number <= gap)
        expected = joints[window.video][number - 1 - gap] if number > gap else poses[0]
        np.testing.assert_allclose(before, expected, atol=1e-6)
    assert found > 10 and first == 2


def test_another_row_s_target_or_nobody_may_have_them(lists, tmp_path):
    lines = lists[0].read_text().splitlines(keepends=True)[:28]
    (tmp_path / "some.txt").write_text("".join([lines[0], *lines[2:]]))
    whole, some = (earlier_poses(read_list(path)) for path in (lists[0], tmp_path / "some.txt"))
    assert np.array_equal(some[1:], whole[2:28]), "that of row 2 is the first target of row 0"
    (tmp_path / "few.txt").write_text("".join(lines[::8]))
    with pytest.warns(UserWarning, match=r"few.txt: 4 of its 4 rows seem to begin at rest"):
        assert np.array_equal(earlier_poses(read_list(tmp_path / "few.txt")), read_list(tmp_path / "few.txt").poses[:, 0])
    frozen = lines[5].split(",")                                  # a video that is too short: the source again and again
    (tmp_path / "frozen.txt").write_text(lines[4] + ",".join([*frozen[:1] * 6, *frozen[6:]]))
    rows = read_list(tmp_path / "frozen.txt")
    with pytest.warns(UserWarning, match="2 of its 2 rows"):
        assert np.array_equal(earlier_poses(rows)[1], rows.poses[1, 0])


def test_rows_carry_them_only_if_asked(lists, penn_root, tiny):
    plain, data = (PennActionPairs(lists[0], penn_root, 32, images=False, history=history) for history in (1, 2))
    assert plain.before is None and "before" not in plain[3] and torch.equal(plain.poses, data.poses)
    assert torch.equal(data[9]["before"], data.poses[8, 0]) and torch.equal(data[28]["before"], data.poses[28, 0])
    expected = pose_to_picture(data.rows.poses[[8], :1], data.crop[[9]], 32)[0, 0]
    np.testing.assert_allclose(data[9]["before"], expected, atol=1e-6)
    for overrides, carried in ([], False), (["actvae.history=2"], True):
        config = load_config("config/motion.yaml", [each for each in tiny if "z_dim" not in each] + overrides)
        assert ("before" in training_pairs(config, False)[4]) == carried


def test_pairs_from_anywhere_have_those_before_their_source(lists, penn_root):
    data = PennActionPairs(lists[0], penn_root, 32, history=2)
    mixture, begun = TrainingPairs([data], (1.0,), "anywhere"), 0
    for seed in range(60):
        item = mixture[Draw(seed % 56, seed)]
        row, frame = (data.poses == item["poses"][0]).all((2, 3)).nonzero()[-1].tolist()
        before = data.before[row] if frame == 0 else data.poses[row, frame - 1]
        assert torch.equal(item["before"], before)
        begun += torch.equal(before, item["poses"][0])
    assert begun < 10


def test_changed_pictures_change_them_like_the_source(lists, penn_root, monkeypatch):
    data, seen = PennActionPairs(lists[0], penn_root, 32, history=2), []
    monkeypatch.setattr("dataset.mixture.draw_change", lambda random: seen[-1])
    for change in (NOTHING, NOTHING._replace(mirror=True, matrix=torch.tensor([[0.8, 0.1, 0.2], [-0.1, 0.8, 0.0]]))):
        seen.append(change)
        for jitter in (0.0, 0.1):
            mixture = TrainingPairs([data], (1.0,), augment=True, jitter=jitter)
            for seed in range(8):
                item, step = mixture[Draw(9, seed)], change_poses(torch.stack([data.before[9], data.poses[9, 0]]), change)
                torch.testing.assert_close(item["poses"][0] - item["before"], step[1] - step[0], atol=1e-5, rtol=0)
                if not jitter:
                    torch.testing.assert_close(item["before"], step[0])
