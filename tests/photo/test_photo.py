"""Photo mode of both scripts from photos to files, and what it says of what it cannot use."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT
from helpers import Links, tree
from PIL import Image
from studio import KINDS, SIZE, STEPS, Studio, draw_photo, frames_of, make_weights, pose_in, standing_in

import train_actvae
import train_actvae_p2inetwork as script
from networks.body_parts import NAMES as PARTS
from photo import crop as crops
from photo.clip_files import describe
from photo.crop import DEFAULT_MARGIN, Subject, crop_person, pose_boxes, shown_whole
from photo.motions import Sample, painted_crop
from photo.options import PhotoRequest
from photo.photo_list import Photo, name_photos
from photo.plan import choose_actions
from photo.timing import FAR, TIMING, closed
from pose import DETECTORS, detector_class, keypoint_rcnn
from pose.detector import Detector, DetectorError, Person
from pose.masks import read_mask, write_mask
from pose.pose_file import read_about, read_poses, write_pose
from pose.regions import Region
from utils.transform import pose_to_picture


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """kind -> pretrained folder."""
    root = tmp_path_factory.mktemp("weights")
    return {kind: make_weights(root / kind, kind) for kind in KINDS}


@pytest.fixture
def studio(tmp_path, weights, run_script):
    return Studio(tmp_path, weights, run_script)


def files_of(stem, paints=True):
    views = ["", "_whole"] if paints else [""]
    return {f"{stem}{view}.{kind}" for view in views for kind in ("mp4", "gif")} | {f"{stem}.jpg", f"{stem}.json"}


# ---- from a photo to files ----

@pytest.mark.parametrize("kind, main", [("limb_warp", script.main), ("cutout", script.main), ("pose_attention", script.main),
                                        ("limb_warp", train_actvae.main)], ids=["limb_warp", "cutout", "pose_attention", "poses"])
def test_a_photo_becomes_clips(studio, kind, main):
    outcome = studio.run("--formats", "mp4,gif,strip,poses", main=main, kind=kind, action="golf_swing,wave")
    assert outcome.status == 0, outcome.err
    paints = main is script.main
    expected = set().union(*(files_of(f"me_{action}_{sample}", paints) for action in ("golf_swing", "wave") for sample in (1, 2)))
    assert {path.name for path in studio.out.iterdir()} == expected | {"index.html", "me_pose.jpg", "me_pose.json"}
    links = Links(studio.out / "index.html").found
    assert set(links) == expected | {"me_pose.jpg"}
    assert outcome.out.count("paints 32 x 32 pixels, which are enlarged") == (kind == "pose_attention")
    photo = draw_photo()
    pose = pose_in(SIZE)
    for sample in (1, 2):
        joints, _ = read_poses(studio.out / f"me_golf_swing_{sample}.json")
        assert joints.shape == (STEPS + 1, 13, 2) and np.abs(joints[0] - pose).max() < 0.02
        assert np.abs(joints[1:] - pose).max() > 2, "nobody moves"
        clip = frames_of(studio.out / f"me_golf_swing_{sample}.mp4")
        h, w = clip.shape[1:3]
        assert clip.shape == (STEPS + 1, h // 2 * 2, w // 2 * 2, 3)
        reach = joints.reshape(-1, 2).clip(0, SIZE[::-1])
        assert (np.array([w, h]) + 2 >= reach.max(0) - reach.min(0)).all(), "all joints of the motion are in the picture"
        with Image.open(studio.out / f"me_golf_swing_{sample}.gif") as gif:
            assert gif.n_frames == STEPS + 1
            assert (gif.width // 2 * 2, gif.height // 2 * 2) == (w, h) and gif.info["duration"] in (120, 125, 130)
        if paints:
            whole = frames_of(studio.out / f"me_golf_swing_{sample}_whole.mp4")
            assert whole.shape == (STEPS + 1, 120, 160, 3)
            assert np.abs(whole[0].astype(int) - photo[:, :160]).mean() < 3, "the first picture is the photo"


def test_the_same_seed_gives_the_same_files_whatever_else_is_asked_for(studio):
    assert studio.run("--seed", 5, action="wave").status == 0
    first = tree(studio.out)
    assert studio.run("--seed", 5, action="wave").status == 0
    assert tree(studio.out) == first
    assert studio.run("--seed", 5, action="all", photos=[studio.photo]).status == 0
    assert {path: data for path, data in tree(studio.out).items() if "_wave_" in path.name} == {
        path: data for path, data in first.items() if "_wave_" in path.name}
    assert studio.run("--seed", 6, action="wave").status == 0
    assert (studio.out / "me_wave_1.json").read_bytes() != first[studio.out / "me_wave_1.json"]


@pytest.mark.parametrize("argv, endings, played", [
    ([], {".mp4", "_whole.mp4", ".jpg", ".json"}, "<video"), (["--no_whole"], {".mp4", ".jpg", ".json"}, "<video"),
    (["--formats", "GIF", "--no_whole"], {".gif"}, 'me_golf_swing_1.gif"'),
    (["--formats", "poses, strip"], {".json", ".jpg"}, None)])
def test_only_the_formats_that_are_asked_for(studio, argv, endings, played):
    outcome = studio.run("--samples", 1, *argv)
    assert outcome.status == 0, outcome.err
    files = {f"me_golf_swing_1{ending}" for ending in endings}
    assert {path.name for path in studio.out.iterdir()} == files | {"index.html", "me_pose.jpg", "me_pose.json"}
    assert set(Links(studio.out / "index.html").found) == files | {"me_pose.jpg"}
    page = (studio.out / "index.html").read_text()
    assert played in page if played else "<video" not in page


def test_the_frame_rate_is_chosen(studio):
    assert studio.run("--samples", 1, "--fps", 12.5, "--formats", "mp4,gif", "--no_whole").status == 0
    assert len(frames_of(studio.out / "me_golf_swing_1.mp4", 12.5)) == STEPS + 1
    with Image.open(studio.out / "me_golf_swing_1.gif") as gif:
        assert gif.info["duration"] == 80


def test_clips_without_stutter_and_without_a_jump(studio):
    assert studio.run("--samples", 1, "--fps", 8).status == 0
    plain = read_poses(studio.out / "me_golf_swing_1.json")[0]
    assert studio.run("--samples", 1, "--fps", 8, "--smooth", "--loop").status == 0
    joints, about = read_poses(studio.out / "me_golf_swing_1.json")[0], read_about(studio.out / "me_golf_swing_1.json")
    assert about["fps"] == 24 and joints.shape == (2 * 3 * STEPS, 13, 2)
    np.testing.assert_allclose(joints[:3 * STEPS + 1:3], plain, atol=0.011)
    np.testing.assert_array_equal(joints[1:3 * STEPS], joints[:3 * STEPS:-1])
    clip = frames_of(studio.out / "me_golf_swing_1.mp4", 24).astype(int)
    assert len(clip) == 2 * 3 * STEPS and np.abs(clip[1] - clip[-1]).mean() < 3 < np.abs(clip[1] - clip[3 * STEPS]).mean()


def test_clips_that_end_where_they_close(studio):
    """The poses are the sampled ones, drawn to the first; clips are shorter, and of a motion that strays a warning tells."""
    argv = ("--formats", "mp4,poses", "--no_whole", "--steps", 12, "--choose", "random")
    assert studio.run(*argv).status == 0
    plain = [read_poses(studio.out / f"me_golf_swing_{number}.json")[0] for number in (1, 2)]
    outcome = studio.run(*argv, "--loop", "close")
    lengths = []
    for number, motion in enumerate(plain, 1):
        expected, apart = closed(motion)
        joints, _ = read_poses(studio.out / f"me_golf_swing_{number}.json")
        np.testing.assert_allclose(joints, expected, atol=0.03)
        assert len(frames_of(studio.out / f"me_golf_swing_{number}.mp4")) == len(joints)
        told = [text for text in outcome.warnings if f"golf_swing, sample {number}: the person does not come back" in text]
        assert len(told) == (apart > FAR)
        lengths.append(len(joints))
    low, high = sorted(lengths)
    assert f"2 clips of {f'{low} to {high}' if low < high else low} pictures" in outcome.out


def test_length_in_seconds_and_steps_that_were_not_learned(studio):
    (studio.weights["limb_warp"] / TIMING).write_text(json.dumps({"fps": {"wave": 12.5}, "steps": 5}))
    try:
        outcome = studio.run("--samples", 1, "--steps", 6, action="wave,squat")
        assert any("6 steps: these weights learned to look 5 steps ahead" in text for text in outcome.warnings)
        rates = {action: read_about(studio.out / f"me_{action}_1.json")["fps"] for action in ("wave", "squat")}
        assert rates == {"wave": 12.5, "squat": 8}, "as in the data, or the usual one"
        outcome = studio.run_script(script.main, *(word for word in studio.argv(action="wave") if word not in ("--steps", STEPS)),
                                    "--seconds", 0.4)
        assert outcome.status == 0 and not outcome.warnings, outcome
        assert len(read_poses(studio.out / "me_wave_1.json")[0]) == 1 + 5
    finally:
        (studio.weights["limb_warp"] / TIMING).unlink()


def test_a_rerun_removes_its_own_older_files_and_tells_the_others(studio):
    mine = studio.out / "me_wave_9.mp4"
    assert studio.run("--formats", "mp4,gif,frames,strip,poses", action="wave,squat").status == 0
    mine.write_bytes(b"not on the page")
    outcome = studio.run("--samples", 1, "--no_whole", action="wave")
    assert outcome.status == 0, outcome.err
    left = {path.name for path in studio.out.iterdir()}
    kept = {"me_wave_1.mp4", "me_wave_1.jpg", "me_wave_1.json", mine.name}
    assert {name for name in left if name.startswith("me_wave")} == kept
    assert "me_squat_2.gif" in left, "another action's files stay"
    assert "13 files of an earlier run that this one did not write again are removed" in outcome.out
    assert re.search(r"also holds 16 files of earlier runs, which are no longer on the page", outcome.out), outcome.out
    assert "earlier run" not in studio.run("--samples", 1, "--no_whole", action="wave").out


def test_action_list_needs_no_photo(studio, weights):
    for main in (script.main, train_actvae.main):
        folder = weights["limb_warp"]
        outcome = studio.run_script(main, "--config", folder / "config.yaml", "--output_path", studio.folder, "--test",
                                    "--pretrain", folder, "--action", "list")
        assert (outcome.status, outcome.out) == (0, "squat\ngolf_swing\nwave\n")
    assert not (studio.folder / "outputs").exists()


def test_without_out_clips_lie_in_the_runs_folder(studio):
    weights = studio.weights["limb_warp"]
    outcome = studio.run_script(train_actvae.main, "--config", weights / "config.yaml", "--name", "_me", "--output_path",
                                studio.folder, "--test", "--pretrain", weights, "--samples", 1, "--image", studio.photo,
                                "--pose", studio.pose, "--action", "squat")
    assert outcome.status == 0, outcome.err
    photos = studio.folder / "outputs/config_me/photos"
    assert (photos / "index.html").exists()
    assert len(read_poses(photos / "me_squat_1.json")[0]) == 1 + 16, "so many steps where none are told"


@pytest.mark.parametrize("size", [(40, 33), (64, 300), (301, 64), (400, 1500)])
def test_photos_of_any_size(studio, size):
    Image.fromarray(draw_photo(size)).save(studio.photo)
    write_pose(studio.pose, pose_in(size))
    outcome = studio.run("--samples", 1)
    assert outcome.status == 0, outcome.err
    whole, clip = (frames_of(studio.out / f"me_golf_swing_1{view}.mp4") for view in ("_whole", ""))
    ratio = min(1, 1280 / max(size))
    assert whole.shape == (STEPS + 1, *(round(side * ratio) // 2 * 2 for side in size), 3)
    assert max(clip.shape[1:3]) <= 1080
    about = read_about(studio.out / "me_golf_swing_1.json")
    assert about["fps"] == 8 and about["photo"] == {"file": "me.png", "width": size[1], "height": size[0]}
    assert about["whole"] == {"origin": [0, 0], "scale": pytest.approx(ratio, abs=2e-3)}
    told = f"smaller than the photo, which has {size[1]} x {size[0]}: the whole photo at {ratio:.0%}"
    assert (told in outcome.out) == (ratio < 1)


def test_the_poses_file_tells_where_a_clip_shows_the_photo():
    photo, pose = draw_photo((1500, 3000)), pose_in((1500, 3000))
    crop = crop_person(subject_of(photo, pose), pose, np.full(4, DEFAULT_MARGIN))
    about = describe(Photo(Path("a/me.jpg"), "me"), Sample("squat", "squat", 1, pose[None], crop, None, 8))
    assert about["whole"]["scale"] == pytest.approx(1280 / 3000, abs=1e-4) and about["person"]["scale"] < 1
    shown = (pose - about["person"]["origin"]) * about["person"]["scale"]
    place = crop.place()
    expected = (pose_to_picture(pose[None], crop.box, crop.size)[0] + 1) / 2 * crop.size - (place.dw, place.dh)
    np.testing.assert_allclose(shown, expected, atol=0.05)


def test_a_phones_sideways_photo(studio):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(draw_photo()))).save(studio.folder / "me.jpg", exif=exif, quality=95)
    assert studio.run(photos=[studio.folder / "me.jpg"]).status == 0
    whole = frames_of(studio.out / "me_golf_swing_1_whole.mp4")
    assert np.abs(whole[0].astype(int) - draw_photo()[:, :160]).mean() < 5


def test_names_with_anything_in_them(studio):
    photo = studio.folder / "my # 1%41 ünï ✓.png"
    photo.write_bytes(studio.photo.read_bytes())
    (studio.folder / "b").mkdir()
    twin = studio.folder / "b" / photo.name
    twin.write_bytes(studio.photo.read_bytes())
    poses = studio.folder / "poses"
    poses.mkdir()
    write_pose(poses / f"{photo.stem}.json", pose_in(SIZE))
    outcome = studio.run("--pose", poses, pose=False, photos=[photo, twin])
    assert outcome.status == 0, outcome.err
    links = Links(studio.out / "index.html").found
    assert links and all((studio.out / link).is_file() for link in links)
    assert {photo.stem for photo in name_photos(PhotoRequest([photo, twin], studio.out))} == {"my_1_41_ünï", "my_1_41_ünï_2"}


# ---- another background ----

def test_clips_in_front_of_another_background(studio):
    mask = studio.folder / "mask.png"
    write_mask(mask, box_mask())
    cut_out = ("--samples", 1, "--mask", mask, "--background")
    outcome = studio.run(*cut_out, "#20a060", kind="cutout")
    assert outcome.status == 0 and "no mask was found" not in outcome.out
    assert {path.name for path in studio.out.glob("me_golf*")} == files_of("me_golf_swing_1") - {"me_golf_swing_1.gif",
                                                                                                 "me_golf_swing_1_whole.gif"}
    whole = frames_of(studio.out / "me_golf_swing_1_whole.mp4").astype(int)
    assert np.abs(whole[:, :, :30] - (32, 160, 96)).mean() < 3, "the photo is gone"
    assert np.abs(whole[0, 30:90, 65:95] - draw_photo()[30:90, 65:95]).mean() < 4, "the person is there"
    assert "me.png: no mask was found, so the person is cut out roughly" in studio.run(*cut_out[:2], "--background", "white",
                                                                                       kind="cutout").out


def test_clips_without_a_background(studio):
    mask = studio.folder / "mask.png"
    write_mask(mask, box_mask())
    assert studio.run("--samples", 1, "--mask", mask, "--background", "none", kind="cutout").status == 0
    links = Links(studio.out / "index.html").found
    assert {f"me_golf_swing_1{view}.{kind}" for view in ("", "_whole") for kind in ("webp", "frames")} <= set(links)
    assert all((studio.out / link).exists() for link in links) and not list(studio.out.glob("*.mp4"))
    frames = sorted((studio.out / "me_golf_swing_1_whole.frames").iterdir())
    assert [path.name for path in frames] == [f"{number:03d}.png" for number in range(STEPS + 1)]
    first = np.asarray(Image.open(frames[0]))
    assert first.shape == (*SIZE, 4) and first[:, :30, 3].max() == 0 and first[40:80, 70:90, 3].min() == 255
    with Image.open(studio.out / "me_golf_swing_1.webp") as clip:
        clip.load()
        assert clip.n_frames == STEPS + 1 and clip.info["duration"] == 125


def test_layers_are_written_and_a_mended_plate_is_read_back(studio):
    mask = studio.folder / "mask.png"
    write_mask(mask, box_mask())
    argv = ("--samples", 1, "--mask", mask)
    assert studio.run(*argv, "--layers", kind="cutout").status == 0
    layers = studio.out / "me_layers"
    assert {path.stem for path in layers.iterdir()} == {"plate", *PARTS}
    photo, plate = draw_photo(), np.asarray(Image.open(layers / "plate.png"))
    far = np.ones(SIZE, bool)
    far[15:105, 50:110] = False
    assert np.array_equal(plate[far], photo[far]) and np.abs(plate[30:90, 65:95].astype(int) - photo[30:90, 65:95]).mean() > 5
    alphas = np.stack([np.asarray(Image.open(layers / f"{part}.png"))[..., 3] for part in PARTS])
    assert alphas.shape[1:] == SIZE and alphas.max(0)[25:95, 60:100].min() == 255 and alphas.max(0)[far].max() == 0
    before = frames_of(studio.out / "me_golf_swing_1_whole.mp4").astype(int)
    for place, colour in ((studio.out, 255), (layers / "plate.png", 0)):
        Image.fromarray(np.full_like(photo, colour)).save(layers / "plate.png")
        assert studio.run(*argv, "--plate", place, kind="cutout").status == 0
        after = frames_of(studio.out / "me_golf_swing_1_whole.mp4").astype(int)
        assert np.abs(after[0] - before[0]).mean() < 3, "the photo stays"
        assert ((after - before)[1:] * (1 if colour else -1)).mean() > 0.5, "what the person leaves shows the mended plate"


def test_plates_that_cannot_be(studio):
    Image.fromarray(draw_photo((60, 90))).save(studio.folder / "plate.png")
    studio.refused("plate.png: this plate is 90 x 60 pixels, the photo is 161 x 120", "--plate", studio.folder / "plate.png",
                   kind="cutout")
    studio.refused(f"{studio.folder / 'plate' / 'plate.png'}: there is no such photo", "--plate", studio.folder / "plate" /
                   "plate.png", kind="cutout")
    studio.refused("--plate plate.png: for 2 photos give a folder with a file for each, like me_layers/plate.png", "--plate",
                   "plate.png", kind="cutout", photos=[studio.photo, studio.photo], pose=False)
    studio.refused("--layers: the generator limb_warp does not cut the person out", "--layers")


def test_backgrounds_that_cannot_be(studio):
    studio.refused("--background: the generator limb_warp does not cut the person out", "--background", "white")
    studio.refused("--background: this script draws the motion alone", "--background", "white", main=train_actvae.main)
    studio.refused("--background beach.jpg: neither a picture file, nor a colour", "--background", "beach.jpg", kind="cutout")


# ---- the crop ----

def subject_of(photo, pose):
    return Subject(photo, shown_whole(photo), Person(pose_boxes(pose), 1.0, pose, np.ones(13, bool)))


def test_the_painted_crop_holds_what_the_hands_hold():
    photo, pose = draw_photo((480, 640)), pose_in((480, 640))
    left, top, right, bottom = pose_boxes(pose).round().astype(int)
    mask = np.zeros((480, 640), np.float32)
    mask[top:bottom, left:right] = 1
    usual = painted_crop(subject_of(photo, pose), pose[None])
    assert (painted_crop(subject_of(photo, pose)._replace(mask=mask), pose[None]).box == usual.box).all()
    mask[top + 50, right:right + 60] = 1
    held = np.where(np.arange(640) >= right, mask, 0)
    crop = painted_crop(subject_of(photo, pose)._replace(mask=mask, held=held), pose[None])
    assert crop.box[2] >= right + 60 and crop.box[0] < usual.box[0] and crop.held.any() and crop.held.max() <= 1


def test_a_crop_goes_back_where_it_came_from():
    """Without any change the photo stays itself; with one, only the crop changes, and softly at its border."""
    photo, pose = draw_photo((480, 640)), pose_in((480, 640))
    crop = crop_person(subject_of(photo, pose), pose, np.full(4, 0.3))
    same, = crop.put_back(crop.inside(crop.picture)[None])
    assert np.array_equal(same, photo)
    changed, = crop.put_back(255 - crop.inside(crop.picture)[None])
    x1, y1, x2, y2 = crop.region
    outside = np.ones(photo.shape[:2], bool)
    outside[y1:y2, x1:x2] = False
    assert np.array_equal(changed[outside], photo[outside])
    edge = np.abs(changed[y1:y2, x1:x2].astype(int) - photo[y1:y2, x1:x2])
    assert edge[0].max() <= 8 and edge[-1].max() <= 8 and edge[:, 0].max() <= 8 and edge[:, -1].max() <= 8
    assert np.array_equal(changed[y1 + 40:y2 - 40, x1 + 40:x2 - 40], 255 - photo[y1 + 40:y2 - 40, x1 + 40:x2 - 40])


def test_no_seam_where_the_crop_ends_with_the_photo():
    photo, pose = draw_photo((200, 300)), pose_in((200, 300))
    crop = crop_person(subject_of(photo, pose), pose, np.full(4, 3.0))
    assert tuple(crop.box) == (0, 0, 300, 200) and crop.blend.min() == 1


def test_a_large_photo_is_shown_smaller_and_stays_in_place():
    photo, pose = draw_photo((1500, 3000)), pose_in((1500, 3000))
    subject = subject_of(photo, pose)
    assert subject.whole.shape == (640, 1280, 3)
    crop = crop_person(subject, pose, np.full(4, DEFAULT_MARGIN))
    back, = crop.put_back(crop.inside(crop.picture)[None])
    assert np.abs(back.astype(int) - subject.whole).max() <= 6
    assert crop.size == crops.CROP_SIDE


def test_poses_go_to_the_crop_and_back():
    photo, pose = draw_photo((300, 401)), pose_in((300, 401))
    crop = crop_person(subject_of(photo, pose), pose, np.full(4, 0.2))
    assert np.abs(crop.to_photo(pose_to_picture(pose[None], crop.box, crop.size))[0] - pose).max() < 1e-9


def test_far_from_the_person_nothing_changes(studio):
    Image.fromarray(draw_photo((240, 320))).save(studio.photo)
    write_pose(studio.pose, pose_in((240, 320)))
    for kind in KINDS:
        assert studio.run(kind=kind).status == 0
        whole = frames_of(studio.out / "me_golf_swing_1_whole.mp4").astype(int)
        change = np.abs(whole[1:] - whole[:1])
        assert change[:, :, :60].mean() < 2 and change[:, :, -60:].mean() < 2


# ---- what cannot be used ----

@pytest.mark.parametrize("content, message", [
    ("[]", "a pose is a list of keypoints"), ("{", "not JSON"), (json.dumps([[float("nan"), 1]] * 13), "nobody is in it"),
    (json.dumps([[1000, 10]] * 13), "outside the picture"), (json.dumps([[10, 10]] * 13), "too small for a person")])
def test_bad_poses(studio, content, message):
    studio.pose.write_text(content)
    studio.refused(message)


def test_a_pose_of_another_program_becomes_clips(studio):
    """OpenPose's file, whose left wrist is missing: the first pose is the photo's, with the wrist where the other arm has it."""
    keypoints = np.zeros((25, 3))
    keypoints[[0, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11], :2] = pose_in(SIZE)[[0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11]]
    keypoints[keypoints.any(1), 2] = 0.9
    keypoints[7] = 0
    studio.pose.write_text(json.dumps({"people": [{"pose_keypoints_2d": keypoints.ravel().tolist()}]}))
    studio.refused("25 keypoints are not of the format coco", "--pose_format", "coco")
    outcome = studio.run("--pose_format", "openpose", "--sides", "own")
    assert outcome.status == 0, outcome.err
    assert [line for line in outcome.warnings if "me.json" in line] == [
        f"{studio.pose}: right_wrist is missing; estimated from the other joints"]
    joints, _ = read_poses(studio.out / "me_golf_swing_1.json")
    assert np.abs(joints[0] - pose_in(SIZE)).max() < 0.02


def test_a_coco_file_has_the_poses_of_several_photos(studio):
    """A photo that it does not name is told, and the others are finished; a file of one picture is not taken for two photos."""
    names, people = ["me.png", "you.png", "none.png"], []
    for number, name in enumerate(names):
        Image.fromarray(draw_photo()).save(studio.folder / name)
        own = (pose_in(SIZE) + 3 * number)[[0, 0, 0, 0, 0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11]]       # COCO's order and sides
        people.append({"image_id": number, "keypoints": np.concatenate([own, np.full((17, 1), 2)], 1).ravel().tolist()})
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    photos = [studio.folder / name for name in names]
    studio.pose.write_text(json.dumps({"images": images, "annotations": people[:2]}))
    outcome = studio.run("--samples", 1, "--formats", "poses", photos=photos)
    assert outcome.status == 1 and "poses of 2 pictures, none of them named like none.png" in outcome.err
    for number, stem in enumerate(("me", "you")):
        joints, _ = read_poses(studio.out / f"{stem}_golf_swing_1.json")
        assert np.abs(joints[0] - pose_in(SIZE) - 3 * number).max() < 0.02
    studio.out = studio.folder / "refused"
    studio.pose.write_text(json.dumps({"images": images, "annotations": people[:1]}))
    studio.refused("for 3 photos give a folder with a file for each, like me.json, or a COCO file that names them", photos=photos)


def test_bad_photos(studio):
    text = studio.folder / "text.png"
    text.write_text("no picture")
    studio.refused(f"{text}: not a photo that can be read", photos=[text])
    studio.refused("there is no such photo", photos=[studio.folder / "none.png"])


def test_bad_actions_and_places(studio):
    studio.refused("--action golf_swin: these weights do not know it; did you mean golf_swing?", action="golf_swin")
    studio.refused("--action qqq: these weights do not know it; --action list prints", action="squat,qqq")
    studio.refused("no name given", action=",")
    studio.refused("cannot read this pose file", "--pose", studio.folder / "none.json", pose=False)
    studio.refused("this folder for the clips cannot be made", "--out", studio.photo)
    studio.refused("for 2 photos give a folder", photos=[studio.photo, studio.photo])
    assert choose_actions("all", ["a", "b"]) == ["a", "b"] and choose_actions("b, a,b", ["a", "b"]) == ["b", "a"]


@pytest.mark.parametrize("argv, message", [
    ("--image x.jpg --action squat", "--image needs --test"),
    ("--test --pretrain x --pose y", "--pose needs --image"),
    ("--test --pretrain x --image y", "--image needs --action"),
    ("--test --pretrain x --image y --action z --person 0", "--person must be at least 1"),
    ("--test --pretrain x --image y --action z --fps 0", "--fps 0: expected more than 0"),
    ("--test --pretrain x --image y --action z --fps nan", "--fps nan: expected more than 0"),
    ("--test --pretrain x --image y --action z --formats mp4,avi", "--formats mp4,avi: expected one or several of mp4"),
    ("--test --pretrain x --image y --action z --formats ,", "--formats ,: expected one or several"),
    ("--test --pretrain x --no_whole", "--no_whole needs --image")])
def test_options_that_do_not_go_together(run_script, argv, message):
    outcome = run_script(train_actvae.main, "--config", "config/Penn_actvae.yaml", *argv.split())
    assert outcome.status == 2 and message in outcome.err and "Traceback" not in outcome.err


def test_of_several_photos_the_good_ones_are_finished(studio):
    poses = studio.folder / "poses"
    poses.mkdir()
    write_pose(poses / "me.json", pose_in(SIZE))
    broken = studio.folder / "broken.png"
    broken.write_bytes(studio.photo.read_bytes()[:200])
    unposed = studio.folder / "unposed.png"
    unposed.write_bytes(studio.photo.read_bytes())
    outcome = studio.run("--pose", poses, pose=False, photos=[broken, unposed, studio.photo])
    assert outcome.status == 1 and outcome.err.count("error: ") == outcome.err.count("\n") == 2
    assert str(broken) in outcome.err and str(poses / "unposed.json") in outcome.err
    assert (studio.out / "me_golf_swing_2_whole.mp4").exists() and (studio.out / "index.html").exists()
    assert studio.run("--pose", poses, pose=False, photos=[broken, unposed]).status == 2


# ---- nobody said where the person is ----

def test_edit_writes_a_page(studio, people):
    people()
    outcome = studio.run("--pose", "edit", "--detector", "stand_in", pose=False, action=None)
    assert outcome.status == 0, outcome.err
    assert [path.name for path in studio.out.iterdir()] == ["me_pose.html"]
    assert "save me.json there and give that file with --pose" in outcome.out


def test_edit_begins_with_the_person_who_is_found(studio, people):
    people(PEOPLE[1])
    assert studio.run("--pose", "edit", "--detector", "stand_in", pose=False, action=None).status == 0
    assert {path.name for path in studio.out.iterdir()} == {"me_pose.html", "me_mask.png"}
    page = re.search(r'id="settings">(.*?)</script>', (studio.out / "me_pose.html").read_text())[1]
    settings = json.loads(page)
    expected = standing_in(np.array(PEOPLE[1]) * np.tile(SIZE[::-1], 2))
    np.testing.assert_allclose([point[:2] for point in settings["pose"]], expected, atol=0.01)
    assert settings["mask"].startswith("data:image/png")


def test_without_a_detector_there_is_a_page(studio, monkeypatch):
    def no_weights():
        raise DetectorError(f"Keypoint R-CNN's weights could not be downloaded (no network); {keypoint_rcnn.REMEDY}")
    monkeypatch.setattr(keypoint_rcnn, "_coco_weights", no_weights)
    outcome = studio.refused("could not be downloaded", "--detector", "keypoint_rcnn", pose=False)
    page = studio.out / "me_pose.html"
    assert page.exists() and str(page) in outcome.err and "--detector_weights" in outcome.err


def test_detector_weights_that_are_none(studio):
    missing = studio.folder / "none.pth"
    for name, kind in (("keypoint_rcnn", "of detector weights"), ("blazepose", "or folder of BlazePose's weights")):
        outcome = studio.refused(f"{missing}: there is no such file {kind}", "--detector_weights", missing, "--detector", name,
                                 pose=False)
        assert "--pose edit" in outcome.err


class StandIn(Detector):
    """A detector that finds the people it was made with, in order; boxes are shares of the picture's sides, masks fill them."""

    people, finds_masks, known = (), True, []

    def __init__(self, weights, device):
        assert weights is None and str(device) == "cpu"

    @classmethod
    def at_hand(cls, weights=None):
        return True

    def detect(self, picture):
        boxes = [np.array(box) * np.tile(picture.shape[1::-1], 2) for box in self.people]
        return [self._person(box, standing_in(box)) for box in boxes]

    def find_again(self, picture, joints, visible):
        self.known.append(joints)
        return self._person(pose_boxes(joints), joints) if self.people else None

    @staticmethod
    def _person(box, joints):
        x, y = (box[:2] + box[2:]) / 2
        side = 1.2 * (box[2:] - box[:2]).max()
        soft = np.zeros((64, 64), np.float32)
        w, h = np.round(32 * (box[2:] - box[:2]) / side).astype(int)
        soft[32 - h:32 + h, 32 - w:32 + w] = 1
        return Person(box, 0.9, joints, np.ones(13, bool), Region(x, y, side), soft)


@pytest.fixture
def people(monkeypatch):
    """`people(*boxes)`: the detector finds these."""
    def found(*boxes):
        monkeypatch.setattr(StandIn, "people", boxes)
    monkeypatch.setitem(DETECTORS, "stand_in", f"{__name__}:StandIn")
    return found


PEOPLE = ((0.1, 0.2, 0.4, 0.9), (0.6, 0.3, 0.8, 0.8))


@pytest.mark.parametrize("argv, number", [([], 0), (["--person", 2], 1)])
def test_of_several_people_one_is_taken(studio, people, argv, number):
    people(*PEOPLE)
    size = (400, 800)
    Image.fromarray(draw_photo(size)).save(studio.photo)
    outcome = studio.run("--samples", 1, "--detector", "stand_in", *argv, pose=False)
    assert outcome.status == 0, outcome.err
    joints, _ = read_poses(studio.out / "me_golf_swing_1.json")
    expected = standing_in(np.array(PEOPLE[number]) * np.tile(size[::-1], 2))
    assert np.abs(joints[0] - expected).max() < 2
    assert (studio.out / "me_people.jpg").exists()


def test_nobody_there_and_too_few(studio, people):
    people()
    studio.refused("me.png: no person was found in it; place the joints by hand", "--detector", "stand_in", pose=False)
    people(*PEOPLE)
    studio.refused("--person 3: only 2 found in it, see ", "--detector", "stand_in", "--person", 3, pose=False)


# ---- the person's mask ----

def box_mask(size=SIZE, box=(55, 20, 105, 100)):
    mask = np.zeros(size, np.float32)
    mask[box[1]:box[3], box[0]:box[2]] = 1
    return mask


def test_the_mask_of_the_person_is_found_and_written(studio, people):
    people(*PEOPLE)
    assert studio.run("--detector", "stand_in", "--samples", 1, pose=False).status == 0
    mask = read_mask(studio.out / "me_mask.png", SIZE)
    x1, y1, x2, y2 = (np.array(PEOPLE[0]) * np.tile(SIZE[::-1], 2)).round().astype(int)
    assert mask[y1 + 8:y2 - 8, x1 + 8:x2 - 8].min() > 0.9 and mask[:, x2 + 12:].max() == 0, "only this person's"


def test_a_person_who_is_found_twice_keeps_the_mask(studio, people):
    x1, y1, x2, y2 = PEOPLE[0]
    people(PEOPLE[0], (x1 - 0.01, y1 - 0.01, x2 + 0.01, y2 + 0.01))
    assert studio.run("--detector", "stand_in", "--samples", 1, pose=False).status == 0
    x1, y1, x2, y2 = (np.array(PEOPLE[0]) * np.tile(SIZE[::-1], 2)).round().astype(int)
    assert read_mask(studio.out / "me_mask.png", SIZE)[y1 + 8:y2 - 8, x1 + 8:x2 - 8].min() > 0.9


def test_a_mask_for_a_pose_of_ones_own(studio, people):
    people(*PEOPLE)
    StandIn.known.clear()
    assert studio.run("--detector", "stand_in", "--samples", 1).status == 0
    assert np.abs(StandIn.known[0] - pose_in(SIZE)).max() < 0.01 and read_mask(studio.out / "me_mask.png", SIZE)[60, 80] > 0.9
    (studio.out / "me_mask.png").unlink()
    people()                                                         # nobody is seen there: the pose is enough
    assert studio.run("--detector", "stand_in", "--samples", 1).status == 0 and not (studio.out / "me_mask.png").exists()


def test_a_mask_of_ones_own_overrules(studio, people, monkeypatch):
    people(*PEOPLE)
    monkeypatch.setattr(StandIn, "find_again", None)                 # nobody asks
    mask = studio.folder / "mask.png"
    write_mask(mask, box_mask())
    assert studio.run("--detector", "stand_in", "--samples", 1, "--mask", mask).status == 0
    np.testing.assert_array_equal(read_mask(studio.out / "me_mask.png", SIZE), box_mask())
    alpha = studio.folder / "cut.png"
    Image.fromarray(np.dstack([draw_photo(), np.uint8(255 * box_mask(box=(60, 10, 110, 110)))])).save(alpha)
    assert studio.run("--detector", "stand_in", "--samples", 1, photos=[alpha]).status == 0
    np.testing.assert_array_equal(read_mask(studio.out / "cut_mask.png", SIZE), box_mask(box=(60, 10, 110, 110)))
    poses = studio.folder / "mended"
    poses.mkdir()
    for name in ("cut", "me"):
        write_pose(poses / f"{name}.json", pose_in(SIZE))
        write_mask(poses / f"{name}{'_mask' * (name == 'me')}.png", box_mask(box=(50, 10, 110, 110)))
    assert studio.run("--samples", 1, "--pose", poses, "--mask", poses, pose=False, photos=[studio.photo, alpha]).status == 0
    for name in ("cut", "me"):
        np.testing.assert_array_equal(read_mask(studio.out / f"{name}_mask.png", SIZE), box_mask(box=(50, 10, 110, 110)))


@pytest.mark.parametrize("mask, message", [
    (box_mask((90, 100)), "mask.png: this mask is 100 x 90 pixels, the photo is 161 x 120"), (0 * box_mask(), "is empty"),
    (box_mask(box=(0, 0, 20, 20)), "mask.png: this mask is not where the pose is"), (None, "mask.png: this mask cannot be read")])
def test_bad_masks(studio, mask, message):
    if mask is not None:
        write_mask(studio.folder / "mask.png", mask)
    studio.refused(message, "--mask", studio.folder / "mask.png")
    assert not list(studio.out.iterdir())


def test_a_person_who_fills_the_photo(studio):
    """There is next to nothing to fill the background from: the clip shows the colours of what is left of it."""
    photo = np.full((*SIZE, 3), (220, 40, 40), np.uint8)
    photo[:, 0] = (20, 180, 90)
    Image.fromarray(photo).save(studio.photo)
    write_pose(studio.pose, standing_in((0, 2, SIZE[1], SIZE[0] - 4)))
    write_mask(studio.folder / "mask.png", box_mask(box=(1, 0, SIZE[1], SIZE[0])))
    outcome = studio.run("--samples", 1, "--mask", studio.folder / "mask.png", kind="cutout")
    assert outcome.status == 0, outcome.err
    whole = frames_of(studio.out / "me_golf_swing_1_whole.mp4").astype(int)
    assert np.abs(whole[0] - photo[:, :160]).mean() < 8
    off = np.minimum(*(np.abs(whole[1:] - np.array(colour)).max(-1) for colour in ((220, 40, 40), (20, 180, 90))))
    assert np.median(off) < 40


def test_masks_need_photos_and_a_folder_for_several(studio, run_script):
    studio.refused("--mask mask.png: for 2 photos give a folder with a file for each, like me_mask.png", "--mask", "mask.png",
                   photos=[studio.photo, studio.photo], pose=False)
    outcome = run_script(train_actvae.main, "--config", "config/Penn_actvae.yaml", "--test", "--pretrain", "x", "--mask", "y.png")
    assert outcome.status == 2 and "--mask needs --image" in outcome.err


def test_a_crops_mask_is_letterboxed_like_its_picture():
    photo, pose = draw_photo((480, 640)), pose_in((480, 640))
    mask = cv2.GaussianBlur(box_mask((480, 640), (250, 100, 390, 380)), (0, 0), 3)
    subject = Subject(photo, shown_whole(photo), subject_of(photo, pose).person, mask)
    crop = crop_person(subject, pose, np.full(4, 0.3))
    picture = crop_person(subject_of(np.repeat(np.uint8(255 * mask)[..., None], 3, 2), pose), pose, np.full(4, 0.3)).picture
    assert crop.mask.dtype == np.float32 and crop.mask.shape == picture.shape[:2] and crop.mask.max() > 0.99
    np.testing.assert_allclose(crop.inside(crop.mask[..., None]), crop.inside(picture)[..., :1] / 255, atol=0.02)
    assert crop.mask[:, 0].max() == 0 and crop_person(subject_of(photo, pose), pose, np.full(4, 0.3)).mask is None


# ---- memory ----

def peak_of(studio, photo, *argv):
    """Memory in GiB that the script needs at most for a clip of a photo, in a process of its own."""
    weights = studio.weights["limb_warp"]
    argv = ["train_actvae_p2inetwork.py", "--config", weights / "config.yaml", "--output_path", studio.folder, "--test",
            "--pretrain", weights, "--image", photo, "--action", "golf_swing", "--samples", 1, "--steps", 1, "--out", studio.out,
            *argv]
    # the system's own count of a child begins with what its parent had
    script = ("import runpy, sys\nsys.argv = sys.argv[1:]\ntry:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
              "finally:\n    print(open('/proc/self/status').read())")
    done = subprocess.run([sys.executable, "-c", script, *map(str, argv)], check=True, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT)
    return int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1]) / 2 ** 20


NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads its memory's peak in /proc")
LARGE = (6000, 8000)                  # 48 megapixels, as phones make them


@NEEDS_PROC
def test_a_photo_of_48_megapixels_needs_little_memory(studio):
    photo, mask = studio.folder / "huge.jpg", studio.folder / "huge.png"
    Image.fromarray(draw_photo(LARGE)).save(photo, quality=80)
    write_pose(studio.pose, pose_in(LARGE))
    write_mask(mask, box_mask(LARGE, (3200, 1500, 4800, 4500)))
    assert peak_of(studio, photo, "--pose", studio.pose, "--mask", mask) < 1.5


@NEEDS_PROC
@pytest.mark.skipif(not detector_class("blazepose").at_hand(), reason="BlazePose's weights are not at hand: "
                                                                      "run python -m pose.blazepose_weights")
def test_a_person_is_found_in_48_megapixels_with_little_memory(studio):
    data = pytest.importorskip("skimage.data", reason="scikit-image, which ships the photo, is not installed")
    photo = studio.folder / "huge.jpg"
    Image.fromarray(data.astronaut()).resize(LARGE[::-1]).save(photo, quality=80)
    assert peak_of(studio, photo) < 1.5
    assert read_mask(studio.out / "huge_mask.png", LARGE)[5000, 3500] > 0.9
