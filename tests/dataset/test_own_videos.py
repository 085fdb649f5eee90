"""What users' own videos do: cuts, other frame rates, poses on trees, odd containers and tables."""
import json

import av
import numpy as np
import pytest
from from_video_scene import FPS, NFRAMES, FakeDetector, as_person
from PIL import Image

from dataset.from_video.checks import doubt
from dataset.from_video.poses import find_poses, read_csv
from dataset.from_video.reading import read_frames, read_index
from dataset.image_loader2 import PennActionPairs
from dataset.penn_action import build, read_annotation
from dataset.synthetic.people import draw_video
from photo.statistics import measure
from pose.pose_file import write_poses
from pose.skeleton import JOINTS, STANDING
from utils.media import write_gif, write_mp4

pytest_plugins = ["from_video_scene"]
ONE = "file,action\none.mp4,hop\n"


def report(scene):
    return (scene.out / "report.txt").read_text()


def test_a_folder_of_poses_must_have_some(scene, drawn):
    (scene.folder / "poses").mkdir()
    write_poses(scene.folder / "poses/other.json", drawn[1][:1])
    outcome = scene.run(ONE, "--poses", scene.folder / "poses")
    assert outcome.status == 2 and "there are no poses of the videos in this folder" in outcome.err
    (scene.folder / "poses/other.json").rename(scene.folder / "poses/two.json")
    assert scene.run(ONE, "--poses", scene.folder / "poses").status == 0
    assert "poses from blazepose" in report(scene)


def jumping(joints, random):
    return random.permutation(joints)


def frozen(joints, random):
    """Joints in wrong places, which do not move: a skeleton on a tree."""
    return joints[[11, 5, 2, 12, 9, 1, 0, 8, 3, 10, 4, 7, 6]]


@pytest.mark.parametrize("change, reason", [(jumping, "arms and legs change their length"),
                                            (frozen, "arms or legs are far too long")])
def test_doubtful_poses_are_left_out(scene, change, reason):
    detect, random = scene.detector.detect, np.random.default_rng(0)
    scene.detector.flaky = False
    scene.detector.detect = lambda picture: [person._replace(joints=change(person.joints, random)) for person in detect(picture)]
    outcome = scene.run(ONE)
    assert outcome.status == 2 and "error: " in outcome.err and "see sheets/one.jpg" in outcome.err
    assert f"one (hop, left out): 0 frames kept of {NFRAMES}" in report(scene) and reason in report(scene)
    assert (scene.out / "sheets/one.jpg").is_file() and not list(scene.out.glob("labels/*"))
    assert reason in (scene.out / "index.html").read_text()
    outcome = scene.run(ONE, "--keep_doubtful")
    assert outcome.status == 0 and "one (hop, train): 33 frames kept" in report(scene) and "doubtful from 0.0 s" in report(scene)
    assert len(read_annotation(scene.out / "labels/one.mat").joints) == 33


def test_a_leap_is_doubtful():
    stay = np.repeat(100 * STANDING[None], 10, 0)
    assert doubt(stay) is None and doubt(stay + np.arange(10)[:, None, None] * (20, 0)) is None
    assert doubt(stay + (np.arange(10) > 4)[:, None, None] * (90, 0)) == "the person leaps to another place"


def test_a_clip_is_split_at_a_cut(scene, drawn):
    """The second shot shows the person twice as large."""
    pictures, joints = drawn[0].copy(), drawn[1].copy()
    h, w = pictures.shape[1:3]
    for number in range(31, NFRAMES):
        near = Image.fromarray(pictures[number]).resize((w, h), Image.Resampling.BICUBIC, (w / 4, 0, 3 * w / 4, h / 2))
        pictures[number] = 255 - np.asarray(near)
        joints[number] = (joints[number] - (w / 4, 0)) * 2
    write_mp4(scene.folder / "cut.mp4", pictures, FPS)
    scene.detector = FakeDetector(pictures, joints, flaky=False)
    detect = scene.detector.detect
    scene.detector.detect = lambda picture: [max(detect(picture), key=lambda person: person.size)]
    outcome = scene.run("file,action\ncut.mp4,hop\n", videos=[scene.folder / "cut.mp4"])
    assert outcome.status == 0, outcome.err
    assert "split at 1.1 s, at a cut" in report(scene)
    for part, known in (("cut", range(0, 31, 2)), ("cut.2", range(32, 66, 2))):
        label = read_annotation(scene.out / f"labels/{part}.mat")
        assert np.abs(label.joints - joints[known]).mean() < 4


@pytest.mark.parametrize("fps", [60, 10])
def test_the_frame_rate_is_kept(scene, drawn, fps):
    write_mp4(scene.folder / "one.mp4", drawn[0], fps)
    assert scene.run(ONE + "two.mp4,rest\n", videos=[scene.folder / "one.mp4", scene.videos / "two.mp4"]).status == 0
    assert json.loads((scene.out / "rates.json").read_text()) == {"one": fps / 2, "two": FPS}
    build(scene.out, scene.out / "lists", actions=("hop", "rest"))
    pairs = PennActionPairs(scene.out / "lists/training_pair_penn5.txt", scene.out, 32, images=False, actions=("hop", "rest"))
    found = measure([pairs.rows], pairs.frame_rates(30), 5)
    assert found.fps_of("hop") == pytest.approx(fps / 2) and found.fps_of("rest") == pytest.approx(FPS)


def test_the_split_is_decided_among_the_clips_that_can_be_used(scene):
    names = ["one", "two", "bad", "bad2", "bad3"]
    for name in names[2:]:
        write_mp4(scene.folder / f"{name}.mp4", np.zeros((3, 32, 32, 3), np.uint8), FPS)
    csv = "file,action\n" + "".join(f"{name}.mp4,hop\n" for name in ["one", "bad", "bad2", "bad3"])
    outcome = scene.run(csv, videos=[scene.folder, scene.videos])
    assert outcome.status == 1 and "one (hop, train)" in report(scene) and read_annotation(scene.out / "labels/one.mat").train
    csv = "file,action\n" + "".join(f"{name}.mp4,hop\n" for name in names)
    assert scene.run(csv, videos=[scene.folder, scene.videos]).status == 1
    assert "one (hop, train)" in report(scene) and "two (hop, test)" in report(scene)
    assert not read_annotation(scene.out / "labels/two.mat").train


def test_gifs_are_videos(scene, drawn):
    write_gif(scene.folder / "jump.gif", drawn[0][:20, ::2, ::2], 10, photo=True)
    detect = scene.detector.detect
    scene.detector.detect = lambda picture: [as_person(person.joints / 2, person.visible) for person in detect(picture)]
    outcome = scene.run("file,action\njump.gif,hop\n", videos=[scene.folder])
    assert outcome.status == 0 and "jump (hop, train): 20 frames kept of 20; " in report(scene), outcome.err
    assert json.loads((scene.out / "rates.json").read_text()) == {"jump": 10}


def test_b_frames_in_an_avi_come_in_order(tmp_path):
    """This container has no presentation time stamps: those of the packets are in the order of decoding."""
    pictures = np.stack([picture[::2, ::2, ::-1] for picture in draw_video(7, "jumping_jacks", 0, (40, 40))[0]])
    with av.open(str(tmp_path / "b.avi"), "w") as video:
        stream = video.add_stream("libx264", rate=FPS, options={"bf": "3"})
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        video.mux(stream.encode())
    index = read_index(tmp_path / "b.avi")
    assert len(index.times) == 40 and np.median(np.diff(index.times)) == pytest.approx(1 / FPS)
    for wanted in (range(40), [25, 39]):
        found = list(read_frames(tmp_path / "b.avi", index, wanted))
        assert [number for number, *_ in found] == list(wanted)
        assert all(np.abs(pictures[number].astype(int) - picture).mean() < 6 for number, picture, _ in found)


def test_a_pause_of_the_recording_splits_the_clip(scene, drawn):
    with av.open(str(scene.folder / "pause.mkv"), "w") as video:
        stream = video.add_stream("libx264", rate=FPS)
        stream.height, stream.width = drawn[0].shape[1:3]
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(drawn[0][:30]):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number + 60 * (number >= 12)
            video.mux(stream.encode(frame))
        video.mux(stream.encode())
    assert scene.run("file,action\npause.mkv,hop\n", videos=[scene.folder]).status == 0
    lengths = [len(read_annotation(scene.out / f"labels/{part}.mat").joints) for part in ("pause", "pause.2")]
    assert lengths == [12, 18]


# ---- tables ----

def test_a_list_of_actions_beside_its_video_is_no_pose_file(tmp_path):
    (tmp_path / "dance.csv").write_text("file,action\ndance.mp4,dance\n")
    assert find_poses(tmp_path / "dance.mp4") is None
    (tmp_path / "dance.csv").write_text("frame,joint,x,y\n1,head,2,3\n")
    assert find_poses(tmp_path / "dance.mp4") == tmp_path / "dance.csv"


def test_actions_of_a_german_spreadsheet(scene):
    outcome = scene.run("\ufefffile;action;start;end;split\r\none.mp4;hop;0,5;1,5;train\r\n")
    assert outcome.status == 0 and "one_0_5-1_5s (hop, train): 30 frames kept" in report(scene), outcome.err


POSE = np.arange(26).reshape(13, 2) + 10.5


def wide(separator, point, rows):
    """A table with a row for each frame, from frame 0 on."""
    names = ["frame", *(f"{joint}_{axis}" for joint in JOINTS for axis in "xy")]
    lines = [names, *([str(number), *texts] for number, texts in enumerate(rows))]
    return "\n".join(separator.join(line).replace(".", point) for line in lines) + "\n"


@pytest.mark.parametrize("separator, point, gap", [(",", ".", ""), (",", ".", "NaN"), (";", ",", ""), ("\t", ".", "nan")])
def test_tables_with_gaps(tmp_path, separator, point, gap):
    values = [f"{value:.2f}" for value in POSE.ravel()]
    rows = [values, [gap] * 26, [gap, gap, *values[2:]]]
    (tmp_path / "a.csv").write_text(wide(separator, point, rows), encoding="utf-8-sig")
    joints, visible = read_csv(tmp_path / "a.csv")
    np.testing.assert_allclose(joints[0], POSE)
    assert visible[0].all() and np.isnan(joints[1]).all() and not visible[1].any()
    assert np.isfinite(joints[2]).all() and not visible[2, 0] and visible[2, 1:].all()
