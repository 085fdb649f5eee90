"""Guards of training: stop signals, unreadable data, losses that are not finite. Finished iterations are saved in any case."""
import signal
from contextlib import contextmanager

from training import batches
from training.checkpoints import find_snapshots
from training.optimizers import NotFinite
from utils import processes
from utils.errors import FailedRun, UserError

MOST_SKIPPED = 100        # iterations in a row, with `on_nan: skip`


class StopSignals:
    """Within a `with` block, SIGINT, SIGTERM and SIGHUP (a dropped connection) only set `received`, so that the iteration can
    end and a snapshot can be written.

    A second Ctrl-C acts at once. A second SIGTERM or SIGHUP does not: schedulers, `timeout` and `torchrun` send several.
    """

    def __init__(self):
        self.received, self._before = 0, {}

    def __enter__(self):
        for number in batches.STOP_SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:        # nohup stays nohup
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, _frame):
        if number == self.received == signal.SIGINT and processes.world_size() == 1:
            raise KeyboardInterrupt
        self.received = self.received or number


class Guard:
    """Runs a trainer's iterations, and saves those that are done before an error ends the run.

    `rows` is the list of the training data; the other arguments are as in :func:`training.loop.train`.
    """

    def __init__(self, trainer, sampler, rows, run, stop):
        self.trainer, self.sampler, self.rows, self.run, self.stop = trainer, sampler, rows, run, stop
        self.skipped = 0                         # iterations in a row
        self.saved = trainer.iteration           # the iteration of the last snapshot
        self.whole = True                        # False while an iteration is half done

    def save(self):
        """Write a snapshot, in rank zero."""
        if self.trainer.iteration and processes.is_rank_zero():
            self.trainer.save(self.run.checkpoints, self.trainer.iteration, self.sampler.epoch(self.trainer.iteration - 1)[0])
        self.saved = self.trainer.iteration

    @contextmanager
    def nothing_lost(self):
        """Save the iterations since the last snapshot, unless the error is raised by saving or in the middle of an iteration."""
        try:
            yield
        except (KeyboardInterrupt, FailedRun):
            raise
        except BaseException:
            if self.whole and self.trainer.iteration > self.saved:
                self.run.log.warning("saving the iterations since %d", self.saved)
                self.save()
            raise

    def batches(self, loader):
        """Yield the loader's batches; if any process cannot read its data, save and raise :class:`UserError`."""
        with batches.fetching(loader) as fetched:
            while True:
                batch, failure = self._next(fetched)
                if processes.all_reduce_max(int(failure is not None)):
                    self.save()
                    processes.all_reduce_max(0)                     # no process leaves before rank zero has saved
                    if not self.stop.received:
                        raise failure or FailedRun("another process could not read its data; the iterations so far are saved")
                if batch is None:
                    return
                yield batch

    @staticmethod
    def _next(fetched):
        """The next batch or None, and the failure, a :class:`UserError`, or None."""
        try:
            return next(fetched, None), None
        except UserError as error:
            return None, UserError(str(error).strip().rpartition("Error: ")[2])      # a worker's error is a traceback's text
        except (RuntimeError, ConnectionError, EOFError) as error:                   # the last two: it died while it sent a batch
            reason = str(error).partition("\n")[0]
            if isinstance(error, RuntimeError) and "worker" not in reason:
                raise
            return None, FailedRun(f"a process that loads data died ({reason or 'no more data'}); the iterations so far are "
                                   "saved, --resume goes on from them")

    def update(self, batch):
        """Do one iteration; if a loss or gradient is not finite, stop or skip it as `on_nan` says.

        Returns the losses by name, 0-dim tensors; empty for a skipped iteration. Raises :class:`FailedRun`.
        """
        skip = self.trainer.config.on_nan == "skip"
        # a bad batch changes the networks' buffers even if no optimizer steps
        kept = [(buffer, buffer.clone()) for part in self.trainer.parts.values() for buffer in part.buffers()] if skip else []
        self.whole = False
        try:
            losses = self.trainer.update(batch)
            self.skipped = 0
        except NotFinite as bad:
            self.skipped += 1
            if not skip or self.skipped == MOST_SKIPPED:
                raise FailedRun(f"{self._describe(bad)}. Training stopped; a lower lr may help"
                                + ("" if skip else ", or on_nan: skip where single batches are to blame")) from None
            self.run.log.warning("%s; skipped", self._describe(bad))
            for buffer, value in kept:
                buffer.copy_(value)
            self.trainer.end_iteration()
            losses = {}
        self.whole = True
        return losses

    def _describe(self, bad):
        numbers = self.sampler.batch(self.trainer.iteration)
        lines = ", ".join(map(str, sorted(int(self.rows.lines[row]) for row in numbers)))
        good = find_snapshots(self.run.checkpoints, self.trainer.parts)
        return (f"iteration {self.trainer.iteration + 1}: {bad}; batch of lines {lines} of {self.rows.path}; last good "
                "snapshot: " + (f"iteration {good[-1].iteration} in {self.run.checkpoints}" if good else "none yet"))
