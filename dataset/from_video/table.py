"""Read CSV files that users write."""
import csv
from collections import Counter

from utils.errors import UserError


def read_table(path, what, columns, needed):
    """Read a CSV whose first line names its columns.

    Args:
        path: of the file.
        what: it is a table of, for messages.
        columns: names that it may have.
        needed: number of them, from the first on, that it must have.
    Returns:
        list of (place, values) of the rows that are not empty: `file:line` for messages, and column -> text, "" where left out.
    Raises:
        UserError: with file and line.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(f"{path}:{reader.line_num}", [field.strip() for field in row]) for row in reader]
    except OSError as error:
        raise UserError(f"{path}: cannot read this CSV of {what} ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        reason = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error
        raise UserError(f"{path}: not a CSV of {what} ({reason})") from None
    (first, names), *rows = [(place, row) for place, row in rows if any(row)] or [(path, [])]
    names = [name.lower() for name in names]
    for problem in ([f"there is no column {name!r}" for name in columns[:needed] if name not in names] +
                    [f"{name!r} is no column" for name in names if name not in columns] +
                    [f"column {name!r} is there twice" for name, times in Counter(names).items() if times > 1]):
        raise UserError(f"{first}: {problem if names else 'empty'}; expected a first line `{','.join(columns)}`, of which "
                        f"{', '.join(columns[needed:])} may be left out")
    if not rows:
        raise UserError(f"{path}: there is no row below the line of column names")
    for place, row in rows:
        if len(row) != len(names):
            raise UserError(f"{place}: {len(row)} fields, the first line has {len(names)} columns")
    return [(place, dict.fromkeys(columns, "") | dict(zip(names, row))) for place, row in rows]
