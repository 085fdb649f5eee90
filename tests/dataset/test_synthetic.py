"""The synthetic data set: Penn Action's layout, believable motion, exact masks."""
import json

import cv2
import numpy as np
import pytest
import scipy.io

from dataset.pair_list import ACTIONS
from dataset.synthetic.__main__ import main
from dataset.synthetic.layout import make
from dataset.synthetic.motion import CLIP_STEPS, Build, perform
from dataset.synthetic.people import draw_video
from pose.skeleton import ANKLES, ELBOWS, HIPS, KNEES, SHOULDERS, WRISTS
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
@pytest.mark.parametrize("person", range(2))
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


def test_left_joints_are_on_the_left_of_the_picture_as_in_penn_action():
    _, joints, _, view = draw_video(7, "jumping_jacks", 0, (6, 6))
    assert view == "front"
    for left, right in (SHOULDERS, HIPS, ANKLES):
        assert (joints[:, left, 0] < joints[:, right, 0]).all()
    _, joints, _, view = draw_video(7, "pullup", 1, (6, 6))
    assert view == "back" and (joints[:, SHOULDERS[0], 0] > joints[:, SHOULDERS[1], 0]).all()


def test_a_video_depends_on_seed_action_and_index_alone(demo, tmp_path):
    make(tmp_path, videos=1, frames=(6, 7))
    for number in range(1, len(ACTIONS) + 1):
        again, before = f"{number:04d}", f"{2 * number - 1:04d}"
        frames = contents(tmp_path / "frames" / again)
        assert frames and frames == contents(demo / "frames" / before)
        assert (tmp_path / f"labels/{again}.mat").read_bytes() == (demo / f"labels/{before}.mat").read_bytes()


@pytest.fixture
def quick(monkeypatch):
    """Grey pictures instead of people, for tests of the writing."""
    def draw(seed, action, index, frames, people, masks=False):
        pictures = (np.full((40, 60, 3 + masks), seed, np.uint8) for _ in range(frames[0]))
        return pictures, np.zeros((frames[0], 13, 2)), (60, 40), "front"
    monkeypatch.setattr("dataset.synthetic.layout.draw_video", draw)


def test_a_rerun_does_nothing_and_other_settings_replace(tmp_path, quick, monkeypatch):
    out = tmp_path / "set"
    with monkeypatch.context() as patch:
        patch.setattr("dataset.synthetic.layout.draw_video", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            make(out, videos=2, frames=(6, 6))
    assert not (out / "synthetic.json").exists()
    make(out, videos=2, frames=(6, 6))
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert "nothing done" in make(out, videos=2, frames=(6, 6))
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    for folder in ("lists", "frames/mine"):
        (out / folder).mkdir()
    make(out, videos=1, frames=(7, 7))
    assert json.loads((out / "synthetic.json").read_text())["videos"] == 1
    assert len(list((out / "labels").iterdir())) == len(ACTIONS) and len(list((out / "frames").iterdir())) == len(ACTIONS) + 1
    assert len(list((out / "frames" / "0001").iterdir())) == 7 and (out / "lists").is_dir(), "files of the user stay"


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "synthetic.json").write_text("{}")
    with pytest.raises(UserError, match="not made by this command"):
        make(tmp_path, videos=1, frames=(6, 6))
    assert contents(tmp_path) == {"synthetic.json": b"{}"}


@pytest.mark.parametrize("options, word", [
    (["--videos", "2000"], "--videos"), (["--seed", "-1"], "--seed"), (["--frames", "9", "8"], "--frames")
])
def test_bad_options(tmp_path, run_script, options, word):
    outcome = run_script(main, "--out", tmp_path / "set", *options)
    assert outcome.status == 2 and word in outcome.err and not (tmp_path / "set").exists()


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


def test_masks_lie_beside_the_frames(tmp_path, quick):
    make(tmp_path / "set", videos=1, frames=(6, 6), masks=True)
    folders = tmp_path / "set/frames", tmp_path / "set/masks"
    frames, masks = ({path.relative_to(folder).with_suffix("") for path in folder.rglob("*.*")} for folder in folders)
    assert masks == frames and len(masks) == 6 * len(ACTIONS)
    assert cv2.imread(str(tmp_path / "set/masks/0001/000001.png"), cv2.IMREAD_UNCHANGED).shape == (40, 60)
    assert "nothing done" in make(tmp_path / "set", videos=1, frames=(6, 6), masks=True)
    make(tmp_path / "set", videos=1, frames=(6, 6))
    assert not list((tmp_path / "set").rglob("*.png"))
