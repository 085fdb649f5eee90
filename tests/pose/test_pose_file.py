"""Pose files: what is written is read again; any other content is reported in one line with its place."""
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.foreign_poses import MIRRORED, OWN, POSE_FORMATS
from pose.pose_file import read_about, read_people, read_pose, read_poses, write_pose, write_poses
from pose.skeleton import MIRROR, STANDING
from utils.errors import UserError

SIZE = (480, 640)                      # h, w
POSE = [[20.0 * number, 30.0 * number + 1, number % 3 > 0] for number in range(13)]


def written(tmp_path, content):
    path = tmp_path / "pose.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def changed(joint, value):
    return [value if number == joint else point for number, point in enumerate(POSE)]


def test_a_pose_comes_back(tmp_path):
    joints, visible = np.array([point[:2] for point in POSE]), np.array([point[2] for point in POSE])
    path = tmp_path / "pose.json"
    write_pose(path, joints + 0.004, visible)
    again, seen = read_pose(path, SIZE)
    assert np.abs(again - joints).max() < 0.01 and (seen == visible).all()
    assert again.dtype == np.float64 and seen.dtype == bool


def test_poses_of_a_video_come_back_with_gaps(tmp_path):
    joints = np.random.default_rng(0).uniform(0, 400, (5, 13, 2)).round(2)
    joints[2] = np.nan
    visible = np.isfinite(joints[..., 0])
    path = tmp_path / "poses.json"
    write_poses(path, joints)
    again, seen = read_poses(path, SIZE)
    np.testing.assert_array_equal(again, joints)
    np.testing.assert_array_equal(seen, visible)


def test_poses_come_back_with_further_facts(tmp_path):
    joints = np.random.default_rng(0).uniform(0, 400, (3, 13, 2)).round(2)
    path = tmp_path / "poses.json"
    write_poses(path, joints, {"fps": 12.5, "photo": {"file": "a\"b.jpg"}})
    np.testing.assert_array_equal(read_poses(path, SIZE)[0], joints)
    assert read_about(path) == {"fps": 12.5, "photo": {"file": "a\"b.jpg"}}
    assert len(path.read_text().splitlines()) == 2 + 3
    write_poses(path, joints)
    assert read_about(path) == {}


def test_joints_on_the_edge_and_hidden_ones_outside(tmp_path):
    for joint, size in (([640, 480, True], SIZE), ([-600, 900, False], SIZE), ([-600, 900, True], None)):
        joints, visible = read_pose(written(tmp_path, changed(3, joint)), size)
        assert [*joints[3], visible[3]] == joint


@pytest.mark.parametrize("content, message", [
    ("", ":1:1: not JSON"), ("[1, 2", ":1:6: not JSON"),
    ("{}", "an object without people (OpenPose), annotations or keypoints (COCO)"),
    ("7", "a pose is a list of keypoints, 13 (Penn Action), 17 (COCO), 18 or 25 (OpenPose) of them, got 7"),
    ([[None, None]] * 13, "nobody is in it"), ([[0, 0, 0]] * 13, "nobody is in it"), ([], "got a list of 0"),
    (POSE[:3] + [None] * 10, "only 3 of 13 joints are known; 4 or more are needed"),
    ([1.5] * 40, "40 numbers are not x, y or x, y, score of 13 (Penn Action)"),
    ("[" * 100_000, "not a pose file"), ("[" + "1" * 10_000 + "]", "not a pose file"), ("\x00", "not JSON"),
    (POSE[:12], "got a list of 12"), (POSE + POSE[:1], "got a list of 14"), ([POSE] * 3, "got a list of 3"),
    (changed(3, [1]), "joint 3 (left_elbow): expected [x, y], [x, y, visible] or [x, y, score], got a list of 1"),
    (changed(3, "x"), 'joint 3 (left_elbow): expected [x, y], [x, y, visible] or [x, y, score], got "x"'),
    (changed(3, [True, 2]), "joint 3 (left_elbow): x is true, expected a number"),
    (changed(3, [1, "2"]), 'joint 3 (left_elbow): y is "2", expected a number'),
    (changed(3, [float("inf"), 1]), "joint 3 (left_elbow): x is Infinity, expected a number"),
    (changed(3, [10 ** 400, 1]), "joint 3 (left_elbow): x is 1000"),
    (changed(3, [1, 2, "yes"]), 'joint 3 (left_elbow): the third value is "yes"'),
    (changed(3, [1, 2, 14.5]), "joint 3 (left_elbow): the third value is 14.5, expected a visibility (true, false, "),
    (changed(3, [641, 2]), "joint 3 (left_elbow): (641, 2) is outside the picture, which is 640 x 480 pixels"),
    (changed(3, [1, -1.5, True]), "joint 3 (left_elbow): (1, -1.5) is outside the picture"),
    (changed(3, [1, -481, False]), "joint 3 (left_elbow): (1, -481) is outside the picture"),
])
def test_mistakes_are_reported_with_their_place(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(UserError) as error:
        read_pose(path, SIZE)
    assert str(error.value).startswith(str(path)) and message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content, message", [
    ([], "expected a list of poses, one a frame, got a list of 0"), ("null", "expected a list of poses, one a frame, got null"),
    (POSE, "frame 1: a pose is a list of keypoints"),
    ([POSE, POSE[:3]], ": frame 2: a pose is a list of keypoints, 13 (Penn Action)"),
    ([None, changed(0, [1e7, 0])], ": frame 2: joint 0 (head): x is 10000000.0"),
    ([changed(3, [641, 2])], "frame 1: joint 3 (left_elbow): (641, 2) is outside the picture, which is 640 x 480 pixels"),
])
def test_mistakes_in_poses_of_a_video(tmp_path, content, message):
    with pytest.raises(UserError) as error:
        read_poses(written(tmp_path, content), SIZE)
    assert message in str(error.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(UserError, match="none.json: cannot read this pose file .No such file"):
        read_pose(tmp_path / "none.json")
    with pytest.raises(UserError, match="cannot read this pose file"):
        read_pose(tmp_path)
    path = tmp_path / "pose.json"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(UserError, match="not UTF-8 text"):
        read_pose(path)


# ---- missing joints ----

@pytest.mark.parametrize("point", [[0, 0, 0], [0, 0], [0, 0, 1], [0.0, 0.0, False], [0, 0, None], [-1, -1], [-1, -1, 0],
                                   None, [None, None], [None, 3, 0], [float("nan"), float("nan")], [5, float("nan"), 1]])
def test_missing_joints_are_estimated_and_never_in_the_corner(tmp_path, point):
    pose = (STANDING * 400 + (200, 40)).tolist()
    pose[6] = point
    found, = read_people(written(tmp_path, pose))
    assert np.flatnonzero(found.estimated).tolist() == [6] and not found.visible[6] and found.visible.sum() == 12
    np.testing.assert_allclose(found.joints[6], STANDING[6] * 400 + (200, 40), atol=1e-6)      # as the other arm, mirrored
    joints, visible = read_poses(written(tmp_path, [pose, None]), SIZE)
    np.testing.assert_array_equal(joints[0], found.joints)
    assert not visible[0, 6]


def test_scores_tell_missing_hidden_and_visible_joints(tmp_path):
    scores = [0.9, 0.02, 0.2, *[0.31] * 10]
    found, = read_people(written(tmp_path, [[*point[:2], score] for point, score in zip(POSE, scores)]))
    assert np.flatnonzero(found.estimated).tolist() == [1] and np.flatnonzero(~found.visible).tolist() == [1, 2]
    assert found.joints[2].tolist() == POSE[2][:2]


def test_frames_in_which_hardly_a_joint_is_known_have_nobody(tmp_path):
    joints, visible = read_poses(written(tmp_path, [POSE, [[0, 0, 0]] * 13, POSE[:3] + [None] * 10]), SIZE)
    assert np.isnan(joints[1:]).all() and not visible[1:].any() and np.isfinite(joints[0]).all()


# ---- any content ----

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
POINTS = st.lists(st.floats(-10, 700) | VALUES, min_size=1, max_size=4) | VALUES
NUMBERS = st.floats(0, 480) | st.sampled_from([0, 1, 2, -1, 0.0]) | VALUES
COUNTS = st.sampled_from([26, 34, 36, 39, 50, 51, 54, 75])
FLAT = COUNTS.flatmap(lambda count: st.lists(st.floats(0, 1), min_size=count, max_size=count)) | st.lists(NUMBERS, max_size=60)
POSES = st.lists(POINTS, min_size=12, max_size=26) | FLAT | st.dictionaries(st.integers(0, 12), POINTS, max_size=2).map(
    lambda changes: [changes.get(number, point) for number, point in enumerate(POSE)])
PERSON = st.fixed_dictionaries({}, optional={
    "keypoints": POSES | VALUES, "pose_keypoints_2d": POSES | VALUES, "keypoint_scores": st.lists(NUMBERS, max_size=17) | VALUES,
    "image_id": VALUES})
PERSON |= st.fixed_dictionaries({"keypoints": FLAT, "pose_keypoints_2d": FLAT},
                                optional={"image_id": st.sampled_from([7, "7.jpg", 8])})
FILES = PERSON | st.lists(PERSON | VALUES, max_size=4) | st.fixed_dictionaries({}, optional={
    "people": st.lists(PERSON, max_size=3) | VALUES, "annotations": st.lists(PERSON, max_size=3) | VALUES,
    "images": st.lists(st.fixed_dictionaries({}, optional={"id": VALUES, "file_name": VALUES}) | VALUES, max_size=3) | VALUES})
CONTENT = st.recursive(VALUES | POSES, lambda inner: st.lists(inner, max_size=14) | st.dictionaries(st.text(max_size=3), inner),
                       max_leaves=8)
TEXT = CONTENT.map(json.dumps) | POSES.map(json.dumps) | FILES.map(json.dumps) | st.text(max_size=60)
DATA = TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60)


def any_file(factory, data, at, noise):
    path = factory.getbasetemp() / "any.json"
    path.write_bytes(data[:at] + noise + data[at + len(noise):] if at < len(data) else data)
    return path


@given(DATA, st.integers(0, 2000), st.binary(max_size=2), st.sampled_from(POSE_FORMATS), st.sampled_from((None, OWN, MIRRORED)))
def test_any_file_is_people_or_one_clear_error(tmp_path_factory, data, at, noise, form, sides):
    path = any_file(tmp_path_factory, data, at, noise)
    try:
        people = read_people(path, form, sides, "7.jpg")
    except UserError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
        return
    assert people
    for joints, visible, estimated in people:
        assert joints.shape == (13, 2) and np.isfinite(joints).all() and not (visible & estimated).any()
    other = read_people(path, form, MIRRORED if sides == OWN else OWN, "7.jpg")
    if sides is not None:
        np.testing.assert_array_equal(other[0].visible, people[0].visible[list(MIRROR)])
