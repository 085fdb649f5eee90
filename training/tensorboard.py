"""TensorBoard's event file."""
import logging
import time

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event

EVERY = 10                # seconds between two flushes


class EventFile:
    """Scalars and pictures for TensorBoard, written by the thread that calls.

    tensorboardX's own `SummaryWriter` writes from another thread through a queue, and waits for ever when that thread has
    died of a full disk. Here a log that cannot be written is told once and given up; training goes on.

    Args:
        folder: of the run's logs, which exists; None writes nothing.
    """

    def __init__(self, folder):
        self.events, self.flushed = None, time.monotonic()
        if folder is not None:
            self._write(lambda: setattr(self, "events", EventsWriter(str(folder / "events"))))

    def add_scalar(self, name, value, iteration):
        """A number of an iteration."""
        self._add(lambda: summary.scalar(name, value), iteration)

    def add_image(self, name, picture, iteration):
        """A picture (h, w, 3) uint8 of an iteration."""
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
