"""Pose forecasting on Penn Action by the published protocol: the table that Chao et al. and TP-RNN report.

    python -m tools.forecasting --root data/Penn_Action --minutes 15 --out outputs/forecasting

The protocol is that of Chao et al. ("Forecasting Human Dynamics from Static Images", CVPR 2017), which TP-RNN follows (Chiu et
al., "Action-Agnostic Human Pose Forecasting", WACV 2019). All 15 actions and the annotations' own split count. Every frame of a
video is the source of a window. Its 16 targets lie floor((n - 1) / 17) frames apart in a video of n frames (at least one); after
the end of the video its last frame repeats. Coordinates are normalised by the box of all joints of the video. A predicted joint
counts as right within 0.05 of the longer side of the box; PCK@0.05 is the fraction of visible joints that are right.

The networks of the pose module `mixture` are trained on these windows, once with the action's name and once without. The
prediction is the mode of their samples.

Axes: N windows, T = 16 steps, J = 13 joints, K samples.
"""
import argparse
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from dataset.penn_action import find_labels, read_annotation
from networks.layers import evaluating
from networks.residual_motion import ResidualMotion
from training.augment import augment, draw_views
from training.ema import EMA
from utils.errors import command
from utils.files import write_json, write_text
from utils.schema import AugmentConfig

STEPS = 16
RADIUS = 0.1               # of [-1, 1], which the longer side of the box fills: 0.05 of it
BATCH, RATE, LAST_RATE, WARMUP = 256, 0.002, 0.01, 100       # the learning rate falls to LAST_RATE of RATE along half a cosine
AUGMENT = AugmentConfig(mirror=True, rotate=0.1, stretch=0.1, zoom=0.1, shift=0.05, speed=0.2)
AT_ONCE = 256              # windows that are sampled together
TP_RNN = (84.5, 72.0, 64.8, 60.3, 57.2, 55.0, 53.4, 52.1, 50.9, 50.0, 49.3, 48.7, 48.3, 47.9, 47.6, 47.3)
PUBLISHED = {"3D-PFNet (Chao et al.), one picture": [79.2],
             "TP-RNN (Chiu et al.), as quoted; its inputs are not certain": list(TP_RNN)}


class Windows(NamedTuple):
    """The windows of one part of the split."""

    poses: torch.Tensor      # (N, T + 1, J, 2) float32, source first
    visible: torch.Tensor    # (N, T, J) bool, of the targets
    action: torch.Tensor     # (N,) int64, number among all names of actions in alphabetical order


def normalised(joints):
    """Joints (n, J, 2) of a video, pixels -> [-1, 1], which the longer side of the box of all of them fills."""
    low, high = joints.min((0, 1)), joints.max((0, 1))
    return 2 * (joints - (low + high) / 2) / max(1e-6, (high - low).max())


def video_windows(annotation):
    """The windows of a :class:`dataset.penn_action.Annotation`: (poses, visible) as in :class:`Windows`, arrays."""
    count = len(annotation.joints)
    stride, source = max(1, (count - 1) // (STEPS + 1)), np.arange(count)[:, None]
    frames = (source + stride * np.arange(STEPS + 1)).clip(max=count - 1)            # (n, T + 1)
    return normalised(annotation.joints)[frames].astype(np.float32), annotation.visibility[frames[:, 1:]]


def read_windows(root):
    """Read all annotations under a folder: (training :class:`Windows`, test :class:`Windows`, names of the actions)."""
    annotations = [read_annotation(path) for path in find_labels(Path(root))]
    names, found = sorted({annotation.action for annotation in annotations}), []
    for train in (True, False):
        parts = [(*video_windows(each), np.full(len(each.joints), names.index(each.action)))
                 for each in annotations if each.train == train]
        found.append(Windows(*(torch.from_numpy(np.concatenate(part)) for part in zip(*parts))))
    return *found, names


def pck(predicted, windows):
    """PCK@0.05 of poses (N, T, J, 2) at each step: (T,), percent."""
    right = ((predicted - windows.poses[:, 1:]).norm(dim=-1) < RADIUS) & windows.visible
    return 100 * right.sum((0, 2)) / windows.visible.sum((0, 2))


def train(windows, actions, minutes, seed=7):
    """Train a network; with `actions` = 1 it does not know which action a window shows.

    Returns:
        (the network with the EMA of its weights, number of iterations). They depend on the speed of the machine.
    """
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    model, ema, iteration = ResidualMotion(actions, networks=1, horizon=STEPS, terms=STEPS), EMA(0.999), 0
    ema.reset(model)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    start, passed = time.monotonic(), 0.0                          # fraction of the minutes that are over
    with tqdm(unit="it", desc="training", mininterval=5) as bar:
        while passed < 1:
            some = torch.randint(len(windows.action), (BATCH,), generator=random)
            views = draw_views(BATCH, AUGMENT, random)
            poses, _ = augment(windows.poses[some], torch.full((BATCH,), STEPS), views)      # repeated last frames count, too
            noise = torch.randn(model.rollouts(STEPS), 1, BATCH, model.z_dim, generator=random)
            loss = sum(model(poses, windows.action[some] * (actions > 1), noise).values())
            falling = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * passed)) / 2
            optimizer.param_groups[0]["lr"] = RATE * min(falling, (iteration + 1) / WARMUP)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            iteration += 1
            ema.update(iteration)
            bar.update()
            passed = (time.monotonic() - start) / (60 * minutes)
    ema.swap()
    return model, iteration


def mode(samples):
    """For each joint and step the sample that has most others near it: (B, K, T, J, 2) -> (B, T, J, 2).

    Nearness falls smoothly to 0 at twice the radius of the score, so that the middle of a crowd is taken.
    """
    density = sum((1 - (samples - other[:, None]).norm(dim=-1) / (2 * RADIUS)).clamp(min=0) for other in samples.unbind(1))
    best = density.argmax(1)[:, None, ..., None].expand(-1, 1, -1, -1, 2)                                # (B, 1, T, J, 2)
    return samples.gather(1, best)[:, 0]


@torch.no_grad()
def predict(model, windows, samples, seed=7):
    """The mode of `samples` futures of each window: (N, T, J, 2)."""
    random, found = torch.Generator().manual_seed(seed), []
    with evaluating(model):
        for pose, action in zip(tqdm(windows.poses[:, 0].split(AT_ONCE), desc="prediction"), windows.action.split(AT_ONCE)):
            noise = torch.randn(len(pose) * samples, 1, model.z_dim, generator=random)
            source, action = (value.repeat_interleave(samples, 0) for value in (pose, action * (model.num_actions > 1)))
            found.append(mode(model.predict(source, action, STEPS, noise).unflatten(0, (len(pose), samples))))
    return torch.cat(found)


def as_markdown(scores):
    """The table: a line for each entry, a column for each step."""
    lines = [["PCK@0.05 at step", *map(str, range(1, STEPS + 1))], ["---"] * (STEPS + 1)]
    lines += [[name, *(f"{value:.1f}" for value in values), *[""] * (STEPS - len(values))] for name, values in scores.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", required=True, help="folder that holds labels/")
    parser.add_argument("--names", choices=("with", "without"), nargs="+", default=["with", "without"],
                        help="whether the network knows the action's name")
    parser.add_argument("--minutes", type=float, default=15, help="of training, each (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=24, help="futures whose mode is the prediction (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="most test windows, spread evenly over all (default: all)")
    parser.add_argument("--out", default="outputs/forecasting", help="folder for table.md and scores.json (default: %(default)s)")
    options = parser.parse_args()
    training, tested, names = read_windows(options.root)
    count = len(tested.action)
    if options.limit and options.limit < count:
        tested = Windows(*(value[torch.linspace(0, count - 1, options.limit).round().long()] for value in tested))
    print(f"{len(names)} actions, {len(training.action)} training windows, {len(tested.action)} of {count} test windows")
    still = tested.poses[:, :1].expand(-1, STEPS, -1, -1)
    scores, iterations = {**PUBLISHED, "source repeated (zero-velocity baseline)": pck(still, tested).tolist()}, {}
    for known in options.names:
        name = f"ours, {known} the action's name"
        model, iterations[name] = train(training, len(names) if known == "with" else 1, options.minutes)
        scores[name] = pck(predict(model, tested, options.samples), tested).tolist()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "table.md", as_markdown(scores) + "\n")
    write_json(out / "scores.json", {"scores": scores, "iterations": iterations, "test_windows": len(tested.action),
                                     "samples": options.samples})
    print(as_markdown(scores))
    return 0


if __name__ == "__main__":
    command(main)
