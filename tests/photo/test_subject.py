"""Which person of a photo is taken, which pixels are the person, and what is said of doubtful poses and masks."""
import json
import logging
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from studio import (
    SIZE,
    Bright,
    StandIn,
    Studio,
    box_mask,
    draw_photo,
    film,
    frames_of,
    in_film,
    pose_in,
    shared_weights,
    standing_in,
    subject_of,
    trainer_of,
)

from networks.background import inpaint_background
from photo.crop import pose_boxes
from photo.inputs import read_inputs, read_photo_input
from photo.layers import inpaint_photo
from photo.options import PhotoRequest, SubjectOptions
from photo.statistics import Statistics
from photo.subject import resolve
from photo.web.studio import Studio as Page
from pose import DETECTORS
from pose.held_objects import CLUB
from pose.masks import body_region, read_mask, write_mask
from pose.pose_file import read_poses, write_pose
from pose.skeleton import STANDING
from utils.errors import UserError
from utils.media import write_gif, write_image

STAND_IN = ("--detector", "stand_in", "--samples", 1)
PEOPLE = ((0.1, 0.2, 0.4, 0.9), (0.6, 0.3, 0.8, 0.8))
PIXELS = (480, 640)                    # h, w
POSE, SMALL = STANDING * 400 + (320, 40), STANDING * 100 + (80, 300)


@pytest.fixture
def studio(tmp_path, tmp_path_factory, run_script, monkeypatch):
    monkeypatch.setitem(DETECTORS, "stand_in", f"{StandIn.__module__}:StandIn")
    monkeypatch.setitem(DETECTORS, "bright", f"{Bright.__module__}:Bright")
    return Studio(tmp_path, shared_weights(tmp_path_factory), run_script)


@pytest.fixture
def people(monkeypatch):
    """`people(*boxes)`: the detector finds these."""
    return lambda *boxes: monkeypatch.setattr(StandIn, "people", boxes)


# ---- the detector ----

@pytest.mark.parametrize("argv, number", [([], 0), (["--person", 2], 1)])
def test_one_of_several_detected_people_is_taken(studio, people, argv, number):
    people(*PEOPLE)
    size = (400, 800)
    Image.fromarray(draw_photo(size)).save(studio.photo)
    outcome = studio.made(*STAND_IN, *argv, pose=False)
    told = [line for line in outcome.warnings if "of 2 people number 1 is taken, --person K takes another; see" in line]
    assert len(told) == (number == 0)
    joints, _ = read_poses(studio.out / "me_golf_swing_1.json")
    assert np.abs(joints[0] - standing_in(np.array(PEOPLE[number]) * np.tile(size[::-1], 2))).max() < 2
    assert (studio.out / "me_people.jpg").exists()
    mask = read_mask(studio.out / "me_mask.png", size)
    x1, y1, x2, y2 = (np.array(PEOPLE[number]) * np.tile(size[::-1], 2)).round().astype(int)
    assert mask[y1 + 20:y2 - 20, x1 + 20:x2 - 20].min() > 0.9
    assert (mask[:, :x1 - 40] if number else mask[:, x2 + 40:]).max() == 0, "only this person's"


def test_nobody_or_too_few_people_are_detected(studio, people):
    people()
    studio.refused("me.png: no person was found in it; place the joints by hand", *STAND_IN, pose=False)
    people(*PEOPLE)
    studio.refused("--person 3: only 2 found in it, see ", *STAND_IN, "--person", 3, pose=False)


def test_without_a_detector_there_is_a_page(studio):
    argv = ("--detector_weights", studio.folder / "none.pth")
    outcome = studio.refused("none.pth: BlazePose's weights cannot be read", *argv, pose=False)
    assert str(studio.out / "me_pose.html") in outcome.err and (studio.out / "me_pose.html").exists()


def test_the_pose_page_begins_with_the_detected_person(studio, people):
    for boxes, files in (((), {"me_pose.html"}), (PEOPLE[1:], {"me_pose.html", "me_mask.png"})):
        people(*boxes)
        outcome = studio.made("--pose", "edit", *STAND_IN[:2], pose=False, action=None)
        assert {path.name for path in studio.out.iterdir()} == files
        assert "save me.json there and give that file with --pose" in outcome.out
    settings = json.loads(re.search(r'id="settings">(.*?)</script>', (studio.out / "me_pose.html").read_text())[1])
    expected = standing_in(np.array(PEOPLE[1]) * np.tile(SIZE[::-1], 2))
    np.testing.assert_allclose([point[:2] for point in settings["pose"]], expected, atol=0.01)
    assert settings["mask"].startswith("data:image/png")


# ---- the order of precedence ----

def test_the_detector_adds_the_mask_to_a_pose_file(studio, people):
    people(*PEOPLE)
    StandIn.known.clear()
    studio.made(*STAND_IN)
    assert np.abs(StandIn.known[0] - pose_in(SIZE)).max() < 0.01 and read_mask(studio.out / "me_mask.png", SIZE)[60, 80] > 0.9
    (studio.out / "me_mask.png").unlink()
    people()                                                         # nobody is detected there: the pose is enough
    studio.made(*STAND_IN)
    assert not (studio.out / "me_mask.png").exists()


def test_a_mask_file_or_an_alpha_channel_replaces_the_detected_mask(studio, people, monkeypatch):
    people(*PEOPLE)
    monkeypatch.setattr(StandIn, "find_again", None)                 # it is not called
    write_mask(studio.mask, box_mask())
    studio.made(*STAND_IN, "--mask", studio.mask)
    np.testing.assert_array_equal(read_mask(studio.out / "me_mask.png", SIZE), box_mask())
    alpha = studio.folder / "cut.png"
    Image.fromarray(np.dstack([draw_photo(), np.uint8(255 * box_mask(box=(60, 10, 110, 110)))])).save(alpha)
    studio.made(*STAND_IN, photos=[alpha])
    np.testing.assert_array_equal(read_mask(studio.out / "cut_mask.png", SIZE), box_mask(box=(60, 10, 110, 110)))
    folder = studio.folder / "corrected"
    folder.mkdir()
    for name in ("cut", "me"):
        write_pose(folder / f"{name}.json", pose_in(SIZE))
        write_mask(folder / f"{name}{'_mask' * (name == 'me')}.png", box_mask(box=(50, 10, 110, 110)))
    studio.made("--samples", 1, "--pose", folder, "--mask", folder, pose=False, photos=[studio.photo, alpha])
    for name in ("cut", "me"):
        np.testing.assert_array_equal(read_mask(studio.out / f"{name}_mask.png", SIZE), box_mask(box=(50, 10, 110, 110)))


def test_held_objects_are_added_to_any_mask(studio, people, monkeypatch):
    """To that of a file, and to that of the page in the browser, where the action is chosen later."""
    club = box_mask(box=(105, 40, 130, 45))
    monkeypatch.setattr("photo.subject.held_mask", lambda photo, mask, joints, kinds: club if kinds == [CLUB] else None)
    write_mask(studio.mask, box_mask())
    for argv, holds in (((), True), (("--action", "wave"), False), (("--held", "off"), False)):
        studio.made("--samples", 1, "--formats", "poses", "--mask", studio.mask, *argv)
        assert read_mask(studio.out / "me_mask.png", SIZE)[42, 120] == holds
    people((0.3, 0.2, 0.6, 0.9))
    monkeypatch.setitem(DETECTORS, "blazepose", DETECTORS["stand_in"])
    page = Page(trainer_of(studio.weights["cutout"]), Statistics(), logging.getLogger())
    placed = page.open_photo(studio.folder / "visit", studio.photo, 1)
    clips = [folder for folder, _ in page.make_clips(studio.folder / "visit", placed, json.dumps(placed.pose), samples=1, steps=1,
                                                     actions="golf_swing")]
    assert read_mask(clips[0] / "me_mask.png", SIZE)[42, 120] == 1


# ---- videos ----

def test_a_video_is_continued_from_its_last_frame(studio):
    video, last = film(studio.folder / "walk.mp4"), in_film([11])[0]
    studio.made("--detector", "bright", photos=[video], pose=False)
    assert np.abs(read_poses(studio.out / "walk_golf_swing_1.json")[0][0] - last).max() < 1
    assert (studio.out / "walk_golf_swing_1_whole.mp4").exists()
    write_pose(studio.pose, last + 4)
    studio.made(photos=[video])
    assert np.abs(read_poses(studio.out / "walk_golf_swing_1.json")[0][0] - last - 4).max() < 0.01
    studio.made("--pose", "edit", "--detector", "bright", photos=[video], pose=False)
    assert (studio.out / "walk_pose.html").exists()


def test_an_animation_is_continued_from_its_last_picture_and_can_be_a_motion(studio):
    pictures = list(frames_of(film(studio.folder / "walk.mp4"), 10))
    write_gif(studio.folder / "walk.gif", pictures, fps=10)
    studio.made("--detector", "bright", photos=[studio.folder / "walk.gif"], pose=False)
    assert np.abs(read_poses(studio.out / "walk_golf_swing_1.json")[0][0] - in_film([11])[0]).max() < 1
    studio.made("--detector", "bright", "--motion", studio.folder / "walk.gif", "--steps", 99, action=None)
    assert read_poses(studio.out / "me_walk_1.json")[0].shape == (12, 13, 2)


@pytest.mark.parametrize("name, make, message", [
    ("nobody.mp4", lambda path: film(path, missing=(11,)), "no person was found in it; place the"),
    ("text.mp4", lambda path: path.write_text("no video"), "this video cannot be opened"),
    ("none.mp4", lambda path: None, "this video cannot be opened (No such file or directory)"),
    ("damaged.mp4", lambda path: path.write_bytes(film(path).read_bytes()[:600]), "this video cannot be opened")])
def test_videos_that_cannot_be_used(studio, name, make, message):
    make(studio.folder / name)
    studio.refused(f"{name}: {message}", "--detector", "bright", pose=False, photos=[studio.folder / name])


# ---- pose files and masks ----

@pytest.fixture
def find(tmp_path):
    """`find(content, ...)`: the person that is found with a pose file of this content, and the warnings."""
    write_image(tmp_path / "me.png", np.zeros((*PIXELS, 3), np.uint8))

    def found(content, name="me.json", folder=False, mask=None, person=None):
        path = tmp_path / "poses" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
        if mask is not None:
            write_mask(tmp_path / "mask.png", mask)
        options = SubjectOptions(path.parent if folder else path, mask=None if mask is None else tmp_path / "mask.png",
                                 person=person, detector="keypoint_rcnn")
        inputs = read_inputs(PhotoRequest([tmp_path / "me.png"], tmp_path, options))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            person, found, _ = resolve(read_photo_input(inputs.photos[0], options), inputs)
        lines = [str(warning.message) for warning in caught]
        assert all("\n" not in line for line in lines)
        if mask is not None:
            return found, [line.removeprefix(f"{tmp_path / 'mask.png'}: ") for line in lines]
        assert found is None
        return person, [line.removeprefix(f"{path}: ") for line in lines]
    return found


def openpose(*poses):
    return {"people": [{"pose_keypoints_2d": np.c_[pose, np.ones(13)].ravel().tolist()} for pose in poses]}


def test_the_largest_or_the_chosen_person_of_a_pose_file(find, tmp_path):
    for number, expected in ((None, POSE), (2, SMALL)):
        person, _ = find(openpose(SMALL, POSE), person=number)
        np.testing.assert_allclose(person.joints, expected)
        assert (tmp_path / "me_people.jpg").is_file()
    with pytest.raises(UserError, match="me.png: --person 3: only 2 found in it, see .*me_people.jpg"):
        find(openpose(SMALL, POSE), person=3)
    (tmp_path / "me_people.jpg").unlink()
    with pytest.raises(UserError, match="--person 2: only 1 found in it$"):
        find(openpose(POSE), person=2)
    assert not (tmp_path / "me_people.jpg").exists()


@pytest.mark.parametrize("name", ["me.json", "me_keypoints.json"])
def test_a_good_pose_in_a_folder_raises_no_warning(find, name):
    person, lines = find(POSE.tolist(), name, folder=True)
    np.testing.assert_array_equal(person.joints, POSE)
    np.testing.assert_array_equal(person.box, [*POSE.min(0), *POSE.max(0)])
    assert person.visible.all() and lines == []


def test_doubtful_poses_raise_warnings(find):
    person, lines = find([[0, 0, 0] if joint in (4, 6) else [*point, 1] for joint, point in enumerate(POSE.tolist())])
    assert lines == ["right_elbow, right_wrist are missing; estimated from the other joints"]
    np.testing.assert_allclose(person.joints, POSE, atol=1e-6)
    assert not person.visible[[4, 6]].any()
    pose = POSE.copy()
    pose[6] = 650, 300
    person, lines = find(pose.tolist())
    assert lines[0] == "right_wrist is outside the picture, which is 640 x 480 pixels; taken as not visible"
    assert np.flatnonzero(~person.visible).tolist() == [6] and person.joints[6].tolist() == [650, 300]


@pytest.mark.parametrize("pose, message", [
    (POSE * 2, "more are outside the picture, .*; is it another photo's pose, or that of this photo at another size"),
    (np.where(np.arange(13)[:, None] == 6, 2000, POSE), r"joint 6 \(right_wrist\): \(2000, 2000\) is outside the picture")])
def test_poses_of_other_photos_are_refused(find, pose, message):
    with pytest.raises(UserError, match=message):
        find(pose.tolist())


def test_holes_of_a_mask_are_filled_and_joints_outside_reported(find):
    body = body_region(POSE, PIXELS).astype(np.float32)
    holed, cut = body.copy(), body.copy()
    x, y = np.rint(POSE[[1, 2, 7, 8]].mean(0)).astype(int)
    holed[y - 10:y + 10, x - 10:x + 10] = 0
    cut[int(POSE[9, 1]) - 40:] = 0                                   # without the shins
    outside = "left_knee, right_knee, left_ankle, right_ankle outside this mask; what the photo shows there does not move"
    for given, expected, line in ((body, body, []), (holed, body, ["this mask has holes in the body (1), which are filled"]),
                                  (cut, cut, [outside])):
        mask, lines = find(POSE.tolist(), mask=given)
        np.testing.assert_array_equal(mask, expected)
        assert lines == line


# ---- the background ----

def bright_subject(size, **others):
    """A bright person on a dark background that gets brighter from top to bottom."""
    h, w = size
    joints = STANDING * 0.6 * h + (w / 2, 0.2 * h)
    pixels = np.repeat(np.linspace(20, 90, h, dtype=np.uint8)[:, None, None], w, 1).repeat(3, 2)
    mask = box_mask(size, pose_boxes(joints).astype(int))
    pixels[mask > 0] = 250
    return subject_of(pixels, joints, **{"mask": mask} | others)


@pytest.mark.parametrize("size", [(150, 120), (2400, 1800)])
def test_the_person_is_inpainted_and_the_rest_stays(size):
    subject = bright_subject(size)
    background = inpaint_photo(SimpleNamespace(background=inpaint_background), subject)
    x1, y1, x2, y2 = np.rint(pose_boxes(subject.person.joints) + np.multiply((-1, -1, 1, 1), 0.08 * size[0])).astype(int)
    far = box_mask(size, (x1, y1, x2, y2)) == 0
    assert np.array_equal(background[far], subject.pixels[far]) and background.max() < 130


# ---- memory ----

@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads its memory's peak in /proc")
def test_a_photo_of_48_megapixels_needs_little_memory(studio):
    photo, mask, size = studio.folder / "huge.jpg", studio.folder / "huge.png", (6000, 8000)
    Image.fromarray(draw_photo(size)).save(photo, quality=80)
    write_pose(studio.pose, pose_in(size))
    write_mask(mask, box_mask(size, (3200, 1500, 4800, 4500)))
    weights = studio.weights["cutout"]
    argv = ["train_actvae_p2inetwork.py", "--config", weights / "config.yaml", "--output_path", studio.folder, "--test",
            "--pretrain", weights, "--image", photo, "--action", "golf_swing", "--samples", 1, "--steps", 1, "--out", studio.out,
            "--pose", studio.pose, "--mask", mask]
    # the system's own count of a child begins with what its parent had
    script = ("import runpy, sys\nsys.argv = sys.argv[1:]\ntry:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
              "finally:\n    print(open('/proc/self/status').read())")
    done = subprocess.run([sys.executable, "-c", script, *map(str, argv)], check=True, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT)
    assert int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1]) < 1.5 * 2 ** 20
