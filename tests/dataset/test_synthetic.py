"""The demo data set: Penn Action's layout, believable motion, safe writing."""
import hashlib
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import scipy.io
from conftest import ROOT

from dataset.pair_list import ACTIONS
from dataset.synthetic.__main__ import main
from dataset.synthetic.layout import label_bytes, make
from dataset.synthetic.motion import CLIP_STEPS, Build, mirrored, perform
from dataset.synthetic.people import draw_video
from pose.skeleton import ANKLES, ELBOWS, HEAD, HIPS, KNEES, SHOULDERS, WRISTS
from utils.errors import UserError

BONES = [*zip(SHOULDERS, ELBOWS, strict=True), *zip(ELBOWS, WRISTS, strict=True), *zip(HIPS, KNEES, strict=True),
         *zip(KNEES, ANKLES, strict=True), SHOULDERS, HIPS]


def clip(action, person=0):
    """3D joints (33, 13, 3) of one performance."""
    rng = np.random.default_rng(person)
    return perform(action, CLIP_STEPS + 1, Build.draw(rng), rng).joints


def lengths(joints, a, b):
    return np.linalg.norm(joints[:, a] - joints[:, b], axis=-1)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Two short videos of each action."""
    out = tmp_path_factory.mktemp("demo") / "new" / "set"
    make(out, videos=2, frames=(6, 7))
    return out


def test_layout_and_labels(demo):
    labels = sorted((demo / "labels").iterdir())
    assert [path.name for path in labels] == [f"{number:04d}.mat" for number in range(1, 2 * len(ACTIONS) + 1)]
    for number, path in enumerate(labels):
        mat = scipy.io.loadmat(path)
        nframes = mat["nframes"].item()
        frames = sorted((demo / "frames" / path.stem).iterdir())
        assert [frame.name for frame in frames] == [f"{frame:06d}.jpg" for frame in range(1, nframes + 1)]
        height, width = cv2.imread(str(frames[0])).shape[:2]
        assert mat["dimensions"].tolist() == [[height, width, nframes]]
        assert mat["action"].item() == ACTIONS[number // 2]
        assert mat["train"].item() == (1, -1)[number % 2]
        assert mat["pose"].item() in ("front", "right", "back", "left")
        assert mat["x"].shape == mat["y"].shape == mat["visibility"].shape == (nframes, 13)
        assert mat["x"].dtype == mat["y"].dtype == np.float64 and mat["visibility"].dtype == np.uint8
        assert mat["bbox"].shape == (nframes, 4) and mat["bbox"].dtype == np.float64
        assert (mat["visibility"] == 1).mean() > 0.95
        x1, y1, x2, y2 = mat["bbox"].T
        assert (x1 >= 0).all() and (x1 < x2).all() and (x2 < width).all() and (y1 < y2).all() and (y2 < height).all()
        assert y2.max() - y1.min() > 0.3 * height                 # people are not specks


def test_visibility_says_what_is_inside(tmp_path):
    joints = np.full((2, 13, 2), 50.0)
    joints[1, 3] = -1, 50
    joints[1, 4] = 50, 60
    path = tmp_path / "label.mat"
    path.write_bytes(label_bytes("squat", "front", joints, (80, 60), train=True))
    mat = scipy.io.loadmat(path)
    assert np.argwhere(mat["visibility"] == 0).tolist() == [[1, 3], [1, 4]]
    assert mat["bbox"][1].tolist() == [0, 50, 50, 59]


@pytest.mark.parametrize("action", ACTIONS)
def test_labels_lie_on_the_person_and_the_background_stays(action):
    pictures, joints, size, _ = draw_video(7, action, 0, (10, 10))
    pictures = np.stack([cv2.GaussianBlur(picture, (3, 3), 0) for picture in pictures]).astype(int)
    still = np.median(pictures[:, :8, :8], 0)
    assert np.abs(pictures[:, :8, :8] - still).max() <= 8          # a corner, where nobody is
    wrist = joints[:, WRISTS[0]].round().astype(int)
    moved = np.abs(wrist - wrist[0]).sum(1).argmax()
    if np.abs(wrist[moved] - wrist[0]).sum() > 12:                 # where the wrist went, the picture changed
        x, y = wrist[moved]
        assert np.abs(pictures[moved] - pictures[0])[y - 2:y + 3, x - 2:x + 3].max() > 20


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("person", range(3))
def test_bones_keep_their_length_and_feet_stay_above_ground(action, person):
    joints = clip(action, person)
    for a, b in BONES:
        assert np.ptp(lengths(joints, a, b)) < 1e-6, (a, b)
    build = Build.draw(np.random.default_rng(person))
    np.testing.assert_allclose(lengths(joints, SHOULDERS[0], ELBOWS[0]), build.arm / 2)
    np.testing.assert_allclose(lengths(joints, HIPS[1], KNEES[1]), build.leg / 2)
    assert joints[:, ANKLES, 1].min() > 0.02
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
    assert 0.05 < speed.max() < 0.5                                # body heights a frame: moves, never jumps
    window = np.linalg.norm(joints[5:] - joints[:-5], axis=-1)     # a training window spans five steps
    assert window.max(1).mean() > 0.08


@pytest.mark.parametrize("person", range(4))
def test_signature_motions(person):
    hips = clip("squat", person)[:, HIPS, 1].mean(1)
    assert hips.min() < 0.65 * hips.max() and np.sum(np.diff(np.sign(hips - hips.mean())) != 0) >= 3
    feet = clip("squat", person)[:, ANKLES]
    assert np.ptp(feet, axis=0).max() < 1e-6

    joints = clip("pullup", person)
    above = joints[:, HEAD, 1] - joints[:, WRISTS, 1].mean(1)
    assert above.max() > 0 > above.min() and np.ptp(above) > 0.2
    assert np.ptp(joints[:, WRISTS], axis=0).max() < 0.02          # the hands stay on the bar

    joints = clip("jumping_jacks", person)
    above = joints[:, WRISTS, 1].min(1) - joints[:, HEAD, 1]
    spread = np.abs(joints[:, ANKLES[0], 0] - joints[:, ANKLES[1], 0])
    assert above.max() > 0.05 and above.min() < -0.3 and spread.max() > 2.5 * spread.min()
    assert spread[above.argmax()] > spread[above.argmin()]

    bar = clip("clean_and_jerk", person)[:, WRISTS, 1].mean(1)
    assert bar[:2].max() < 0.25 and bar[-1] > 0.95 and bar[-1] > bar[0] + 0.8
    for action in ("golf_swing", "baseball_swing"):                # both hands on it, chest ends towards the target
        joints = clip(action, person)
        assert lengths(joints, *WRISTS).max() < 0.12
        across = joints[:, SHOULDERS[0]] - joints[:, SHOULDERS[1]]
        assert across[0, 0] > 0.8 * np.abs(across[0, 2]) and -across[-1, 2] > np.abs(across[-1, 0])
    joints = clip("golf_swing", person)
    hands = joints[:, WRISTS[0], 1]
    low = 12 + hands[12:24].argmin()                               # address, top, impact, finish
    assert hands[8:low].max() > hands[0] + 0.25 and abs(hands[low] - hands[0]) < 0.12 and hands[-1] > hands[0] + 0.25

    joints = clip("tennis_serve", person)
    reach = joints[:, WRISTS, 1] - joints[:, [HEAD], 1]
    assert reach[:, 0].max() > 0.1 and reach[:, 1].max() > 0.1 and reach[:, 0].argmax() < reach[:, 1].argmax()
    joints = clip("baseball_pitch", person)
    assert joints[:, HIPS[0], 0].max() - joints[0, HIPS[0], 0] > 0.35      # a long stride to the batter
    assert joints[5:13, KNEES[0], 1].max() > 1.3 * joints[0, KNEES[0], 1]     # after lifting the knee
    racket = clip("tennis_forehand", person)[:, WRISTS[1]]
    back = racket[:, 2].argmin()
    assert racket[back, 2] < -0.2 and racket[back:, 2].max() > 0.3 and racket[-1, 0] > racket[back, 0] + 0.1


def test_left_hander_is_a_mirror_image():
    rng = np.random.default_rng(1)
    motion = perform("tennis_serve", 34, Build.draw(rng), rng)
    other = mirrored(motion)
    np.testing.assert_allclose(other.joints[:, WRISTS[0]], motion.joints[:, WRISTS[1]] * (-1, 1, 1))
    np.testing.assert_allclose(other.tool[:, 0], other.joints[:, WRISTS[0]])


def test_left_joints_are_on_the_viewers_left_of_a_person_seen_from_the_front_as_in_penn_action():
    _, joints, _, view = draw_video(7, "jumping_jacks", 0, (6, 6))
    assert view == "front"
    for left, right in (SHOULDERS, HIPS, ANKLES):
        assert (joints[:, left, 0] < joints[:, right, 0]).all()
    _, joints, _, view = draw_video(7, "pullup", 1, (6, 6))
    assert view == "back" and (joints[:, SHOULDERS[0], 0] > joints[:, SHOULDERS[1], 0]).all()


def test_another_run_gives_the_same_bytes_whatever_the_number_of_videos(demo, tmp_path):
    make(tmp_path, videos=1, frames=(6, 7))
    for number in range(1, len(ACTIONS) + 1):
        again, before = f"{number:04d}", f"{2 * number - 1:04d}"
        frames = contents(tmp_path / "frames" / again)
        assert frames and frames == contents(demo / "frames" / before)
        assert (tmp_path / f"labels/{again}.mat").read_bytes() == (demo / f"labels/{before}.mat").read_bytes()


def test_seed_action_and_index_each_change_the_video():
    settings = ((7, "squat", 0), (8, "squat", 0), (7, "pullup", 0), (7, "squat", 1))
    first, *others = (draw_video(*what, (6, 6))[1] for what in settings)
    assert all(np.abs(first - other).max() > 1 for other in others)


@pytest.fixture
def quick(monkeypatch):
    """Grey pictures instead of people, for tests of the writing."""
    def draw(seed, action, index, frames, people, variety=False, masks=False):
        pictures = (np.full((40, 60, 3 + masks), seed, np.uint8) for _ in range(frames[0]))
        return pictures, np.zeros((frames[0], 13, 2)), (60, 40), "front"
    monkeypatch.setattr("dataset.synthetic.layout.draw_video", draw)


def test_rerun_does_nothing_and_repairs_what_is_missing(tmp_path, quick):
    out = tmp_path / "set"
    make(out, videos=1, frames=(6, 6))
    before, times = contents(out), {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert "nothing done" in make(out, videos=1, frames=(6, 6))
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    (out / "frames/0001/000003.jpg").unlink()
    (out / "lists").mkdir()
    (out / "lists" / "mine.txt").write_text("kept")
    make(out, videos=1, frames=(6, 6))
    assert contents(out) == before | {"lists/mine.txt": b"kept"}


def test_interrupted_run_is_taken_up_and_other_settings_replace(tmp_path, quick, monkeypatch):
    out = tmp_path / "set"
    with monkeypatch.context() as patch:
        patch.setattr("dataset.synthetic.layout.draw_video", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            make(out, videos=2, frames=(6, 6))
    assert not (out / "synthetic.json").exists()
    make(out, videos=2, frames=(6, 6))
    make(out, videos=1, frames=(7, 7))
    assert json.loads((out / "synthetic.json").read_text())["videos"] == 1
    assert len(list((out / "frames").iterdir())) == len(list((out / "labels").iterdir())) == len(ACTIONS)
    assert len(list((out / "frames" / "0001").iterdir())) == 7


@pytest.mark.parametrize("name, text", [("notes.txt", "mine"), ("synthetic.json", "{}"), ("synthetic.json", "[")])
def test_foreign_folder_is_left_alone(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match="not made by this command"):
        make(tmp_path, videos=1, frames=(6, 6))
    assert contents(tmp_path) == {name: text.encode()}


@pytest.mark.parametrize("options, word", [
    (["--videos", "0"], "--videos"), (["--videos", "x"], "--videos"), (["--videos", "2000"], "--videos"),
    (["--seed", "-1"], "--seed"), (["--frames", "9", "8"], "--frames"), (["--frames", "5", "8"], "--frames"),
])
def test_bad_options(tmp_path, monkeypatch, options, word):
    monkeypatch.setattr(sys, "argv", ["synthetic", "--out", str(tmp_path / "set"), *options])
    with pytest.raises(UserError, match=word):
        main()
    assert not (tmp_path / "set").exists()


def test_error_is_one_line_and_status_two(tmp_path):
    (tmp_path / "file").write_text("")
    run = subprocess.run([sys.executable, "-m", "dataset.synthetic", "--out", str(tmp_path / "file" / "set")],
                         cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2 and run.stdout == ""
    assert run.stderr.startswith("error: ") and len(run.stderr.splitlines()) == 1 and "file" in run.stderr


# ---- variety ----

def test_variety_changes_pictures_not_motion():
    (plain, joints, size, view), (varied, *same), (again, *_) = (
        draw_video(3, "squat", 1, (6, 6), variety=variety) for variety in (False, True, True))
    plain, varied, again = map(list, (plain, varied, again))
    assert np.array_equal(joints, same[0]) and (size, view) == tuple(same[1:])
    assert all(np.array_equal(first, second) for first, second in zip(varied, again)) and varied[0].dtype == np.uint8
    assert np.abs(plain[0].astype(float) - varied[0]).mean() > 10


@pytest.mark.parametrize("action", ["squat", "tennis_serve", "pullup"])
@pytest.mark.parametrize("index", range(4))
def test_variety_draws_every_kind(action, index):
    pictures, joints, *_ = draw_video(5, action, index, (6, 6), people=index % 2, variety=True)
    assert all(picture.std() > 5 for picture in pictures) and np.isfinite(joints).all()


def test_without_variety_the_pictures_are_what_they_were():
    expected = {"squat": "1d75394ccd0a84bc", "tennis_serve": "16d288570d1e0421", "pullup": "47a2bbd8d24eb463"}
    for action, digest in expected.items():
        pictures, joints, *_ = draw_video(7, action, 1, (6, 6))
        assert hashlib.sha256(b"".join(picture.tobytes() for picture in pictures) + joints.tobytes()).hexdigest()[:16] == digest


# ---- masks ----

@pytest.mark.parametrize("action", ("golf_swing", "squat", "jumping_jacks"))
def test_masks_are_exact(action):
    """On the head and the trunk it is 1, in a corner 0; where it is 0 or 1 the picture shows ground or person alone."""
    with_masks, plain = (draw_video(7, action, 1, (6, 6), masks=masks) for masks in (True, False))
    for picture, alone, joints in zip(with_masks[0], plain[0], plain[1]):
        assert picture.shape[-1] == 4 and np.array_equal(picture[..., :3], alone), "pictures are what they are without masks"
        mask = picture[..., 3]
        x, y = joints[list(HIPS)].mean(0).round().astype(int)
        assert mask[y - 2:y + 3, x - 2:x + 3].min() == 255 and mask[:8, :8].max() == 0
        assert 0.02 < (mask > 127).mean() < 0.4 and ((mask > 0) & (mask < 255)).mean() < 0.05


def test_a_mask_does_not_depend_on_the_ground(monkeypatch):
    """Drawn on white and on black grounds, the picture times the mask is the same, and so the mask is the person's share."""
    pictures = []
    for value in (0, 255):
        monkeypatch.setattr("dataset.synthetic.people.background", lambda _, size, *__, value=value: np.full(
            (size[1], size[0], 3), value, np.uint8))
        pictures.append(next(draw_video(7, "jumping_jacks", 1, (6, 6), masks=True)[0]).astype(int))
    black, white = pictures
    assert np.abs(black[..., 3] - white[..., 3]).max() <= 10 and np.abs(black[..., 3] - white[..., 3]).mean() < 0.1
    person = black[..., 3] == 255
    assert person.sum() > 500 and np.abs(black - white)[person].max() <= 9
    edge = (black[..., 3] > 40) & (black[..., 3] < 215)
    edge[edge.shape[0] * 2 // 3:] = False                      # there shadows darken a white ground, and not a black one
    share = 1 - (white - black)[edge][:, :3].mean(1) / 255
    assert np.abs(share - black[edge][:, 3] / 255).max() < 0.03


def test_what_is_held_in_front_is_no_person():
    *_, picture = draw_video(7, "squat", 1, (6, 6), masks=True)[0]
    steel = (np.ptp(picture[..., :3].astype(int), axis=-1) < 40) & (picture[..., :3].max(-1) < 90)
    assert picture[..., 3][steel].mean() < 128, "plates of the bar are dark and grey"


def test_masks_lie_beside_the_frames(tmp_path, quick):
    make(tmp_path / "set", videos=1, frames=(6, 6), masks=True)
    folders = tmp_path / "set/frames", tmp_path / "set/masks"
    frames, masks = ({path.relative_to(folder).with_suffix("") for path in folder.rglob("*.*")} for folder in folders)
    assert masks == frames and len(masks) == 6 * len(ACTIONS)
    assert cv2.imread(str(tmp_path / "set/masks/0001/000001.png"), cv2.IMREAD_UNCHANGED).shape == (40, 60)
    assert "nothing done" in make(tmp_path / "set", videos=1, frames=(6, 6), masks=True)
    make(tmp_path / "set", videos=1, frames=(6, 6))
    assert not list((tmp_path / "set").rglob("*.png"))
