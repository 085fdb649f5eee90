"""How far training crops reach beyond the source pose, for each action. Photos are cropped with the same margins.

A crop box holds the joints of a whole video, also of arms that are raised later. Margins are `left, top, right, bottom`, as
shares of the longer side of the source pose's box.

    python -m photo.margins data_lists/training_pair_penn5.txt --out pretrain/people/margins.json
"""
import argparse
import json
from pathlib import Path

import numpy as np

import utils.errors
from dataset.pair_list import read_list
from photo.crop import pose_boxes
from utils.config import load_config
from utils.errors import UserError
from utils.files import write_json
from utils.schema import Config

MARGINS = "margins.json"  # beside a run's or a pretrained folder's config.yaml
SIDES = ("left", "top", "right", "bottom")
QUANTILE = 0.5            # of an action's rows; in wider crops than usual, predicted people drift to the usual size
SMALLEST, LARGEST = 0.05, 5.0


def action_margins(*lists):
    """The margins of each action in some lists.

    Args:
        lists: :class:`dataset.pair_list.PairList` s with the same action names.
    Returns:
        {action name: {side: share}} for the actions that have rows: how far the crop box reaches beyond the source pose's box, as
        the QUANTILE over the action's rows, limited to SMALLEST..LARGEST.
    """
    poses, crop, action = map(np.concatenate, zip(*((rows.poses[:, 0], rows.crop, rows.action) for rows in lists)))
    boxes = pose_boxes(poses)                                                    # (N, 4)
    longer = np.maximum(1, (boxes[:, 2:] - boxes[:, :2]).max(-1, keepdims=True))       # (N, 1) pixels
    beyond = (crop - boxes) * (-1, -1, 1, 1) / longer                                  # (N, 4)
    return {name: dict(zip(SIDES, np.quantile(beyond[action == number], QUANTILE, axis=0)
                           .clip(SMALLEST, LARGEST).round(4).tolist()))
            for number, name in enumerate(lists[0].actions) if (action == number).any()}


def read_margins(folder):
    """Read the margins beside trained weights.

    Args:
        folder: a run's folder, its checkpoints folder, or a pretrained folder.
    Returns:
        {action name: (4,) left, top, right, bottom}; empty if there is no file.
    Raises:
        UserError: the file does not hold margins.
    """
    folder = Path(folder)
    path = (folder.resolve().parent if folder.name == "checkpoints" else folder) / MARGINS
    if not path.is_file():
        return {}
    try:
        margins = {name: np.array([float(sides[side]) for side in SIDES])
                   for name, sides in json.loads(path.read_text(encoding="utf-8")).items()}
        if not all(((values >= 0) & (values <= LARGEST)).all() for values in margins.values()):
            raise ValueError("out of range")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{path}: not the margins of crops, as `python -m photo.margins` writes them") from None
    return margins


def main():
    parser = argparse.ArgumentParser(description="Measure the margins of a list's crops.")
    parser.add_argument("lists", nargs="+", metavar="LIST", help="training list")
    parser.add_argument("--out", default=MARGINS, help="file to write (default: %(default)s)")
    parser.add_argument("--config", help="configuration with the lists' action names (default: the published ones)")
    options = parser.parse_args()
    config = load_config(options.config) if options.config else Config()
    margins = action_margins(*(read_list(path, config.actions, config.actions_by == "name") for path in options.lists))
    write_json(options.out, margins)
    for name, sides in margins.items():
        print(f"{name:20}" + "  ".join(f"{side} {share:.2f}" for side, share in sides.items()))
    return 0


if __name__ == "__main__":
    utils.errors.command(main)
