"""The person of a pose file: which one is meant, what is missing, and what is doubtful about the pose."""
import json
import warnings

import numpy as np
import pytest

from photo.find_person import PersonFinder
from photo.options import PhotoRequest
from photo.photo_list import Photo
from pose.mask_holes import body_picture
from pose.masks import write_mask
from pose.skeleton import STANDING
from utils.errors import UserError
from utils.media import write_image

SIZE = (480, 640)                      # h, w
POSE = STANDING * 400 + (320, 40)
SMALL = STANDING * 100 + (80, 300)


@pytest.fixture
def find(tmp_path):
    """`find(content, ...)`: the person that is found with a pose file of this content, and the warnings."""
    pixels = np.zeros((*SIZE, 3), np.uint8)
    write_image(tmp_path / "me.png", pixels)
    photo = Photo(tmp_path / "me.png", "me")

    def found(content, name="me.json", folder=False, mask=None, **request):
        path = tmp_path / "poses" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
        if mask is not None:
            write_mask(tmp_path / "mask.png", mask)
            request["mask"] = tmp_path / "mask.png"
        request = PhotoRequest([photo.path], tmp_path, pose=path.parent if folder else path, detector="keypoint_rcnn", **request)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            person, found, _ = PersonFinder(request, "cpu").find(pixels, photo)
        lines = [str(warning.message) for warning in caught]
        assert all("\n" not in line for line in lines)
        if mask is not None:
            return found, lines
        assert found is None and all(line.startswith(f"{path}: ") for line in lines)
        return person, [line.removeprefix(f"{path}: ") for line in lines]
    return found


def people(*poses):
    return {"people": [{"pose_keypoints_2d": np.c_[pose, np.ones(13)].ravel().tolist()} for pose in poses]}


def test_a_good_pose_raises_no_warning(find):
    person, lines = find(POSE.tolist())
    np.testing.assert_array_equal(person.joints, POSE)
    assert person.visible.all() and lines == []
    np.testing.assert_array_equal(person.box, [*POSE.min(0), *POSE.max(0)])


def test_of_several_people_the_largest_or_the_chosen_one(find, tmp_path):
    for number, expected in ((None, POSE), (1, POSE), (2, SMALL)):
        person, _ = find(people(SMALL, POSE), person=number)
        np.testing.assert_allclose(person.joints, expected)
        assert (tmp_path / "me_people.jpg").is_file()
    with pytest.raises(UserError, match="me.png: --person 3: only 2 found in it, see .*me_people.jpg"):
        find(people(SMALL, POSE), person=3)
    (tmp_path / "me_people.jpg").unlink()
    with pytest.raises(UserError, match="--person 2: only 1 found in it$"):
        find(people(POSE), person=2)
    assert not (tmp_path / "me_people.jpg").exists()


@pytest.mark.parametrize("name", ["me.json", "me_keypoints.json"])
def test_files_in_a_folder(find, name):
    np.testing.assert_array_equal(find(POSE.tolist(), name, folder=True)[0].joints, POSE)


def test_missing_joints_are_told(find):
    person, lines = find([[0, 0, 0] if joint in (4, 6) else [*point, 1] for joint, point in enumerate(POSE.tolist())])
    assert lines == ["right_elbow, right_wrist are missing; estimated from the other joints"]
    np.testing.assert_allclose(person.joints, POSE, atol=1e-6)
    assert not person.visible[[4, 6]].any()


def test_a_joint_outside_is_told_and_hidden(find):
    pose = POSE.copy()
    pose[6] = 650, 300
    person, lines = find(pose.tolist())
    assert lines[0] == "right_wrist is outside the picture, which is 640 x 480 pixels; taken as not visible"
    length, other = (np.linalg.norm(pose[joint] - pose[joint - 2]) for joint in (6, 5))
    assert lines[1:] == [f"right_wrist: this forearm is {length:.0f} pixels long, the other one {other:.0f}"]
    assert np.flatnonzero(~person.visible).tolist() == [6] and person.joints[6].tolist() == [650, 300]


def test_exchanged_axes_are_told(find):
    assert find((POSE[:, ::-1] - (0, 100)).tolist())[1] == [
        "x and y seem to be exchanged: from head to left_ankle the person lies from left to right"]


def test_holes_of_a_mask_are_filled_and_joints_outside_told(find, tmp_path):
    body = body_picture(POSE, SIZE).astype(np.float32)
    mask, lines = find(POSE.tolist(), mask=body)
    np.testing.assert_array_equal(mask, body)
    assert lines == []
    x, y = np.rint(POSE[[1, 2, 7, 8]].mean(0)).astype(int)
    holed = body.copy()
    holed[y - 10:y + 10, x - 10:x + 10] = 0
    mask, lines = find(POSE.tolist(), mask=holed)
    np.testing.assert_array_equal(mask, body)
    assert lines == [f"{tmp_path / 'mask.png'}: this mask has holes in the body, 1 in number, which are filled"]
    cut = body.copy()
    cut[int(POSE[9, 1]) - 40:] = 0                                   # without the shins
    mask, lines = find(POSE.tolist(), mask=cut)
    np.testing.assert_array_equal(mask, cut)
    assert lines == [f"{tmp_path / 'mask.png'}: outside this mask: left_knee, right_knee, left_ankle, right_ankle; what the "
                     "photo shows there does not move"]


@pytest.mark.parametrize("pose, message", [
    (POSE * 2, "more are outside the picture, .*; is it another photo's pose, or that of this photo at another size"),
    (np.where(np.arange(13)[:, None] == 6, 2000, POSE), r"joint 6 \(right_wrist\): \(2000, 2000\) is outside the picture")])
def test_poses_of_other_photos_are_refused(find, pose, message):
    with pytest.raises(UserError, match=message):
        find(pose.tolist())
