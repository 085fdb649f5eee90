"""Poses of other programs: COCO's and OpenPose's files give the same thirteen joints, with Penn Action's sides."""
import json

import numpy as np
import pytest

from pose.foreign_poses import MIRRORED, OWN
from pose.pose_file import read_people
from pose.skeleton import JOINTS, MIRROR, STANDING
from utils.errors import UserError

COCO = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
        "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
OPENPOSE_18 = ("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
               "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
               "right_eye", "left_eye", "right_ear", "left_ear")
OPENPOSE_25 = ("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
               "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
               "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel",
               "right_big_toe", "right_small_toe", "right_heel")
SCALE, PLACE = 400, (200, 40)
POSE = STANDING * SCALE + PLACE                        # a person who faces the camera; Penn's left is at the left of the picture


def points(names, third=0.9, place=PLACE, scale=SCALE, missing=()):
    """POSE as a program writes it that names the person's own sides: own left is at the right of the picture."""
    other = {"left": "right", "right": "left"}
    found = []
    for name in names:
        side, _, what = name.partition("_")
        joint = f"{other.get(side)}_{what}"
        x, y = STANDING[JOINTS.index(joint) if joint in JOINTS else 0] * scale + place
        found.append([0, 0, 0] if name in missing else [x, y, third])
    return found


def flat(points):
    return [value for point in points for value in point]


def read(tmp_path, content, *argv, **options):
    path = tmp_path / "poses.json"
    path.write_text(json.dumps(content))
    return read_people(path, *argv, **options)


def assert_same(pose, expected=POSE):
    np.testing.assert_allclose(pose.joints, expected, atol=1e-9)


FILES = {
    "coco object": {"keypoints": flat(points(COCO, 2)), "num_keypoints": 17},
    "coco results": [{"image_id": 139, "category_id": 1, "keypoints": flat(points(COCO)), "score": 0.9}],
    "coco annotations": {"images": [{"id": 5, "file_name": "me.jpg"}],
                         "annotations": [{"image_id": 5, "keypoints": flat(points(COCO, 2))}]},
    "coco points": points(COCO),
    "coco numbers": flat(points(COCO)),
    "coco pairs": [point[:2] for point in points(COCO)],
    "mmpose": [{"keypoints": [point[:2] for point in points(COCO)], "keypoint_scores": [0.8] * 17, "bbox_score": 1.0}],
    "openpose 18": {"version": 1.1, "people": [{"pose_keypoints_2d": flat(points(OPENPOSE_18)), "face_keypoints_2d": []}]},
    "openpose 25": {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": flat(points(OPENPOSE_25))}]},
    "openpose points": points(OPENPOSE_25),
}


@pytest.mark.parametrize("name", FILES)
def test_the_same_person_whatever_the_file(tmp_path, name):
    pose, = read(tmp_path, FILES[name])
    assert_same(pose)
    assert pose.visible.all() and not pose.estimated.any()
    kind = name.split()[0].replace("mmpose", "coco")
    assert_same(read(tmp_path, FILES[name], kind)[0])
    other = "coco" if kind == "openpose" else "openpose"
    with pytest.raises(UserError, match=rf"keypoints are not of the format {other}; --pose_format {kind} or auto reads them"):
        read(tmp_path, FILES[name], other)


def test_sides(tmp_path):
    """COCO and OpenPose name the person's own sides, lists of 13 joints Penn Action's; `sides` says otherwise."""
    for name in ("coco results", "openpose 25"):
        assert_same(read(tmp_path, FILES[name], sides=OWN)[0])
        assert_same(read(tmp_path, FILES[name], sides=MIRRORED)[0], POSE[list(MIRROR)])
    for content in (POSE.tolist(), POSE.ravel().tolist(), {"keypoints": POSE.tolist()}):
        assert_same(read(tmp_path, content)[0])
        assert_same(read(tmp_path, content, sides=MIRRORED)[0])
        assert_same(read(tmp_path, content, sides=OWN)[0], POSE[list(MIRROR)])


def test_visibility_of_coco(tmp_path):
    keypoints = points(COCO, 2)
    keypoints[COCO.index("left_wrist")][2] = 1                       # labelled, but hidden
    keypoints[COCO.index("right_ankle")] = [0, 0, 0]                 # not labelled
    pose, = read(tmp_path, {"keypoints": flat(keypoints)})
    assert [JOINTS[joint] for joint in np.flatnonzero(~pose.visible)] == ["right_wrist", "left_ankle"]
    assert [JOINTS[joint] for joint in np.flatnonzero(pose.estimated)] == ["left_ankle"]
    assert_same(pose)                                                # the ankle stands as the other one


def test_the_head_is_the_mean_of_the_known_face(tmp_path):
    pose, = read(tmp_path, FILES["openpose 25"] | {"people": [{"pose_keypoints_2d": flat(
        points(OPENPOSE_25, missing=("nose", "left_eye", "left_ear")))}]})
    assert_same(pose)
    pose, = read(tmp_path, points(COCO, missing=COCO[:5]))
    assert np.flatnonzero(pose.estimated).tolist() == [0] and np.abs(pose.joints - POSE).max() < 1


def test_several_people_the_largest_first(tmp_path):
    large, small = points(OPENPOSE_25), points(OPENPOSE_25, place=(500, 300), scale=100)
    nobody, hand = [], flat(points(OPENPOSE_25, missing=OPENPOSE_25[:16] + OPENPOSE_25[19:]))
    people = [{"pose_keypoints_2d": keypoints} for keypoints in (nobody, flat(small), hand, flat(large))]
    first, second = read(tmp_path, {"people": people})
    assert_same(first)
    assert_same(second, STANDING * 100 + (500, 300))


def test_pictures_of_a_coco_file(tmp_path):
    """The photo's name, or its number, chooses the picture."""
    people = [{"image_id": number, "keypoints": flat(points(COCO, place=(100 * number, 50)))} for number in (1, 2, 1)]
    images = [{"id": 1, "file_name": "one.jpg"}, {"id": 2, "file_name": "val/two.jpg"}]
    assert len(read(tmp_path, people, photo="000000000001.jpg")) == 2
    assert_same(*read(tmp_path, people, photo="2.png"), STANDING * SCALE + (200, 50))
    assert_same(*read(tmp_path, {"images": images, "annotations": people}, photo="two.jpg"), STANDING * SCALE + (200, 50))
    assert len(read(tmp_path, people[::2], photo="any.jpg")) == 2, "a file of one picture"
    with pytest.raises(UserError, match="poses of 2 pictures, none of them named like three.jpg .the first is \"one.jpg\"."):
        read(tmp_path, {"images": images, "annotations": people}, photo="three.jpg")


@pytest.mark.parametrize("content, message", [
    ({"people": []}, "nobody is in it"), ({"annotations": [{"keypoints": [0] * 51}]}, "nobody is in it"),
    ({"people": 3}, "people is 3, expected a list"),
    ({"people": [{"hand_left_keypoints_2d": []}]}, "nobody is in it"),
    ({"people": [{"pose_keypoints_2d": {"x": 1}}]}, "person 1: pose_keypoints_2d is an object {...}, expected a list"),
    ([{"keypoints": flat(points(COCO))}, 7], "person 2: expected an object with keypoints, got 7"),
    ({"annotations": 3}, "annotations is 3, expected a list"),
    ({"keypoints": [1, 2, 3, 4]}, "person 1: 4 numbers are not x, y or x, y, score of 13 (Penn Action), 17 (COCO), 18 or 25"),
    ({"keypoints": flat(points(COCO))[:-1] + ["2"]}, "person 1: a pose is a list of keypoints"),
    ({"keypoints": points(COCO)[:-1] + [[1, "2"]]}, 'person 1: keypoint 16: y is "2", expected a number of pixels'),
    ([{"keypoints": points(COCO), "keypoint_scores": [1]}], "17 keypoints and 1 keypoint_scores do not fit together"),
])
def test_mistakes_are_reported_in_one_line(tmp_path, content, message):
    with pytest.raises(UserError) as error:
        read(tmp_path, content)
    line = str(error.value)
    assert line.startswith(str(tmp_path / "poses.json")) and message in line and "\n" not in line


def test_of_two_formats_in_a_file_one_can_be_chosen(tmp_path):
    both = {"people": FILES["openpose 18"]["people"], "keypoints": flat(points(COCO, place=(0, 9)))}
    assert_same(read(tmp_path, both, "openpose")[0])
    assert_same(read(tmp_path, both, "coco")[0], STANDING * SCALE + (0, 9))
