"""Which windows an iteration trains on, and the loader that fetches them."""
import signal
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import DataLoader

from dataset.mixture import TrainingPairs
from utils import processes
from utils.errors import UserError

ENDLESS = 10 ** 9         # epochs of a training that `train_minutes` ends
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EpochBatches:
    """Batch sampler that shuffles the windows anew in every epoch and drops the incomplete last batch.

    The order depends on seed and epoch alone, so a run can go on at any iteration, with any number of processes. Each process
    gets its part of every batch.

    Args:
        rows, epochs: numbers of windows and of epochs of the whole training.
        batch_size: of all processes together.
        draw_frame_indices: None, or function of a torch.Generator that returns frame indices. Then an entry of a batch is (row,
            frame indices), the same indices for the whole batch; they depend on seed and iteration.
    """

    def __init__(self, rows, batch_size, seed, draw_frame_indices=None, epochs=1):
        self.rows, self.batch_size, self.seed, self.draw_frame_indices = rows, batch_size, seed, draw_frame_indices
        self.per_epoch, self.epochs = rows // batch_size, epochs
        self.iteration, self.ahead = 0, 0    # the next iteration; how far its place in the epochs is ahead of its number
        self._shuffled = None, ()            # an epoch and its batches

    @property
    def total(self):
        """The number of iterations after which all epochs are done."""
        return self.per_epoch * self.epochs - self.ahead

    def go_on(self, iteration, per_epoch=None, ahead=0):
        """Go on after so many iterations; rescale the epoch counter if the number of iterations per epoch has changed."""
        self.iteration, self.ahead = iteration, ahead
        if per_epoch not in (None, self.per_epoch):
            self.ahead = (iteration + ahead) * self.per_epoch // per_epoch - iteration

    def epoch(self, iteration):
        """The epoch of an iteration, and its number in this epoch."""
        return divmod(iteration + self.ahead, self.per_epoch)

    def __len__(self):
        return self.total - self.iteration

    def batch(self, iteration):
        """The row numbers of an iteration's batch, of all processes together."""
        epoch, number = self.epoch(iteration)
        if epoch != self._shuffled[0]:
            order = torch.randperm(self.rows, generator=torch.Generator().manual_seed(self.seed * 1_000_003 + epoch))
            self._shuffled = epoch, order.split(self.batch_size)
        return self._shuffled[1][number].tolist()

    draws = batch                            # the indices that the data set gets

    def __iter__(self):
        own = processes.shard(self.batch_size)
        for iteration in range(self.iteration, self.total):
            draws = self.draws(iteration)[own]
            if self.draw_frame_indices:
                frame_indices = self.draw_frame_indices(torch.Generator().manual_seed(self.seed * 1_000_003 + iteration))
                draws = [(draw, frame_indices) for draw in draws]
            yield draws


class MixedBatches(EpochBatches):
    """Batch sampler of a :class:`dataset.mixture.TrainingPairs`, which draws windows with the probabilities of the data sets.

    The draws depend on seed and iteration alone. An epoch has as many iterations as if every window came once.
    """

    def __init__(self, data, batch_size, seed, draw_frame_indices=None, epochs=1):
        super().__init__(len(data), batch_size, seed, draw_frame_indices, epochs)
        self.data = data

    def draws(self, iteration):
        return self.data.draw(np.random.default_rng((self.seed, iteration)), self.batch_size)

    def batch(self, iteration):
        return [draw.row for draw in self.draws(iteration)]


def training_batches(dataset, config, seed, draw_frame_indices=None, cuda=False):
    """The batch sampler and the loader of the training data, which is trained on with a GPU or not: (sampler, loader)."""
    arguments = config.batch_size, seed, draw_frame_indices, ENDLESS if config.train_minutes else config.train_epoch
    sampler = MixedBatches(dataset, *arguments) if isinstance(dataset, TrainingPairs) else EpochBatches(len(dataset), *arguments)
    if not sampler.per_epoch:
        raise UserError(f"{dataset.rows.path}: its {len(dataset)} rows are fewer than a batch of {config.batch_size}")
    if config.batch_size % processes.world_size():
        raise UserError(f"batch_size {config.batch_size} cannot be shared out among {processes.world_size()} processes")
    # a GPU is faster than one process reads a cache; poses are in memory
    workers = config.workers if dataset.images and (cuda or not config.cache) else 0
    return sampler, DataLoader(dataset, batch_sampler=sampler, num_workers=workers, worker_init_fn=_ignore_stop_signals,
                               pin_memory=cuda)


def _ignore_stop_signals(_worker):
    """For workers: the trainer still needs them to finish the iteration before it saves."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


@contextmanager
def fetching(loader):
    """Iterate over a loader within a `with` block, which ends its workers; they ignore stop signals from the start.

    torch's handler of SIGCHLD would let the death of a worker interrupt whatever the trainer is doing, even writing a checkpoint.
    Without the handler the same error is raised when the next batch is fetched.
    """
    if not loader.num_workers:
        yield iter(loader)
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        batches = iter(loader)
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    try:
        yield batches
    finally:
        # an error may keep the iterator alive; then Python would wait at its exit for workers that ignore its SIGTERM
        batches._shutdown_workers()
