"""Mistakes of a user, told in one line."""
import sys
import warnings


class UserError(Exception):
    """Something the user gave is wrong; the message says what and what to do. Commands exit with status 2."""

    status = 2


def command(main):
    """Run a command-line `main()`; a :class:`UserError` becomes one line on stderr and its exit status."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        sys.exit(main())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
