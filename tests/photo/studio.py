"""What tests of photo mode share: small weights, drawn photos and films, detectors, and the scripts run on them."""
from pathlib import Path

import av
import numpy as np
from PIL import Image

import train_actvae_p2inetwork as script
from photo.crop import MAX_PHOTO, pose_boxes
from photo.inputs import Photo
from photo.statistics import STATISTICS, Statistics, write_statistics
from photo.subject import Subject
from pose.detector import Detector, Person
from pose.pose_file import write_pose
from pose.regions import Region
from pose.skeleton import STANDING
from utils.media import write_mp4
from utils.torch_files import save_torch
from utils.transform import limited
from utils_file import load_config

KINDS = {"cutout": "kind: cutout, size: 16", "pose_attention": "ngf: 4, n_blocks: 1"}
SETTINGS = """base: {base}
actions: [squat, golf_swing, wave]
imsize: 32
actvae: {{z_dim: 8}}
generator: {{{generator}}}
discriminator: {{ndf: 4, n_blocks: 1}}
device: cpu
"""
STEPS, SAMPLES = 3, 2
SIZE = (120, 161)                     # h, w of the photo
BOX = (55, 20, 105, 100)              # of the person's mask in it
STATISTICS_OF_ONE = Statistics(("squat", "golf_swing", "wave"), np.ones(1, int), np.zeros((1, 13, 2)), np.full((1, 4), 0.2))


def make_weights(folder, kind):
    """A pretrained folder with weights that move the person, and the crop margins of one of three actions."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(SETTINGS.format(base=Path("config/Penn_actvae_p2inetwork.yaml").resolve(),
                                                        generator=KINDS[kind]))
    trainer = script.Trainer(load_config(folder / "config.yaml", ["image_loss.vgg=0"]), seed=3)
    for value in trainer.actvae.parameters():
        value.mul_(2)
    for part, module in trainer.parts.items():
        save_torch(folder / f"{part}.pt", {"a": module.state_dict()})
    write_statistics(folder / STATISTICS, STATISTICS_OF_ONE)
    return folder


def trainer_of(folder):
    trainer = script.Trainer(load_config(folder / "config.yaml", ["image_loss.vgg=0"]), trains=False)
    trainer.load_pretrained(folder)
    return trainer


def shared_weights(tmp_path_factory):
    """kind -> pretrained folder; they are made once. Read only."""
    root = tmp_path_factory.getbasetemp() / "photo_weights"
    for kind in () if root.exists() else KINDS:
        make_weights(root / kind, kind)
    return {kind: root / kind for kind in KINDS}


def draw_photo(size=SIZE, seed=0):
    """A photo with smooth colours (h, w, 3)."""
    small = np.random.RandomState(seed).randint(0, 256, (6, 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC))


def standing_in(box):
    """A standing person (13, 2) in a box `x1, y1, x2, y2`."""
    return STANDING * (box[3] - box[1]) + ((box[0] + box[2]) / 2, box[1])


def pose_in(size):
    """A person of half the photo's height in its middle."""
    h, w = size
    return standing_in((w * 0.4, h * 0.25, w * 0.6, h * 0.75))


def box_mask(size=SIZE, box=BOX):
    mask = np.zeros(size, np.float32)
    mask[box[1]:box[3], box[0]:box[2]] = 1
    return mask


def subject_of(pixels, pose, **others):
    person = Person(pose_boxes(pose), 1.0, pose, np.ones(13, bool))
    return Subject(Photo(Path("me.png"), "me"), pixels, limited(pixels, MAX_PHOTO), person, **others)


class StandIn(Detector):
    """A detector that finds the people it was told, in order; boxes are fractions of the picture's sides, masks fill them."""

    people, finds_masks, known = (), True, []

    def __init__(self, weights=None, device="cpu"):
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


class Bright(Detector):
    """A detector that finds a standing person in the box of bright pixels, and no masks."""

    def __init__(self, weights, device):
        pass

    def detect(self, picture):
        y, x = np.nonzero(picture.min(-1) > 128)
        if not len(x):
            return []
        box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], float)
        return [Person(box, 0.9, standing_in(box), np.ones(13, bool))]


def film(path, frames=12, fps=10, missing=()):
    """A film (120 x 160) of a bright box that moves right by 3 pixels a frame; black frames where it is `missing`."""
    pictures = np.zeros((frames, 120, 160, 3), np.uint8)
    for number, picture in enumerate(pictures):
        if number not in missing:
            picture[30:90, 20 + 3 * number:40 + 3 * number] = 255
    write_mp4(path, pictures, fps)
    return path


def in_film(numbers):
    """The poses in some frames of it."""
    return np.stack([standing_in((20 + 3 * number, 30, 40 + 3 * number, 90)) for number in numbers])


class Studio:
    """A folder with a photo, its pose, and the scripts run on it."""

    def __init__(self, folder, weights, run_script):
        self.folder, self.weights, self.run_script = folder, weights, run_script
        self.photo, self.pose, self.mask, self.out = (folder / name for name in ("me.png", "me.json", "mask.png", "clips"))
        Image.fromarray(draw_photo()).save(self.photo)
        write_pose(self.pose, pose_in(SIZE))

    def run(self, *argv, main=script.main, **others):
        return self.run_script(main, *self.argv(*argv, **others))

    def argv(self, *argv, kind="cutout", photos=None, action="golf_swing", pose=True):
        """The words of a command line; what is given last counts."""
        weights, samples = self.weights[kind], [] if "--motion" in argv else ["--samples", SAMPLES]
        return ["--config", weights / "config.yaml", "--name", "_me", "--output_path", self.folder, "--test",
                "--pretrain", weights, "--image", *(photos or [self.photo]), *samples, "--steps", STEPS,
                "--out", self.out, *(["--action", action] if action else []), *(["--pose", self.pose] if pose else []), *argv]

    def made(self, *argv, **others):
        """The outcome of a run that succeeds."""
        outcome = self.run(*argv, **others)
        assert outcome.status == 0, outcome.err
        return outcome

    def refused(self, message, *argv, **others):
        """One line, status 2, no clips."""
        outcome = self.run(*argv, **others)
        assert outcome.status == 2, outcome
        assert outcome.err.startswith("error: ") and outcome.err.count("\n") == 1 and message in outcome.err, outcome.err
        assert not list(self.out.rglob("*.mp4")) and not (self.out / "index.html").exists()
        return outcome


def frames_of(path, fps=8):
    with av.open(str(path)) as video:
        assert float(video.streams.video[0].average_rate) == fps
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])
