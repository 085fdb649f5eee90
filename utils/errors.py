"""Mistakes of a user, told in one line; and output that cannot be written, which must not stop the work.

Imported first by the scripts, so that Ctrl-C while they still import ends in one line, too.
"""
import logging
import os
import sys
import warnings
from contextlib import contextmanager, suppress

LOG = logging.getLogger("actvae")


class UserError(Exception):
    """Something the user gave is wrong; the message says what and what to do. Commands exit with status 2."""

    status = 2
    told = False             # whether another process of the job says the same


class FailedRun(UserError):
    """Nothing the user gave is wrong, yet the work cannot go on: a full disk, numbers gone bad. Status 1."""

    status = 1


def command(main):
    """Run a command-line `main()`; an error that is no bug becomes one line on stderr and in the run's log."""
    with standard_output():
        warnings.formatwarning = _as_line
        try:
            sys.exit(main())
        except UserError as error:
            if not error.told:
                _tell(f"error: {error}")
            sys.exit(error.status)
        except OSError as error:                       # a full disk, a folder without rights: in the system's own words
            _tell(f"error: {error.filename or 'a file'}: {error.strerror or error}")
            sys.exit(FailedRun.status)
        except UnicodeError as error:
            _tell(f"error: a name or option holds bytes that are no text ({error})")
            sys.exit(UserError.status)
        except KeyboardInterrupt:
            _tell("interrupted")
            sys.exit(130)


def _tell(line):
    rank = int(os.environ.get("RANK", 0))          # of a process that torchrun started
    print(line + (f" (process {rank})" if rank else ""), file=sys.stderr, flush=True)
    LOG.debug("%s", line)


def _as_line(message, *_, **__):
    """A warning for stderr, of rank zero only, and for the log."""
    LOG.debug("warning: %s", message)
    return "" if int(os.environ.get("RANK", 0)) else f"warning: {message}\n"


class Output:
    """A standard stream whose reader may go away or whose disk may fill up: from then on, what is written is dropped."""

    def __init__(self, stream, name):
        self._stream, self._name = stream, name

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def isatty(self):
        return self._stream is not None and self._stream.isatty()

    def write(self, text):
        self._try(lambda: self._stream.write(text.encode("utf-8", "replace").decode("utf-8")))
        return len(text)

    def flush(self):
        self._try(lambda: self._stream.flush())

    def _try(self, work):
        if self._stream is None:
            return
        try:
            work()
        except (OSError, ValueError) as error:         # a closed stream is a ValueError
            with suppress(OSError, ValueError):        # what Python flushes at its exit must not fail either
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            self._stream = None
            LOG.debug("%s can no longer be written (%s); the work goes on without it", self._name,
                      getattr(error, "strerror", None) or error)


@contextmanager
def standard_output():
    """Standard output and error as :class:`Output`, for the time of a `with` block."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Output(sys.stdout, "standard output"), Output(sys.stderr, "standard error")
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _uncaught(kind, error, trace):
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _uncaught
