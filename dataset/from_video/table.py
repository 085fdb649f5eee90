"""Read CSV files that users write, also with the semicolons and decimal commas of other languages' spreadsheets."""
import csv
import io
import re
from collections import Counter
from pathlib import Path

from utils.errors import UserError


def read_table(path, what, columns, needed):
    """Read a CSV whose first line names its columns.

    Args:
        path: of the file.
        what: of what it is a table, for messages.
        columns: names that it may have; the first `needed` of them are required.
    Returns:
        list of (place, values) of the rows that are not empty: `file:line` for messages, and column -> text, "" if left out.
    Raises:
        UserError: with file and line.
    """
    (first, names), *rows = read_rows(path, what)
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


def read_rows(path, what):
    """The rows of a CSV that are not empty, as (`file:line`, texts), the column names first; at least one row."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        separator = max(",;\t", key=text.partition("\n")[0].count)
        reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
        rows = [(f"{path}:{reader.line_num}", [field.strip() for field in row]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot read this CSV of {what} ({getattr(error, 'strerror', None) or error})") from None
    if separator != ",":
        rows = [(place, [re.sub(r"^(-?\d+),(\d+)$", r"\1.\2", field) for field in row]) for place, row in rows]
    return [(place, row) for place, row in rows if any(row)] or [(path, [])]
