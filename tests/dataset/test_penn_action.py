"""How lists follow from annotations."""
import re
import shutil

import numpy as np
import pytest
import scipy.io
from golden import FIXTURES

from dataset.image_loader2 import PennActionPairs
from dataset.pair_list import ACTIONS, TEST_LIST, TRAIN_LIST, count_valid_steps, parse_row, read_list
from dataset.penn_action import Annotation, build, main, outer_box, windows
from utils.errors import UserError

KEYS = ("action", "x", "y", "visibility", "train", "dimensions")


def annotation(nframes, seed=0, size=(300, 400), **changes):
    joints = np.random.RandomState(seed).uniform(-20, 280, (nframes, 13, 2))
    return Annotation("0042", "squat", True, joints, np.ones((nframes, 13), bool), size)._replace(**changes)


def starts(rows):
    """Source frame numbers of rows, from 1."""
    return [int(row.frames[0][-10:-4]) for row in rows]


# ---- windows of a video ----

@pytest.mark.parametrize("nframes, gap, count", [
    (5, 1, 0), (6, 1, 1), (7, 1, 2), (20, 1, 15), (32, 1, 27), (33, 1, 28), (65, 1, 28), (66, 2, 28), (99, 3, 28),
    (663, 20, 28)])
def test_windows_of_a_video(nframes, gap, count):
    rows, dropped = windows(annotation(nframes), 7)
    assert starts(rows) == [1 + gap * k for k in range(count)]
    for row in rows:
        numbers = [int(path[-10:-4]) for path in row.frames]
        assert np.diff(numbers).tolist() == 5 * [gap] and numbers[-1] <= nframes
        assert len(set(row.frames)) == 6, "a static window (defect D9)"
    assert dropped == ({} if count else {"video of fewer than 6 frames": 1})


@pytest.mark.parametrize("nframes, gap, count", [(5, 1, 0), (6, 1, 1), (20, 1, 15), (33, 1, 28), (70, 2, 28), (99, 3, 28)])
@pytest.mark.parametrize("every_frame", [False, True])
def test_padded_windows_are_the_published_ones_to_the_end_of_the_video(nframes, gap, count, every_frame):
    rows, _ = windows(annotation(nframes), 7, horizon=32, pad=True, every_frame=every_frame)
    published = [1 + gap * k for k in range(count)]
    assert set(published) <= set(starts(rows))
    if not every_frame:
        assert starts(rows) == published == starts(windows(annotation(nframes), 7)[0])
    elif rows:
        assert starts(rows) == list(range(1, starts(rows)[-1] + 1)) and starts(rows)[-1] >= published[-1]
    for row in rows:
        numbers = [int(path[-10:-4]) for path in row.frames]
        valid_steps = count_valid_steps(row.frames)
        assert len(numbers) == 33 and numbers[:valid_steps + 1] == [numbers[0] + gap * step for step in range(valid_steps + 1)]
        assert min(5, valid_steps) == 5 and (valid_steps == 32 or numbers[valid_steps] + gap > nframes), "all of the video"
        assert (row.poses[valid_steps:] == row.poses[valid_steps]).all() and len(row.persons) == 32


def test_padded_rows_are_read_with_what_they_hold(penn_root, tmp_path, run_script):
    assert run_script(main, "--root", penn_root, "--out", tmp_path, "--horizon", 40, "--pad", "--every_frame").status == 0
    data = PennActionPairs(tmp_path / TRAIN_LIST, penn_root, 32, images=False)
    first = data.rows.frame_numbers()[:, 1]
    assert data.targets == 40 and data.valid_steps.tolist() == (36 - first).clip(max=40).tolist()
    assert data[3]["valid_steps"] == data.valid_steps[3]
    crop = data.crop[3].astype(float)
    wide, high = (crop[2:] - crop[:2]) / (crop[2:] - crop[:2]).max()
    assert data[3]["extent"].tolist() == pytest.approx([wide, high]) and max(wide, high) == 1


def naive_fields(video, action, x, y, start, gap):
    """The 188 fields of one window, written down as data_lists/README.md lists them."""
    clip = [start + gap * step for step in range(6)]
    fields = [f"frames/{video}/{frame + 1:06d}.jpg" for frame in clip] + [action, str(ACTIONS.index(action))]
    fields += [str(int(value)) for value in (x.min(), y.min(), x.max(), y.max())]
    for frame in clip[1:]:
        fields += [str(int(value)) for value in (x[frame].min(), y[frame].min(), x[frame].max(), y[frame].max())]
    for frame in [*clip[1:], clip[0]]:
        for joint in range(13):
            fields += ["%f" % x[frame, joint], "%f" % y[frame, joint]]  # noqa: UP031
    return fields


def test_lists_follow_from_the_annotations_field_by_field(tmp_path, write_label):
    root = tmp_path / "penn"
    labels = [write_label(root, "0007", "golf_swing", 70), write_label(root, "0123", "pullup", 40, train=False)]
    build(root, tmp_path / "lists")
    for label, name in zip(labels, (TRAIN_LIST, TEST_LIST), strict=True):
        mat = scipy.io.loadmat(label)
        x, y, gap = mat["x"], mat["y"], len(mat["x"]) // 33
        expected = [",".join(naive_fields(label.stem, str(mat["action"][0]), x, y, gap * k, gap)) for k in range(28)]
        assert (tmp_path / "lists" / name).read_text().splitlines() == expected


def test_published_boxes_are_the_rule_s_boxes():
    """Boxes of the published rows are the integer part of the smallest box around the joints."""
    for line in (FIXTURES / "published_list_sample.txt").read_text().splitlines():
        row = parse_row(line)
        assert row.persons.tolist() == [outer_box(pose).tolist() for pose in row.poses[1:]]
        assert (row.crop[:2] <= outer_box(row.poses)[:2]).all() and (row.crop[2:] >= outer_box(row.poses)[2:]).all()


@pytest.mark.parametrize("visible, kept", [(10, True), (9, False), (0, False), (13, True)])
def test_source_needs_ten_visible_joints(visible, kept):
    visibility = np.ones((33, 13), bool)
    visibility[4, visible:] = False
    rows, dropped = windows(annotation(33, visibility=visibility), 7)
    assert (5 in starts(rows)) == kept and len(rows) == 27 + kept, "its targets do not count"
    assert dropped == ({} if kept else {"source with fewer than 10 visible joints": 1})


def test_crop_outside_the_image_is_dropped():
    rows, dropped = windows(annotation(33, joints=np.full((33, 13, 2), -5.0)), 7)
    assert not rows and dropped == {"crop box empty or outside the image": 28}


# ---- whole data sets ----


def test_summary(tmp_path, write_label):
    for number, (action, nframes, train) in enumerate((("squat", 40, True), ("pullup", 5, True), ("squat", 20, False),
                                                       ("bowl", 40, True), ("bowl", 40, True)), 1):
        write_label(tmp_path, f"{number:04d}", action, nframes, train)
    summary = build(tmp_path, tmp_path / "lists")
    table = {line.split()[0]: line.split()[1:] for line in summary if not line.startswith("dropped")}
    assert table["squat"] == ["1", "28", "1", "15"] and table["pullup"] == ["0", "0", "0", "0"]
    assert table["all"] == ["1", "28", "1", "15"]
    assert "dropped, videos of other actions: bowl 2" in summary
    assert "dropped, video of fewer than 6 frames: pullup 1" in summary


def test_own_actions_and_numbers_through_the_command(penn_root, tmp_path, run_script):
    outcome = run_script(main, "--root", penn_root, "--out", tmp_path / "a/b", "--actions", "walk,squat", "--windows", 3,
                         "--min_visible", 13)
    assert outcome.status == 0 and "3" in outcome.out and str(tmp_path / "a/b" / TRAIN_LIST) in outcome.out
    data = read_list(tmp_path / "a/b" / TRAIN_LIST, ("walk", "squat"))
    assert data.action.tolist() == [1, 1, 1] and data.frame_numbers()[:, 1:].tolist() == [[1, 4], [5, 4], [9, 4]]
    assert run_script(main, "--root", penn_root, "--windows", 0).status == 2


# ---- what cannot be used ----

@pytest.mark.parametrize("changes, message", [
    *(({"without": (key,)}, f"key '{key}' is missing") for key in KEYS),
    ({"x": np.zeros((36, 12))}, r"key 'x' has shape \(36, 12\), expected \(36, 13\)"),
    ({"x": np.full((36, 13), np.nan)}, "key 'x' holds something else than finite numbers"),
    ({"dimensions": 480}, "key 'dimensions' holds one number"),
    ({"action": 3}, "key 'action' holds something else than text"),
    ({"dimensions": [np.inf, 96]}, "key 'dimensions' holds something else"),
])
def test_a_bad_annotation_is_an_error_with_file_and_key(penn_root, tmp_path, write_label, run_script, changes, message):
    shutil.copytree(penn_root / "labels", tmp_path / "labels")
    label = write_label(tmp_path, "0009", **changes)
    outcome = run_script(main, "--root", tmp_path, "--out", tmp_path / "lists")
    assert outcome.status == 2 and outcome.err.count("error: ") == 1 and "Traceback" not in outcome.err
    assert re.search(rf"^{re.escape(str(label))}: {message}", outcome.err, re.M)
    assert not (tmp_path / "lists").exists()


def test_damaged_annotations_are_all_named_and_keep_the_old_lists(penn_root, lists, tmp_path, run_script):
    shutil.copytree(penn_root / "labels", tmp_path / "labels")
    whole, out = (tmp_path / "labels/0002.mat").read_bytes(), tmp_path / "lists"
    (tmp_path / "labels/0002.mat").write_bytes(whole[:1500])
    (tmp_path / "labels/0003.mat").write_bytes(b"")
    shutil.copytree(lists[0].parent, out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    outcome = run_script(main, "--root", tmp_path, "--out", out)
    assert outcome.status == 2 and "error: 2 of 4 annotations are damaged; unpack the archive again" in outcome.err
    assert all(f"labels/{name}.mat: not a readable MATLAB file" in outcome.err for name in ("0002", "0003"))
    assert {path: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("text, message", [(None, "cannot read the test videos"),
                                           ("77\n", "no test window"), ("", "no test window")])
def test_bad_test_videos(penn_root, tmp_path, text, message):
    if text is not None:
        (tmp_path / "videos.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        build(penn_root, tmp_path / "lists", tmp_path / "videos.txt")
    assert not (tmp_path / "lists").exists()


def test_invisible_joints_can_be_left_out_of_the_boxes():
    """One outlier that nobody saw inflates a video's crop; the published rule counts it."""
    video = annotation(40)
    joints, visibility = video.joints.copy(), video.visibility.copy()
    joints[7, 3], visibility[7, 3] = (-500, 900), False
    video = video._replace(joints=joints, visibility=visibility)
    (published, *_), (own, *_) = (windows(video, 7, visible_boxes=choice)[0] for choice in (False, True))
    assert published.crop.tolist() == outer_box(joints).tolist() and published.crop[0] == -500 and published.crop[3] == 900
    assert own.crop.tolist() == outer_box(joints[visibility]).tolist() and own.crop[0] > -500 and own.crop[3] < 900
    hidden = video._replace(visibility=np.zeros_like(visibility))                     # nothing is visible: all joints count
    assert windows(hidden, 7, visible_boxes=True, min_visible=0)[0][0].crop.tolist() == published.crop.tolist()
