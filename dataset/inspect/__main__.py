"""Inspect a data set: random windows with their poses, how much people move, and which rows look wrong.

    python -m dataset.inspect LIST --data_root DIR --out page.html
"""
import argparse
import warnings
from pathlib import Path

import numpy as np

from dataset.image_loader2 import PennActionPairs
from dataset.inspect.page import SIDE, write_page
from dataset.inspect.statistics import measure
from dataset.pair_list import ACTIONS, Columns
from utils.errors import UserError, command

MOST_ACTIONS = 10_000


def actions_of(path):
    """The action names in a list, by id; ids that it does not use get a made-up name.

    For files that are not a list, the actions of the paper: the error then comes from reading the list.
    """
    names = {}
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError):
        return ACTIONS
    for line in lines:
        fields = line.rstrip("\r").split(",")
        columns = Columns.of(len(fields))
        number = fields[columns.action + 1].strip() if columns else ""
        if number.isascii() and number.isdecimal() and len(number) < 6 and int(number) < MOST_ACTIONS:
            names.setdefault(int(number), fields[columns.action])
    return tuple(names.get(number, f"(id {number})") for number in range(max(names) + 1)) if names else ACTIONS


def inspect(path, data_root, out, rows=12, seed=7):
    """Write the page of a list; returns a summary in lines. Raises :class:`UserError` for a list that cannot be read."""
    out = Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {out}: a page is called something.html")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pairs = PennActionPairs(path, data_root, SIDE, images=False, actions=actions_of(path))
    known = pairs.image_size < np.iinfo(np.int32).max
    same = np.array([len(set(frames)) < len(frames) for frames in pairs.rows.frames])
    findings = measure(pairs.rows.poses, np.where(known, pairs.image_size, np.nan), same)
    return "\n".join([*(f"note: {warning.message}" for warning in caught), write_page(out, pairs, findings, rows, seed)])


def main():
    parser = argparse.ArgumentParser(prog="python -m dataset.inspect", description="Inspect a data set.")
    parser.add_argument("list", help="list of windows, e.g. data_lists/training_pair_penn5.txt")
    parser.add_argument("--data_root", default=".",
                        help="folder that holds frames/ and labels/; without frames, poses are drawn on grey")
    parser.add_argument("--out", default="inspect.html",
                        help="page to write, with a folder of pictures beside it (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=12,
                        help="number of random windows, and largest number of suspicious ones (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the random choice (default: %(default)s)")
    options = parser.parse_args()
    if options.rows < 1 or options.seed < 0:
        parser.error("--rows must be at least 1, --seed not negative")
    print(inspect(options.list, options.data_root, options.out, options.rows, options.seed))


if __name__ == "__main__":
    command(main)
