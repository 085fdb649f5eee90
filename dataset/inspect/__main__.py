"""Inspect a data set: random windows with their poses, how much people move, and which rows look wrong.

    python -m dataset.inspect LIST --data_root DIR --out page.html
"""
import argparse
import warnings
from pathlib import Path

import numpy as np

from dataset.inspect.page import SIDE, write_page
from dataset.inspect.statistics import measure
from dataset.layouts import read_pairs
from dataset.pair_list import ACTIONS, Columns
from utils.config import load_config
from utils.errors import UserError, command
from utils.schema import Config, TrainDataConfig

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


def inspect(path, data_root, out, rows=12, seed=7, config=None):
    """Write the page of a list; returns a summary in lines.

    Args:
        path: of the list.
        data_root: folder of its data; None: that of the configuration.
        out: path of the page.
        rows, seed: see :func:`dataset.inspect.page.write_page`.
        config: :class:`utils.schema.Config`, whose layout and actions count; None: Penn Action's layout, and the list's actions.
    Raises:
        UserError: a list that cannot be read.
    """
    out = Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {out}: a page is called something.html")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config = config or Config(actions=list(actions_of(path)))
        entry = TrainDataConfig(str(path), config.data_root if data_root is None else data_root, config.layout)
        pairs = read_pairs(config, entry, images=False, size=SIDE)
    known = pairs.image_size < np.iinfo(np.int32).max
    same = np.array([len(set(frames)) < len(frames) for frames in pairs.rows.frames])
    findings = measure(pairs.rows.poses, np.where(known, pairs.image_size, np.nan), same)
    return "\n".join([*(f"note: {warning.message}" for warning in caught), write_page(out, pairs, findings, rows, seed)])


def main():
    parser = argparse.ArgumentParser(prog="python -m dataset.inspect", description="Inspect a data set.")
    parser.add_argument("list", help="list of windows, e.g. data_lists/training_pair_penn5.txt")
    parser.add_argument("--data_root", help="folder that holds frames/ and labels/; without frames, poses are drawn on grey "
                                            "(default: that of --config, or here)")
    parser.add_argument("--config", help="configuration of the list: its layout, data_root and actions")
    parser.add_argument("--out", default="inspect.html",
                        help="page to write, with a folder of pictures beside it (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=12,
                        help="number of random windows, and largest number of suspicious ones (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the random choice (default: %(default)s)")
    options = parser.parse_args()
    if options.rows < 1 or options.seed < 0:
        parser.error("--rows must be at least 1, --seed not negative")
    config = load_config(options.config) if options.config else None
    root = options.data_root if options.data_root or config else "."
    print(inspect(options.list, root, options.out, options.rows, options.seed, config))


if __name__ == "__main__":
    command(main)
