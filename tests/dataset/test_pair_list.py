"""Rows of pair lists: what is read, what is refused, and the messages."""
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from golden import FIXTURES

from dataset.pair_list import (
    Columns,
    ListError,
    Window,
    format_row,
    parse_row,
    read_list,
    resolve_frame,
    write_list,
)

PUBLISHED = FIXTURES / "published_list_sample.txt"
LINES = PUBLISHED.read_text().splitlines()
FIRST = LINES[0].split(",")        # crop 138,62,350,298; person box of target 1: 197,62,261,255


def changed(changes):
    """The first published row with some fields replaced."""
    return ",".join(changes.get(field, value) for field, value in enumerate(FIRST))


@pytest.mark.parametrize("line", LINES, ids=range(1, len(LINES) + 1))
def test_published_rows_come_back_to_the_character(line):
    assert format_row(parse_row(line)) == line


def test_source_comes_first_and_every_value_lands_in_its_place():
    row = parse_row(LINES[0])
    assert row.frames == tuple(FIRST[:6]) and (row.action, row.action_id) == ("baseball_pitch", 4)
    assert row.crop.tolist() == [138, 62, 350, 298] and row.persons[0].tolist() == [197, 62, 261, 255]
    assert row.persons.ravel().tolist() == list(map(int, FIRST[12:32]))
    joints = list(map(float, FIRST[32:]))
    assert row.poses[0].ravel().tolist() == joints[-26:], "the file keeps the source last"
    assert row.poses[1:].ravel().tolist() == joints[:-26]


def test_whole_list_is_its_rows(tmp_path):
    whole = read_list(PUBLISHED)
    rows = [parse_row(line) for line in LINES]
    assert whole.lines.tolist() == list(range(1, 11)) and whole.frames == [row.frames for row in rows]
    for name, key in (("action", "action_id"), ("crop", "crop"), ("persons", "persons"), ("poses", "poses")):
        np.testing.assert_array_equal(getattr(whole, name), [getattr(row, key) for row in rows])
    assert whole.action.dtype == np.int64 and whole.poses.dtype == np.float64
    assert whole.sha256 == hashlib.sha256(PUBLISHED.read_bytes()).hexdigest()
    write_list(tmp_path / "again.txt", rows)
    assert (tmp_path / "again.txt").read_bytes() == PUBLISHED.read_bytes()


BAD_ROWS = [
    (LINES[0].rpartition(",")[0], None, "188 comma-separated fields, this one has 187"),
    (LINES[0] + ",", None, "188 comma-separated fields, this one has 189"),
    (changed({0: ""}), 0, "path is needed"),
    (changed({7: "four"}), 7, "'four' is not an integer"),
    (changed({7: "9"}), 7, "unknown action id 9; the ids are 0..8"),
    (changed({7: "5"}), 6, "'baseball_pitch' disagrees with action id 5, which is 'jumping_jacks'"),
    (changed({8: "138.5"}), 8, "'138.5' is not an integer"),
    (changed({31: ""}), 31, "'' is not an integer"),
    (changed({10: "138"}), 8, "empty"),
    (changed({9: "-50", 11: "-1"}), 8, "outside the image"),
    (changed({10: "99999999"}), 10, "no coordinate"),
    (changed({14: "196"}), 12, "inverted"),
    (changed({32: "abc"}), 32, "'abc' is not a number"),
    (changed({33: "nan"}), 33, "nan is no coordinate"),
]


@pytest.mark.parametrize("row, field, message", BAD_ROWS)
def test_a_bad_row_is_an_error_with_file_line_and_field(tmp_path, row, field, message):
    path = tmp_path / "list.txt"
    path.write_text(f"{LINES[0]}\n\n{row}\n{LINES[1]}\n")
    with pytest.raises(ListError) as caught:
        read_list(path)
    text = str(caught.value)
    where = f"{path}:3: " if field is None else f"{path}:3, field {field} ({Columns(5).name(field)}): "
    assert text.startswith(where) and message in text and "\n" not in text


@pytest.mark.parametrize("data, message", [
    (None, "cannot read this list: No such file"),
    (b"", "is empty"),
    (LINES[0].encode() + b"\n\xff\xfe\n", ":2: not UTF-8 text"),
])
def test_file_that_is_no_list(tmp_path, data, message):
    path = tmp_path / "list.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ListError, match=re.escape(str(path))) as caught:
        read_list(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [
    pytest.param("\r\n".join(LINES) + "\r\n", id="CRLF"),
    pytest.param("\ufeff" + "\n".join(LINES), id="BOM, no last newline"),
    ])
def test_files_of_other_editors_are_read(tmp_path, text):
    path = tmp_path / "list.txt"
    path.write_bytes(text.encode())
    read, published = read_list(path), read_list(PUBLISHED)
    assert read.frames == published.frames
    np.testing.assert_array_equal(read.poses, published.poses)


# ---- where frames lie ----

def test_existing_paths_are_used_as_they_are(tmp_path, monkeypatch):
    inside = tmp_path / "frames" / "0001"
    inside.mkdir(parents=True)
    (inside / "000001.jpg").touch()
    assert resolve_frame(str(inside / "000001.jpg"), "/elsewhere") == inside / "000001.jpg"
    monkeypatch.chdir(tmp_path)
    assert resolve_frame("frames/0001/000001.jpg", "/elsewhere") == Path("frames/0001/000001.jpg")


@pytest.mark.parametrize("path, found", [
    ("/mnt/backup/Penn_Action_new/frames/0149/000001.jpg", "/data/frames/0149/000001.jpg"),
    ("/frames/of/frames/0149/000001.jpg", "/data/frames/0149/000001.jpg"),
    ("/frames/0149/frames", "/data/frames/0149/frames"),
    ("/video_frames/0149/000001.jpg", "/video_frames/0149/000001.jpg"),
    ("frames/0149/000001.jpg", "/data/frames/0149/000001.jpg"),
    ("0149/000001.jpg", "/data/0149/000001.jpg"),
    ("frames/" + 3000 * "x", "/data/frames/" + 3000 * "x"),
])
def test_other_paths_are_looked_for_under_data_root(path, found):
    assert resolve_frame(path, "/data") == Path(found)


@pytest.mark.parametrize("path, stem, numbers", [
    ("frames/0149/000001.jpg", "0149_0001", (149, 1, 1)), ("frames/v149/frame_0003.png", "v149_0003", (-1, 3, -1)),
    ("frames/my video/1.jpg", "my_video_0001", (-1, 1, 1)), ("frames/0149/first.jpg", "0149_first", (149, -1, 0)),
    ("frames/v2/003_rgb.png", "v2_0003", (-1, 3, -1)), ("frames/7/take2_05.png", "0007_0005", (7, 5, -3)),
    ("000001.jpg", "_0001", (-1, 1, 1)), ("frames\\0149\\7.bmp", "0149_0007", (149, 7, -5)),
    ("frames/99999999999999999999/000001.jpg", "99999999999999999999_0001", (-1, 1, 1))])
def test_names_need_not_be_numbers(path, stem, numbers):
    window = Window.of(path, "frames/0149/000002.jpg")
    assert window.stem == stem and window.numbers == numbers
