"""Writes the event file of TensorBoard."""
import logging
import os
import time

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event

EVERY = 10                # seconds between two flushes


class EventFile:
    """Writes scalars and pictures for TensorBoard in the calling thread; `folder` None writes nothing.

    tensorboardX's own `SummaryWriter` hands them to another thread and waits for ever after that thread has died of a full disk.
    Here a log that cannot be written is given up with one warning, and training goes on.
    """

    def __init__(self, folder):
        self.events, self.flushed = None, time.monotonic()
        if folder is not None:                                # with the process's number: a run may be resumed within a second
            self._write(lambda: setattr(self, "events", EventsWriter(str(folder / "events"), f".{os.getpid()}")))

    def add_scalar(self, name, value, iteration):
        self._add(lambda: summary.scalar(name, value), iteration)

    def add_image(self, name, picture, iteration):
        """Add a picture (h, w, 3) uint8."""
        self._add(lambda: summary.image(name, picture, dataformats="HWC"), iteration)

    def close(self):
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
