"""What each part of the second pose module is worth: every row trained for the same time, on the same videos.

    python -m tools.ablation --set data_root=data/Penn_Action --seconds 60
    python -m tools.ablation --rows "stretch" "z 16" --seeds 0 1 2 --split test --out outputs/finalists

A table that `--out` holds is gone on with: rows that were made the same way (budget, lists, split, seeds, configuration) are not
trained again.
Rows are chosen on every tenth training video, which none of them is trained on; `--split test` trains on all and looks at the
test list. It wants lists made with `--horizon 32 --pad --every_frame` (config/motion.yaml).
"""
import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dataset.image_loader2_test import PennActionTestPairs
from evaluation.poses import score_rows
from evaluation.recognition import LEAST_ROWS, train_classifier
from evaluation.sampling import evenly_spaced
from network_actvae import POSE_MODULES, ActVAE, Rollout
from networks.residual_motion import ResidualMotion
from trainer_actvae import Trainer
from training.batches import EpochBatches
from utils.config import NETWORK_KINDS, LSTMVAEConfig, ResidualMotionConfig, load_config
from utils.errors import UserError, command
from utils.files import write_json, write_text
from utils.media import write_image

MOTION, FAITHFUL = "config/motion.yaml", "config/Penn_actvae.yaml"
HORIZONS, SCORES = (4, 16), ("energy_score", "ade", "ade_of_mean", "ade_best")
TOLD = "ablation.json"
WARM_UP = 20               # iterations from which the time of one is known


class ResidualVAE(ActVAE):
    """The published module whose decoder gives a change of the pose, half its hidden state, instead of the pose."""

    def rollout(self, pose, action, steps=4, noise=None):
        """As :meth:`ActVAE.rollout`."""
        made = super().rollout(pose, action, steps, noise)
        return Rollout(pose[:, None] + made.pose.cumsum(1) / 2, made.mu, made.logvar)


class BestOfMany(ResidualMotion):
    """Trained on the distance of each row's best sample, not on the energy score."""

    def score(self, samples, truth, weight, rms):
        """As :meth:`ResidualMotion.score`; `rms` is not used."""
        far = ((samples - truth).square().sum(-3) + 1e-8).sqrt().mean(-1)                # (N, m, B, T)
        return (far * weight).sum(-1).amin(1).sum() / weight.sum().clamp(min=1e-8) / self.networks


@dataclass
class ResidualVAEConfig(LSTMVAEConfig):
    """Of this ablation alone."""

    kind: str = "residual_lstm_vae"


@dataclass
class BestOfManyConfig(ResidualMotionConfig):
    """Of this ablation alone."""

    kind: str = "best_of_many"


for module, block in ((ResidualVAE, ResidualVAEConfig), (BestOfMany, BestOfManyConfig)):
    POSE_MODULES[block.kind], NETWORK_KINDS["actvae"][block.kind] = module, block


class Row(NamedTuple):
    """One line of the table."""

    config: str
    overrides: tuple
    targets: int = 32            # that it is trained on
    every_frame: bool = True     # whether sources between the clip's frames are among its rows


SMALL = ("lr=0.002", "actvae.z_dim=16")
EIGHT = ("actvae.noise_dim=8",)
TRAINING_NOISE = (*EIGHT, "actvae.temperature=1")
SINGLE = ("actvae.networks=1", *TRAINING_NOISE)
PLAIN = (*SINGLE, "actvae.path_weight=0", "actvae.speed_weight=0", "actvae.jitter=0", "actvae.dropout=0")
WHOLE = ("actvae.speed_weight=0", "actvae.jitter=0", "actvae.dropout=0.1")
AS_CROPPED = ("augment.zoom=0", "augment.recrop=false")
UNSTRETCHED = ("augment.stretch=0", "augment.shift=0", *AS_CROPPED)
TURNED = ("augment.rotate=0.1", "augment.speed=0.25", *UNSTRETCHED)
STILL_CAMERA = ("augment.rotate=0", "augment.speed=0", *UNSTRETCHED)
AS_FILMED = (*STILL_CAMERA, "augment.mirror=false")
LAST = ("ema=0", "lr_policy=cosine")                        # no mean of the weights, but a learning rate that falls
ROWS = {
    "faithful (z 512, 4 steps)": Row(FAITHFUL, (), 5, False),
    "z 16, 16 steps": Row(FAITHFUL, SMALL, 17, False),
    "+ residual": Row(FAITHFUL, ("actvae.kind=residual_lstm_vae", *SMALL), 17, False),
    "energy score, sine basis": Row(MOTION, (*PLAIN, *AS_FILMED, *LAST), 32, False),
    "best of many instead": Row(MOTION, ("actvae.kind=best_of_many", *PLAIN, *AS_FILMED, *LAST), 32, False),
    "energy score + mean of the weights": Row(MOTION, (*PLAIN, *AS_FILMED), 32, False),
    "+ mirror, every frame a source": Row(MOTION, (*PLAIN, *STILL_CAMERA)),
    "+ rotation, speed": Row(MOTION, (*PLAIN, *TURNED)),
    "+ dropout 0.1, whole motions": Row(MOTION, (*SINGLE, *WHOLE, *TURNED)),
    "+ stretch, shift, jitter, more of all": Row(MOTION, (*SINGLE, "actvae.speed_weight=0", *AS_CROPPED)),
    "+ score of velocities": Row(MOTION, (*SINGLE, *AS_CROPPED)),
    "+ cropped again": Row(MOTION, SINGLE),
    "+ four networks": Row(MOTION, TRAINING_NOISE),
    "+ temperature of the noise": Row(MOTION, EIGHT),
    "+ four numbers of noise, not eight": Row(MOTION, ()),
}


def on_the_clip(data):
    """Which rows of a list start at a frame of their video's clip: (N,) bool."""
    frames = data.frame_numbers.numpy()
    return (frames[:, 1] - 1) % np.maximum(1, frames[:, 2]) == 0


def split_by_video(data):
    """Row numbers of a training list: (those of nine of ten videos, those of every tenth)."""
    video = data.frame_numbers[:, 0].numpy()
    held_out = np.isin(video, np.unique(video)[::10])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def fit(row, data, rows, seconds, seed, overrides=()):
    """A trainer of :class:`Row` `row` after training on some rows of a list for so much processor time, and its iterations."""
    rows = rows[data.valid_steps.numpy()[rows] >= (1 if row.config == MOTION else row.targets)]
    if not row.every_frame:
        rows = rows[on_the_clip(data)[rows]]
    config = load_config(row.config, [*row.overrides, *overrides])
    batch_size = min(config.batch_size, len(rows))
    if not batch_size:
        raise UserError(f"{data.rows.path}: no row for {row}")

    def train(iterations):
        """(trainer, processor time: other work on the machine takes nothing away)."""
        trainer = Trainer(config, seed)
        trainer.total = iterations
        trainer.set_learning_rate()
        epochs, started = iterations // (len(rows) // batch_size) + 1, time.process_time()
        for _, numbers in zip(range(iterations), EpochBatches(len(rows), batch_size, seed, epochs=epochs)):
            numbers = rows[numbers]
            trainer.update({"poses": data.poses[numbers, :row.targets + 1], "action": data.action[numbers],
                            "valid_steps": data.valid_steps[numbers].clamp(max=row.targets), "extent": data.extent[numbers]})
        return trainer, time.process_time() - started

    train(1)
    iterations = max(1, int(seconds * WARM_UP / train(WARM_UP)[1]))
    return train(iterations)[0], iterations


def evaluate(trainer, data, rows, limit, samples, classifiers):
    """Mean scores at each of `HORIZONS`: a list of dicts."""
    found = []
    for steps in HORIZONS:
        numbers = rows[(data.valid_steps.numpy()[rows] >= max(5, steps)) & on_the_clip(data)[rows]]
        if not len(numbers):
            raise UserError(f"{data.rows.path}: no row holds {steps} targets")
        numbers = numbers[evenly_spaced(len(numbers), limit)]
        scores = score_rows(trainer, data, numbers, samples, steps, classifier=classifiers[steps])
        overall = scores.summary(data.action[numbers], data.rows.actions, {"normalised": 1.0})["overall"]
        means = {**overall["normalised"], **overall["ratios"]}
        found.append({**means, "rows": len(numbers), "bone_ratio": means["bone_drift"] / max(1e-9, means["bone_drift_true"]),
                      "acceleration_ratio": means["acceleration"] / max(1e-9, means["acceleration_true"])})
    return found


def true_classifiers(data, rows):
    """Of each of `HORIZONS`, a classifier of the true motion of some rows; None of fewer than `LEAST_ROWS`."""
    made = {}
    for steps in HORIZONS:
        numbers = rows[data.valid_steps.numpy()[rows] >= steps]
        made[steps] = train_classifier(data.poses[numbers, :steps + 1], data.action[numbers],
                                       len(data.rows.actions)) if len(numbers) >= LEAST_ROWS else None
    return made


def table(results, still):
    """Markdown: results, name -> list over seeds of (scores at each horizon, iterations)."""
    names = {"energy_score": "energy score", "ade": "ADE", "ade_of_mean": "mean", "ade_best": "best"}
    head = [f"{names[score]}, {steps}" for steps in HORIZONS for score in SCORES] + [
        f"bones, {HORIZONS[-1]}", f"acceleration, {HORIZONS[-1]}", "recognised", "iterations"]
    lines = ["| | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|",
             "| standing still | " + " | ".join(f"{value:.4f}" for value in still for _ in SCORES) + " | 0 | 0 | | |"]

    def cell(values, form="{:.4f}"):
        mean = form.format(statistics.mean(values))
        return f"{mean} ± {form.format(statistics.stdev(values))}" if len(values) > 1 else mean

    for name, seeds in results.items():
        last = [scores[-1] for scores, _ in seeds]
        cells = [cell([scores[index][score] for scores, _ in seeds]) for index in range(len(HORIZONS)) for score in SCORES]
        cells += [cell([scores["bone_ratio"] for scores in last], "{:.2f}"),
                  cell([scores["acceleration_ratio"] for scores in last], "{:.2f}"),
                  cell([100 * scores["recognised"] for scores in last], "{:.1f}") if "recognised" in last[0] else "",
                  str(seeds[0][1])]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def figure(results, still):
    """Bars of the energy scores, relative to standing still, a horizon a colour: (H, W, 3) uint8."""
    line, left, width = 44, 300, 420
    picture = np.full((line * len(results) + 60, left + width + 80, 3), 255, np.uint8)
    font = (cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    for number, (name, seeds) in enumerate(results.items()):
        top = 10 + line * number
        cv2.putText(picture, name, (8, top + 22), *font)
        for index, colour in enumerate(((90, 150, 220), (240, 150, 60))):
            share = statistics.mean(scores[index]["energy_score"] for scores, _ in seeds) / max(1e-9, still[index])
            y = top + 4 + 16 * index
            end = left + int(width * min(share, 1.2) / 1.2)
            cv2.rectangle(picture, (left, y), (end, y + 13), colour, -1)
            cv2.putText(picture, f"{share:.2f}", (end + 4, y + 11), *font)
    bottom, one = 10 + line * len(results), left + int(width / 1.2)
    cv2.line(picture, (one, 4), (one, bottom), (120, 120, 120), 1)
    cv2.putText(picture, "energy score / standing still: 4 steps (blue), 16 (orange)", (left, bottom + 22), *font)
    return picture


def earlier(path, about, made):
    """What a table holds that was made the same way: (rows, standing still), nothing if there is none.

    Raises:
        UserError: the file is something else.
    """
    if not path.is_file():
        return {}, None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if not about.items() <= told.items():
            return {}, None
        return {name: row for name, row in told["rows"].items() if told["made"][name] == made.get(name)}, told["standing_still"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: not an ablation's numbers; move it away or give another --out") from None


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key for every row")
    parser.add_argument("--seconds", type=float, default=60,
                        help="of processor time (not a GPU's) that a row trains (default: %(default)s)")
    parser.add_argument("--rows", nargs="*", metavar="TEXT", help="only rows whose name holds one of these")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--split", choices=("val", "test"), default="val", help="videos that rows are judged by")
    parser.add_argument("--limit", type=int, default=1500, help="rows of the list that are sampled (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=20, help="of each (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("outputs/ablation"), help="folder for table, numbers and figure")
    options = parser.parse_args()
    chosen = {name: row for name, row in ROWS.items() if not options.rows or any(text in name for text in options.rows)}
    if not chosen:
        raise UserError(f"--rows: there are {', '.join(ROWS)}")
    config = load_config(MOTION, options.set)

    def read(path):
        return PennActionTestPairs(path, config.data_root, config.imsize, images=False, actions=config.actions)

    data = judged = read(config.train_data_list)
    if data.targets < max(row.targets for row in chosen.values()):
        raise UserError(f"{data.rows.path}: its rows hold {data.targets} targets; write longer ones with `python -m "
                        "dataset.penn_action --horizon 32 --pad --every_frame`")
    trained_on, judged_on = split_by_video(data)
    if options.split == "test":
        judged = read(config.test_data_list)
        trained_on, judged_on = np.arange(len(data)), np.arange(len(judged))
    classifiers = true_classifiers(data, trained_on)
    made = {name: asdict(load_config(row.config, [*row.overrides, *options.set])) for name, row in ROWS.items()}
    about = {"seconds": options.seconds, "split": options.split, "seeds": options.seeds, "limit": options.limit,
             "samples": options.samples, "lists": [data.rows.sha256, judged.rows.sha256]}
    results, still = earlier(options.out / TOLD, about, made)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, row in chosen.items():
        if name in results:
            continue
        for seed in options.seeds:
            trainer, iterations = fit(row, data, trained_on, options.seconds, seed, options.set)
            scores = evaluate(trainer, judged, judged_on, options.limit, options.samples, classifiers)
            results.setdefault(name, []).append((scores, iterations))
            still = still or [entry["zero_velocity_ade"] for entry in scores]
            print(f"{name}, seed {seed}: " + json.dumps({f"{score} {steps}": round(entry[score], 4) for steps, entry in
                                                         zip(HORIZONS, scores) for score in SCORES}), flush=True)
        results = {name: results[name] for name in ROWS if name in results}
        write_json(options.out / TOLD, {**about, "standing_still": still, "rows": results,
                                        "made": {name: made[name] for name in results}})
        write_text(options.out / "ablation.md", table(results, still))
        write_image(options.out / "ablation.png", figure(results, still))
    print(table(results, still))


if __name__ == "__main__":
    command(main)
