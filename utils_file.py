"""Configuration and the folder of a run: what the entry points need of the disk."""
import logging
import shlex
import sys
from logging.handlers import MemoryHandler
from pathlib import Path

from tqdm import tqdm

from utils import processes
from utils.config import changes, dump_config, load_config
from utils.errors import UserError
from utils.files import write_text
from utils.tensorboard import EventFile
from utils.visualize import write_image

__all__ = ["RunFolder", "load_config"]


class _Console(logging.Handler):
    """Lines that do not tear a progress bar."""

    def emit(self, record):
        tqdm.write(self.format(record))


class RunFolder:
    """`<output_path>/outputs/<run>/` and its TensorBoard logs in `<output_path>/logs/<run>/` (SPEC section 6).

    The run's name is the config's base name + `--name`. Nothing is created before :meth:`create`.
    """

    def __init__(self, config_path, name="", output_path="."):
        if Path(name).name != name and name:
            raise UserError(f"--name {name}: it becomes part of a folder's name, so it cannot hold a path")
        self.name = Path(config_path).stem + name
        self.path = Path(output_path) / "outputs" / self.name
        self.checkpoints = self.path / "checkpoints"
        self.images = self.path / "images"
        self.test = self.path / "test"
        self.logs = Path(output_path) / "logs" / self.name
        self.log = logging.getLogger("actvae")
        self.log.setLevel(logging.DEBUG)
        for handler in self.log.handlers:
            handler.close()
        # losses, at level DEBUG, go to the log file only; what is told before there is one waits for it
        self._waiting = MemoryHandler(10_000, flushLevel=logging.CRITICAL)
        self.log.handlers = [_Console(logging.INFO), self._waiting]
        logging.raiseExceptions = False                       # a log that cannot be written makes no tracebacks

    def check(self, resume):
        """Raise :class:`UserError` if a run of this name was trained already, or, to resume it, was not."""
        trained = any(self.checkpoints.glob("*.pt"))
        if resume and not trained:
            raise UserError(f"{self.checkpoints}: no complete checkpoint here to go on from")
        if trained and not resume:
            raise UserError(f"{self.path} holds a trained run; continue it with --resume or choose another --name")

    def create(self, config=None):
        """Make the folders, start the log file (`log.txt`) and, for training, keep the resolved configuration.

        Of several processes only the first writes and talks.
        """
        if not processes.is_first():
            self.log.handlers = [logging.NullHandler()]
            return
        try:
            self.images.mkdir(parents=True, exist_ok=True)
            self.checkpoints.mkdir(exist_ok=True)
            changed = []
            if config is not None:
                self.logs.mkdir(parents=True, exist_ok=True)
                changed = changes(config, self.path / "config.yaml")
                write_text(self.path / "config.yaml", f"# {shlex.join(sys.argv)}\n{dump_config(config)}")
            file = logging.FileHandler(self.path / "log.txt", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{self.path}: the run folder cannot be written ({error.strerror})") from None
        file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        self._waiting.setTarget(file)
        self._waiting.close()                                 # which writes what waited
        self.log.removeHandler(self._waiting)
        self.log.addHandler(file)
        self.log.info("%s", shlex.join(sys.argv))
        if changed:
            self.log.info("changed since this run last trained: %s", ", ".join(changed))

    def add_sheet(self, part, sheet, iteration, writer):
        """Keep a sample sheet as `images/<part>_<iteration>.jpg` and in TensorBoard."""
        write_image(self.images / f"{part}_{iteration:08d}.jpg", sheet)
        writer.add_image(part, sheet, iteration)

    def tensorboard(self):
        """TensorBoard's log of this run, an :class:`EventFile`; it writes in the first process only."""
        return EventFile(self.logs if processes.is_first() else None)
