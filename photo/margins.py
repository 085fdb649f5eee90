"""How far training crops reach beyond the source pose. Photos are cropped with the margins of the most similar training poses.

A crop box holds the joints of a whole video, also of arms that are raised later; so it tells how far a person will go, and the
networks have learned to read it. Margins are `left, top, right, bottom`, as shares of the longer side of the source pose's box.

    python -m photo.margins data_lists/training_pair_penn5.txt --out pretrain/people/crops.npz

Axes: N rows, J = 13 joints.
"""
import json
from typing import NamedTuple

import numpy as np

import utils.errors
from photo.crop import pose_boxes
from photo.list_options import list_parser, read_lists
from pose.skeleton import mirror_pose
from utils.errors import UserError
from utils.files import beside_weights, write_npz
from utils.spacing import evenly_spaced

CROPS = "crops.npz"       # beside a run's or a pretrained folder's config.yaml
MARGINS = "margins.json"  # in older folders: the medians of each action
SIDES = ("left", "top", "right", "bottom")
MIRRORED = (2, 1, 0, 3)   # the sides as a mirror shows them
NEAREST = 10              # training poses whose median is taken
MOST_ROWS = 1000          # of an action, spread evenly over its rows
SMALLEST, LARGEST = 0.05, 5.0


class NearestCrops(NamedTuple):
    """Source poses of training rows and the margins of their crops."""

    actions: tuple           # names, by id
    action: np.ndarray       # (N,) ids
    poses: np.ndarray        # (N, J, 2) centred, their mean distance from the centre is 1
    margins: np.ndarray      # (N, 4)

    def of(self, action, joints):
        """The margins for a pose: the medians of the nearest training poses of the action, which are also seen in a mirror.

        Args:
            action: name.
            joints: (J, 2), in pixels or any other unit.
        Returns:
            (4,), or None where there are no rows of the action.
        """
        rows = self.action == self.actions.index(action) if action in self.actions else np.zeros(len(self.action), bool)
        if not rows.any():
            return None
        known, margins = self.poses[rows].astype(np.float64), self.margins[rows].astype(np.float64)
        known = np.concatenate([known, mirror_pose(known)])
        margins = np.concatenate([margins, margins[:, MIRRORED]])
        nearest = np.square(known - centred(joints[None])).sum((1, 2)).argsort(kind="stable")[:NEAREST]
        return np.median(margins[nearest], axis=0)


class ActionMargins(dict):
    """The same for each pose of an action: name -> (4,)."""

    def of(self, action, joints):
        """See :meth:`NearestCrops.of`."""
        return self.get(action)


def centred(poses):
    """Poses (N, J, 2) around their mean joint, divided by the mean distance from it."""
    poses = poses - poses.mean(1, keepdims=True)
    return poses / np.maximum(np.linalg.norm(poses, axis=-1).mean(1), 1e-6)[:, None, None]


def nearest_crops(*lists):
    """The :class:`NearestCrops` of some :class:`dataset.pair_list.PairList` s with the same action names.

    Margins are limited to SMALLEST..LARGEST.
    """
    poses, crop, action = map(np.concatenate, zip(*((rows.poses[:, 0], rows.crop, rows.action) for rows in lists)))
    rows = np.concatenate([some[evenly_spaced(len(some), MOST_ROWS)]
                           for some in (np.flatnonzero(action == number) for number in np.unique(action))])
    poses, crop = poses[rows], crop[rows]
    boxes = pose_boxes(poses)                                                    # (N, 4)
    longer = np.maximum(1, (boxes[:, 2:] - boxes[:, :2]).max(-1, keepdims=True))       # (N, 1) pixels
    beyond = (crop - boxes) * (-1, -1, 1, 1) / longer                                  # (N, 4)
    return NearestCrops(tuple(lists[0].actions), action[rows], centred(poses).astype(np.float16),
                        beyond.clip(SMALLEST, LARGEST).astype(np.float16))


def write_crops(path, crops):
    """Write :class:`NearestCrops`; :func:`read_crops` reads them."""
    write_npz(path, **crops._asdict() | {"actions": np.array(crops.actions)})


def read_crops(weights):
    """Read the margins beside trained weights, see :func:`utils.files.beside_weights`.

    Returns:
        :class:`NearestCrops`, or :class:`ActionMargins` of a folder with `margins.json`; empty ones if there is no file.
    Raises:
        UserError: the file does not hold margins.
    """
    path = beside_weights(weights, CROPS)
    if not path.is_file():
        return read_margins(path.with_name(MARGINS))
    try:
        with np.load(path, allow_pickle=False) as content:
            crops = NearestCrops(*(content[name] for name in NearestCrops._fields))
        count = len(crops.action)
        if (crops.poses.shape != (count, 13, 2) or crops.margins.shape != (count, 4) or crops.actions.dtype.kind != "U"
                or not np.isfinite(crops.poses).all() or not ((crops.margins >= 0) & (crops.margins <= LARGEST)).all()):
            raise ValueError("out of range")
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        raise UserError(f"{path}: not the margins of crops, as `python -m photo.margins` writes them") from None
    return crops._replace(actions=tuple(crops.actions.tolist()))


def read_margins(path):
    """Read a `margins.json` of older weights: :class:`ActionMargins`, empty if there is no file; raises as :func:`read_crops`."""
    if not path.is_file():
        return ActionMargins()
    try:
        margins = ActionMargins((name, np.array([float(sides[side]) for side in SIDES]))
                                for name, sides in json.loads(path.read_text(encoding="utf-8")).items())
        if not all(((values >= 0) & (values <= LARGEST)).all() for values in margins.values()):
            raise ValueError("out of range")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{path}: not the margins of crops") from None
    return margins


def main():
    options = list_parser("Measure the margins of a list's crops.", CROPS).parse_args()
    crops = nearest_crops(*read_lists(options))
    write_crops(options.out, crops)
    for number in np.unique(crops.action):
        medians = np.median(crops.margins[crops.action == number].astype(float), axis=0)
        print(f"{crops.actions[number]:20}" + "  ".join(f"{side} {share:.2f}" for side, share in zip(SIDES, medians)))
    return 0


if __name__ == "__main__":
    utils.errors.command(main)
