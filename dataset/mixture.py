"""Training rows of several data sets by their shares, as windows or as pairs from anywhere in a video, changed at random.

What a row of an iteration becomes follows from its number and a seed, which the sampler draws from the run's seed and the
iteration: a run goes on exactly, with any number of processes.
"""
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from dataset.augment import change_masks, change_pictures, change_poses, draw_change
from dataset.image_loader2 import PennActionPairs
from dataset.pair_list import Window
from dataset.penn_action import outer_box
from utils import transform
from utils.errors import UserError
from utils.transform import as_image, as_pictures

NEAR = 8                       # frames that count as near
OTHER_ACTION = 0.25            # share of changed rows that say another action: the pose is what to paint


class Draw(NamedTuple):
    """One row of an iteration."""

    row: int                   # of all sets, one after the other
    seed: int                  # of its partner and its changes


class Rows(NamedTuple):
    """What messages and a run's log say of the lists together."""

    path: str
    lines: np.ndarray          # (N,) line number of each row in its file
    sha256: str


class TrainingPairs(Dataset):
    """Rows of several :class:`dataset.image_loader2.PennActionPairs`.

    An index is the number of a row, whose item is its window as it is, or a :class:`Draw` (or `(Draw, frame_indices)`) of what training
    asks for: a window or, of `anywhere`, a pair, source first: `poses` (2, 13, 2), `images` (2, 3, S, S), `masks` (1, 1, S, S).
    With `plate`, drawn items also have `plates` (3, S, S).

    Args:
        sets: the data sets, of one imsize and one number of targets.
        shares: of the rows of an iteration, for each set; they add up to 1.
        pairs: "windows" or "anywhere".
        near: share of pairs that lie at most `NEAR` frames apart.
        augment: change the drawn rows, see :mod:`dataset.augment`.
        plate: None, or function of pictures (1, 3, S, S) and poses (1, J, 2) -> pictures without the person; what it returns is
            kept in memory, S * S * 3 bytes a frame.
    Raises:
        UserError: lists of different numbers of targets.
    """

    def __init__(self, sets, shares=(1.0,), pairs="windows", near=0.5, augment=False, plate=None):
        self.sets, self.shares = list(sets), np.cumsum(shares)
        self.anywhere, self.near, self.augment, self.plate = pairs == "anywhere", near, augment, plate
        first = self.sets[0]
        for data in self.sets:
            if data.targets != first.targets:
                raise UserError(f"{data.rows.path}: its rows have {data.targets} targets, those of {first.rows.path} "
                                f"{first.targets}; lists that are mixed keep to one number")
        self.starts = np.cumsum([0, *map(len, self.sets)])
        self.imsize, self.images, self.targets = first.imsize, first.images, first.targets
        self.actions = len(first.rows.actions)
        self.poses, self.action = (torch.cat([getattr(data, name) for data in self.sets]) for name in ("poses", "action"))
        digest = hashlib.sha256(repr([(data.rows.sha256, share) for data, share in zip(self.sets, shares)]).encode()).hexdigest()
        self.rows = Rows(", ".join(str(data.rows.path) for data in self.sets),
                         np.concatenate([data.rows.lines for data in self.sets]), digest)
        self.videos = [_videos(data) for data in self.sets] if self.anywhere else None
        self.plates = {}

    def __len__(self):
        return int(self.starts[-1])

    def draw(self, random, count):
        """`count` rows by the sets' shares, evenly within a set: a list of :class:`Draw`, of a numpy Generator."""
        chosen = np.minimum(np.searchsorted(self.shares, random.random(count), "right"), len(self.sets) - 1)
        rows = self.starts[chosen] + (random.random(count) * np.diff(self.starts)[chosen]).astype(int)
        return [Draw(int(row), int(seed)) for row, seed in zip(rows, random.integers(2 ** 63, size=count))]

    def use_cache(self, folder):
        """A frame cache for every set, see :meth:`PennActionPairs.use_cache`."""
        for data in self.sets:
            data.use_cache(folder)

    def pictures(self, row, frames):
        """As :meth:`PennActionPairs.pictures`."""
        which, row = self._place(row)
        return self.sets[which].pictures(row, frames)

    def __getitem__(self, index):
        frame_indices = None
        if isinstance(index, tuple) and not isinstance(index, Draw):
            index, frame_indices = index
        which, row = self._place(index.row if isinstance(index, Draw) else index)
        data = self.sets[which]
        if not isinstance(index, Draw):
            return data[row]
        random = np.random.default_rng(index.seed)
        if self.anywhere:
            source, target = self._partners(self.videos[which][row], random)
            item = _pair(data, source, target)
        else:
            source, item = (row, 0), data[row if frame_indices is None else (row, frame_indices)]
        if self.images and self.plate:
            item["plates"] = as_image(self._plate(which, *source))
        return self._changed(item, random) if self.augment else item

    def _place(self, row):
        """Which set a row is of, and its number there."""
        which = int(np.searchsorted(self.starts, row, "right")) - 1
        return which, int(row - self.starts[which])

    def _partners(self, frames, random):
        """Source and target, each (row, frame in it), of the video's frames (F, 3): their numbers, rows and frames."""
        source = random.integers(len(frames))
        near = np.flatnonzero(np.abs(frames[:, 0] - frames[source, 0]) <= NEAR)
        target = random.choice(near) if random.random() < self.near else random.integers(len(frames))
        return tuple(frames[source, 1:].tolist()), tuple(frames[target, 1:].tolist())

    def _plate(self, which, row, frame):
        """The plate of a frame, (S, S, 3) uint8, computed when first asked for."""
        data = self.sets[which]
        key = which, int(data.cached[row, frame])
        if key not in self.plates:
            picture = as_image(data.pictures(row, [frame]))
            self.plates[key] = as_pictures(self.plate(picture, data.poses[row, [frame]]))[0]
        return self.plates[key]

    def _changed(self, item, random):
        change, other = draw_change(random), random.integers(self.actions)
        if random.random() < OTHER_ACTION:
            item["action"] = torch.tensor(int(other))
        item["poses"] = change_poses(item["poses"], change)
        if self.images:
            plates = [item["plates"][None]] if "plates" in item else []
            pictures = change_pictures(torch.cat([item["images"], *plates]), change)
            item["images"], item["masks"] = pictures[:len(item["images"])], change_masks(item["masks"], change)
            if plates:
                item["plates"] = pictures[-1]
        return item


def _videos(data):
    """For every row of a data set the frames of its video that its list holds: (F, 3) number, row and frame in the row."""
    found, keys = {}, []
    for row, paths in enumerate(data.rows.frames):
        keys.append((paths[0].rpartition("/")[0], tuple(data.crop[row])))
        for frame, path in enumerate(paths):
            found.setdefault(keys[-1], {}).setdefault(path, (row, frame))
    frames = {}
    for key, members in found.items():
        numbers = [Window.of(path, path).numbers[1] for path in members]
        if min(numbers) < 0:                                                             # names without numbers: their order
            numbers = np.argsort(np.argsort(list(members)))
        frames[key] = np.array(sorted((int(number), *place) for number, place in zip(numbers, members.values())))
    return [frames[key] for key in keys]


def _pair(data, source, target):
    """The item of two frames of a data set, each (row, frame in it)."""
    places = (source, target)
    item = {"poses": torch.stack([data.poses[place] for place in places]), "action": data.action[source[0]]}
    if data.images:
        item["images"] = as_image(np.concatenate([data.pictures(row, [frame]) for row, frame in places]))
        row = target[0]
        box = outer_box(data.rows.poses[target])[None]                                      # (1, 4)
        masks = transform.person_masks(box, data.crop[row], data.image_size[row], data.imsize)
        item["masks"] = torch.from_numpy(masks)[None].float()                           # (1, 1, S, S)
    return item


def training_pairs(config, images, plate=None):
    """The training data that a configuration describes: one list as published, or a :class:`TrainingPairs`.

    Args:
        config: :class:`utils.config.Config`.
        images: whether pictures are wanted.
        plate: see :class:`TrainingPairs`.
    """
    by_name, plain = config.actions_by == "name", not images or (config.pairs == "windows" and not config.augment_pictures)
    if not config.train_data and plain:
        return PennActionPairs(config.train_data_list, config.data_root, config.imsize, images, config.actions, by_name)
    if config.train_data:
        sets = [PennActionPairs(Path(entry.data_list), entry.data_root, config.imsize, images, config.actions,
                                by_name or bool(entry.actions), tuple(entry.actions) or None) for entry in config.train_data]
    else:
        sets = [PennActionPairs(config.train_data_list, config.data_root, config.imsize, images, config.actions, by_name)]
    return TrainingPairs(sets, [entry.share for entry in config.train_data] or [1.0], config.pairs if images else "windows",
                         config.pairs_near, config.augment_pictures and images, plate if images else None)
