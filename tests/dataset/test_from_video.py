"""Videos become a data set: encoded videos of drawn people, a fake detector that makes errors, and bad input."""
import numpy as np
import pytest
import scipy.io
from from_video_scene import BOTH, FPS, NFRAMES, NOISE
from PIL import Image

from dataset import penn_action
from dataset.from_video import __main__ as program
from dataset.from_video.report import surroundings, write_sheet
from dataset.image_loader2 import PennActionPairs
from dataset.penn_action import build, read_annotation
from dataset.penn_layout import frame_mask
from pose import find_people
from pose.masks import read_mask
from pose.pose_file import write_poses
from pose.regions import Region
from pose.skeleton import JOINTS, STANDING
from utils.media import write_mp4

pytest_plugins = ["from_video_scene"]


def test_videos_become_a_data_set(scene, drawn):
    outcome = scene.run(BOTH)
    assert outcome.status == 0, outcome.err
    assert len(scene.detector.calls) == 33 + 33                       # gap 2 and 1: only the frames of the clips
    assert sorted(set(scene.detector.calls[:33])) == list(range(0, 66, 2))
    one = scipy.io.loadmat(scene.out / "labels/one.mat")
    assert one["train"].item() == 1 and scipy.io.loadmat(scene.out / "labels/two.mat")["train"].item() == -1
    frames = sorted(path.name for path in (scene.out / "frames/one").iterdir())
    assert frames == [f"{number + 1:06d}.jpg" for number in range(33)]
    label = read_annotation(scene.out / "labels/one.mat")
    assert label.action == "hop" and label.joints.shape == (33, 13, 2) and label.size == drawn[0].shape[1:3]
    error = np.linalg.norm(label.joints - drawn[1][0:66:2], axis=-1)
    assert np.median(error) < 1.2 * NOISE and np.quantile(error, 0.97) < 4 * NOISE        # of the right person, dropouts filled
    assert 0.85 < label.visibility.mean() < 1
    picture = np.asarray(Image.open(scene.out / "frames/one/000002.jpg"))
    assert np.abs(picture.astype(int) - drawn[0][2]).mean() < 4
    assert "one (hop, train): 33 frames kept" in (scene.out / "report.txt").read_text()
    assert (scene.out / "sheets/one.jpg").exists()
    lines = build(scene.out, scene.out / "lists", actions=("hop",))
    assert "hop" in lines[1] and len((scene.out / "lists/training_pair_penn5.txt").read_text().splitlines()) == 28
    pairs = PennActionPairs(scene.out / "lists/training_pair_penn5.txt", scene.out, 64, actions=("hop",))
    assert pairs[27]["images"].shape == (6, 3, 64, 64) and pairs[27]["poses"].isfinite().all()
    assert f"next: python -m dataset.penn_action --root {scene.out} --out {scene.out}/lists --actions hop" in outcome.out


@pytest.mark.parametrize("height, place", [(30, (640, 360)), (30, (1270, 710)), (700, (640, 360))])
def test_a_small_person_can_be_seen_on_the_sheet(tmp_path, height, place):
    """The person takes at least a third of a cell's height or width, and the skeleton hides less than half of the person."""
    pose = STANDING * height + np.subtract(place, (0, height / 2))
    joints, visible = np.stack([pose, pose + (0.1 * height, 0)]), np.ones((2, 13), bool)
    pictures = {number: np.full((720, 1280, 3), 90, np.uint8) for number in range(2)}
    x1, y1, x2, y2 = surroundings(joints, (720, 1280))
    assert x1 >= 0 and y1 >= 0 and x2 <= 1280 and y2 <= 720
    assert (x1 <= joints[..., 0].min()) and (y1 <= joints[..., 1].min()) and height > max(x2 - x1, y2 - y1) / 3
    write_sheet(tmp_path / "sheet.png", pictures, joints, visible, np.array([True, False]))
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).astype(int)
    drawn, dark = np.split(sheet, 2, 1)
    assert set(np.unique(dark)) == {30, 40} and max(drawn.shape[:2]) == 320 + 4
    changed = (np.abs(drawn - 90) > 10).any(-1)[3:-3, 3:-3]
    rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
    assert 0.03 < changed[rows[0]:rows[-1], columns[0]:columns[-1]].mean() < 0.5


def test_finished_clips_are_kept_and_unfinished_ones_converted_again(scene):
    assert scene.run(BOTH).status == 0
    done = len(scene.detector.calls)
    (scene.out / "clips/two.json").unlink()                           # what a killed run leaves
    (scene.out / "frames/two/000099.jpg").write_bytes(b"")
    (scene.out / "unfinished/frames/two").mkdir(parents=True)
    assert scene.run(BOTH).status == 0 and len(scene.detector.calls) == done + 33
    assert not (scene.out / "frames/two/000099.jpg").exists() and not (scene.out / "unfinished").exists()
    assert scene.run(BOTH.replace("two.mp4,hop,test", "two.mp4,leap,train")).status == 0
    assert len(scene.detector.calls) == done + 33, "only the annotation is rewritten"
    label = read_annotation(scene.out / "labels/two.mat")
    assert label.action == "leap" and label.train
    assert scene.run(BOTH, "--every_frame").status == 0 and len(scene.detector.calls) == done + 33 + NFRAMES + 40


def test_every_frame(scene):
    outcome = scene.run(BOTH, "--every_frame")
    assert f"one (hop, train): {NFRAMES} frames kept of {NFRAMES}; " in (scene.out / "report.txt").read_text()
    *_, last = outcome.out.splitlines()
    assert last.endswith(f"--actions hop --windows {NFRAMES - 5}")
    shell = last.removeprefix("next: python -m dataset.penn_action ").split()
    assert scene.run_script(penn_action.main, *shell).status == 0
    assert count_rows(scene.out / "lists") == (NFRAMES - 5, 40 - 5)                   # every frame but the last five is a source
    assert scene.run(BOTH, "--clip", 20).out.endswith("--actions hop --windows 15\n")
    assert "one (hop, train): 20 frames kept of 70, one in 3; " in (scene.out / "report.txt").read_text()


def count_rows(folder):
    """Numbers of rows of the training and of the test list; 0 where there is none."""
    paths = (folder / name for name in (penn_action.TRAIN_LIST, penn_action.TEST_LIST))
    return tuple(len(path.read_text().splitlines()) if path.exists() else 0 for path in paths)


def test_clips_that_the_csv_no_longer_names_are_removed(scene):
    assert scene.run(BOTH).status == 0
    outcome = scene.run("file,action,end,split\none.mp4,hop,1,test\ntwo.mp4,hop,,train\n")       # another part of one.mp4
    assert outcome.status == 0 and "removed, because the CSV no longer names them: one\n" in outcome.out
    for folder in ("labels", "frames", "sheets", "clips"):
        assert {path.stem for path in (scene.out / folder).iterdir()} == {"one_0-1s", "two"}


@pytest.mark.parametrize("split, rows, message", [
    ("", (28, 0), "there is no test window: write `test` into the column `split` of some clips"),
    ("test", (0, 28), "there is no training window: the column `split`")])
def test_clips_of_one_split_make_one_list(scene, split, rows, message):
    assert scene.run(BOTH).status == 0
    build(scene.out, scene.out / "lists", actions=("hop",))
    assert count_rows(scene.out / "lists") == (28, 28)
    assert scene.run(f"file,action,split\none.mp4,hop,{split}\n", videos=[scene.videos / "one.mp4"]).status == 0
    lines = build(scene.out, scene.out / "lists", actions=("hop",))
    assert lines[-1].startswith(message) and "split" in lines[-1] and count_rows(scene.out / "lists") == rows
    path = scene.out / "lists" / (penn_action.TEST_LIST if split else penn_action.TRAIN_LIST)
    assert lines[-2] == f"wrote {path}" and (split or f"--set test_data_list={path}, " in lines[-1])


def test_masks_of_the_main_person_lie_beside_the_frames(scene):
    ask = scene.detector.detect

    def with_masks(picture):
        """Everybody's mask fills the box of the joints."""
        people = []
        for person in ask(picture):
            (x, y), half = (person.box[:2] + person.box[2:]) / 2, (person.box[2:] - person.box[:2]).max() / 2
            share = np.round(32 * (person.box[2:] - person.box[:2]) / (2 * half)).astype(int)
            soft = np.zeros((64, 64), np.float32)
            soft[32 - share[1]:32 + share[1], 32 - share[0]:32 + share[0]] = 1
            people.append(person._replace(region=Region(x, y, 2 * half), soft=soft))
        return people

    scene.detector.detect = with_masks
    assert scene.run("file,action\none.mp4,hop\n").status == 0
    frames, masks = ({path.stem: path for path in (scene.out / kind / "one").iterdir()} for kind in ("frames", "masks"))
    assert set(masks) == set(frames) and all(path == frame_mask(frames[stem]) for stem, path in masks.items())
    label = read_annotation(scene.out / "labels/one.mat")
    for stem, path in masks.items():
        mask, joints = read_mask(path, label.size), label.joints[int(stem) - 1]
        x, y = joints.mean(0).round().astype(int)
        assert mask[y, x] > 0.9 and 0.5 < (mask > 0.5).sum() / np.prod(np.ptp(joints, axis=0)) < 2, "this person's only"


def test_an_interrupted_run_loses_one_clip(scene):
    detect, calls = scene.detector.detect, scene.detector.calls

    def stopped(picture):
        if len(calls) == 43:
            raise KeyboardInterrupt
        return detect(picture)

    scene.detector.detect = stopped
    assert scene.run(BOTH).status == 130
    assert [path.stem for path in (scene.out / "labels").iterdir()] == ["one"] and not (scene.out / "frames/two").exists()
    scene.detector.detect = detect
    assert scene.run(BOTH).status == 0 and len(calls) == 43 + 33


def test_a_bad_video_is_reported_and_the_others_finish(scene):
    (scene.folder / "text.mp4").write_text("no video")
    write_mp4(scene.folder / "short.mp4", np.zeros((5, 32, 32, 3), np.uint8), FPS)
    csv = BOTH + "none.mp4,hop,\ntext.mp4,hop,\nshort.mp4,hop,\n"
    outcome = scene.run(csv, videos=[scene.videos, *(scene.folder / name for name in ("text.mp4", "short.mp4", "gone.mp4"))])
    assert outcome.status == 1
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 4
    assert "actions.csv:4: none.mp4: no such file among the videos given" in errors[0]
    assert "text.mp4: this video cannot be opened (Invalid data" in errors[1]
    assert "short.mp4: fewer than 6 usable frames: 5 from 0 s" in errors[2]
    assert "gone.mp4: there is no such file" in errors[3]
    assert {path.stem for path in (scene.out / "labels").iterdir()} == {"one", "two"}
    report = (scene.out / "report.txt").read_text()
    assert all(f"not used: {line[7:]}" in report for line in errors)
    assert scene.run("file,action\nnone.mp4,hop\n").status == 2


def test_a_person_who_leaves(scene):
    scene.detector.drop = range(40, NFRAMES)
    outcome = scene.run("file,action,start\none.mp4,hop,\ntwo.mp4,hop,0.1\n")
    assert outcome.status == 1
    assert "one.mp4: the person leaves the picture after 1.3 s; give start and end in the CSV, or --partial" in outcome.err
    assert not (scene.out / "labels/one.mat").exists() and not (scene.out / "frames/one").exists()
    outcome = scene.run("file,action\none.mp4,hop\n", "--partial")
    assert outcome.status == 0 and "the person leaves the picture after 1.3 s" in (scene.out / "report.txt").read_text()
    assert len(list((scene.out / "frames/one").iterdir())) == 20
    scene.detector.drop = range(NFRAMES)
    assert "one.mp4: nobody is found in it" in scene.run("file,action\none.mp4,hop\n", "--every_frame").err
    scene.detector.drop = set(range(NFRAMES)) - set(range(20, 28))
    assert "fewer than 6 usable frames in a row (4 of 33): the person comes into the picture only at 0.7 s" in scene.run(
        "file,action\none.mp4,hop\n", "--min_score", "0.6").err


def test_a_part_of_a_video(scene):
    assert scene.run("file,action,start,end\none.mp4,hop,0.5,1.5\none.mp4,hop,0:01.5,\n").status == 0
    label = read_annotation(scene.out / "labels/one_0_5-1_5s.mat")
    assert len(label.joints) == 30 and min(scene.detector.calls[:30]) == 15
    assert len(read_annotation(scene.out / "labels/one_1_5s.mat").joints) == NFRAMES - 45


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_poses_from_a_file(scene, drawn, kind):
    folder = scene.folder / "poses"
    folder.mkdir()
    joints = drawn[1].clip(0, np.array(drawn[0].shape[2:0:-1]))
    if kind == "json":
        joints[30:33] = np.nan
        write_poses(folder / "one.json", joints)
    else:
        rows = [f"{frame + 1},{name},{x:.2f},{y:.2f}" for frame, pose in enumerate(joints) if not 30 <= frame < 33
                for name, (x, y) in zip(JOINTS, pose)]
        (folder / "one.csv").write_text("frame,joint,x,y\n" + "\n".join(rows) + "\n")
    outcome = scene.run("file,action\none.mp4,hop\n", "--poses", folder, videos=[scene.videos / "one.mp4"])
    assert outcome.status == 0 and not scene.detector.calls, outcome.err
    for part, known in (("one", range(0, 30, 2)), ("one.2", range(34, 66, 2))):        # windows never span the gap
        np.testing.assert_allclose(read_annotation(scene.out / f"labels/{part}.mat").joints, joints[known], atol=0.01)
        assert len(list((scene.out / "frames" / part).iterdir())) == len(known)
    assert "poses from one." + kind in (scene.out / "report.txt").read_text()
    if kind == "json":
        assert scene.run("file,action\none.mp4,hop\n", videos=[scene.videos / "one.mp4"]).status == 0
        assert [path.name for path in (scene.out / "labels").iterdir()] == ["one.mat"], "parts of an earlier run are removed"


def test_poses_of_another_video(scene, drawn):
    path = scene.folder / "one.json"
    write_poses(path, np.full((NFRAMES + 1, 13, 2), 5.0))
    argv = ("file,action\none.mp4,hop\n", "--poses", scene.folder)
    assert f"one.json: poses for {NFRAMES + 1} frames, but the video has {NFRAMES}" in scene.run(*argv).err
    write_poses(path, np.full((NFRAMES, 13, 2), 5000.0))
    assert "one.json: frame 1: joint 0 (head): (5000, 5000) is outside the picture" in scene.run(*argv).err
    path.write_text("{")
    outcome = scene.run(*argv, videos=[scene.videos / "one.mp4"])
    assert outcome.status == 2 and outcome.err.count("error: ") == 1 and "one.json:1:2: not JSON" in outcome.err


def test_a_folder_with_other_files_is_left_alone(scene):
    scene.out.mkdir()
    (scene.out / "thesis.txt").write_text("mine")
    outcome = scene.run(BOTH)
    assert outcome.status == 2 and "not empty and not made by this command" in outcome.err


def test_a_missing_detector_ends_the_command(scene, monkeypatch):
    monkeypatch.setattr(program, "find_people", find_people)
    outcome = scene.run(BOTH, "--detector_weights", "none.pt")
    assert outcome.status == 2 and outcome.err.splitlines()[-1].startswith("error: none.pt: ")
    assert "--poses DIR" in outcome.err
