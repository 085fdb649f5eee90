"""The training loop that both modules share."""
import signal
from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from utils import processes
from utils.base_trainer import NotFinite
from utils.checkpoint import find_snapshots
from utils.errors import FailedRun, UserError
from utils.report import write_run_page

MOST_SKIPPED = 100        # iterations in a row, with `on_nan: skip`


class EpochBatches:
    """Batch sampler: every epoch a shuffle of its own, the incomplete last batch dropped.

    The order follows from seed and epoch alone, so a run can go on at any iteration, with any number of processes, each of which
    gets its share of every batch. With `draw_picks(generator)` an entry
    is (row, picks), the picks the same for a whole batch and following from seed and iteration.
    """

    def __init__(self, rows, batch_size, seed, draw_picks=None):
        self.rows, self.batch_size, self.seed, self.draw_picks = rows, batch_size, seed, draw_picks
        self.per_epoch = rows // batch_size
        self.iteration = 0                   # the next to hand out

    def __len__(self):
        return self.per_epoch - self.iteration % self.per_epoch

    def order(self, epoch):
        """The rows of an epoch in its order, (rows,)."""
        return torch.randperm(self.rows, generator=torch.Generator().manual_seed(self.seed * 1_000_003 + epoch))

    def batch(self, iteration):
        """The row numbers of the whole batch of an iteration, whatever process works on them."""
        epoch, number = divmod(iteration, self.per_epoch)
        return self.order(epoch).split(self.batch_size)[number].tolist()

    def __iter__(self):
        epoch, done = divmod(self.iteration, self.per_epoch)
        own, generator = processes.share(self.batch_size), torch.Generator()
        for number, batch in enumerate(self.order(epoch).split(self.batch_size)[done:self.per_epoch], self.iteration):
            rows = batch[own].tolist()
            if self.draw_picks is None:
                yield rows
            else:
                picks = self.draw_picks(generator.manual_seed(self.seed * 1_000_003 + number))
                yield [(row, picks) for row in rows]


def training_batches(dataset, config, seed, draw_picks=None):
    """(sampler, loader) of the training list; raises :class:`UserError` if the list is smaller than a batch or the batch
    cannot be shared out."""
    sampler = EpochBatches(len(dataset), config.batch_size, seed, draw_picks)
    if not sampler.per_epoch:
        raise UserError(f"{dataset.rows.path}: its {len(dataset)} rows are fewer than a batch of {config.batch_size}")
    if config.batch_size % processes.count():
        raise UserError(f"batch_size {config.batch_size} cannot be shared out among {processes.count()} processes")
    workers = config.workers if dataset.images and not config.cache else 0        # else all is in memory or mapped
    return sampler, DataLoader(dataset, batch_sampler=sampler, num_workers=workers, persistent_workers=workers > 0)


def _batches(loader, save):
    """The loader's batches. Before an error in the data of any process goes on, the iterations so far are saved."""
    batches, failure, batch = iter(loader), None, ()
    while batch is not None:
        try:
            batch = next(batches, None)
        except UserError as error:
            failure = error
        if processes.greatest(int(failure is not None)):
            save()
            processes.greatest(0)                               # the first process may be the one that leaves first
            if failure is None:
                raise FailedRun("another process could not read its data; the iterations so far are saved")
            # what comes from a worker is the text of a traceback
            raise UserError(str(failure).strip().rpartition("Error: ")[2]) from None
        if batch is not None:
            yield batch


@contextmanager
def stop_signals():
    """Turn SIGINT and SIGTERM into a list that receives the signal's number; a second one acts at once.

    Not so with several processes: `torchrun` passes signals on, so they come twice, and itself kills after half a minute.
    """
    received, before = [], {}

    def note(number, _frame):
        received.append(number)
        if processes.count() == 1:
            signal.signal(number, before[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Look(NamedTuple):
    """How a run shows what it has learned."""

    sheet: Callable          # (trainer, rows, count) -> picture (h, w, 3)
    metrics: Callable        # (trainer, rows) -> name -> float
    words: str               # for the log, with the metrics as {name:.2f}
    legend: str              # of the sheets


def train(options, run, trainer, data, held_out, look, draw_picks=None):
    """Train, from the beginning or from where the run stopped; everything is checked before anything is written.

    Args:
        options: of the command line.
        run: :class:`utils_file.RunFolder`.
        trainer: a :class:`utils.base_trainer.BaseTrainer`.
        data, held_out: training and test rows.
        look: :class:`Look`.
        draw_picks: see :class:`EpochBatches`.
    Returns:
        exit status.
    """
    if options.resume:
        trainer.resume(run.checkpoints)
    sampler, loader = training_batches(data, trainer.config, trainer.seed, draw_picks)
    for rows in (data, held_out):
        if rows.images and trainer.config.cache:
            processes.first_goes_ahead(lambda rows=rows: rows.use_cache(trainer.config.cache_dir))
    run.create(trainer.config)
    if trainer.seed != options.seed:
        run.log.info("going on with the run's own seed %d", trainer.seed)
    run.log.info("%d training rows, %d test rows, %d iterations an epoch, %s%s", len(data), len(held_out), sampler.per_epoch,
                 trainer.device, f", {processes.count()} processes" if processes.count() > 1 else "")

    def show(iteration, writer):
        for part, rows in (("train", data), ("test", held_out)):
            run.add_sheet(part, look.sheet(trainer, rows, trainer.config.display_size), iteration, writer)
        metrics = look.metrics(trainer, held_out)
        for name, value in metrics.items():
            writer.add_scalar(f"test/{name}", value, iteration)
        run.log.info("iteration %d, test rows%s", iteration, look.words.format(**metrics))
        write_run_page(run, look.legend)

    status = fit(trainer, sampler, loader, run, show)
    if processes.is_first():
        write_run_page(run, look.legend)
    return status


def fit(trainer, sampler, loader, run, show):
    """Train until `config.train_epoch` epochs are done, from wherever the trainer stands.

    Args:
        trainer: a :class:`utils.base_trainer.BaseTrainer`.
        sampler, loader: from :func:`training_batches`.
        run: :class:`utils_file.RunFolder`, created.
        show: called as `show(iteration, writer)` every `config.image_save_iter` iterations and at the end, in the first
            process.
    Returns:
        exit status: 0, or 128 + the signal that stopped the run (after a snapshot).
    Raises:
        FailedRun: a loss or gradient is not finite, or a snapshot cannot be written.
    """
    config = trainer.config
    total = sampler.per_epoch * config.train_epoch
    if trainer.iteration >= total:
        run.log.info("nothing to do: all %d epochs are trained; raise train_epoch to go on", config.train_epoch)
        return 0
    writer, update = run.tensorboard(), BadNumbers(trainer, sampler, loader.dataset, run).update

    def save():
        if trainer.iteration and processes.is_first():
            trainer.save(run.checkpoints, trainer.iteration, (trainer.iteration - 1) // sampler.per_epoch)

    bar = tqdm(total=total, initial=trainer.iteration, unit="it", dynamic_ncols=True, disable=not processes.is_first())
    stop = 0
    with stop_signals() as stopped, bar:
        while trainer.iteration < total and not stop:
            sampler.iteration = trainer.iteration
            bar.set_description(f"epoch {trainer.iteration // sampler.per_epoch + 1}/{config.train_epoch}")
            for batch in _batches(loader, save):
                losses = update(batch)
                bar.update()
                if losses and trainer.iteration % config.log_iter == 0:
                    log_losses(losses, trainer, run, writer, bar)
                # looked at once: a later signal stops after the next iteration
                stop = processes.greatest(stopped[0] if stopped else 0)
                if trainer.iteration % config.snapshot_save_iter == 0 or trainer.iteration == total or stop:
                    save()
                if processes.is_first() and (trainer.iteration % config.image_save_iter == 0 or trainer.iteration == total):
                    try:
                        show(trainer.iteration, writer)
                    except (UserError, OSError):
                        save()
                        raise
                if stop:
                    processes.greatest(0)           # none may leave before the first process has saved: torchrun would kill it
                    break
    writer.close()
    if stop:
        run.log.info("stopped by %s at iteration %d; --resume goes on from here", signal.Signals(stop).name, trainer.iteration)
        return 128 + stop
    return 0


class BadNumbers:
    """Updates of a trainer that stop or skip, as `on_nan` says, where a loss or gradient is not finite."""

    def __init__(self, trainer, sampler, dataset, run):
        self.trainer, self.sampler, self.dataset, self.run = trainer, sampler, dataset, run
        self.skipped = 0                                              # in a row

    def update(self, batch):
        """The losses of the trainer's update; none of a skipped one. Raises :class:`FailedRun`."""
        skip = self.trainer.config.on_nan == "skip"
        buffers = self.trainer.buffers() if skip else []
        try:
            losses = self.trainer.update(batch)
        except NotFinite as bad:
            self.skipped += 1
            if not skip or self.skipped == MOST_SKIPPED:
                raise FailedRun(f"{self._describe(bad)}. Training stopped; a lower lr may help"
                                + ("" if skip else ", or on_nan: skip where single batches are to blame")) from None
            self.run.log.warning("%s; skipped", self._describe(bad))
            self.trainer.skip(buffers)
            return {}
        self.skipped = 0
        return losses

    def _describe(self, bad):
        rows = self.sampler.batch(self.trainer.iteration)
        lines = ", ".join(map(str, sorted(int(self.dataset.rows.lines[row]) for row in rows)))
        good = find_snapshots(self.run.checkpoints, self.trainer.parts)
        return (f"iteration {self.trainer.iteration + 1}: {bad}; batch of lines {lines} of {self.dataset.rows.path}; last good "
                "snapshot: " + (f"iteration {good[-1].iteration} in {self.run.checkpoints}" if good else "none yet"))


def log_losses(losses, trainer, run, writer, bar):
    """Losses, of the whole batch, to the log file, TensorBoard and the progress bar."""
    values = dict(zip(losses, processes.mean(list(losses.values()))))
    rate = next(iter(trainer.optimizers.values())).param_groups[0]["lr"]
    text = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
    bar.set_postfix_str(text)
    run.log.debug("iteration %d  %s  lr %.3g", trainer.iteration, text, rate)
    for name, value in values.items():
        writer.add_scalar(f"loss/{name}", value, trainer.iteration)
    writer.add_scalar("learning_rate", rate, trainer.iteration)
