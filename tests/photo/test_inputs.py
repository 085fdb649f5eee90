"""What a request names: files and options that cannot be used are reported in one line before anything is written."""
import json

import numpy as np
import pytest
from PIL import Image
from studio import SIZE, Studio, box_mask, draw_photo, pose_in, shared_weights

import train_actvae
from photo.inputs import choose_actions
from pose.masks import read_mask, write_mask
from pose.pose_file import read_poses


@pytest.fixture
def studio(tmp_path, tmp_path_factory, run_script):
    return Studio(tmp_path, shared_weights(tmp_path_factory), run_script)


@pytest.mark.parametrize("argv, message", [
    ("--image x.jpg --action squat", "--image needs --test"),
    ("--test --pretrain x --pose y", "--pose needs --image"),
    ("--test --pretrain x --image y", "--image needs --action"),
    ("--test --pretrain x --image y --action z --person 0", "--person: 0 must be at least 1"),
    ("--test --pretrain x --image y --action z --fps 0", "--fps: 0 must lie in 0.1..120"),
    ("--test --pretrain x --image y --action z --fps nan", "--fps: nan must lie in"),
    ("--test --pretrain x --image y --action z --formats mp4,avi", "--formats: mp4,avi: expected one or several of mp4"),
    ("--test --pretrain x --image y --action z --formats ,", "--formats: ,: expected one or several"),
    ("--test --image y --motion z --action a,b", "with --motion give at most one action"),
    ("--test --image y --motion z --seconds 2 --steps 3", "give only one of them"),
    ("--test --image y --motion z --seconds 0", "--seconds: 0 must lie in 0.01..3600"),
    ("--test --pretrain x --formats gif", "--formats needs --image FILE"), ("--held club", "--held needs --test"),
    ("--choose random", "--choose needs --test"), ("--iteration 5", "--iteration needs --resume, --pretrain DIR or"),
    ("--test --image y --motion z --samples 3", "--samples has no effect with --motion"),
    ("--test --resume --image y --action z --limit 3", "--limit has no effect with --image"),
    ("--test --resume --image y --action z --motion_end 3", "--motion_end needs --motion FILE"),
    ("--test --resume --image y --action z --sides own", "--sides needs --pose FILE")])
def test_options_that_do_not_go_together(run_script, argv, message):
    outcome = run_script(train_actvae.main, "--config", "config/Penn_actvae.yaml", *argv.split())
    assert outcome.status == 2 and message in outcome.err
    assert outcome.err.startswith("error: ") and outcome.err.endswith("(--help explains the options)\n")


@pytest.mark.parametrize("content, message", [
    ("[]", "a pose is a list of keypoints"), ("{", "not JSON"), (json.dumps([[float("nan"), 1]] * 13), "nobody is in it"),
    (json.dumps([[1000, 10]] * 13), "outside the picture"), (json.dumps([[10, 10]] * 13), "too small for a person")])
def test_bad_poses(studio, content, message):
    studio.pose.write_text(content)
    studio.refused(message)


@pytest.mark.parametrize("mask, message", [
    (box_mask((90, 100)), "mask.png: this mask is 100 x 90 pixels, the photo is 161 x 120"), (0 * box_mask(), "is empty"),
    (box_mask(box=(0, 0, 20, 20)), "mask.png: this mask is not where the pose is"),
    (None, "mask.png: this mask is missing or not a readable picture")])
def test_bad_masks(studio, mask, message):
    if mask is not None:
        write_mask(studio.mask, mask)
    studio.refused(message, "--mask", studio.mask)
    assert not list(studio.out.iterdir())


def test_a_mask_of_floats(studio):
    Image.fromarray(box_mask()).save(studio.folder / "mask.tif")
    studio.made("--samples", 1, "--formats", "poses", "--mask", studio.folder / "mask.tif")
    np.testing.assert_array_equal(read_mask(studio.out / "me_mask.png", SIZE), box_mask())


def test_bad_backgrounds(studio):
    plate = studio.folder / "plate.png"
    Image.fromarray(draw_photo((60, 90))).save(plate)
    studio.refused("plate.png: this background is 90 x 60 pixels, the photo is 161 x 120", "--plate", plate)
    studio.refused(f"{plate.with_name('none.png')}: there is no such photo", "--plate", plate.with_name("none.png"))
    studio.refused("--background beach.jpg: neither a picture file, nor a colour", "--background", "beach.jpg")
    studio.refused("--background: this script draws the motion alone", "--background", "white", main=train_actvae.main)
    studio.refused("--layers: the generator pose_attention does not cut the person out", "--layers", kind="pose_attention")


def test_one_file_for_several_photos(studio):
    photos = {"photos": [studio.photo, studio.photo], "pose": False}
    for option, ending in (("--pose", ".json"), ("--mask", "_mask.png"), ("--plate", "_layers/plate.png")):
        studio.refused(f"for 2 photos give a folder with a file for each, like me{ending}", option, studio.pose, **photos)


def test_bad_photos_actions_and_places(studio):
    text = studio.folder / "text.png"
    text.write_text("no picture")
    studio.refused(f"{text}: not a photo that can be read", photos=[text])
    studio.refused("--action golf_swin: these weights know squat, golf_swing, wave", action="squat,golf_swin")
    studio.refused("--action ,: these weights know squat, golf_swing, wave", action=",")
    studio.refused("cannot read this pose file", "--pose", studio.folder / "none.json", pose=False)
    studio.refused("this folder for the clips cannot be made", "--out", studio.photo)
    assert choose_actions("all", ["a", "b"]) == ["a", "b"] and choose_actions("b, a,b", ["a", "b"]) == ["b", "a"]


def test_a_pose_of_another_program(studio):
    """The left wrist is missing in OpenPose's file: it is placed as on the other arm."""
    keypoints = np.zeros((25, 3))
    keypoints[[0, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11], :2] = pose_in(SIZE)[[0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11]]
    keypoints[keypoints.any(1), 2] = 0.9
    keypoints[7] = 0
    studio.pose.write_text(json.dumps({"people": [{"pose_keypoints_2d": keypoints.ravel().tolist()}]}))
    studio.refused("25 keypoints are not of the format coco", "--pose_format", "coco")
    outcome = studio.made("--pose_format", "openpose", "--sides", "own")
    assert [line for line in outcome.warnings if "me.json" in line] == [
        f"{studio.pose}: right_wrist is missing; estimated from the other joints"]
    assert np.abs(read_poses(studio.out / "me_golf_swing_1.json")[0][0] - pose_in(SIZE)).max() < 0.02


def test_a_coco_file_with_the_poses_of_several_photos(studio):
    names, annotations = ["me.png", "you.png", "none.png"], []
    for number, name in enumerate(names):
        Image.fromarray(draw_photo()).save(studio.folder / name)
        pose = (pose_in(SIZE) + 3 * number)[[0, 0, 0, 0, 0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11]]      # COCO's order and sides
        annotations.append({"image_id": number, "keypoints": np.c_[pose, np.full(17, 2)].ravel().tolist()})
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    photos = [studio.folder / name for name in names]
    studio.pose.write_text(json.dumps({"images": images, "annotations": annotations[:2]}))
    outcome = studio.run("--samples", 1, "--formats", "poses", photos=photos)
    assert outcome.status == 1 and "poses of 2 pictures, none of them named like none.png" in outcome.err
    for number, stem in enumerate(("me", "you")):
        joints, _ = read_poses(studio.out / f"{stem}_golf_swing_1.json")
        assert np.abs(joints[0] - pose_in(SIZE) - 3 * number).max() < 0.02
