"""Measure the speed of the pose modules, and the memory of training the published one."""
import resource
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

from dataset.image_loader2 import PennActionPairs
from dataset.pair_list import ACTIONS, write_list
from dataset.penn_action import Annotation, windows
from evaluation.scores import sample_rows
from tools.benchmark import seconds
from trainer_actvae import Trainer
from training.batches import training_batches
from utils.config import load_config

TEST_ROWS, SAMPLES = 1672, 20        # windows of the published test list, samples of each


def random_list(rows, **rules):
    """Data of `rows` windows whose poses walk at random. `rules` are fields of :class:`dataset.penn_action.Rules`."""
    random, made = np.random.default_rng(7), []
    for video in range(1, rows // 28 + 2):
        joints = 200 + 60 * random.standard_normal((1, 13, 2)) + 3 * random.standard_normal((33, 13, 2)).cumsum(0)
        action_id = video % len(ACTIONS)
        made += windows(Annotation(f"{video:04d}", ACTIONS[action_id], True, joints, np.ones((33, 13), bool), (480, 480)),
                        action_id, **rules)[0]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")          # there are no frames from which the pictures' size could be read
        write_list(Path(folder) / "list.txt", made[:rows])
        return PennActionPairs(Path(folder) / "list.txt", folder, 128, images=False)


def measure(config, steps, **rules):
    """Print the speed of the pose module of a configuration file."""
    config, data = load_config(config), random_list(TEST_ROWS, **rules)
    trainer = Trainer(config)
    trainer.pose_module.prepare(data)
    batch = next(iter(training_batches(data, config, seed=7)[1]))
    update = seconds(lambda: trainer.update(batch), 15)
    sampling = seconds(lambda: sample_rows(trainer, data, range(TEST_ROWS), SAMPLES, steps, seed=7), 1, warm=0)
    print(f"{config.actvae.kind}, batch {config.batch_size}, windows of {data.targets} targets, {trainer.device}")
    print(f"update                         {update * 1e3:8.1f} ms")
    print(f"{TEST_ROWS} windows x {SAMPLES} samples x {steps:<2} steps {sampling:8.1f} s")


def main():
    measure("config/Penn_actvae.yaml", 4)
    print(f"peak memory                    {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB")
    if torch.cuda.is_available():
        print(f"peak memory of the GPU         {torch.cuda.max_memory_allocated() / 2 ** 20:8.0f} MiB")
    measure("config/mixture.yaml", 16, horizon=32, pad=True)
