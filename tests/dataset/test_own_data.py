"""Users' own data: frames that do not fit their annotation, pictures of every kind, other names, other paths."""
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dataset.image_loader2 import PennActionPairs, read_frame
from dataset.image_loader2_test import PennActionTestPairs
from dataset.pair_list import TEST_LIST, TRAIN_LIST, ListError, read_list
from dataset.penn_action import build, main

SIZE = (72, 96)                           # h, w of the frames of `penn_root`


@pytest.fixture
def root(penn_root, tmp_path):
    """A writable copy of the data set: videos 0001, 0002 for training, 0003, 0004 for the test, 36 frames each."""
    return shutil.copytree(penn_root, tmp_path / "penn")


def frames(root, video):
    return sorted((root / "frames" / video).iterdir())


def rename_frames(root, name, video=None):
    """Frame k (from 1) of one or all videos becomes `name(k)`, in two steps as names may meet."""
    for folder in [root / "frames" / video] if video else (root / "frames").iterdir():
        for number, path in enumerate(sorted(folder.iterdir()), 1):
            path.rename(folder / f"tmp {name(number)}")
        for path in folder.iterdir():
            path.rename(folder / path.name.removeprefix("tmp "))


def every_frame(root, video, change):
    """Save all frames of a video again: `change(image)` gives the picture and how it is saved."""
    for path in frames(root, video):
        with Image.open(path) as image:
            picture, options = change(image)
        picture.save(path, **options)


def turned(image, tag=6):
    """Stored on its side, with the tag by which viewers set it upright."""
    exif = Image.Exif()
    exif[0x0112] = tag
    back = {6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180}[tag]
    return image.transpose(back), {"exif": exif, "quality": 100, "subsampling": 0}


def table(summary, start):
    """The one line of a summary that starts so."""
    line, = (line for line in summary if line.startswith(start))
    return line


# ---- frames that do not fit their annotation ----

def half(root):
    every_frame(root, "0001", lambda image: (image.resize((48, 36)), {}))


def extra(root):
    for number in range(37, 73):
        shutil.copy(root / "frames/0001/000001.jpg", root / f"frames/0001/{number:06d}.jpg")


def shifted(root):
    (root / "frames/0001/000036.jpg").unlink()
    rename_frames(root, lambda number: f"{number - 1:06d}.jpg", "0001")


def twice(root):
    shutil.copy(root / "frames/0001/000007.jpg", root / "frames/0001/7.jpeg")


UNFIT = [(half, "frames are 48 x 36 pixels, but by the annotation's dimensions (height, width, ..) 96 x 72"),
         (extra, "72 frames on disk for 36 poses"), (twice, "both 000007.jpg and 7.jpeg are frame 7"),
         (shifted, "35 frames on disk, numbered 0..34, for 36 poses: which pose is which frame's?")]


@pytest.mark.parametrize("change, words", UNFIT)
def test_frames_that_do_not_fit_are_dropped_with_video_and_numbers(root, tmp_path, change, words):
    change(root)
    summary = build(root, tmp_path / "lists")
    assert table(summary, "dropped") == f"dropped, video whose frames do not fit its annotation: pullup 1 (0001: {words})"
    assert {paths[0].split("/")[1] for paths in read_list(tmp_path / "lists" / TRAIN_LIST).frames} == {"0002"}


def test_a_list_is_refused_whose_frames_have_another_size(root, lists, tmp_path):
    half(root)
    with pytest.raises(ListError, match=re.escape(f"{lists[0]}:1, field 0 (source frame): video 0001: {UNFIT[0][1]}")):
        PennActionPairs(lists[0], root, 64)
    assert len(PennActionPairs(lists[0], root, 64, images=False)) == 56, "the poses need no frame"


@pytest.mark.parametrize("tag", [6, 3])
def test_frames_are_turned_upright_if_that_is_the_annotated_size(root, lists, tag):
    plain = PennActionPairs(lists[0], root, 64)[0]
    every_frame(root, "0001", lambda image: turned(image, tag))
    data = PennActionPairs(lists[0], root, 64)
    assert torch.equal(data[0]["poses"], plain["poses"]) and torch.equal(data[0]["masks"], plain["masks"])
    assert (data[0]["images"] - plain["images"]).abs().mean() < 0.03
    shutil.rmtree(root / "labels")
    assert torch.equal(PennActionPairs(lists[0], root, 64)[0]["images"], data[0]["images"]), "without labels, upright"


def test_frames_are_read_as_stored_if_only_that_is_the_annotated_size(root, lists, tmp_path):
    plain = PennActionPairs(lists[0], root, 64)[0]
    every_frame(root, "0001", lambda image: (image.copy(), turned(image)[1]))
    data = PennActionPairs(lists[0], root, 64)
    assert (data[0]["images"] - plain["images"]).abs().mean() < 0.03
    uncached = data[0]["images"]
    data.use_cache(tmp_path / "cache")
    assert torch.equal(data[0]["images"], uncached)


# ---- pictures of every kind ----

RAMP = np.add.outer(np.arange(72), np.arange(96)).astype(np.uint8)           # 0..166
COLOUR = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 90)], -1)


def deep_grey():
    return Image.fromarray(RAMP.astype(np.uint16) * 257)


def palette(**options):
    return Image.fromarray(COLOUR).quantize(64), options


def see_through(kind):
    alpha = np.zeros_like(RAMP)
    alpha[:, 48:] = 255
    if kind == "LA":
        return Image.merge("LA", [Image.fromarray(RAMP), Image.fromarray(alpha)])
    return Image.merge("RGBA", [*Image.fromarray(COLOUR).split(), Image.fromarray(alpha)])


GREY = np.stack([RAMP] * 3, -1)
PICTURES = {"16 bit grey": (deep_grey(), GREY), "grey": (Image.fromarray(RAMP), GREY), "RGB": (Image.fromarray(COLOUR), COLOUR),
            "1 bit": (Image.fromarray(RAMP > 80), np.where(GREY > 80, 255, 0)),
            "palette": (palette()[0], np.asarray(palette()[0].convert("RGB"))),
            "RGBA": (see_through("RGBA"), np.where(np.arange(96)[:, None] < 48, 255, COLOUR)),
            "LA": (see_through("LA"), np.where(np.arange(96)[:, None] < 48, 255, GREY))}


@pytest.mark.parametrize("kind", PICTURES)
def test_every_kind_of_png_looks_right(tmp_path, kind):
    picture, expected = PICTURES[kind]
    picture.save(tmp_path / "a.png")
    found = read_frame(tmp_path / "a.png", "list:1")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


# ---- other names ----

@pytest.mark.parametrize("name", ["{:04d}.JPG", "{}.jpeg", "my clip {}.bmp", "{:03d}_rgb.webp", "v2-{:05d}.PNG"])
@pytest.mark.parametrize("first", [0, 1001])
def test_any_suffix_padding_and_prefix(penn_root, root, lists, tmp_path, name, first):
    plain = PennActionPairs(lists[0], penn_root, 64)
    rename_frames(root, lambda number: name.format(number - 1 + first))
    build(root, tmp_path / "lists")
    data = PennActionPairs(tmp_path / "lists" / TRAIN_LIST, root, 64)
    assert data.rows.frames[0][:2] == tuple(f"frames/0001/{name.format(number)}" for number in (first, first + 1))
    assert torch.equal(data.poses, plain.poses)
    for row in (0, 40):
        assert torch.equal(data[row]["images"], plain[row]["images"])


def test_videos_need_no_numbers(root, tmp_path):
    for kind, suffix in (("labels", ".mat"), ("frames", "")):
        for old, new in (("0001", "my_clip"), ("0003", "élan.2"), ("0004", "4")):
            (root / kind / (old + suffix)).rename(root / kind / (new + suffix))
    (tmp_path / "videos.txt").write_text("my_clip\n0004\n2\nmy_clap\n")
    summary = build(root, tmp_path / "lists", tmp_path / "videos.txt")
    assert "1 of the 4 test videos have no annotation here: my_clap" in summary
    assert {paths[0].split("/")[1] for paths in read_list(tmp_path / "lists" / TRAIN_LIST).frames} == {"élan.2"}
    data = PennActionTestPairs(tmp_path / "lists" / TEST_LIST, root, 64)
    assert {data.row_stem(row).rpartition("_")[0] for row in range(len(data))} == {"my_clip", "0002", "0004"}
    assert data[len(data) - 1]["images"].shape == (6, 3, 64, 64)


def test_case_and_blanks_of_action_names_do_not_count(root, lists, tmp_path, write_label):
    for video, action in (("0001", "  PullUp "), ("0002", "Squat")):
        write_label(root, video, action)
    build(root, tmp_path / "lists")
    assert (tmp_path / "lists" / TRAIN_LIST).read_bytes() == lists[0].read_bytes()
    build(root, tmp_path / "own", actions=("Pullup", "Squat "))
    assert read_list(tmp_path / "own" / TRAIN_LIST, ("Pullup", "Squat ")).action.tolist() == 28 * [0] + 28 * [1]


@pytest.mark.parametrize("video", ["a,b", "a\nb", os.fsdecode(b"\xff\xfe")])
def test_file_names_that_a_list_cannot_hold_are_refused(root, tmp_path, run_script, video):
    (root / "labels/0003.mat").rename(root / f"labels/{video}.mat")
    (root / "frames/0003").rename(root / f"frames/{video}")
    outcome = run_script(main, "--root", root, "--out", tmp_path / "lists")
    assert outcome.status == 2 and re.search(r"^error: 'frames/.*' cannot stand in a list.*\n\Z", outcome.err, re.M)
    assert not (tmp_path / "lists").exists()


# ---- where nothing comes out ----

VIDEOS = ("0001", "0002", "0003", "0004")


def short(root, write_label):
    for video in VIDEOS:
        write_label(root, video, nframes=5)


def other_action(root, write_label):
    for video in VIDEOS:
        write_label(root, video, "jumping, up")


def empty_folders(root, _):
    for video in VIDEOS:
        shutil.rmtree(root / "frames" / video)
        (root / "frames" / video).mkdir()


@pytest.mark.parametrize("change, words", [
    (short, "dropped, video whose frames do not fit its annotation: squat 4 (0001: 36 frames on disk for 5 poses; 0002: "),
    (lambda root, write_label: (shutil.rmtree(root / "frames"), short(root, write_label)),
     "dropped, video of fewer than 6 frames: squat 4\n"),
    (other_action, "dropped, videos of other actions: jumping, up 4\n"),
    (empty_folders, "dropped, frame missing on disk: pullup 56, squat 56 (0001: 0 frames on disk for 36 poses; 0002: ")],
    ids=["36 frames of 5 poses", "five frames", "other action", "empty folders"])
def test_reasons_are_listed_where_no_window_comes_out(root, tmp_path, write_label, run_script, change, words):
    change(root, write_label)
    outcome = run_script(main, "--root", root, "--out", tmp_path / "lists")
    assert outcome.status == 2 and not (tmp_path / "lists").exists()
    assert words in outcome.err and "wrote" not in outcome.out
    assert re.search(r"^error: no window comes out of .*; nothing is written$", outcome.err, re.M)


def test_resource_forks_of_macos_are_ignored(root, lists, tmp_path):
    (root / "labels/._0001.mat").write_bytes(b"\0\5\26\7")
    (root / "frames/0001/._000001.jpg").write_bytes(b"\0\5\26\7")
    build(root, tmp_path / "lists")
    assert (tmp_path / "lists" / TRAIN_LIST).read_bytes() == lists[0].read_bytes()


# ---- other paths ----

def test_home_folder_in_every_path(root, tmp_path, monkeypatch, run_script):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "videos.txt").write_bytes("\ufeff0003\r\n4\r\n".encode())          # as Windows' editor writes it
    outcome = run_script(main, "--root", "~/penn", "--out", "~/lists", "--test_videos", "~/videos.txt")
    assert outcome.status == 0 and "no annotation" not in outcome.out, outcome.err
    assert {paths[0].split("/")[1] for paths in read_list(f"~/lists/{TEST_LIST}").frames} == {"0003", "0004"}
    assert PennActionPairs(f"~/lists/{TEST_LIST}", "~/penn", 64)[0]["images"].shape == (6, 3, 64, 64)
    assert len(PennActionPairs(Path(f"~/lists/{TEST_LIST}"), Path("~/penn"), 64, images=False)) == 56
