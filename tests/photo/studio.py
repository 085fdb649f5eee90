"""What tests of photo mode share: small weights, drawn photos with a person's pose, and the scripts run on them."""
import json
from pathlib import Path

import av
import numpy as np
from PIL import Image

import train_actvae_p2inetwork as script
from photo.margins import MARGINS, SIDES
from pose.pose_file import write_pose
from pose.skeleton import STANDING
from utils.torch_files import save_torch
from utils_file import load_config

KINDS = {"limb_warp": "kind: limb_warp, size: 16, widths: [8, 8, 8, 8]",
         "cutout": "kind: cutout, size: 16, widths: [8, 8, 8, 8], own_widths: [8, 8, 8, 8]",
         "pose_attention": "ngf: 4, n_blocks: 1"}
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


def make_weights(folder, kind):
    """A pretrained folder with weights that move the person, and the margins of one of three actions."""
    folder.mkdir()
    (folder / "config.yaml").write_text(SETTINGS.format(base=Path("config/Penn_actvae_p2inetwork.yaml").resolve(),
                                                        generator=KINDS[kind]))
    trainer = script.Trainer(load_config(folder / "config.yaml", ["image_loss.vgg=0"]), seed=3)
    for value in trainer.actvae.parameters():
        value.mul_(2)
    for part, module in trainer.parts.items():
        save_torch(folder / f"{part}.pt", {"a": module.state_dict()})
    (folder / MARGINS).write_text(json.dumps({"golf_swing": dict.fromkeys(SIDES, 0.2)}))
    return folder


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


class Studio:
    """A folder with a photo, its pose, and the scripts run on it."""

    def __init__(self, folder, weights, run_script):
        self.folder, self.weights, self.run_script = folder, weights, run_script
        self.photo, self.pose, self.out = folder / "me.png", folder / "me.json", folder / "clips"
        Image.fromarray(draw_photo()).save(self.photo)
        write_pose(self.pose, pose_in(SIZE))

    def run(self, *argv, main=script.main, **others):
        return self.run_script(main, *self.argv(*argv, **others))

    def argv(self, *argv, kind="limb_warp", photos=None, action="golf_swing", pose=True):
        """The words of a command line; what is given last counts."""
        weights = self.weights[kind]
        return ["--config", weights / "config.yaml", "--name", "_me", "--output_path", self.folder, "--test",
                "--pretrain", weights, "--image", *(photos or [self.photo]), "--samples", SAMPLES, "--steps", STEPS,
                "--out", self.out, *(["--action", action] if action else []), *(["--pose", self.pose] if pose else []), *argv]

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
