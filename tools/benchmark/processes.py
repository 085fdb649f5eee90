"""Compare training steps of the pose module in one process and in two, on the same cores."""
import os
import subprocess
import sys

import torch

from tools.benchmark import seconds
from trainer_actvae import Trainer
from utils import processes
from utils.errors import command
from utils.schema import Config

TURNS = 30


def worker():
    """Print the seconds of a training step. `torchrun` runs this; each process works on its part of the batch."""
    config = Config()
    with processes.job():
        trainer, rows = Trainer(config), config.batch_size // processes.world_size()
        batch = {"poses": torch.rand(rows, 6, 13, 2) * 2 - 1, "action": torch.arange(rows) % 9}
        spent = seconds(lambda: trainer.update(batch), TURNS)
        if processes.is_rank_zero():
            print(spent)


def main():
    """Print the ratio. One process and two are run twice each, in turns, and the faster run counts."""
    cores, times = os.cpu_count(), {1: [], 2: []}
    for number in (1, 2, 1, 2):
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={number}", "-m", __name__]
        done = subprocess.run(torchrun, env={**os.environ, "OMP_NUM_THREADS": str(max(1, cores // number))}, text=True,
                              stdout=subprocess.PIPE, check=True)
        times[number].append(float(done.stdout))
    one, two = (min(values) for values in times.values())
    print(f"{cores} cores; step of one process: {one * 1e3:.1f} ms, of two: {two * 1e3:.1f} ms, {two / one:.2f} of that")


if __name__ == "__main__":
    command(worker)
