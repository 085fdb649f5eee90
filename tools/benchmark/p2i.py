"""Measure P2I's training, frames and painting, each against the same work done in a simpler way."""
import dataclasses
import logging
import tempfile
from pathlib import Path

import torch
from torchvision.models import vgg19

from dataset.image_loader2 import PennActionPairs, as_image
from dataset.pair_list import TRAIN_LIST
from dataset.penn_action import build
from dataset.synthetic.layout import make
from tools.benchmark import in_turns
from trainer_actvae_p2inetwork import Trainer, draw_frame_indices
from utils.config import load_config
from utils.heatmap import gaussian_maps
from utils.schema import Config

SIZE, BATCH, TARGETS, STEPS = 128, 4, 5, 4
BF16_FLAG = "avx512_bf16"


def published_iteration(trainer, batch):
    """Return a callable for one training iteration computed as the published code does, with the networks of `trainer`.

    It keeps a graph of everything, passes the discriminator three times in a generator step, computes roll-outs and heatmaps
    one by one, and runs VGG to its last layer, also for the target with a graph.
    """
    config, weights = trainer.config, trainer.config.image_loss
    images, masks, poses, action = batch["images"], batch["masks"], batch["poses"], batch["action"]
    whole_vgg = vgg19(weights=None).features                                   # 37 layers, whose weights get gradients
    wanted = (1, 6, 11, 20, 29)

    def vgg_features(x):
        found = []
        for number, layer in enumerate(whole_vgg):
            x = layer(x)
            found += [x] if number in wanted else []
        return found

    def vgg_loss(fake, real):
        return sum(scale * (one - other).abs().mean() for scale, one, other in zip(
            (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), vgg_features(fake), vgg_features(real)))

    def maps(pose):
        return gaussian_maps(pose, config.imsize)

    def paint(pose):
        return trainer.generator(images[:, 0], poses[:, 0], pose, action)

    def zero():
        trainer.generator.zero_grad()
        trainer.discriminator.zero_grad()
        whole_vgg.zero_grad()

    def step(loss, name):
        loss.backward()
        trainer.optimizers[name].step()

    def run():
        first, frame, second = draw_frame_indices(trainer.random, TARGETS, STEPS)
        for fake_pose, target in ((poses[:, first + 1], first + 1),
                                  (trainer.actvae.rollout(poses[:, 0], action).pose[:, frame], frame + 1)):
            zero()
            fake = paint(fake_pose)
            loss = (trainer.discriminator(fake, maps(fake_pose))[0] ** 2).mean()
            loss = loss + ((trainer.discriminator(images[:, target], maps(poses[:, target]))[0] - 1) ** 2).mean()
            step(weights.adversarial * loss, "classifier")
        zero()
        real, pose = images[:, second + 1], poses[:, second + 1]
        fake = paint(pose)
        loss = weights.reconstruction * ((1 + weights.mask * masks[:, second]) * (fake - real).abs()).mean()
        loss = loss + weights.vgg * vgg_loss(fake, real)
        loss = loss + weights.adversarial * ((trainer.discriminator(fake, maps(pose))[0] - 1) ** 2).mean()
        features = [trainer.discriminator(picture, maps(pose))[1] for picture in (fake, real)]
        loss = loss + weights.features * sum((one - other).abs().mean() for one, other in zip(*features))
        step(loss, "generator")
        zero()
        pose = trainer.actvae.rollout(poses[:, 0], action).pose[:, frame]
        fake = paint(pose)
        step(weights.adversarial * ((trainer.discriminator(fake, maps(pose))[0] - 1) ** 2).mean(), "generator")
    return run


def frames(folder):
    """Measure the frames a second of the synthetic people at 128 px: decoded from JPEG, and read from a filled cache."""
    make(folder / "data", videos=1)
    (folder / "videos.txt").write_text("0009\n")                                # there must be a test video
    build(folder / "data", folder / "lists", folder / "videos.txt")
    data = PennActionPairs(folder / "lists" / TRAIN_LIST, folder / "data", SIZE)
    rows = range(0, len(data), 6)                                              # these windows share no frame

    def fetch():
        for row in rows:
            as_image(data.pictures(row, range(6)))

    decoding = in_turns({"": fetch}, turns=3, warm=1)[""]
    data.use_cache(folder / "cache")
    cached = in_turns({"": fetch}, turns=5, warm=1)[""]
    return 6 * len(rows) / decoding, 6 * len(rows) / cached


def painting(config, rows=8):
    """Measure the pictures painted a second in test mode: one at a time, one row at a time, and all rows at once."""
    trainer = Trainer(config)
    images, poses = torch.rand(rows, 3, config.imsize, config.imsize) * 2 - 1, torch.rand(rows, 5, 13, 2) * 2 - 1
    action = torch.arange(rows) % 9
    times = in_turns({
        "single": lambda: [trainer.paint(images[row:row + 1], poses[row:row + 1, 0], poses[row:row + 1, step:step + 1],
                                         action[row:row + 1]) for row in range(rows) for step in range(1, 5)],
        "row": lambda: [trainer.paint(images[row:row + 1], poses[row:row + 1, 0], poses[row:row + 1, 1:],
                                      action[row:row + 1]) for row in range(rows)],
        "batched": lambda: trainer.paint(images, poses[:, 0], poses[:, 1:], action)}, turns=2, warm=1)
    return {name: 4 * rows / seconds for name, seconds in times.items()}


def main():
    """Print all ratios."""
    config = Config(vgg_weights="random", batch_size=BATCH, imsize=SIZE)
    logging.getLogger("actvae").setLevel(logging.ERROR)                        # no warning of random VGG weights
    print(f"{SIZE} px, batch {BATCH}, full width, fp32; first the iterations, some minutes, then frames and painting", flush=True)
    ours, theirs, layout = (Trainer(dataclasses.replace(config, channels_last=last)) for last in (False, False, True))
    batch = {"poses": torch.rand(BATCH, 6, 13, 2) * 2 - 1, "action": torch.arange(BATCH),
             "images": torch.rand(BATCH, 6, 3, SIZE, SIZE) * 2 - 1, "masks": torch.ones(BATCH, 5, 1, SIZE, SIZE)}
    candidates = {"iteration, the published way": published_iteration(theirs, batch),
                  "iteration, ours": lambda: ours.update(batch),
                  "iteration, ours, channels_last": lambda: layout.update(batch)}
    flags = Path("/proc/cpuinfo")
    if flags.exists() and BF16_FLAG in flags.read_text():
        low = Trainer(dataclasses.replace(config, precision="bf16"))
        candidates["iteration, ours, bf16 autocast"] = lambda: low.update(batch)
    else:
        print("bf16 autocast left out: this CPU has no bf16 instructions and would emulate them")
    times = in_turns(candidates, turns=3, warm=1, tell=lambda line: print(line, flush=True))
    for name, seconds in times.items():
        print(f"{name:<34}{seconds:8.2f} s   {seconds / times['iteration, the published way']:.2f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        decoding, cached = frames(Path(folder))
    print(f"frames a second: {decoding:.0f} decoded, {cached:.0f} from a warm cache: {cached / decoding:.0f} times", flush=True)
    small = load_config(Path(__file__).parents[2] / "config/demo_p2i.yaml")
    for words, changed in (("full width, 128 px", config), ("demo's width, 64 px", small)):
        speed = painting(changed)
        print(f"pictures painted a second, {words}: {speed['single']:.1f} one by one, {speed['row']:.1f} a row at a time, "
              f"{speed['batched']:.1f} batched: {speed['batched'] / speed['single']:.2f} and "
              f"{speed['batched'] / speed['row']:.2f} times", flush=True)
