"""A short video in place of a photo: where it is continued, what is known of the motion before, and what cannot be used."""
import json

import numpy as np
import pytest
from PIL import Image
from studio import Studio, make_weights, standing_in

import photo.motions
import train_actvae
from photo.timing import Timing, write_timing
from photo.video_end import follow_back, is_video, read_source
from pose import DETECTORS
from pose.detector import Detector, Person
from pose.pose_file import read_pose, read_poses, write_pose
from trainer_actvae import Trainer
from training.prediction import Source
from utils.media import write_mp4
from utils.torch_files import save_torch
from utils_file import load_config

SETTINGS = """base: {base}
actions: [golf_swing, wave]
imsize: 32
actvae: {{networks: 1, trunk: 16, head: 8, terms: 4, horizon: 8, history: {history}}}
device: cpu
"""
FPS, FRAMES, SPEED = 10, 9, 3                     # frames a second of the film, its frames, pixels that people walk in a frame


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Pretrained folders by name: pose modules that see one pose and two, and a painter."""
    root, found = tmp_path_factory.mktemp("weights"), {}
    for name, history in (("one", 1), ("two", 2)):
        folder = found[name] = root / name
        folder.mkdir()
        (folder / "config.yaml").write_text(SETTINGS.format(base=(root.cwd() / "config/motion.yaml"), history=history))
        trainer = Trainer(load_config(folder / "config.yaml"), seed=3, trains=False)
        trainer.model.out.weight.data.mul_(10)
        save_torch(folder / "motion.pt", {"a": trainer.model.state_dict()})
        write_timing(folder / "timing.json", Timing({"golf_swing": 5.0, "wave": 20.0}, 8))
    return found | {"limb_warp": make_weights(root / "limb_warp", "limb_warp")}


class Coloured(Detector):
    """A detector that finds a standing person in the box of red pixels and another one in that of green pixels."""

    asked = 0

    def __init__(self, weights, device):
        pass

    def detect(self, picture):
        Coloured.asked += 1
        people = []
        for channel in (0, 1):
            y, x = np.nonzero(picture[..., channel] > 128)
            if len(x) > 50:
                box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], float)
                people.append(Person(box, 0.9, standing_in(box), np.ones(13, bool)))
        return people


def boxes(number):
    """Where the red and the green person are in a frame: one walks to the right, one to the left."""
    return (20 + SPEED * number, 30, 40 + SPEED * number, 90), (140 - SPEED * number, 30, 160 - SPEED * number, 90)


def film(path, frames=FRAMES, alone=(), missing=()):
    """A film (120 x 180); frames in which the red person is `alone`, and frames that are black."""
    pictures = np.zeros((frames, 120, 180, 3), np.uint8)
    for number in set(range(frames)) - set(missing):
        for channel, (x1, y1, x2, y2) in enumerate(boxes(number)[:1 if number in alone else 2]):
            pictures[number, y1:y2, x1:x2, channel] = 255
    write_mp4(path, pictures, FPS)
    return path


@pytest.fixture
def studio(tmp_path, weights, run_script, monkeypatch):
    monkeypatch.setitem(DETECTORS, "coloured", f"{__name__}:Coloured")
    monkeypatch.setattr(Coloured, "asked", 0)
    made = Studio(tmp_path, weights, run_script)
    made.seen = []
    monkeypatch.setattr(photo.motions, "Source", lambda *parts, **more: made.seen.append(Source(*parts, **more)) or made.seen[-1])
    made.video = film(tmp_path / "walk.mp4", alone=range(FRAMES))
    return made


def clip(studio, *argv, kind="two", name="walk", pose=False, **others):
    """The poses of a clip, and how many pixels the person moved to the right in the step before it."""
    outcome = studio.run("--detector", "coloured", *argv, main=train_actvae.main, kind=kind, pose=pose,
                         **{"photos": [studio.video]} | others)
    assert outcome.status == 0, outcome.err
    return read_poses(studio.out / f"{name}_golf_swing_1.json")[0], step_before(studio.seen[0]), outcome


def step_before(source):
    """How many pixels (x, y) the person moved in the step before the last frame."""
    step = (source.pose - source.before)[0].numpy() * np.ptp(last()[:, 1]) / np.ptp(source.pose[0, :, 1].numpy())
    assert np.ptp(step, 0).max() < 0.01, "all joints move alike"
    return step.mean(0)


def last(which=0):
    return standing_in(boxes(FRAMES - 1)[which])


@pytest.mark.parametrize("action, frames", [("golf_swing", 2), ("golf_swing,wave", 2), ("wave", 0.5)])
def test_two_poses_come_from_the_video_at_the_action_s_rate(studio, action, frames):
    studio.run("--detector", "coloured", main=train_actvae.main, kind="two", pose=False, photos=[studio.video], action=action)
    assert np.abs(step_before(studio.seen[0]) - (frames * SPEED, 0)).max() < 0.5
    assert len(studio.seen) == len(action.split(","))
    joints, _ = read_poses(studio.out / f"walk_{action.partition(',')[0]}_1.json")
    assert np.abs(joints[0] - last()).max() < 1, "clips begin with the last frame"
    assert np.array(Image.open(studio.out / "walk_pose.jpg")).shape == (120, 180, 3)


def test_the_rate_of_clips_changes_nothing_and_one_pose_needs_no_past(studio):
    joints, step, _ = clip(studio, "--fps", 20)
    assert np.abs(step - (6, 0)).max() < 0.5 and Coloured.asked == 1 + FRAMES
    moved = joints[1:] - joints[:1]
    write_pose(studio.pose, last())
    Coloured.asked, studio.out, studio.seen[:] = 0, studio.folder / "one", []
    joints, _, _ = clip(studio, kind="one", pose=True)
    assert np.abs(joints[0] - last()).max() < 0.01 and np.abs(joints[1:] - joints[0]).max() > 1 and not Coloured.asked
    still, studio.out, studio.seen[:] = studio.folder / "still.png", studio.folder / "photo", []
    Image.fromarray(read_source(studio.video)[0]).save(still)
    joints, step, outcome = clip(studio, name="still", photos=[still])
    assert (step == 0).all() and np.abs(joints[1:] - joints[:1] - moved).max() > 0.3, "the past makes a difference"
    assert "its person is taken to stand still" in outcome.out


def test_a_pose_of_ones_own_is_that_of_the_last_frame(studio):
    write_pose(studio.pose, last() + 4)
    joints, step, _ = clip(studio, pose=True)
    assert np.abs(joints[0] - last() - 4).max() < 0.01 and np.abs(step - (6, 0)).max() < 0.5
    outcome = studio.run("--pose", "edit", "--detector", "coloured", main=train_actvae.main, kind="two", photos=[studio.video],
                         pose=False)
    assert outcome.status == 0 and (studio.out / "walk_pose.html").exists()


@pytest.mark.parametrize("number, step", [(1, 6), (2, -6)])
def test_the_person_who_is_meant_is_followed(studio, number, step):
    film(studio.video)
    joints, found, _ = clip(studio, "--person", number)
    assert np.abs(joints[0] - last(number - 1)).max() < 1 and np.abs(found - (step, 0)).max() < 0.5


def test_who_comes_late_is_followed_as_far_as_seen(studio):
    film(studio.video, alone=range(FRAMES), missing=range(FRAMES - 2))
    _, step, _ = clip(studio)
    assert np.abs(step - (3, 0)).max() < 0.5
    film(studio.video, alone=range(FRAMES), missing=range(FRAMES - 1))
    studio.seen.clear()
    _, step, outcome = clip(studio)
    assert (step == 0).all() and any("not found just before; the motion begins at rest" in text for text in outcome.warnings)


def test_a_film_is_looked_at_for_a_second_at_most(studio, monkeypatch):
    film(studio.video, 40, alone=range(40))
    pixels, end = read_source(studio.video)
    assert pixels.shape == (120, 180, 3) and end.number == 39 and is_video(studio.video) and not is_video(studio.photo)
    monkeypatch.setattr("photo.video_end.LONGEST_SIDE", 90)                              # the detector sees smaller frames
    person = Person(np.array(boxes(39)[0], float), 0.9, standing_in(boxes(39)[0]), np.ones(13, bool))
    past = follow_back(end, person, Coloured(None, None))
    assert past.times[0] == pytest.approx(-1) and past.times[-1] == 0 and len(past.times) == Coloured.asked == 11
    assert np.abs(past.before(person.joints, 0.3) - person.joints - (-9, 0)).max() < 1.2
    assert np.abs(past.before(person.joints, 7) - past.before(person.joints, 1)).max() == 0


def test_a_painter_and_a_motion_take_the_last_frame_too(studio):
    write_pose(studio.pose, last())
    assert studio.run("--samples", 1, photos=[studio.video]).status == 0
    assert np.abs(read_poses(studio.out / "walk_golf_swing_1.json")[0][0] - last()).max() < 0.01
    assert (studio.out / "walk_golf_swing_1_whole.mp4").exists()
    (studio.folder / "dance.json").write_text(json.dumps([(last() + shift).tolist() for shift in (0, 2, 4)]))
    outcome = studio.run("--motion", studio.folder / "dance.json", "--steps", 2, photos=[studio.video], action=None,
                         main=train_actvae.main, kind="two")
    assert outcome.status == 0 and not Coloured.asked
    assert np.abs(read_pose(studio.out / "walk_pose.json")[0] - last()).max() < 0.01


@pytest.mark.parametrize("name, make, message", [
    ("nobody.mp4", lambda path: film(path, missing=(FRAMES - 1,)), "no person was found in its last frame; place the"),
    ("one.mp4", lambda path: film(path, 1), "a video of one frame; give a longer one, or that frame as a photo"),
    ("text.mp4", lambda path: path.write_text("no video"), "this video cannot be opened"),
    ("none.mp4", lambda path: None, "this video cannot be opened (No such file or directory)"),
    ("damaged.mp4", lambda path: path.write_bytes(film(path).read_bytes()[:600]), "this video cannot be opened")])
def test_videos_that_cannot_be_used(studio, name, make, message):
    make(studio.folder / name)
    studio.refused(f"{name}: {message}", "--detector", "coloured", main=train_actvae.main, kind="two", pose=False,
                   photos=[studio.folder / name])


def test_a_mask_or_a_pose_of_other_frames_is_refused(studio):
    Image.new("L", (90, 60), 255).save(studio.folder / "mask.png")
    argv = {"photos": [studio.video], "kind": "two", "main": train_actvae.main}
    write_pose(studio.pose, last())
    studio.refused("mask.png: ", "--mask", studio.folder / "mask.png", **argv)
    write_pose(studio.pose, 4 * last())
    studio.refused("is it another photo's pose, or that of this photo at another size?", **argv)
