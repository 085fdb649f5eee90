"""What the training data tell photo mode, in one file beside the weights: crop margins, frame rates and learned steps.

The crop of a training window holds the joints of its whole video, also arms that are raised later. The networks have learned to
read this, so photos are cropped with the margins of the training poses nearest to theirs.

Axes: A actions, N windows, J = 13 joints. Margins are left, top, right, bottom, fractions of the longer side of the pose's box.
"""
import zipfile
import zlib
from typing import NamedTuple

import numpy as np

from photo.crop import DEFAULT_MARGIN, pose_boxes
from photo.timing import FPS
from pose.skeleton import mirror_pose
from utils.errors import UserError
from utils.files import beside_weights, write_npz
from utils.spacing import evenly_spaced

STATISTICS = "crops.npz"  # beside a run's or a pretrained folder's config.yaml
MIRRORED = (2, 1, 0, 3)   # the margins of a mirrored pose
NEAREST = 10              # training poses whose median is taken
MAX_WINDOWS = 1000        # that are kept of each action
LARGEST = 5.0             # margin


class Statistics(NamedTuple):
    """Statistics of training windows; by default of none."""

    actions: tuple = ()                              # A names, by id
    action: np.ndarray = np.zeros(0, int)            # (N,) ids
    poses: np.ndarray = np.zeros((0, 13, 2))         # (N, J, 2) normalised, see :func:`normalised`
    margins: np.ndarray = np.zeros((0, 4))           # (N, 4)
    fps: np.ndarray = np.zeros(0)                    # (A,) poses a second; 0: not known
    steps: int = 0                                   # that were learned; 0: not known

    def margins_of(self, action, joints):
        """The median margins (4,) of the NEAREST training poses of an action, or of their mirror images, to joints (J, 2)."""
        windows = np.array([name == action for name in self.actions], bool)[self.action]
        if not windows.any():
            return np.full(4, DEFAULT_MARGIN)
        poses, margins = self.poses[windows].astype(float), self.margins[windows].astype(float)
        poses, margins = np.concatenate([poses, mirror_pose(poses)]), np.concatenate([margins, margins[:, MIRRORED]])
        nearest = np.square(poses - normalised(joints[None])).sum((1, 2)).argsort(kind="stable")[:NEAREST]
        return np.median(margins[nearest], axis=0)

    def fps_of(self, action):
        """Poses a second of an action in the training data, FPS where that is not known."""
        return float(dict(zip(self.actions, self.fps)).get(action) or FPS)


def normalised(poses):
    """Poses (N, J, 2) around their mean joint, divided by the mean distance from it."""
    poses = poses - poses.mean(1, keepdims=True)
    return poses / np.maximum(np.linalg.norm(poses, axis=-1).mean(1), 1e-6)[:, None, None]


def measure(lists, data_fps, steps):
    """The :class:`Statistics` of :class:`dataset.pair_list.PairList` s with the same actions.

    `data_fps` is the frame rate of the videos: one number, or (N,) of all rows of the lists.
    """
    poses, crop, action, gaps = map(np.concatenate, zip(*(
        (part.poses[:, 0], part.crop, part.action, part.frame_numbers()[:, 2]) for part in lists)))
    fps, seconds = np.zeros(len(lists[0].actions)), gaps / data_fps
    for number in np.unique(action[gaps > 0]):
        fps[number] = 1 / seconds[(action == number) & (gaps > 0)].mean()
    kept = np.concatenate([some[evenly_spaced(len(some), MAX_WINDOWS)]
                           for some in (np.flatnonzero(action == number) for number in np.unique(action))])
    boxes = pose_boxes(poses[kept])                                                            # (N, 4)
    sides = np.maximum(1, (boxes[:, 2:] - boxes[:, :2]).max(-1, keepdims=True))                # (N, 1) pixels
    margins = ((crop[kept] - boxes) * (-1, -1, 1, 1) / sides).clip(0.05, LARGEST)
    return Statistics(tuple(lists[0].actions), action[kept], normalised(poses[kept]).astype(np.float16),
                      margins.astype(np.float16), fps, steps)


def write_statistics(path, statistics):
    write_npz(path, **statistics._asdict() | {"actions": np.array(statistics.actions, str)})


def read_statistics(weights):
    """The :class:`Statistics` beside trained weights, see :func:`utils.files.beside_weights`; without a file those of no data.

    Raises :class:`UserError` if the file does not hold them.
    """
    path = beside_weights(weights, STATISTICS)
    if not path.is_file():
        return Statistics()
    try:
        with np.load(path, allow_pickle=False) as content:
            found = Statistics(**{name: content[name] for name in Statistics._fields if name in content})
        if found.poses.shape != (len(found.action), 13, 2) or found.margins.shape != (len(found.action), 4):
            raise ValueError("shapes")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        raise UserError(f"{path}: these are not the statistics of training data that training writes") from None
    return found._replace(actions=tuple(found.actions.tolist()), steps=int(found.steps))
