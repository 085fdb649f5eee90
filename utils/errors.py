"""How a command ends: errors as one line and an exit status, Ctrl-C, and output that can no longer be written.

Every command imports this module first, so that Ctrl-C during the slow imports ends in one line as well, and because torch reads
the setting of its threads only once.
"""
import logging
import os
import signal
import sys
import traceback
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

# OpenMP threads (libgomp) wait for each other in a busy loop, by default 300,000 rounds long. Beside another busy process this
# makes training many times slower; a shorter loop costs nothing.
if not os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:
    os.environ["GOMP_SPINCOUNT"] = "20000"

LOG = logging.getLogger("actvae")

leave = sys.exit             # how `command` ends the process; `utils.processes.job` sets its own function


class UserError(Exception):
    """A mistake of the user. The message says what is wrong and what to do. A command exits with status 2."""

    status = 2
    reported = False         # whether another process of the job has already printed the same message


class FailedRun(UserError):
    """The work cannot go on although the user made no mistake, for example on a full disk. A command exits with status 1."""

    status = 1


def command(main):
    """Run a command's `main()` and end the process with its exit status.

    An expected error becomes one line on stderr and in the run's log. Any other exception is a bug and keeps its traceback.

    Args:
        main: takes no arguments and returns the exit status; None means 0.
    """
    if signal.getsignal(signal.SIGINT) is _end_import:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with standard_output():
        warnings.formatwarning = _as_line
        try:
            status = main()
        except UserError as error:
            if not error.reported:
                _report(f"error: {error}")
            status = error.status
        except OSError as error:                       # a full disk or missing rights, described by the system
            _report(f"error: {error.filename or 'a file'}: {error.strerror or error}")
            status = FailedRun.status
        except UnicodeError as error:
            _report(f"error: a name or an option contains bytes that are not text ({error})")
            status = UserError.status
        except KeyboardInterrupt:
            _report("interrupted")
            status = 130
        except Exception:
            if leave is sys.exit:                      # Python prints the traceback itself
                raise
            traceback.print_exc()
            status = 1
    leave(status)


def _report(line):
    rank = int(os.environ.get("RANK", 0))              # set by torchrun
    print(line + (f" (process {rank})" if rank else ""), file=sys.stderr, flush=True)
    LOG.debug("%s", line)


def _as_line(message, *_, **__):
    """Format a warning as one line for stderr, in rank zero only, and add it to the log."""
    LOG.debug("warning: %s", message)
    return "" if int(os.environ.get("RANK", 0)) else f"warning: {message}\n"


class Output:
    """A standard stream that drops its text once it can no longer be written: the reader is gone, or the disk is full."""

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
        except (OSError, ValueError) as error:         # writing to a closed stream raises ValueError
            with suppress(OSError, ValueError):        # Python flushes the stream when it exits, and that must not fail
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            self._stream = None
            LOG.debug("%s can no longer be written (%s); the work goes on without it", self._name,
                      getattr(error, "strerror", None) or error)


@contextmanager
def standard_output():
    """Wrap stdout and stderr in :class:`Output` for a `with` block."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Output(sys.stdout, "standard output"), Output(sys.stderr, "standard error")
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _end_import(*_):
    """Handle Ctrl-C during the imports. torch and numpy would turn a KeyboardInterrupt into import errors with tracebacks."""
    os.write(2, b"interrupted\n")
    os._exit(130)


def _is_own_command():
    """Whether this process runs one of the project's commands, and not a program that imports the project."""
    root, script = Path(__file__).resolve().parents[1], getattr(sys.modules["__main__"], "__file__", None)
    if script is None and sys.argv[:1] == ["-m"] and "-m" in sys.orig_argv:           # `python -m` imports the package first
        return (root / sys.orig_argv[sys.orig_argv.index("-m") + 1].partition(".")[0]).is_dir()
    return script is not None and Path(script).resolve().parent == root


if signal.getsignal(signal.SIGINT) is signal.default_int_handler and _is_own_command():
    signal.signal(signal.SIGINT, _end_import)
