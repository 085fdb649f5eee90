"""Compares tests of the same windows: one table of their numbers, with differences and bootstrap intervals over videos.

    python -m tools.compare outputs/RUN_A outputs/RUN_B [...] --out comparison

Windows of one video are alike, so intervals over windows would be too narrow. Therefore whole videos are drawn, with replacement
(cluster bootstrap: Field and Welsh, "Bootstrapping clustered data", JRSS B 2007).

Axes: N windows, V videos, D draws.
"""
import argparse
import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np

from evaluation.registry import MOTION, RATIOS, listed
from evaluation.row_files import ROWS
from utils.errors import UserError, command
from utils.files import write_text

KEYS = ("video", "frame", "row", "action")
DRAWS = 1000
SEED = 0


def read_rows(folder):
    """The numbers of every window of a test, a dict of arrays (N,). `folder` is a run, or the results of a test."""
    path = next((path for path in (Path(folder) / ROWS, Path(folder) / "test" / ROWS) if path.is_file()), None)
    if path is None:
        raise UserError(f"{folder}: no {ROWS} here; name a run that was tested, or the folder of a test's results")
    try:
        with np.load(path, allow_pickle=False) as content:
            return dict(content)
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not the scores of a test's windows ({error})") from None


def check_options(folders):
    """Raise :class:`UserError` if tests have other `--steps` or `--samples` than the first: their numbers do not compare."""
    used = []
    for folder in map(Path, folders):
        path = (folder if (folder / ROWS).is_file() else folder / "test") / "metrics.json"
        try:
            metrics = json.loads(path.read_text(encoding="utf-8"))
            used.append({name: metrics[name] for name in ("steps", "samples")})
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{path}: not the numbers of a test ({error}); test this run again") from None
        for name, value in used[-1].items():
            if value != used[0][name]:
                raise UserError(f"{folder}: it was tested with {value} {name}, {folders[0]} with {used[0][name]}; test both with "
                                f"the same --{name}")


def interval(values, video, confidence=0.95):
    """The bootstrap interval (low, high) of the mean of values (N,) of windows of videos (N,); NaN does not count."""
    _, number = np.unique(video, return_inverse=True)
    sums, counts = (np.bincount(number, weights=weights) for weights in (np.nan_to_num(values), ~np.isnan(values)))      # (V,)
    drawn = np.random.default_rng(SEED).integers(len(sums), size=(DRAWS, len(sums)))                                     # (D, V)
    means = sums[drawn].sum(1) / np.maximum(1, counts[drawn].sum(1))
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def compare(names, tests, action=None):
    """The table of some tests.

    Args:
        names: of the tests; the first is the one that the others are compared with.
        tests: of each what :func:`read_rows` returned.
        action: only windows of this action; None: all.
    Returns:
        list of dicts, one for each metric and test: `action`, `metric`, `test`, `mean`, and of all but the first `difference`,
        `low`, `high`.
    """
    rows, first = slice(None) if action is None else tests[0]["action"] == action, tests[0]
    lines = []
    for metric in [each.name for place in (MOTION, RATIOS) for each in listed(place)]:
        for name, test in zip(names, tests):
            if metric not in test:
                continue
            line = {"action": action or "all", "metric": metric, "test": name, "mean": float(np.nanmean(test[metric][rows]))}
            if test is not first and metric in first:
                difference = test[metric][rows] - first[metric][rows]
                low, high = interval(difference, first["video"][rows])
                line |= {"difference": float(np.nanmean(difference)), "low": low, "high": high}
            lines.append(line)
    return lines


def as_markdown(lines, names):
    """The table as Markdown: a line for each action and metric, columns for the tests and their differences from the first."""
    head = ["action", "metric", names[0], *(text for name in names[1:] for text in (name, "difference (95 %)"))]
    table = [head, ["---"] * len(head)]
    for action, metric in dict.fromkeys((line["action"], line["metric"]) for line in lines):
        found, cells = {line["test"]: line for line in lines if (line["action"], line["metric"]) == (action, metric)}, []
        for name in names:
            line = found.get(name)
            cells.append("" if line is None else f"{line['mean']:.4f}")
            if name != names[0]:
                cells.append(f"{line['difference']:+.4f} ({line['low']:+.4f} .. {line['high']:+.4f})"
                             if line and "difference" in line else "")
        table.append([action, metric, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in table)


def as_csv(lines):
    """The table as CSV, one line for each action, metric and test."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["action", "metric", "test", "mean", "difference", "low", "high"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def main():
    parser = argparse.ArgumentParser(description="Compare tests of the same windows. Distances are normalised: [-1, 1] is the "
                                                 "whole picture.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run, or of a test's results; the first is the one "
                                                               "that the others are compared with")
    parser.add_argument("--actions", action="store_true", help="also a table for each action")
    parser.add_argument("--out", metavar="NAME", help="also write NAME.md and NAME.csv")
    options = parser.parse_args()
    tests = [read_rows(folder) for folder in options.runs]
    for folder, rows in zip(options.runs, tests):
        if any(not np.array_equal(rows[key], tests[0][key]) for key in KEYS):
            raise UserError(f"{folder}: it was tested on other rows than {options.runs[0]}; test both with the same list "
                            "and --limit")
    check_options(options.runs)
    names = [Path(folder).name if len({Path(each).name for each in options.runs}) == len(options.runs) else str(folder)
             for folder in options.runs]
    lines = compare(names, tests)
    for action in np.unique(tests[0]["action"]) if options.actions else ():
        lines += compare(names, tests, str(action))
    print(as_markdown(lines, names))
    if options.out:
        write_text(Path(f"{options.out}.md"), as_markdown(lines, names) + "\n")
        write_text(Path(f"{options.out}.csv"), as_csv(lines))
    return 0


if __name__ == "__main__":
    command(main)
