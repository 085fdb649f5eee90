"""The folder of a run, and :func:`load_config`."""
import fcntl
import logging
import os
import shlex
import sys
import tempfile
from logging.handlers import MemoryHandler
from pathlib import Path

from tqdm import tqdm

from training.checkpoints import find_snapshots
from utils import processes
from utils.config import changes, dump_config, load_config
from utils.errors import UserError
from utils.files import write_text
from utils.pages import write_run_page

__all__ = ["RunFolder", "load_config"]
CONFIG = "config.yaml"


class _Console(logging.Handler):
    """Writes log lines without breaking a progress bar."""

    def emit(self, record):
        tqdm.write(self.format(record))


class RunFolder:
    """`<output_path>/outputs/<run>/` and its TensorBoard logs in `<output_path>/logs/<run>/` (published system, "Files").

    The run's name is the config's base name + `--name`; the `config.yaml` in a run's folder stands for that run. Nothing is
    created before :meth:`create` or :meth:`lock`.
    """

    def __init__(self, config_path, name="", output_path="."):
        if Path(name).name != name and name:
            raise UserError(f"--name {name}: it becomes part of a folder's name, so it cannot hold a path")
        home = Path(config_path).resolve().parent
        if Path(config_path).name == CONFIG and home.parent.name == "outputs" and not name:
            self.name, output_path = home.name, home.parent.parent
        else:
            self.name = Path(config_path).stem + name
        self.path = Path(output_path) / "outputs" / self.name
        self.config = self.path / CONFIG
        self.checkpoints = self.path / "checkpoints"
        self.images = self.path / "images"
        self.test = self.path / "test"
        self.logs = Path(output_path) / "logs" / self.name
        self._lock = None                                     # an open file
        self.log = logging.getLogger("actvae")
        self.log.setLevel(logging.DEBUG)
        for handler in self.log.handlers:
            handler.close()
        # losses, at level DEBUG, go to the log file only; messages are kept until there is a file
        self._waiting = MemoryHandler(10_000, flushLevel=logging.CRITICAL)
        self.log.handlers = [_Console(logging.INFO), self._waiting]
        logging.raiseExceptions = False                       # no tracebacks if the log cannot be written

    def check(self, resume):
        """Raise :class:`UserError` if a new run's name is taken, or if there is no run to resume."""
        trained = any(self.checkpoints.glob("*.pt"))
        if resume and not trained:
            raise UserError(f"{self.checkpoints}: no complete checkpoint here to go on from")
        if trained and not resume:
            raise UserError(f"{self.path} holds a trained run; continue it with --resume or choose another --name")

    def set_aside(self, iteration):
        """Move the snapshots after an iteration to `checkpoints/after_<iteration>/`, because training goes back to it."""
        later = [snapshot for snapshot in find_snapshots(self.checkpoints, ()) if snapshot.iteration > iteration]
        if later and processes.is_rank_zero():
            folder = self.checkpoints / f"after_{iteration:08d}"
            folder.mkdir(exist_ok=True)
            for file in (file for snapshot in later for file in snapshot.files.values()):
                file.replace(folder / file.name)
            self.log.info("going back to iteration %d; the snapshots after it are in %s now", iteration, folder)

    def lock(self, purpose):
        """Make this the only process that trains (or tests) in this folder until :meth:`close`, or raise :class:`UserError`."""
        if self._lock or not processes.is_rank_zero():
            return
        path = self.path / f".{purpose}.lock"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = open(path, "a+", encoding="utf-8")            # noqa: SIM115
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)       # flock would last as long as a worker of a killed run
        except OSError:
            file.seek(0)
            raise UserError(f"{self.path}: {file.read().strip() or 'another process'} is {purpose} in this folder; wait for it, "
                            "or choose another --name") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}")
        file.flush()
        self._lock = file

    def _unwritable(self, error):
        return UserError(f"{self.path}: the run folder cannot be written ({error.strerror})")

    def close(self):
        """Unlock the folder."""
        if self._lock:
            Path(self._lock.name).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def create(self, config=None):
        """Make the folders, start the log file (`log.txt`) and, for training, save the resolved configuration; in rank zero."""
        if not processes.is_rank_zero():
            self.log.handlers = [logging.NullHandler()]
            return
        try:
            self.images.mkdir(parents=True, exist_ok=True)
            self.checkpoints.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=self.checkpoints):            # fail now and not at the first snapshot
                pass
            changed = []
            if config is not None:
                self.logs.mkdir(parents=True, exist_ok=True)
                changed = changes(config, self.config)
                write_text(self.config, f"# {shlex.join(sys.argv)}\n{dump_config(config)}")
            file = logging.FileHandler(self.path / "log.txt", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from None
        file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        self._waiting.setTarget(file)
        self._waiting.close()                                 # writes the kept messages
        self.log.removeHandler(self._waiting)
        self.log.addHandler(file)
        self.log.info("%s", shlex.join(sys.argv))
        if changed:
            self.log.info("changed since this run last trained: %s", ", ".join(changed))

    def write_page(self, legend):
        """Write the run's `index.html`; only rank zero does."""
        if processes.is_rank_zero():
            write_run_page(self, legend)
