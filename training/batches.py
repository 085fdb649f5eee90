"""Which rows an iteration trains on, and the loader that fetches them."""
import signal
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import DataLoader

from utils import processes
from utils.errors import UserError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EpochBatches:
    """Batch sampler: every epoch a shuffle of its own, the incomplete last batch dropped.

    The order follows from seed and epoch alone, so a run can go on at any iteration, with any number of processes, each of which
    gets its share of every batch. With `draw_frame_indices(generator)` an entry
    is (row, frame_indices), the frame_indices the same for a whole batch and following from seed and iteration.

    Args:
        rows: of the list.
        batch_size: of all processes together.
        seed: of the run.
        draw_frame_indices: see above.
        epochs: after which it ends.
    """

    def __init__(self, rows, batch_size, seed, draw_frame_indices=None, epochs=1):
        self.rows, self.batch_size, self.seed, self.draw_frame_indices = rows, batch_size, seed, draw_frame_indices
        self.per_epoch, self.epochs = rows // batch_size, epochs
        self.iteration, self.ahead = 0, 0    # the first to hand out; by how much its place in the epochs is more than its number

    @property
    def total(self):
        """The iteration at which the epochs are done."""
        return self.per_epoch * self.epochs - self.ahead

    def go_on(self, iteration, per_epoch=None, ahead=0):
        """Go on after so many iterations, which were made with `per_epoch` of them an epoch; as many epochs count as done."""
        self.iteration, self.ahead = iteration, ahead
        if per_epoch not in (None, self.per_epoch):
            self.ahead = (iteration + ahead) * self.per_epoch // per_epoch - iteration

    def epoch(self, iteration):
        """The epoch of an iteration, and its number there."""
        return divmod(iteration + self.ahead, self.per_epoch)

    def __len__(self):
        return self.total - self.iteration

    def order(self, epoch):
        """The rows of an epoch in its order, (rows,)."""
        return torch.randperm(self.rows, generator=torch.Generator().manual_seed(self.seed * 1_000_003 + epoch))

    def batch(self, iteration):
        """The row numbers of the whole batch of an iteration, whatever process works on them."""
        epoch, number = self.epoch(iteration)
        return self.order(epoch).split(self.batch_size)[number].tolist()

    def __iter__(self):
        own, ordered, order = processes.shard(self.batch_size), None, ()
        for iteration in range(self.iteration, self.total):
            epoch, number = self.epoch(iteration)
            if epoch != ordered:
                ordered, order = epoch, self.order(epoch).split(self.batch_size)
            yield self._with_frame_indices(order[number][own].tolist(), iteration)

    def _with_frame_indices(self, rows, iteration):
        if self.draw_frame_indices is None:
            return rows
        frame_indices = self.draw_frame_indices(torch.Generator().manual_seed(self.seed * 1_000_003 + iteration))
        return [(row, frame_indices) for row in rows]


class MixedBatches(EpochBatches):
    """Batch sampler of a :class:`dataset.mixture.TrainingPairs`: each iteration's rows are drawn by the sets' shares.

    They follow from seed and iteration alone. An epoch is as many iterations as all rows make up.

    Args:
        data: the rows.
        batch_size, seed, draw_frame_indices, epochs: as of :class:`EpochBatches`.
    """

    def __init__(self, data, batch_size, seed, draw_frame_indices=None, epochs=1):
        super().__init__(len(data), batch_size, seed, draw_frame_indices, epochs)
        self.data = data

    def draws(self, iteration):
        """The whole batch of an iteration, a list of :class:`dataset.mixture.Draw`."""
        return self.data.draw(np.random.default_rng((self.seed, iteration)), self.batch_size)

    def batch(self, iteration):
        return [draw.row for draw in self.draws(iteration)]

    def __iter__(self):
        own = processes.shard(self.batch_size)
        for iteration in range(self.iteration, self.total):
            yield self._with_frame_indices(self.draws(iteration)[own], iteration)


def training_batches(dataset, config, seed, draw_frame_indices=None):
    """(sampler, loader) of the training list; raises :class:`UserError` if the list is smaller than a batch or the batch
    cannot be shared out."""
    if hasattr(dataset, "sets"):                             # several data sets, whose shares decide
        sampler = MixedBatches(dataset, config.batch_size, seed, draw_frame_indices, config.train_epoch)
    else:
        sampler = EpochBatches(len(dataset), config.batch_size, seed, draw_frame_indices, config.train_epoch)
    if not sampler.per_epoch:
        raise UserError(f"{dataset.rows.path}: its {len(dataset)} rows are fewer than a batch of {config.batch_size}")
    if config.batch_size % processes.world_size():
        raise UserError(f"batch_size {config.batch_size} cannot be shared out among {processes.world_size()} processes")
    workers = config.workers if dataset.images and not config.cache else 0        # else all is in memory or cached
    return sampler, DataLoader(dataset, batch_sampler=sampler, num_workers=workers, worker_init_fn=_leave_signals_to_the_trainer)


def _leave_signals_to_the_trainer(_worker):
    """A signal to the whole process group must not take the workers away while the trainer finishes its step and saves."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


@contextmanager
def fetching(loader):
    """An iterator over a loader whose workers, if any, are safe from stop signals from their first moment, and gone at the end.

    torch lets the death of a worker interrupt whatever the trainer is doing, a checkpoint half written too; without its handler
    the same error comes where the next batch is fetched.
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
        # else, where an error keeps the iterator alive, Python would wait at its exit for workers that ignore its SIGTERM
        batches._shutdown_workers()
