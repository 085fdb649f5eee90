"""Measure P2I's training, frames and rendering."""
import dataclasses
import logging
import tempfile
from pathlib import Path

import torch

from dataset.image_loader2 import PennActionPairs, as_image
from dataset.pair_list import TRAIN_LIST
from dataset.penn_action import build
from dataset.synthetic.layout import make
from tools.benchmark import seconds
from trainer_actvae_p2inetwork import Trainer
from utils.config import load_config
from utils.schema import Config

SIZE, BATCH = 128, 4


def measure_updates(config):
    """Print the seconds of an update in every precision; a CPU without bf16 instructions would emulate it."""
    batch = {"poses": torch.rand(BATCH, 6, 13, 2) * 2 - 1, "action": torch.arange(BATCH),
             "images": torch.rand(BATCH, 6, 3, SIZE, SIZE) * 2 - 1, "masks": torch.ones(BATCH, 5, 1, SIZE, SIZE)}
    for precision in ("fp32", "bf16", "fp16") if torch.cuda.is_available() else ("fp32",):
        for channels_last in (False, True):
            trainer = Trainer(dataclasses.replace(config, precision=precision, channels_last=channels_last))
            update = seconds(lambda trainer=trainer: trainer.update(batch), turns=3, warm=1)
            print(f"update, {precision}{', channels_last' if channels_last else ''}: {update:.3f} s", flush=True)


def measure_frames(folder):
    """Print the frames a second of drawn people: decoded from JPEG, and from a warm cache."""
    make(folder / "data", videos=1)
    (folder / "videos.txt").write_text("0009\n")                                # there must be a test video
    build(folder / "data", folder / "lists", folder / "videos.txt")
    data = PennActionPairs(folder / "lists" / TRAIN_LIST, folder / "data", SIZE)
    rows = range(0, len(data), 6)                                              # these windows share no frame
    for source in ("decoded", "from a warm cache"):
        spent = seconds(lambda: [as_image(data.pictures(row, range(6))) for row in rows], turns=3, warm=1)
        print(f"frames a second, {source}: {6 * len(rows) / spent:.0f}", flush=True)
        data.use_cache(folder / "cache")


def measure_rendering(name, config, rows=8):
    """Print the pictures rendered a second in test mode: one at a time, a window at a time, and all at once."""
    trainer, action = Trainer(config), torch.arange(rows) % 9
    images, poses = torch.rand(rows, 3, config.imsize, config.imsize) * 2 - 1, torch.rand(rows, 5, 13, 2) * 2 - 1

    def render(rows, steps):
        trainer.render(images[rows], poses[rows, 0], poses[rows, steps], action[rows])

    for words, count, ahead in (("one by one", 1, 1), ("a window at a time", 1, 4), ("batched", rows, 4)):
        spent = seconds(lambda count=count, ahead=ahead: [render(slice(row, row + count), slice(step, step + ahead))
                                                          for row in range(0, rows, count) for step in range(1, 5, ahead)], 2, 1)
        print(f"pictures rendered a second, {name}, {words}: {4 * rows / spent:.1f}", flush=True)


def main():
    config = Config(vgg_weights="random", batch_size=BATCH, imsize=SIZE)
    logging.getLogger("actvae").setLevel(logging.ERROR)                        # no warning of random VGG weights
    print(f"{SIZE} px, batch {BATCH}, full width; on a CPU an update takes half a minute", flush=True)
    measure_updates(config)
    with tempfile.TemporaryDirectory() as folder:
        measure_frames(Path(folder))
    measure_rendering("full width, 128 px", config)
    measure_rendering("demo's width, 64 px", load_config("config/demo_p2i.yaml"))
