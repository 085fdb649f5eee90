"""What guards a training iteration: stop signals, failing data, numbers gone bad, and work that must not be lost."""
import signal
from contextlib import contextmanager

from training import batches
from training.checkpoints import find_snapshots
from training.optimizers import NotFinite
from utils import processes
from utils.errors import FailedRun, UserError

MOST_SKIPPED = 100        # iterations in a row, with `on_nan: skip`


class StopSignals:
    """Within a `with` block, SIGINT, SIGTERM and SIGHUP (a dropped connection) only set `received`; a second Ctrl-C acts at once.

    Schedulers and `timeout` send the others to the whole process group or more than once, and `torchrun` passes every signal
    on, so those wait for the step to end and the snapshot to be written.
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
    """A trainer's iterations, so that whatever happens between two of them, those done are saved.

    Args:
        trainer: a :class:`training.trainer.BaseTrainer`.
        sampler: :class:`training.batches.EpochBatches`.
        rows: the training data.
        run: :class:`utils_file.RunFolder`.
        stop: :class:`StopSignals`.
    """

    def __init__(self, trainer, sampler, rows, run, stop):
        self.trainer, self.sampler, self.rows, self.run, self.stop = trainer, sampler, rows, run, stop
        self.skipped = 0                         # in a row
        self.saved = trainer.iteration           # the iteration of the last snapshot
        self.whole = True                        # no iteration is half done

    def save(self):
        """Write a snapshot, in rank zero."""
        if self.trainer.iteration and processes.is_rank_zero():
            self.trainer.save(self.run.checkpoints, self.trainer.iteration, self.sampler.epoch(self.trainer.iteration - 1)[0])
        self.saved = self.trainer.iteration

    @contextmanager
    def nothing_lost(self):
        """Save what was done since the last snapshot before an error goes on; not at a second Ctrl-C, nor where saving failed."""
        try:
            yield
        except (KeyboardInterrupt, FailedRun):
            raise
        except BaseException:
            if self.whole and self.trainer.iteration > self.saved:
                self.run.log.warning("saving the iterations since %d before this error goes on", self.saved)
                self.save()
            raise

    def batches(self, loader):
        """The loader's batches. Before an error in the data of any process goes on, the iterations so far are saved."""
        with batches.fetching(loader) as fetched:
            while True:
                batch, failure = None, None
                try:
                    batch = next(fetched, None)
                except UserError as error:
                    # what comes from a worker is the text of a traceback
                    failure = UserError(str(error).strip().rpartition("Error: ")[2])
                except RuntimeError as error:
                    if "worker" not in str(error):
                        raise
                    failure = FailedRun(f"a process that loads data died ({str(error).splitlines()[0]}); "
                                        "the iterations so far are saved, --resume goes on from them")
                if processes.all_reduce_max(int(failure is not None)):
                    self.save()
                    processes.all_reduce_max(0)                     # rank zero may be the one that leaves first
                    if not self.stop.received:
                        raise failure or FailedRun("another process could not read its data; the iterations so far are saved")
                if batch is None:
                    return
                yield batch

    def update(self, batch):
        """The losses of the trainer's update; where a number is not finite, stop or skip as `on_nan` says.

        Returns:
            name -> 0-dim tensor, empty for a skipped iteration.
        Raises:
            FailedRun: a loss or gradient is not finite.
        """
        skip = self.trainer.config.on_nan == "skip"
        buffers = self.trainer.buffers() if skip else []
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
            self.trainer.skip(buffers)
            losses = {}
        self.whole = True
        return losses

    def _describe(self, bad):
        numbers = self.sampler.batch(self.trainer.iteration)
        lines = ", ".join(map(str, sorted(int(self.rows.lines[row]) for row in numbers)))
        good = find_snapshots(self.run.checkpoints, self.trainer.parts)
        return (f"iteration {self.trainer.iteration + 1}: {bad}; batch of lines {lines} of {self.rows.path}; last good "
                "snapshot: " + (f"iteration {good[-1].iteration} in {self.run.checkpoints}" if good else "none yet"))
