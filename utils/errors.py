"""Mistakes of a user, told in one line."""
import os
import sys
import warnings


class UserError(Exception):
    """Something the user gave is wrong; the message says what and what to do. Commands exit with status 2."""

    status = 2


class FailedRun(UserError):
    """Nothing the user gave is wrong, yet the work cannot go on: a full disk, numbers gone bad. Status 1."""

    status = 1


def command(main):
    """Run a command-line `main()`; an error that is no bug becomes one line on stderr and its exit status."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        sys.exit(main())
    except UserError as error:
        _tell(f"error: {error}")
        sys.exit(error.status)
    except OSError as error:                       # a full disk, a folder without rights: in the system's own words
        _tell(f"error: {error.filename or 'a file'}: {error.strerror or error}")
        sys.exit(FailedRun.status)
    except KeyboardInterrupt:
        _tell("interrupted")
        sys.exit(130)


def _tell(line):
    rank = int(os.environ.get("RANK", 0))          # of a process that torchrun started
    print(line + (f" (process {rank})" if rank else ""), file=sys.stderr, flush=True)
