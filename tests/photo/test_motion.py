"""Somebody else's motion instead of an action: how it is read, carried over and timed."""
import json

import numpy as np
import pytest
from helpers import Links
from studio import SIZE, STEPS, Bright, Studio, film, frames_of, in_film, make_weights, pose_in

import train_actvae
import train_actvae_p2inetwork as script
from dataset.penn_layout import label_bytes
from photo.motion_file import read_motions
from photo.options import MotionOptions
from photo.timing import closed
from pose import DETECTORS
from pose.pose_file import read_about, read_poses, write_pose, write_poses
from pose.retarget import bones_of, retarget
from pose.skeleton import STANDING
from utils.files import write_npz


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """kind -> pretrained folder without a pose module."""
    folder = make_weights(tmp_path_factory.mktemp("weights") / "cutout", "cutout")
    for path in folder.glob("im_encode_*.pt"):
        path.unlink()
    assert {path.name for path in folder.glob("*.pt")} == {"generator.pt", "classifier.pt"}
    return {"cutout": folder}


@pytest.fixture
def studio(tmp_path, weights, run_script, monkeypatch):
    monkeypatch.setitem(DETECTORS, "bright", f"{Bright.__module__}:Bright")
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
    outcome = studio.run(*argv, action=None, **others)
    assert outcome.status == 0, outcome.err
    path = studio.out / f"me_{name}_1.json"
    return read_poses(path)[0], read_about(path)


ALL = ("--steps", 1000)


def test_poses_without_retargeting(studio):
    motion = walking(pose_in(SIZE)) + 0.3
    write_poses(studio.motion, motion)
    outcome = studio.made("--motion", studio.motion, "--retarget", "none", *ALL, action=None)
    assert outcome.warnings == ["dance: the frame rate of this motion is not known: 8 poses a second, or --fps F"]
    joints, about = read_poses(studio.out / "me_dance_1.json")[0], read_about(studio.out / "me_dance_1.json")
    assert np.abs(joints[0] - pose_in(SIZE)).max() < 0.01, "a clip begins with the photo"
    assert np.abs(joints[1:] - motion[1:]).max() < 0.01
    assert about["fps"] == 8
    clip = frames_of(studio.out / "me_dance_1_whole.mp4")
    assert len(clip) == 6 and np.abs(clip[-1].astype(int) - clip[0]).max() > 30, "the picture moves"
    links = Links(studio.out / "index.html").found
    assert set(links) == {f"me_dance_1{end}" for end in (".mp4", "_whole.mp4", ".jpg", ".json")} | {"me_pose.jpg"}
    assert "Motion of dance.json, as it is" in (studio.out / "index.html").read_text()


@pytest.mark.parametrize("main", [script.main, train_actvae.main], ids=["rendered", "drawn"])
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


def test_only_rendering_a_motion_needs_weights(studio, run_script):
    write_poses(studio.motion, walking(pose_in(SIZE)))
    argv = ("--config", studio.weights["cutout"] / "config.yaml", "--name", "_me", "--output_path", studio.folder, "--test",
            "--image", studio.photo, "--pose", studio.pose, "--motion", studio.motion, "--out", studio.out)
    assert run_script(train_actvae.main, *argv).status == 0
    assert (studio.out / "me_dance_1.mp4").exists()
    outcome = run_script(script.main, *argv)
    assert outcome.status == 2 and "--test needs weights to render with" in outcome.err
    outcome = studio.run()
    assert outcome.status == 2 and "im_encode_content.pt: this checkpoint file is missing" in outcome.err, "an action needs it"


def test_the_person_in_a_video_is_found(studio):
    film(studio.folder / "a film.mp4")
    argv = ("--motion", studio.folder / "a film.mp4", "--detector", "bright")
    joints, about = carried(studio, *argv, *ALL, name="a_film")
    assert about["fps"] == 10 and joints.shape == (12, 13, 2)
    assert np.abs(joints - retarget(in_film(range(12)), pose_in(SIZE))).max() < 0.6
    assert len(frames_of(studio.out / "me_a_film_1.mp4", 10)) == 12
    joints, about = carried(studio, *argv, *ALL, "--fps", 5, name="a_film")
    assert about["fps"] == 5 and np.abs(joints - retarget(in_film(range(0, 12, 2)), pose_in(SIZE))).max() < 0.6


def test_a_person_who_appears_late_or_is_hidden(studio):
    film(studio.folder / "film.mp4", 20, missing=(0, 1, *range(8, 16)))
    outcome = studio.run("--motion", studio.folder / "film.mp4", "--detector", "bright", *ALL, action=None)
    assert any("nobody is found for 0.9 s in the middle" in text for text in outcome.warnings)
    joints, _ = read_poses(studio.out / "me_film_1.json")
    assert len(joints) == 18 and np.abs(joints - retarget(in_film(range(2, 20)), pose_in(SIZE))).max() < 0.6
    film(studio.folder / "film.mp4", 5, missing=range(5))
    studio.out = studio.folder / "nobody"
    studio.refused("film.mp4: nobody is found in it", "--motion", studio.folder / "film.mp4", "--detector", "bright", action=None)


def test_a_part_of_a_video_after_its_title_and_another_person(studio):
    film(studio.folder / "film.mp4", 20, missing=range(5))
    argv = ("--motion", studio.folder / "film.mp4", "--detector", "bright", "--retarget", "none", "--name", "_me")
    length = [word for word in studio.argv(*argv, action=None) if word not in ("--steps", STEPS)]
    for options, frames in ((("--seconds", 1), range(5, 16)), (("--motion_start", 0.8, "--motion_end", 1.2), range(8, 13))):
        outcome = studio.run_script(script.main, *length, *options)
        assert outcome.status == 0, outcome.err
        joints, _ = read_poses(studio.out / "me_film_1.json")
        assert joints.shape[0] == len(frames) and np.abs(joints[1:] - in_film(frames)[1:]).max() < 1
    studio.out = studio.folder / "other"
    studio.refused("nobody with the number --motion_person 2 is found", *argv, "--motion_person", 2, action=None)


def test_a_portrait_moves_its_arms_alone(studio):
    """The legs are outside the photo."""
    pose = STANDING * 180 + (80, 10)
    write_pose(studio.pose, pose, pose[:, 1] <= SIZE[0])
    arms, legs = np.repeat(pose[None], 4, 0), np.repeat(pose[None], 4, 0)
    arms[1:, 5] -= 0, 60
    legs[1:, 7:] -= 0, 60
    argv = ["--motion", studio.motion, "--fps", 8]
    write_poses(studio.motion, legs)
    studio.refused("me.png: dance needs left_knee, right_knee, outside the photo: take another action "
                   "or photo, or --force", *argv, action=None)
    studio.made(*argv, "--force", action=None)
    write_poses(studio.motion, arms)
    outcome = studio.made(*argv, action=None)
    assert [line for line in outcome.warnings if "outside" in line] == [
        f"{studio.photo}: left_knee, right_knee, left_ankle, right_ankle outside the photo"]


def test_a_folder_of_motions_or_of_single_poses(studio):
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


# Penn Action's joints in the order of OpenPose, which has a neck
OPENPOSE = [0, None, 1, 3, 5, 2, 4, 6, 7, 9, 11, 8, 10, 12, 0, 0, 0, 0]
WALK = walking(pose_in(SIZE), 9)
GAPS = (2, 5, 6)


def write_openpose(folder, number, pose, key="pose_keypoints_2d", size=3):
    """The file of one frame; without a pose nobody is in it. Keypoints are x, y and, if their size is 3, a score."""
    points = [[0, 0, 0] if joint is None else [*pose[joint], 0.9] for joint in OPENPOSE] if pose is not None else []
    people = [{key: [value for point in points for value in point[:size]]}] if points else []
    (folder / f"clip2_{number:04d}_keypoints.json").write_text(json.dumps({"people": people}))


def write_gaps(folder, kind):
    """WALK without the frames GAPS, as another program writes it; returns what to give to --motion."""
    kept = {7 * (kind == "every 7th") * number or number: pose for number, pose in enumerate(WALK) if number not in GAPS}
    if kind == "alphapose":
        coco = [0] * 5 + [2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11]
        people = [{"image_id": f"{number}.jpg", "keypoints": [value for at in coco for value in (*(scale * pose[at]), 0.8)]}
                  for number, pose in kept.items() for scale in (0.2, 1)]
        (folder / "0.json").write_text(json.dumps(people))
        return folder / "0.json"
    if kind == "keypoint list":
        lines = ["name:keypoints_y:keypoints_x"]
        for number, pose in enumerate(WALK):
            places = [[-1, -1] if joint is None or number in GAPS else pose[joint].tolist() for joint in OPENPOSE]
            lines.append(f"clip_{number}.jpg: {[y for _, y in places]}: {[x for x, _ in places]}")
        (folder / "list.csv").write_text("\n".join(lines) + "\n")
        return folder / "list.csv"
    for number, pose in kept.items():
        write_openpose(folder, number + 8, pose, "pose_keypoints" + "_2d" * (kind != "openpose 1.1"), 3 - (kind == "no scores"))
    for number in GAPS if kind == "nobody" else ():
        write_openpose(folder, number + 8, None)
    return folder


@pytest.mark.parametrize("kind", ["numbers", "every 7th", "nobody", "openpose 1.1", "no scores", "alphapose", "keypoint list"])
def test_gaps_are_filled_and_reported(tmp_path, kind):
    with pytest.warns(UserWarning, match=r": nobody was found in 3 of 9 frames \(3, 6, 7\); poses in between are interpolated"):
        motion, = read_motions(MotionOptions(motion=write_gaps(tmp_path, kind), steps=100), None)
    expected = WALK.copy()
    for number in GAPS:
        before, after = max(set(range(number)) - set(GAPS)), min(set(range(number, 9)) - set(GAPS))
        expected[number] = WALK[before] + (WALK[after] - WALK[before]) * (number - before) / (after - before)
    assert np.abs(motion.joints - expected).max() < 1e-6


def test_nobody_in_any_frame(studio):
    path = studio.folder / "poses.json"
    path.write_text(json.dumps([[[-1, -1]] * 13] * 3))
    studio.refused("poses.json: nobody was found in any frame", "--motion", path, action=None)


def test_hidden_joints_of_an_annotation_that_lie_nowhere_are_estimated(tmp_path):
    """At the origin or outside of the frame; a hidden joint elsewhere counts."""
    joints, visible = WALK.copy(), np.ones((9, 13), bool)
    joints[:4, 6], joints[7, 5], visible[:4, 6], visible[7, 5], visible[:, 3] = (0, 0), (-37, 20), False, False, False
    (tmp_path / "4.mat").write_bytes(label_bytes("wave", "front", joints, SIZE[::-1], True, visible))
    with pytest.warns(UserWarning, match="missing joints were estimated from the others: left_wrist in 1, right_wrist in 4 of 9"):
        motion, = read_motions(MotionOptions(motion=tmp_path / "4.mat", steps=100), None)
    known = np.ones((9, 13), bool)
    known[:4, 6] = known[7, 5] = False
    np.testing.assert_array_equal(motion.joints[known], WALK[known])
    assert np.abs(motion.joints - WALK)[~known].max() < 40


def test_poses_saved_by_a_test(studio):
    motion = walking(pose_in((2, 2)) - 1) * (0.05, 0.05)
    write_npz(studio.folder / "poses.npz", samples=np.stack([motion[1:], motion[:0:-1]])[:, None],
              truth=motion[None].repeat(2, 0), action=np.array(["wave", "jump"]), video=np.array(["0007", "0008"]),
              frame=np.array([3, 9]))
    joints, _ = carried(studio, "--motion", studio.folder / "poses.npz", *ALL, name="0007_3")
    assert np.abs(joints - retarget(motion, pose_in(SIZE))).max() < 0.02
    assert (studio.out / "me_0008_9_1.mp4").exists()


@pytest.mark.parametrize("name, content, argv, message", [
    ("none.json", None, (), "there is no such file"), ("a.txt", "x", (), "expected a video (.3gp"),
    ("a.json", "[]", (), "expected a list of poses"), ("a.json", "[null, null]", (), "nobody was found in any frame"),
    ("a.json", json.dumps([[[1, 2]] * 13]), (), "a motion needs two poses at least"),
    ("a.json", json.dumps({"fps": "x", "poses": [[[1, 2]] * 13] * 2}), (), "fps is 'x'"),
    ("a.json", json.dumps({"photo": {"width": 300, "height": 900}, "poses": [[[1, 2]] * 13] * 2}), ("--retarget", "none"),
     "are pixels of 300 x 900 pictures, the photo has 161 x 120"),
    ("a.npz", "x", (), "not the poses of a test"), ("a.mp4", "x", (), "cannot be opened")])
def test_motions_that_cannot_be_used(studio, name, content, argv, message):
    path = studio.folder / "bad" / name
    path.parent.mkdir()
    if content is not None:
        path.write_text(content)
    studio.refused(message, "--motion", path, *argv, action=None)


def test_a_folder_without_motions(studio):
    (studio.folder / "moves").mkdir()
    write_pose(studio.folder / "moves" / "one_pose.json", pose_in(SIZE))
    studio.refused("neither motions nor several poses", "--motion", studio.folder / "moves", action=None)


def test_a_motion_ends_near_the_first_pose():
    """A round of ten steps, which ends not quite at the first pose, in a motion that goes on."""
    turns = 2 * np.pi * np.arange(17) / 10
    centre = np.random.default_rng(0).uniform(0, 100, (13, 2))
    motion = centre + 5 * np.stack([np.cos(turns), np.sin(turns)], -1)[:, None] + 0.01 * np.arange(17)[:, None, None]
    part, distance = closed(motion)
    assert len(part) == 10 and distance == pytest.approx(0.1 * 2 ** 0.5 / np.ptp(motion[0], 0).max())
    np.testing.assert_array_equal(part[0], motion[0])
    steps = np.linalg.norm(np.diff(part, axis=0, append=part[:1]), axis=-1)
    np.testing.assert_allclose(steps, 10 * np.sin(np.pi / 10), rtol=1e-9)      # also the step back to the beginning
    assert len(closed(np.repeat(motion[:1], 9, 0))[0]) == 3, "a third at least"
    assert closed(motion[:2])[0].shape == (2, 13, 2) and len(closed(motion[:3])[0]) == 2
