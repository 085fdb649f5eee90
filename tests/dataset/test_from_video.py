"""Videos become a data set: real encoded ones of drawn people, a stand-in detector that errs, and whatever is wrong."""
import struct
import time

import av
import cv2
import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dataset import penn_action
from dataset.from_video import __main__ as program
from dataset.from_video.actions import read_actions
from dataset.from_video.plan import plan
from dataset.from_video.poses import read_csv
from dataset.from_video.reading import read_frames, read_index
from dataset.from_video.sheet import surroundings, write_sheet
from dataset.from_video.tracking import MAX_GAP, clean, main_person, runs
from dataset.image_loader2 import PennActionPairs
from dataset.penn_action import build, read_annotation
from dataset.penn_layout import frame_mask
from dataset.synthetic.people import draw_video
from pose import find_people
from pose.detector import Detector, Person
from pose.masks import read_mask
from pose.pose_file import write_poses
from pose.regions import Region
from pose.skeleton import JOINTS, STANDING
from utils.errors import UserError
from utils.media import write_mp4

FPS, NFRAMES = 30, 70
NOISE, BYSTANDER = 2.0, 0.6            # pixels; size of the second person against the first
DETECTOR = 1.5                         # seconds of a core that Keypoint R-CNN takes for a frame, at the very least


def as_person(joints, visible=None, score=0.95):
    visible = np.ones(13, bool) if visible is None else visible
    box = np.concatenate([joints.min(0) - 5, joints.max(0) + 5])
    return Person(box, score, joints, visible)


class StandIn(Detector):
    """Knows the frames of a video by their pixels; tells the true joints with noise, dropouts and a second person."""

    def __init__(self, pictures, joints, drop=(), flaky=True):
        self.small, self.joints, self.drop, self.flaky = self._key(pictures), joints, set(drop), flaky
        self.calls, self.random = [], np.random.default_rng(0)

    @staticmethod
    def _key(pictures):
        return np.asarray([np.asarray(Image.fromarray(picture).resize((64, 48), Image.Resampling.BOX), np.int16)
                           for picture in pictures])

    def detect(self, picture):
        frame = int(np.abs(self.small - self._key([picture])).sum((1, 2, 3)).argmin())
        self.calls.append(frame)
        if frame in self.drop:
            return []
        visible = self.random.uniform(size=13) > (0.05 if self.flaky else 0)
        joints = self.joints[frame] + self.random.normal(0, NOISE, (13, 2))
        joints[~visible] += 80                                                # a guess, and a bad one
        other = (self.joints[0] - self.joints[0].mean(0)) * BYSTANDER + (60, 120)
        people = [as_person(other + self.random.normal(0, NOISE, (13, 2))), as_person(joints, visible)]
        return people if frame % 2 else people[::-1]


@pytest.fixture(scope="module")
def drawn():
    """Pictures (n, h, w, 3) RGB and joints of one drawn performance."""
    pictures, joints, _, _ = draw_video(7, "jumping_jacks", 0, (NFRAMES, NFRAMES))
    return np.stack([picture[..., ::-1] for picture in pictures]), joints


@pytest.fixture(scope="module")
def videos(drawn, tmp_path_factory):
    """A folder with one.mp4 and two.mp4, real H.264."""
    folder = tmp_path_factory.mktemp("videos")
    write_mp4(folder / "one.mp4", drawn[0], FPS)
    write_mp4(folder / "two.mp4", drawn[0][:40], FPS)
    return folder


class Scene:
    def __init__(self, folder, videos, drawn, monkeypatch, run_script):
        self.folder, self.videos, self.run_script, self.out = folder, videos, run_script, folder / "set"
        self.detector = StandIn(*drawn)
        monkeypatch.setattr(program, "find_people", lambda name, **_: self.detector)

    def run(self, csv, *argv, videos=None):
        path = self.folder / "actions.csv"
        path.write_text(csv)
        return self.run_script(program.main, *(videos or [self.videos]), "--actions", path, "--out", self.out, *argv)


@pytest.fixture
def scene(tmp_path, videos, drawn, monkeypatch, run_script):
    return Scene(tmp_path, videos, drawn, monkeypatch, run_script)


BOTH = "file,action,split\none.mp4,hop,train\ntwo.mp4,hop,test\n"


def test_videos_become_a_data_set(scene, drawn):
    outcome = scene.run(BOTH)
    assert outcome.status == 0, outcome.err
    assert len(scene.detector.calls) == 33 + 33                       # gap 2 and 1: only the frames of the clips
    assert sorted(set(scene.detector.calls[:33])) == list(range(0, 66, 2))
    one = scipy.io.loadmat(scene.out / "labels/one.mat")
    assert one["train"].item() == 1 and scipy.io.loadmat(scene.out / "labels/two.mat")["train"].item() == -1
    frames = sorted(path.name for path in (scene.out / "frames/one").iterdir())
    assert frames == [f"{number + 1:06d}.jpg" for number in range(0, 66, 2)]
    label = read_annotation(scene.out / "labels/one.mat")
    assert label.action == "hop" and label.joints.shape == (NFRAMES, 13, 2) and label.size == drawn[0].shape[1:3]
    error = np.linalg.norm(label.joints[0:66:2] - drawn[1][0:66:2], axis=-1)
    assert np.median(error) < 1.2 * NOISE and np.quantile(error, 0.97) < 4 * NOISE        # of the right person, dropouts filled
    assert not label.visibility[1::2].any() and 0.85 < label.visibility[0:66:2].mean() < 1
    picture = np.asarray(Image.open(scene.out / "frames/one/000003.jpg"))
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
    assert set(np.unique(dark)) == {20, 30} and max(drawn.shape[:2]) == 320 + 4
    changed = (np.abs(drawn - 90) > 10).any(-1)[3:-3, 3:-3]
    rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
    assert 0.05 < changed[rows[0]:rows[-1], columns[0]:columns[-1]].mean() < 0.5


def test_finished_videos_are_not_done_again_interrupted_ones_are(scene):
    assert scene.run(BOTH).status == 0
    done = len(scene.detector.calls)
    (scene.out / "clips/two.json").unlink()                           # what a killed run leaves
    (scene.out / "frames/two/000099.jpg").write_bytes(b"")
    (scene.out / "found/two.json").write_text("{")
    assert scene.run(BOTH).status == 0 and len(scene.detector.calls) == done + 33
    assert not (scene.out / "frames/two/000099.jpg").exists()
    renamed = BOTH.replace("two.mp4,hop,test", "two.mp4,leap,train")
    assert scene.run(renamed).status == 0 and len(scene.detector.calls) == done + 33
    label = read_annotation(scene.out / "labels/two.mat")
    assert label.action == "leap" and label.train
    outcome = scene.run("file,action\none.mp4,hop\n", videos=[scene.videos / "one.mp4"])
    assert outcome.status == 0
    outcome = scene.run(BOTH, "--every_frame")                      # only what nobody has looked at yet
    assert outcome.status == 0 and len(scene.detector.calls) == done + 33 + NFRAMES - 33 + 40 - 33


def test_every_frame_is_told_and_used(scene):
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


def test_clips_that_the_csv_names_no_more_are_left_out_and_come_back(scene):
    assert scene.run(BOTH).status == 0
    done = len(scene.detector.calls)
    changed = "file,action,end,split\none.mp4,hop,1,test\ntwo.mp4,hop,,train\n"       # another part of the same video
    outcome = scene.run(changed)
    assert outcome.status == 0 and "left out, because the CSV does not name them any more: one\n" in outcome.out
    build(scene.out, scene.out / "lists", actions=("hop",))
    rows = [(scene.out / "lists" / name).read_text() for name in (penn_action.TRAIN_LIST, penn_action.TEST_LIST)]
    assert all("frames/two/" in line for line in rows[0].splitlines()) and rows[1].startswith("frames/one_0-1s/")
    assert "any more: one\n" in scene.run(changed).out                                 # told again
    asked = len(scene.detector.calls)
    outcome = scene.run(BOTH)
    assert outcome.status == 0 and "any more: one_0-1s\n" in outcome.out
    assert len(scene.detector.calls) == asked > done                                  # nobody is looked for again
    assert {path.stem for path in (scene.out / "labels").iterdir()} == {"one", "two"}


@pytest.mark.parametrize("split, rows, told", [
    ("", (28, 0), "there is no test window: write `test` into the column `split` of some clips"),
    ("test", (0, 28), "there is no training window: the column `split`")])
def test_clips_of_one_split_alone_make_one_list(scene, split, rows, told):
    assert scene.run(BOTH).status == 0
    build(scene.out, scene.out / "lists", actions=("hop",))
    assert count_rows(scene.out / "lists") == (28, 28)
    assert scene.run(f"file,action,split\none.mp4,hop,{split}\n", videos=[scene.videos / "one.mp4"]).status == 0
    lines = build(scene.out, scene.out / "lists", actions=("hop",))
    assert lines[-1].startswith(told) and "split" in lines[-1] and count_rows(scene.out / "lists") == rows
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
    label, first = read_annotation(scene.out / "labels/one.mat"), {stem: path.read_bytes() for stem, path in masks.items()}
    for stem, path in masks.items():
        mask, joints = read_mask(path, label.size), label.joints[int(stem) - 1]
        x, y = joints.mean(0).round().astype(int)
        assert mask[y, x] > 0.9 and 0.5 < (mask > 0.5).sum() / np.prod(np.ptp(joints, axis=0)) < 2, "this person's only"
    done = len(scene.detector.calls)
    (scene.out / "clips/one.json").unlink()                           # what a killed run leaves
    (scene.out / "masks/one/000099.png").write_bytes(b"")
    assert scene.run("file,action\none.mp4,hop\n").status == 0 and len(scene.detector.calls) == done
    again = {path.stem: path.read_bytes() for path in (scene.out / "masks/one").iterdir()}
    assert set(again) == set(first)
    for stem, data in again.items():                                  # boxes are kept with two decimals
        one, other = (cv2.imdecode(np.frombuffer(content, np.uint8), 0).astype(int) for content in (data, first[stem]))
        assert np.abs(one - other).mean() < 0.1


def test_a_stopped_run_keeps_what_the_detector_found(scene):
    ask, calls = scene.detector.detect, scene.detector.calls

    def stopped(picture):
        if len(calls) == 10:
            raise KeyboardInterrupt
        return ask(picture)

    scene.detector.detect = stopped
    assert scene.run(BOTH).status == 130 and not (scene.out / "labels/one.mat").exists()
    scene.detector.detect = ask
    assert scene.run(BOTH).status == 0 and len(calls) == 66


def test_a_bad_item_is_told_and_the_others_finish(scene):
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


def test_somebody_who_leaves(scene):
    scene.detector.drop = range(40, NFRAMES)
    outcome = scene.run("file,action,start\none.mp4,hop,\ntwo.mp4,hop,0.1\n")
    assert outcome.status == 1
    assert "one.mp4: the person leaves the picture after 1.3 s; give start and end in the CSV, or --partial" in outcome.err
    assert not (scene.out / "labels/one.mat").exists() and not (scene.out / "frames/one").exists()
    outcome = scene.run("file,action\none.mp4,hop\n", "--partial")
    assert outcome.status == 0 and "the person leaves the picture after 1.3 s" in (scene.out / "report.txt").read_text()
    assert {int(path.stem) for path in (scene.out / "frames/one").iterdir()} == set(range(1, 41, 2))
    assert len(scene.detector.calls) == 33 + 33                       # nothing was looked at twice
    scene.detector.drop = range(NFRAMES)
    (scene.out / "found/one.json").unlink()
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
def test_poses_of_ones_own(scene, drawn, kind):
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
    label = read_annotation(scene.out / "labels/one.mat")
    known = np.r_[0:30, 33:NFRAMES]
    np.testing.assert_allclose(label.joints[known], joints[known], atol=0.01)
    kept = {int(path.stem) - 1 for path in (scene.out / "frames/one").iterdir()}
    assert kept == set(range(0, 66, 2)) - {30, 32}


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


def test_somebody_elses_folder_is_left_alone(scene):
    scene.out.mkdir()
    (scene.out / "thesis.txt").write_text("mine")
    outcome = scene.run(BOTH)
    assert outcome.status == 2 and "not empty and not made by this command" in outcome.err


def test_a_detector_that_cannot_be_had_ends_the_command(scene, monkeypatch):
    monkeypatch.setattr(program, "find_people", find_people)
    outcome = scene.run(BOTH, "--detector_weights", "none.pt")
    assert outcome.status == 2 and outcome.err.splitlines()[-1].startswith("error: none.pt: there is no such file or folder of")
    assert "--poses DIR" in outcome.err


def test_bookkeeping_is_small(scene):
    scene.detector.detect = lambda picture: [as_person(scene.detector.joints[0])]
    began = time.process_time()
    assert scene.run("file,action\none.mp4,hop\n").status == 0
    assert (time.process_time() - began) / 33 < 0.05 * DETECTOR


# ---- reading ----

def with_rotation(path, quarter_turns):
    """Write a phone's display matrix, clockwise quarter turns, into an MP4's track header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = {1: (0, 1, -1, 0), 2: (-1, 0, 0, -1), 3: (0, -1, 1, 0)}[quarter_turns]
    data[at:at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_phone_videos_are_turned_upright(tmp_path, drawn, turns):
    path = tmp_path / "phone.mp4"
    write_mp4(path, np.stack([np.rot90(picture, turns) for picture in drawn[0][:8]]), FPS)     # as the sensor sees it
    with_rotation(path, turns)
    for number, picture, ratio in read_frames(path, read_index(path), [0, 5], longest_side=240):
        wanted = np.asarray(Image.fromarray(drawn[0][number]).resize(picture.shape[1::-1], Image.Resampling.BOX), int)
        assert ratio == 240 / max(drawn[0].shape[1:3]) and np.abs(picture - wanted).mean() < 6


def test_every_frame_has_its_number(videos, drawn):
    index = read_index(videos / "one.mp4")
    np.testing.assert_allclose(index.times, np.arange(NFRAMES) / FPS, atol=1e-3)
    found = {number: picture for number, picture, _ in read_frames(videos / "one.mp4", index, [7, 31, 69])}
    assert list(found) == [7, 31, 69]
    for number, picture in found.items():
        difference = np.abs(drawn[0].astype(np.int16) - picture).mean((1, 2, 3))
        assert difference.argmin() == number


@pytest.mark.parametrize("ending, codec", [("avi", "mpeg4"), ("mkv", "libx264"), ("webm", "libvpx"), ("ts", "mpeg2video"),
                                           ("mov", "mjpeg")])
def test_other_containers_with_and_without_time_stamps(tmp_path, drawn, ending, codec):
    path, pictures = tmp_path / f"video.{ending}", drawn[0][:40, ::2, ::2]
    with av.open(str(path), "w") as video:
        stream = video.add_stream(codec, rate=FPS)
        stream.height, stream.width = pictures.shape[1:3]
        stream.options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx" else {}
        stream.pix_fmt, stream.bit_rate = "yuvj420p" if codec == "mjpeg" else "yuv420p", 8_000_000
        for picture in pictures:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        video.mux(stream.encode())
    index = read_index(path)
    assert len(index.times) == 40 and np.median(np.diff(index.times)) == pytest.approx(1 / FPS, abs=2e-3)
    for wanted in ([0, 7, 39], [25, 30]):                             # from the start, and after a seek
        found = {number: picture for number, picture, _ in read_frames(path, index, wanted)}
        assert list(found) == wanted
        for number, picture in found.items():
            assert np.abs(pictures.astype(np.int16) - picture).mean((1, 2, 3)).argmin() == number


def test_a_video_that_breaks_off(videos, tmp_path):
    data = (videos / "one.mp4").read_bytes()
    path = tmp_path / "broken.mp4"
    path.write_bytes(data[:2000] + bytes(len(data) // 2) + data[2000 + len(data) // 2:])
    try:
        list(read_frames(path, read_index(path), range(NFRAMES)))
    except UserError as error:
        assert "\n" not in str(error)


def test_audio_only(tmp_path):
    with av.open(str(tmp_path / "sound.wav"), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        file.mux(stream.encode(frame))
    with pytest.raises(UserError, match="there is no video in this file"):
        read_index(tmp_path / "sound.wav")


# ---- which frames, who, where ----

@pytest.mark.parametrize("nframes, fps, gap, kept, looked", [
    (70, 30, 2, 33, 33), (33, 30, 1, 33, 33), (20, 30, 1, 20, 20), (330, 30, 10, 33, 65), (330, 15, 10, 33, 97),
    (3300, 30, 100, 33, 129)])
def test_only_what_clip_and_tracking_need_is_looked_at(nframes, fps, gap, kept, looked):
    found = plan(np.arange(nframes) / fps)
    assert found.gap == gap and found.kept.tolist() == [gap * number for number in range(kept)]
    assert set(found.kept) <= set(found.looked) and len(found.looked) == looked and (np.diff(found.looked) > 0).all()


def walkers(frames=40):
    """Two people who walk past each other; joints (n, 2, 13, 2)."""
    shape = np.random.default_rng(1).uniform((-30, -100), (30, 100), (13, 2))
    x = np.linspace(100, 500, frames)
    first, second = (np.stack([x, np.full(frames, 200.0)], -1), np.stack([x[::-1], np.full(frames, 210.0)], -1))
    return np.stack([first[:, None] + 1.2 * shape, second[:, None] + 0.8 * shape[::-1]], 1)


def test_people_who_pass_each_other_are_not_mixed_up():
    joints, random = walkers(), np.random.default_rng(0)
    people = [[as_person(joints[frame, who]) for who in random.permutation(2)] for frame in range(40)]
    found = main_person(people, np.arange(40) / 10)
    assert all(np.array_equal(person.joints, joints[frame, 0]) for frame, person in enumerate(found))


def test_short_gaps_are_filled_long_ones_not():
    times = np.arange(60) / 30
    joints = np.broadcast_to(walkers(60)[:, 0], (60, 13, 2)).copy()
    gone = {*range(10, 15), *range(25, 45)}
    persons = [None if frame in gone else as_person(joints[frame]) for frame in range(60)]
    persons[5] = as_person(joints[5] + 300 * (np.arange(13) == 3)[:, None])        # a spike
    track = clean(persons, times)
    assert runs(track.present) == [(0, 25), (45, 60)] and MAX_GAP < 20 / 30
    assert not track.visible[sorted(gone)].any() and not track.visible[5, 3] and track.visible[5, 4]
    np.testing.assert_allclose(track.joints[track.present], joints[track.present], atol=1e-6)


def test_a_joint_hidden_at_first_is_held():
    joints = np.broadcast_to(walkers(60)[:1, 0], (60, 13, 2)).copy()
    visible = np.ones((60, 13), bool)
    visible[:5, 4] = visible[50:, 6] = visible[:40, 8] = False
    persons = [as_person(joints[frame] + 80 * ~seen[:, None], seen) for frame, seen in enumerate(visible)]
    track = clean(persons, np.arange(60) / 30)
    np.testing.assert_array_equal(track.visible, visible)
    wrong = np.abs(track.joints - joints).max(-1) > 1e-6
    assert set(np.argwhere(wrong)[:, 1]) == {8} and wrong[:, 8].sum() == 40 - 15          # longer than that: the guess


def test_noise_is_smoothed_and_motion_stays(drawn):
    truth, random = drawn[1], np.random.default_rng(0)
    noisy = truth + random.normal(0, NOISE, truth.shape)
    track = clean([as_person(pose) for pose in noisy], np.arange(NFRAMES) / FPS)
    before, after = (np.sqrt(np.square(poses - truth).mean()) for poses in (noisy, track.joints))
    assert after < 0.8 * before
    exact = clean([as_person(pose) for pose in truth], np.arange(NFRAMES) / FPS)
    assert np.abs(exact.joints - truth).mean() < 0.7


# ---- tables ----

@pytest.mark.parametrize("text, message", [
    ("", ": empty"), ("one.mp4,hop\n", "there is no column 'file'"), ("file,action\n", "no row below"),
    ("file,action,speed\na,b,c\n", ":1: 'speed' is no column"), ("file,action\na\n", ":2: 1 fields, the first line has 2"),
    ("file,action\n,b\n", ":2: file is missing"), ("file,action\na,\n", ":2: action is missing"),
    ('file,action\na,"b,c"\n', "holds a comma"), ("file,action,start\na,b,soon\n", ":2: start is 'soon', expected seconds"),
    ("file,action,start,end\na,b,3,2\n", ":2: the end, 2 s, is not after the start, 3 s"),
    ("file,action,split\na,b,dev\n", ":2: split is 'dev'"), ("file,action\na,b\na,c\n", ":3: the same part of a is already in"),
    ("file,action,action\na,b,c\n", "column 'action' is there twice"), ('file,action\n"a,b\n', "not a CSV of actions")])
def test_what_is_wrong_with_the_actions(tmp_path, text, message):
    path = tmp_path / "actions.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_actions(path)
    assert message in str(error.value) and str(path) in str(error.value)


def test_splits_and_names(tmp_path):
    path = tmp_path / "actions.csv"
    path.write_text("file,action\n" + "".join(f"{number}.mp4,hop\n" for number in range(7)) + "a/x,y.mp4,z\n".replace(",y", " y")
                    + "b/x y.mov,z\nx y.mp4,once\n")
    clips = read_actions(path)
    assert [clip.name for clip in clips if not clip.train] == ["0004", "x_y_2"]
    assert [clip.name for clip in clips[6:]] == ["0006", "x_y", "x_y_2", "x_y_3"]


@pytest.mark.parametrize("text, message", [
    ("", "expected a first line"), ("frame,joint,x\n1,head,2\n", "expected a first line"),
    ("frame,joint,x,y\n0,head,1,2\n", ":2: frame is '0', expected a number; the first frame is 1"),
    ("frame,joint,x,y\n1,tail,1,2\n", ":2: joint is 'tail'"), ("frame,joint,x,y\n1,13,1,2\n", ":2: joint is '13'"),
    ("frame,joint,x,y\n1,0,nan,2\n", ":2: x is nan"), ("frame,joint,x,y\n1,0,1,two\n", ":2: y is 'two'"),
    ("frame,joint,x,y\n1,0,1,2\n1,head,1,2\n", ":3: head of frame 1 is there twice"),
    ("frame,joint,x,y,visible\n1,0,1,2,maybe\n", ":2: visible is 'maybe'"), ("frame,joint,x,y\n1,0,1\n", ":2: 3 fields")])
def test_what_is_wrong_with_joints(tmp_path, text, message):
    path = tmp_path / "joints.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_csv(path)
    assert message in str(error.value)


FIELDS = st.sampled_from(["file", "action", "start", "end", "split", "frame", "joint", "x", "y", "visible", "a.mp4", "1", "head",
                          "1:30", "-1", "nan", "1e9", "", '"', "train"]) | st.text(max_size=4) | st.floats().map(str)
TABLES = st.lists(st.lists(FIELDS, min_size=1, max_size=6).map(",".join), max_size=5).map("\n".join)


@given(st.sampled_from(["", "file,action\n", "file,action,start,end,split\n", "frame,joint,x,y\n", "frame,joint,x,y,visible\n"]),
       TABLES.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=40))
def test_any_table_is_read_or_one_clear_error(tmp_path_factory, header, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(header.encode() + data)
    for read in (read_actions, lambda path: read_csv(path, (480, 640))):
        try:
            found = read(path)
        except UserError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
            continue
        if isinstance(found, list):
            assert all(clip.start < clip.end and isinstance(clip.train, bool) for clip in found)
            assert len({clip.name.lower() for clip in found}) == len(found)
        else:
            assert found[0].shape == (*found[1].shape, 2) and np.isfinite(found[0][found[1]]).all()


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=30), st.floats(0.05, 1))
def test_any_damage_of_a_video_is_told_or_shown(videos, tmp_path_factory, damage, part):
    data = bytearray((videos / "two.mp4").read_bytes())
    for place, value in damage:
        data[int(place * (len(data) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "any.mp4"
    path.write_bytes(data[:int(part * len(data))])
    try:
        index = read_index(path)
        for _, picture, _ in read_frames(path, index, range(0, len(index.times), 9), longest_side=64):
            assert picture.dtype == np.uint8 and picture.ndim == 3
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error)


