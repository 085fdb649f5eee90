"""Read CSV files that users write."""
import csv

from utils.errors import UserError


def read_table(path, what, content, error=UserError):
    """The rows of a CSV that are not empty, as (number of the line, fields).

    Args:
        what: for messages, what the file is.
        content: for messages, what it should contain.
        error: class of the error, a :class:`UserError`.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            return [(reader.line_num, row) for row in reader if any(field.strip() for field in row)]
    except OSError as problem:
        raise error(f"{path}: cannot read {what} ({problem.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as problem:
        reason = "not UTF-8 text" if isinstance(problem, UnicodeDecodeError) else problem
        raise error(f"{path}: not a CSV of {content} ({reason})") from None
