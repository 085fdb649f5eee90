"""Train forecasters, with one pose and with two, with and without the action's name, and write the table of their scores.

    python -m tools.forecasting --root data/Penn_Action --minutes 15 --out outputs/forecasting
"""
import argparse
from pathlib import Path

import torch

from tools.forecasting.forecaster import predict, train
from tools.forecasting.protocol import STEPS, Rows, pck, read_rows
from utils.errors import command
from utils.files import write_json, write_text

TP_RNN = (84.5, 72.0, 64.8, 60.3, 57.2, 55.0, 53.4, 52.1, 50.9, 50.0, 49.3, 48.7, 48.3, 47.9, 47.6, 47.3)
PUBLISHED = {"3D-PFNet (Chao et al.), one picture": [79.2],
             "TP-RNN (Chiu et al.), as quoted; its inputs are not certain": list(TP_RNN)}


def thinned(rows, limit):
    """At most `limit` rows, spread evenly; None: all."""
    if limit is None or limit >= len(rows.action):
        return rows
    return Rows(*(value[torch.linspace(0, len(rows.action) - 1, limit).round().long()] for value in rows))


def as_markdown(scores):
    """The table: a line for each entry, a column for each step."""
    lines = [["PCK@0.05 at step", *map(str, range(1, STEPS + 1))], ["---"] * (STEPS + 1)]
    lines += [[name, *(f"{value:.1f}" for value in values), *[""] * (STEPS - len(values))] for name, values in scores.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", required=True, help="folder that holds labels/")
    parser.add_argument("--history", type=int, choices=(1, 2), nargs="+", default=[1, 2], help="poses that a forecaster sees")
    parser.add_argument("--names", choices=("with", "without"), nargs="+", default=["with", "without"],
                        help="whether a forecaster is told the action's name")
    parser.add_argument("--minutes", type=float, default=15, help="of training, each (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=24, help="futures whose mode is the prediction (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="most test rows, spread evenly over all (default: all)")
    parser.add_argument("--out", default="outputs/forecasting", help="folder for table.md and scores.json (default: %(default)s)")
    options = parser.parse_args()
    if options.samples < 1 or options.minutes <= 0 or (options.limit is not None and options.limit < 1):
        parser.error("--samples and --limit must be at least 1, --minutes more than 0")
    parts, names = read_rows(options.root)
    training, tested = parts[True], thinned(parts[False], options.limit)
    print(f"{len(names)} actions, {len(training.action)} training rows, {len(parts[False].action)} test rows"
          f" ({len(tested.action)} are scored)")
    still = tested.poses[:, 1:2].expand(-1, STEPS, -1, -1)
    scores, iterations = {**PUBLISHED, "source repeated (zero-velocity baseline)": pck(still, tested).tolist()}, {}
    for history in options.history:
        for told in options.names:
            name = f"ours, {('one pose', 'two poses')[history - 1]}, {told} the action's name"
            model, iterations[name] = train(training, len(names) if told == "with" else 1, history, options.minutes)
            scores[name] = pck(predict(model, tested, history, options.samples), tested).tolist()
            print(as_markdown({name: scores[name]}), flush=True)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "table.md", as_markdown(scores) + "\n")
    write_json(out / "scores.json", {"scores": scores, "iterations": iterations, "test_rows": len(tested.action),
                                     "samples": options.samples})
    print(as_markdown(scores))
    return 0


if __name__ == "__main__":
    command(main)
