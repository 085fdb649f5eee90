"""Somebody else's motion instead of an action: where it comes from, how it is carried over, and how fast it is."""
import json

import numpy as np
import pytest
from helpers import Links
from PIL import Image
from studio import SIZE, Studio, draw_photo, frames_of, make_weights, pose_in, standing_in

import train_actvae
import train_actvae_p2inetwork as script
from dataset.penn_layout import label_bytes
from photo.motion_file import Motion, at_times, in_time, read_motions
from photo.options import PhotoRequest
from photo.photo_file import read_photo
from pose import DETECTORS
from pose.detector import Detector, Person
from pose.pose_file import read_about, read_poses, write_pose, write_poses
from pose.retarget import bones_of, retarget
from utils.files import unused_name, write_npz
from utils.media import write_mp4


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """kind -> pretrained folder, whose pose module is missing."""
    folder = make_weights(tmp_path_factory.mktemp("weights") / "limb_warp", "limb_warp")
    for path in folder.glob("im_encode_*.pt"):
        path.unlink()
    assert {path.name for path in folder.glob("*.pt")} == {"generator.pt", "classifier.pt"}
    return {"limb_warp": folder}


@pytest.fixture
def studio(tmp_path, weights, run_script):
    studio = Studio(tmp_path, weights, run_script)
    studio.motion = tmp_path / "dance.json"
    return studio


def walking(pose, steps=6):
    """A pose that walks to the right by 2 pixels a step and swings an arm, (steps, 13, 2)."""
    motion = np.repeat(pose[None], steps, 0) + np.stack([2.0 * np.arange(steps), np.zeros(steps)], -1)[:, None]
    motion[:, 5] += np.stack([np.arange(steps), -1.5 * np.arange(steps)], -1)
    return motion


def carried(studio, *argv, name="dance", **others):
    """The poses of a clip and what its file tells, after a run with `--motion`."""
    outcome = studio.run("--samples", 1, *argv, action=None, **others)
    assert outcome.status == 0, outcome.err
    path = studio.out / f"me_{name}_1.json"
    return read_poses(path)[0], read_about(path)


ALL = ("--steps", 1000)


def test_poses_as_they_are_are_painted_where_they_are(studio):
    motion = walking(pose_in(SIZE)) + 0.3
    write_poses(studio.motion, motion)
    joints, about = carried(studio, "--motion", studio.motion, "--retarget", "none", *ALL)
    assert np.abs(joints[0] - pose_in(SIZE)).max() < 0.01, "a clip begins with the photo"
    assert np.abs(joints[1:] - motion[1:]).max() < 0.01
    assert about["fps"] == 8
    clip = frames_of(studio.out / "me_dance_1_whole.mp4")
    assert len(clip) == 6 and np.abs(clip[-1].astype(int) - clip[0]).max() > 30, "the picture moves"
    links = Links(studio.out / "index.html").found
    assert set(links) == {f"me_dance_1{end}" for end in (".mp4", "_whole.mp4", ".jpg", ".json")} | {"me_pose.jpg"}
    assert "Motion of dance.json, as it is" in (studio.out / "index.html").read_text()


@pytest.mark.parametrize("main", [script.main, train_actvae.main], ids=["painted", "drawn"])
def test_a_motion_is_carried_over_with_its_frame_rate(studio, main):
    """Another person, larger and elsewhere; the photo's bone lengths stay."""
    motion = walking(3 * pose_in(SIZE) + 50)
    write_poses(studio.motion, motion, {"fps": 15})
    joints, about = carried(studio, "--motion", studio.motion, *ALL, main=main)
    assert np.abs(joints - retarget(motion, pose_in(SIZE))).max() < 0.01 and about["fps"] == 15
    lengths = np.abs(bones_of(joints))
    assert np.abs(np.delete(lengths, 8, 1) - np.delete(lengths[:1], 8, 1)).max() < 0.05, "only the forearm 3-5 was drawn out"
    assert np.abs(joints[-1, 0] - joints[0, 0] - (10 / 3, 0)).max() < 0.05, "the path is scaled"
    assert len(frames_of(studio.out / "me_dance_1.mp4", 15)) == 6


def test_the_mean_place_may_correspond_to_the_photo(studio):
    motion = walking(pose_in(SIZE))
    write_poses(studio.motion, motion)
    joints, _ = carried(studio, "--motion", studio.motion, "--align", "mean", *ALL)
    assert len(joints) == 6 and np.abs(joints[0] - pose_in(SIZE)).max() < 0.01
    assert np.abs(joints - retarget(motion, pose_in(SIZE), "mean", fade=5)).max() < 0.01
    assert np.abs(joints[-1, 0] - pose_in(SIZE)[0] - (5, 0)).max() < 0.2, "half of its 10 pixels"


def test_drawing_a_motion_needs_no_weights_and_painting_does(studio, run_script):
    write_poses(studio.motion, walking(pose_in(SIZE)))
    argv = ("--config", studio.weights["limb_warp"] / "config.yaml", "--name", "_me", "--output_path", studio.folder, "--test",
            "--image", studio.photo, "--pose", studio.pose, "--motion", studio.motion, "--out", studio.out)
    assert run_script(train_actvae.main, *argv).status == 0
    assert (studio.out / "me_dance_1.mp4").exists()
    outcome = run_script(script.main, *argv)
    assert outcome.status == 2 and "--test needs weights to paint with" in outcome.err
    outcome = studio.run()
    assert outcome.status == 2 and "im_encode_content.pt: this checkpoint file is missing" in outcome.err, "an action needs it"


class Bright(Detector):
    """A detector that finds a standing person in the box of bright pixels."""

    def __init__(self, weights, device):
        pass

    def detect(self, picture):
        y, x = np.nonzero(picture.min(-1) > 128)
        if not len(x):
            return []
        box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], float)
        return [Person(box, 0.9, standing_in(box), np.ones(13, bool))]


@pytest.fixture
def bright(monkeypatch):
    monkeypatch.setitem(DETECTORS, "bright", f"{__name__}:Bright")


def film(path, frames=12, fps=10, missing=()):
    """A film (120 x 160) of a bright box that moves right by 3 pixels a frame; black frames where it is `missing`."""
    pictures = np.zeros((frames, 120, 160, 3), np.uint8)
    for number, picture in enumerate(pictures):
        if number not in missing:
            picture[30:90, 20 + 3 * number:40 + 3 * number] = 255
    write_mp4(path, pictures, fps)


def in_film(numbers):
    """The poses in some frames of it."""
    return np.stack([standing_in((20 + 3 * number, 30, 40 + 3 * number, 90)) for number in numbers])


def test_the_person_in_a_video_is_found(studio, bright):
    film(studio.folder / "a film.mp4")
    argv = ("--motion", studio.folder / "a film.mp4", "--detector", "bright")
    joints, about = carried(studio, *argv, *ALL, name="a_film")
    assert about["fps"] == 10 and joints.shape == (12, 13, 2)
    assert np.abs(joints - retarget(in_film(range(12)), pose_in(SIZE))).max() < 0.6
    assert len(frames_of(studio.out / "me_a_film_1.mp4", 10)) == 12
    joints, about = carried(studio, *argv, *ALL, "--fps", 5, name="a_film")
    assert about["fps"] == 5 and np.abs(joints - retarget(in_film(range(0, 12, 2)), pose_in(SIZE))).max() < 0.6


def test_a_video_on_its_own_first_frame(studio, bright):
    """How painters are judged: the clip's later poses on its first frame, within a pixel of the poses asked for."""
    film(studio.folder / "film.mp4")
    write_pose(studio.pose, in_film([0])[0])
    joints, _ = carried(studio, "--motion", studio.folder / "film.mp4", "--detector", "bright", "--retarget", "none", *ALL,
                        name="film", photos=[still(studio)])
    assert np.abs(joints - in_film(range(12))).max() < 1


def still(studio):
    Image.fromarray(draw_photo((120, 160))).save(studio.photo)
    assert read_photo(studio.photo).shape == (120, 160, 3)
    return studio.photo


def test_a_person_who_comes_late_or_is_hidden(studio, bright):
    film(studio.folder / "film.mp4", 20, missing=(0, 1, *range(8, 16)))
    outcome = studio.run("--motion", studio.folder / "film.mp4", "--detector", "bright", *ALL, action=None)
    assert any("nobody is found for 0.9 s in the middle" in text for text in outcome.warnings)
    joints, _ = read_poses(studio.out / "me_film_1.json")
    assert len(joints) == 18 and np.abs(joints - retarget(in_film(range(2, 20)), pose_in(SIZE))).max() < 0.6
    film(studio.folder / "film.mp4", 5, missing=range(5))
    studio.out = studio.folder / "nobody"
    studio.refused("film.mp4: nobody is found in it", "--motion", studio.folder / "film.mp4", "--detector", "bright", action=None)


def test_a_folder_holds_a_motion_in_each_file_or_a_pose_in_each(studio):
    folder, motion = studio.folder / "moves", walking(pose_in(SIZE))
    folder.mkdir()
    for number, pose in enumerate(motion):
        write_pose(folder / f"{number:03d}.json", pose)
    joints, _ = carried(studio, "--motion", folder, *ALL, name="moves")
    assert np.abs(joints - retarget(motion, pose_in(SIZE))).max() < 0.05
    write_poses(folder / "one.json", motion)
    write_poses(folder / "two.json", motion[::-1])
    (folder / "3001.mat").write_bytes(label_bytes("wave", "front", motion, (161, 120), True, np.ones((6, 13))))
    joints, _ = carried(studio, "--motion", folder, *ALL, name="3001")
    assert {path.name for path in studio.out.glob("*_1.mp4")} == {f"me_{name}_1.mp4" for name in ("moves", "one", "two", "3001")}
    assert np.abs(joints - retarget(motion, pose_in(SIZE))).max() < 0.02


def test_poses_that_a_test_saved(studio):
    motion = walking(pose_in((2, 2)) - 1) * (0.05, 0.05)
    write_npz(studio.folder / "poses.npz", samples=np.stack([motion[1:], motion[:0:-1]])[:, None],
              truth=motion[None].repeat(2, 0), action=np.array(["wave", "jump"]), video=np.array(["0007", "0008"]),
              frame=np.array([3, 9]))
    joints, _ = carried(studio, "--motion", studio.folder / "poses.npz", *ALL, name="0007_3")
    assert np.abs(joints - retarget(motion, pose_in(SIZE))).max() < 0.02
    assert (studio.out / "me_0008_9_1.mp4").exists()


@pytest.mark.parametrize("name, content, argv, message", [
    ("none.json", None, (), "there is no such file"), ("a.txt", "x", (), "expected a video (.3gp"),
    ("a.json", "[]", (), "expected a list of poses"), ("a.json", "[null, null]", (), "not a single pose in it"),
    ("a.json", json.dumps([[[1, 2]] * 13]), (), "a motion needs two poses at least"),
    ("a.json", json.dumps({"fps": "x", "poses": [[[1, 2]] * 13] * 2}), (), "fps is 'x'"),
    ("a.json", json.dumps({"photo": {"width": 300, "height": 900}, "poses": [[[1, 2]] * 13] * 2}), ("--retarget", "none"),
     "lie in pictures of 300 x 900 pixels, the photo has 161 x 120"),
    ("a.npz", "x", (), "not the poses of a test"), ("a.mp4", "x", (), "cannot be opened")])
def test_motions_that_cannot_be_used(studio, name, content, argv, message):
    path = studio.folder / "bad" / name
    path.parent.mkdir()
    if content is not None:
        path.write_text(content)
    studio.refused(message, "--motion", path, "--samples", 1, *argv, action=None)


def test_motions_of_one_name_are_numbered(studio):
    folder = studio.folder / "moves"
    folder.mkdir()
    for name in ("a!3.json", "a.json"):
        write_poses(folder / name, walking(pose_in(SIZE)))
    (folder / "a.mat").write_bytes(label_bytes("wave", "front", walking(pose_in(SIZE)), (161, 120), True, np.ones((6, 13))))
    motions = read_motions(PhotoRequest([], None, motion=folder), None)
    assert [motion.name for motion in motions] == ["a_3", "a", "a_2"]
    assert unused_name("a", ["A", "b", "a_2"]) == "a_3", "some disks do not distinguish A and a"


def test_a_folder_without_motions(studio):
    (studio.folder / "moves").mkdir()
    write_pose(studio.folder / "moves" / "one_pose.json", pose_in(SIZE))
    studio.refused("neither motions nor several poses", "--motion", studio.folder / "moves", action=None)


def test_time_of_a_motion():
    joints = np.arange(9.0)[:, None, None] * np.ones((13, 2))
    motion, request = Motion("x", joints, 8, None), PhotoRequest([], None)
    assert in_time(motion, request).fps == 8 and np.array_equal(in_time(motion, request).joints, joints)
    slower = in_time(motion, request._replace(fps=4))
    assert slower.fps == 4 and slower.joints[:, 0, 0].tolist() == [0, 2, 4, 6, 8]
    faster = in_time(motion, request._replace(fps=12, seconds=0.5))
    assert faster.fps == 12 and np.allclose(faster.joints[:, 0, 0], np.arange(7) / 1.5)
    unknown = in_time(motion._replace(fps=None), request._replace(fps=4, steps=3))
    assert unknown.fps == 4 and unknown.joints[:, 0, 0].tolist() == [0, 1, 2, 3], "nothing says how fast it was"
    assert in_time(motion._replace(fps=None), request).fps == 8
    joints[3] = np.nan
    assert at_times(joints, np.arange(9))[:, 0, 0].tolist() == list(range(9))


@pytest.mark.parametrize("argv, message", [
    ("--image y --motion z --action a,b", "with --motion give one action at most"),
    ("--image y --motion z --seconds 2 --steps 3", "give only one of them"), ("--motion z", "--motion needs --image"),
    ("--image y --motion z --seconds 0", "--seconds 0: expected more than 0"),
    ("--image y --action z --retarget x", "invalid choice")])
def test_options_of_a_motion(run_script, argv, message):
    outcome = run_script(train_actvae.main, "--config", "config/Penn_actvae.yaml", "--test", *argv.split())
    assert outcome.status == 2 and message in outcome.err
