"""How much the pose module `mixture` owes to training videos of the same film as a test video.

    python -m tools.left_out outputs/mixture --test_list data_lists/own16/testing_pair_penn5.txt --steps 16

Videos with neighbouring numbers often show the same film, and a split by numbers parts them. The run is tested on a list twice:
with its whole library, and for each test video without the library's videos whose numbers are near to its own. The networks stay
as they were trained.
"""
import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from dataset.layouts import read_pairs
from dataset.mixture import training_pairs
from evaluation.motion_metrics import Futures
from evaluation.registry import METRICS, MOTION
from evaluation.sampling import sample_rows, scored_rows
from networks.motion_library import MotionLibrary, videos_of
from trainer_actvae import Trainer
from utils.config import load_config
from utils.errors import UserError, command

SHOWN = ("energy_score", "ade", "ade_of_mean", "ade_best", "zero_velocity_ade")


def video_numbers(folders):
    """The numbers that are the names of folders of frames, a list. Raises :class:`UserError` for other names."""
    names = [folder.replace("\\", "/").rpartition("/")[2] for folder in folders]
    for name in names:
        if not name.isdecimal():
            raise UserError(f"{name}: the videos of this list have no numbers for names, so that none are neighbours")
    return [int(name) for name in names]


def library_numbers(config, library):
    """The number of each frame's video in the library of a run, (F,). Raises :class:`UserError` if its list has changed."""
    data, numbers = training_pairs(config, images=False), []
    for part in getattr(data, "sets", [data]):
        numbers += video_numbers(folder for folder, _ in videos_of(part)[1])
    again = MotionLibrary()
    again.fill(data, config.actvae.library_frames)
    if not torch.equal(again.video, library.video):
        raise UserError(f"{data.rows.path}: this is not the list that the run's library was made from")
    return torch.tensor(numbers)[library.video.long()]


def scores(trainer, data, rows, samples, steps):
    """The metrics `SHOWN` of some rows, a dict of tensors (rows,)."""
    futures = Futures(sample_rows(trainer, data, rows, samples, steps), data.poses[rows, 1:steps + 1], data.poses[rows, 0])
    functions = {metric.name: metric.function for metric in METRICS if metric.place == MOTION}
    return {name: torch.as_tensor(functions[name](futures)).view(len(rows), -1).mean(1) for name in SHOWN}


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.left_out", description=__doc__.splitlines()[0])
    parser.add_argument("run", help="folder of a run of the pose module mixture")
    parser.add_argument("--test_list", help="list to test on (default: the run's own)")
    parser.add_argument("--steps", type=int, default=16, help="steps to predict (default: %(default)s)")
    parser.add_argument("--near", type=int, default=10, help="largest distance of near numbers (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=20, help="samples of each row (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="most rows, spread over the list (default: all)")
    options = parser.parse_args()
    config = load_config(Path(options.run) / "config.yaml", [f"test_data_list={options.test_list}"] if options.test_list else [])
    if config.actvae.kind != "mixture":
        raise UserError(f"{options.run}: its pose module is {config.actvae.kind}, which has no library")
    trainer = Trainer(config, trains=False)
    trainer.load_pretrained(options.run)
    data, library = read_pairs(config, images=False, test=True), trainer.model.retrieval.library
    if not 0 < options.steps <= data.targets:
        raise UserError(f"--steps {options.steps}: the rows of {data.rows.path} hold {data.targets} targets")
    rows = torch.as_tensor(scored_rows(data, options.steps, options.limit))
    numbers, starts = library_numbers(config, library), library.starts.clone()
    video, folders = videos_of(data)
    own = torch.tensor(video_numbers(folder for folder, _ in folders))[video][rows]                 # (rows,)
    totals = {}
    for number in tqdm(own.unique().tolist(), desc="videos"):
        for what, kept in (("whole library", starts),
                           (f"without numbers within {options.near}", starts & ((numbers - number).abs() > options.near))):
            library.starts = kept
            for name, value in scores(trainer, data, rows[own == number], options.samples, options.steps).items():
                totals.setdefault(what, {}).setdefault(name, []).append(value)
    print(f"{len(rows)} rows, {options.samples} samples of each, {options.steps} steps, normalised distances")
    for what, values in totals.items():
        print(f"{what}: " + ", ".join(f"{name} {torch.cat(value).mean():.4f}" for name, value in values.items()))
    return 0


if __name__ == "__main__":
    command(main)
