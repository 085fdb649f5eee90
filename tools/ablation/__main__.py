"""The worth of each part of the pose module `residual`: a table whose rows are trained for the same time, on the same videos.

    python -m tools.ablation --set data_root=data/Penn_Action --seconds 60
    python -m tools.ablation --rows "stretch" "z 16" --seeds 0 1 2 --split test --out outputs/finalists

Rows are scored on every tenth training video, which none of them is trained on. With `--split test` they are trained on all and
scored on the test list. The lists must be made with `--horizon 32 --pad --every_frame` (config/motion.yaml). Rows that the folder
`--out` has already, made in the same way (time, lists, split, seeds, configuration), are not trained again.
"""
import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from dataset.layouts import read_pairs
from evaluation.poses import PoseEvaluation
from evaluation.recognition import find_classifier
from tools.ablation.report import HORIZONS, SCORES, figure, table
from tools.ablation.rows import MOTION, ROWS
from trainer_actvae import Trainer
from training.batches import EpochBatches
from utils.config import load_config
from utils.errors import LOG, UserError, command
from utils.files import write_json, write_text
from utils.media import write_image
from utils.schema import TrainDataConfig
from utils.spacing import evenly_spaced

NUMBERS = "ablation.json"
WARM_UP = 20               # iterations from which the time of one is estimated


def on_the_clip(data):
    """Which rows of a list start at a frame of their video's clip: (N,) bool."""
    frames = data.frame_numbers.numpy()
    return (frames[:, 1] - 1) % np.maximum(1, frames[:, 2]) == 0


def split_by_video(data):
    """Row numbers of a training list: (those of nine of ten videos, those of every tenth)."""
    video = data.frame_numbers[:, 0].numpy()
    held_out = np.isin(video, np.unique(video)[::10])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def train(row, config, data, numbers, iterations, seed):
    """Train a :class:`Row` on some rows of a list, given by their numbers; returns the trainer."""
    trainer = Trainer(config, seed)
    if row.variant:
        trainer.model.__class__ = row.variant            # the same weights
    trainer.total = iterations
    trainer.set_learning_rate()
    batch_size = min(config.batch_size, len(numbers))
    epochs = iterations // (len(numbers) // batch_size) + 1
    for _, batch in zip(range(iterations), EpochBatches(len(numbers), batch_size, seed, epochs=epochs)):
        batch = numbers[batch]
        earlier = {} if data.before is None else {"before": data.before[batch]}
        trainer.update({"poses": data.poses[batch, :row.targets + 1], "action": data.action[batch], **earlier,
                        "valid_steps": data.valid_steps[batch].clamp(max=row.targets), "extent": data.extent[batch]})
    return trainer


def fit(row, data, numbers, seconds, seed, overrides=()):
    """Train a :class:`Row` on some rows of a list.

    Args:
        numbers: of the list's rows.
        seconds: of processor time, from which other work on the machine takes nothing away.
        seed: of weights, batches and noise.
        overrides: of the configuration, after the row's own.
    Returns:
        (trainer, number of iterations).
    """
    numbers = numbers[data.valid_steps.numpy()[numbers] >= (1 if row.config == MOTION else row.targets)]
    if not row.every_frame:
        numbers = numbers[on_the_clip(data)[numbers]]
    if not len(numbers):
        raise UserError(f"{data.rows.path}: no row can be used for {row}")
    config = load_config(row.config, [*row.overrides, *overrides])
    train(row, config, data, numbers, 1, seed)
    started = time.process_time()
    train(row, config, data, numbers, WARM_UP, seed)
    iterations = max(1, int(seconds * WARM_UP / (time.process_time() - started)))
    return train(row, config, data, numbers, iterations, seed), iterations


def evaluate(trainer, data, numbers, limit, samples, classifiers):
    """Mean scores at each of `HORIZONS`: a list of dicts."""
    found = []
    for steps in HORIZONS:
        rows = numbers[(data.valid_steps.numpy()[numbers] >= max(5, steps)) & on_the_clip(data)[numbers]]
        if not len(rows):
            raise UserError(f"{data.rows.path}: no row holds {steps} targets")
        rows = rows[evenly_spaced(len(rows), limit)]
        scores = PoseEvaluation().score(trainer, data, rows, samples, steps, classifiers[steps])
        overall = scores.summary(data.rows.actions, {"normalised": 1.0})["overall"]
        means = {**overall["normalised"], **overall["ratios"]}
        found.append({**means, "rows": len(rows), "bone_ratio": means["bone_drift"] / max(1e-9, means["bone_drift_true"]),
                      "acceleration_ratio": means["acceleration"] / max(1e-9, means["acceleration_true"])})
    return found


def earlier_results(path, conditions, configs):
    """The rows of a file that were made under the same conditions and with the same configurations, and the baseline: (results,
    baseline), both empty if there are none.

    Raises:
        UserError: the file is something else.
    """
    if not path.is_file():
        return {}, []
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if not conditions.items() <= known.items():
            return {}, []
        return ({name: row for name, row in known["rows"].items() if known["configs"][name] == configs.get(name)},
                known["baseline"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: not an ablation's numbers; move it away or give another --out") from None


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE", help="override a key for every row")
    parser.add_argument("--seconds", type=float, default=60,
                        help="processor time (not a GPU's) for which a row is trained (default: %(default)s)")
    parser.add_argument("--rows", nargs="*", metavar="TEXT", help="only rows whose name holds one of these")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--split", choices=("val", "test"), default="val", help="videos on which rows are scored")
    parser.add_argument("--limit", type=int, default=1500, help="rows of the list that are scored (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=20, help="samples of each (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("outputs/ablation"), help="folder for table, numbers and figure")
    return parser.parse_args()


def main():
    options = parse_options()
    chosen = {name: row for name, row in ROWS.items() if not options.rows or any(text in name for text in options.rows)}
    if not chosen:
        raise UserError(f"--rows: there are {', '.join(ROWS)}")
    config = load_config(MOTION, options.set)

    training_list = TrainDataConfig(config.train_data_list, config.data_root, config.layout)
    data = scored = read_pairs(config, training_list, images=False, test=True)
    if data.targets < max(row.targets for row in chosen.values()):
        raise UserError(f"{data.rows.path}: its rows hold {data.targets} targets; write longer ones with `python -m "
                        "dataset.penn_action --horizon 32 --pad --every_frame`")
    training_rows, scored_rows = split_by_video(data)
    if options.split == "test":
        scored = read_pairs(config, images=False, test=True)
        training_rows, scored_rows = np.arange(len(data)), np.arange(len(scored))
    configs = {name: asdict(load_config(row.config, [*row.overrides, *options.set])) for name, row in ROWS.items()}
    conditions = {"seconds": options.seconds, "split": options.split, "seeds": options.seeds, "limit": options.limit,
                  "samples": options.samples, "lists": [data.rows.sha256, scored.rows.sha256]}
    results, baseline = earlier_results(options.out / NUMBERS, conditions, configs)
    classifiers = {steps: find_classifier(lambda: data, steps, LOG, training_rows) for steps in HORIZONS}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, row in chosen.items():
        if name in results:
            continue
        for seed in options.seeds:
            trainer, iterations = fit(row, data, training_rows, options.seconds, seed, options.set)
            scores = evaluate(trainer, scored, scored_rows, options.limit, options.samples, classifiers)
            results.setdefault(name, []).append((scores, iterations))
            baseline = baseline or [each["zero_velocity_ade"] for each in scores]
            print(f"{name}, seed {seed}: " + json.dumps({f"{score} {steps}": round(each[score], 4) for steps, each in
                                                         zip(HORIZONS, scores) for score in SCORES}), flush=True)
        results = {name: results[name] for name in ROWS if name in results}
        write_json(options.out / NUMBERS, {**conditions, "baseline": baseline, "rows": results,
                                           "configs": {name: configs[name] for name in results}})
        write_text(options.out / "ablation.md", table(results, baseline))
        write_image(options.out / "ablation.png", figure(results, baseline))
    print(table(results, baseline))


if __name__ == "__main__":
    command(main)
