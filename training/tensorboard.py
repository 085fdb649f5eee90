"""Writing the event file of TensorBoard."""
import logging
import os
import time

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event

EVERY = 10                # seconds between two flushes


class EventFile:
    """Writes scalars and pictures for TensorBoard in the calling thread.

    tensorboardX's own `SummaryWriter` hands them to another thread and waits for ever after that thread has died of a full disk.
    Here a log that cannot be written is given up with one warning, and training goes on.

    Args:
        folder: existing folder of the run's logs; None writes nothing.
    """

    def __init__(self, folder):
        self.events, self.flushed = None, time.monotonic()
        if folder is not None:
            # the process's number: the name has whole seconds, and a run resumed in the same second would overwrite its log
            self._write(lambda: setattr(self, "events", EventsWriter(str(folder / "events"), f".{os.getpid()}")))

    def add_scalar(self, name, value, iteration):
        """Write a number of an iteration."""
        self._add(lambda: summary.scalar(name, value), iteration)

    def add_image(self, name, picture, iteration):
        """Write a picture (h, w, 3) uint8 of an iteration."""
        self._add(lambda: summary.image(name, picture, dataformats="HWC"), iteration)

    def close(self):
        """Write what is still in memory."""
        if self.events:
            self._write(self.events.close)

    def _add(self, make, iteration):
        if self.events:
            event = Event(summary=make(), step=iteration, wall_time=time.time())
            self._write(lambda: self.events.write_event(event))
        if self.events and time.monotonic() > self.flushed + EVERY:
            self.flushed = time.monotonic()
            self._write(self.events.flush)

    def _write(self, work):
        try:
            work()
        except OSError as error:
            self.events = None
            logging.getLogger("actvae").warning("TensorBoard's log can no longer be written (%s)", error.strerror)
