"""Training rows of several data sets, mixed by shares: windows or pairs from anywhere in a video, with random changes.

The item of a row depends only on the row's number and on a seed, which the sampler draws from the run's seed and the iteration.
So a run can be resumed exactly, with any number of processes.
"""
import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from dataset.augment import change_masks, change_pictures, change_poses, draw_change, jitter_poses, roughen
from dataset.frame_cache import PlateCache
from dataset.layouts import read_pairs
from dataset.pair_list import Window
from utils.errors import UserError
from utils.transform import as_image, as_pictures

NEAR_FRAMES = 8                # the largest distance in frames of a pair that counts as near
OTHER_ACTION = 0.25            # share of changed rows that get another action, so that the generator follows the pose instead


class Draw(NamedTuple):
    """One row of an iteration."""

    row: int                   # its number, counted over all data sets
    seed: int                  # for the choice of its pair and for its changes


class Rows(NamedTuple):
    """All lists together, for messages and the run's log."""

    path: str
    lines: np.ndarray          # (N,) line number of each row in its file
    sha256: str


class TrainingPairs(Dataset):
    """The rows of several data sets, see :class:`dataset.image_loader2.PennActionPairs`.

    If the index is a row's number, the item is the window as it stands in its list. If it is a :class:`Draw` or
    `(Draw, frame_indices)`, the item is what training uses: a window or, with `pairs="anywhere"`, a pair of frames, source first,
    with `poses` (2, 13, 2), `images` (2, 3, S, S), `masks` (1, 1, S, S) and, if the sets are masked, `person_masks`
    (2, 1, S, S). With `plate`, they also have `plates` (3, S, S).
    If one of the lists has rows that repeat their last frame, all windows have `valid_steps`.

    Args:
        sets: the data sets, all with the same imsize and number of targets.
        shares: for each set, its share of the rows of an iteration; they add up to 1.
        pairs: "windows" or "anywhere".
        near: share of pairs that are drawn at most `NEAR_FRAMES` apart.
        augment: whether drawn rows are changed, see :mod:`dataset.augment`.
        jitter: of changed rows, see :func:`dataset.augment.jitter_poses`.
        plate: None, or a function of pictures (1, 3, S, S), poses (1, J, 2) and, if the sets are masked, `mask` (1, 1, S, S)
            that returns the pictures without their person. With a frame cache its results are kept on disk, else they are
            computed each time.
    Raises:
        UserError: lists of different numbers of targets, or masks for some of the sets only.
    """

    def __init__(self, sets, shares=(1.0,), pairs="windows", near=0.5, augment=False, plate=None, jitter=0.0):
        self.sets, self.shares, self.jitter = list(sets), np.cumsum(shares), jitter
        self.anywhere, self.near, self.augment, self.plate = pairs == "anywhere", near, augment, plate
        first = self.sets[0]
        for data in self.sets:
            if data.targets != first.targets:
                raise UserError(f"{data.rows.path}: its rows have {data.targets} targets, those of {first.rows.path} "
                                f"{first.targets}; lists that are mixed keep to one number")
            if data.masked != first.masked:
                with_masks, without = (data, first) if data.masked else (first, data)
                raise UserError(f"{without.rows.path}: its frames have no masks of people, those of {with_masks.rows.path} have; "
                                "make a folder masks beside every folder frames, or take all away")
        self.masked = first.masked
        self.starts = np.cumsum([0, *map(len, self.sets)])
        self.imsize, self.images, self.targets = first.imsize, first.images, first.targets
        self.actions = len(first.rows.actions)
        self.poses, self.action = (torch.cat([getattr(data, name) for data in self.sets]) for name in ("poses", "action"))
        self.before = None if first.before is None else torch.cat([data.before for data in self.sets])
        digest = hashlib.sha256(repr([(data.rows.sha256, share) for data, share in zip(self.sets, shares)]).encode()).hexdigest()
        self.rows = Rows(", ".join(str(data.rows.path) for data in self.sets),
                         np.concatenate([data.rows.lines for data in self.sets]), digest)
        self.videos = [_videos(data) for data in self.sets] if self.anywhere else None
        self.padded, self.plates = any(data.padded for data in self.sets), None

    def __len__(self):
        return int(self.starts[-1])

    def draw(self, random, count):
        """Draw `count` rows with a numpy Generator: a list of :class:`Draw`.

        A set is drawn with the probability of its share, and each of its rows with equal probability.
        """
        chosen = np.minimum(np.searchsorted(self.shares, random.random(count), "right"), len(self.sets) - 1)
        rows = self.starts[chosen] + (random.random(count) * np.diff(self.starts)[chosen]).astype(int)
        return [Draw(int(row), int(seed)) for row, seed in zip(rows, random.integers(2 ** 63, size=count))]

    def use_cache(self, folder):
        """Use a frame cache for every set, and with `plate` a cache of plates beside it."""
        for data in self.sets:
            data.use_cache(folder)
        if self.plate:
            self.plates = [PlateCache(data.cache, data.poses.flatten(0, 1)[np.unique(data.cached, return_index=True)[1]],
                                      self.plate, data.mask_cache) for data in self.sets]

    def pictures(self, row, frames):
        """As :meth:`dataset.image_loader2.PennActionPairs.pictures`."""
        which, row = self._place(row)
        return self.sets[which].pictures(row, frames)

    def person_masks(self, row, frames):
        """As :meth:`dataset.image_loader2.PennActionPairs.person_masks`."""
        which, row = self._place(row)
        return self.sets[which].person_masks(row, frames)

    def __getitem__(self, index):
        frame_indices = None
        if isinstance(index, tuple) and not isinstance(index, Draw):
            index, frame_indices = index
        which, row = self._place(index.row if isinstance(index, Draw) else index)
        data = self.sets[which]
        if not isinstance(index, Draw):
            return self._window(data, row)
        random = np.random.default_rng(index.seed)
        if self.anywhere:
            source, target = self._partners(self.videos[which][row], random)
            item = _pair(data, source, target)
        else:
            source, item = (row, 0), self._window(data, row, frame_indices)
        if self.images and self.plate:
            item["plates"] = as_image(self._plate(which, *source))
        return self._changed(item, random) if self.augment else item

    def _window(self, data, row, frame_indices=None):
        """The item of a row, with `valid_steps` if any of the sets has rows with fewer of them than targets."""
        item = data[row if frame_indices is None else (row, frame_indices)]
        return {**item, "valid_steps": data.valid_steps[row]} if self.padded else item

    def _place(self, row):
        """The number of a row's set, and the row's number there."""
        which = int(np.searchsorted(self.starts, row, "right")) - 1
        return which, int(row - self.starts[which])

    def _partners(self, frames, random):
        """Draw source and target, each (row, frame in it), among a video's frames, see :func:`_videos`.

        A list holds person boxes of targets only, so a frame that it holds only as a source is never drawn as a target.
        """
        source, targets = frames[random.integers(len(frames))], frames[frames[:, 2] > 0]
        near = targets[np.abs(targets[:, 0] - source[0]) <= NEAR_FRAMES]
        target = random.choice(near if random.random() < self.near and len(near) else targets)
        return tuple(source[1:].tolist()), tuple(target[1:].tolist())

    def _plate(self, which, row, frame):
        """The plate of a frame, (S, S, 3) uint8."""
        data = self.sets[which]

        def compute():
            mask = {"mask": data.person_masks(row, [frame])} if self.masked else {}
            return as_pictures(self.plate(as_image(data.pictures(row, [frame])), data.poses[row, [frame]], **mask))[0]

        return self.plates[which].get(int(data.cached[row, frame]), compute) if self.plates else compute()

    def _changed(self, item, random):
        change, other = draw_change(random), random.integers(self.actions)
        if random.random() < OTHER_ACTION:
            item["action"] = torch.tensor(int(other))
        steady = item["poses"] = change_poses(item["poses"], change)
        if self.images:
            plates = [item["plates"][None]] if "plates" in item else []
            pictures = change_pictures(torch.cat([item["images"], *plates]), change)
            item["images"], item["masks"] = pictures[:len(item["images"])], change_masks(item["masks"], change)
            if plates:
                item["plates"] = pictures[-1]
            if self.masked:                      # the source's mask is rough, as a found one; the losses need the true target's
                masks = change_masks(item["person_masks"], change, "bilinear")
                item["person_masks"] = torch.cat([roughen(masks[0], random)[None], masks[1:]])
        item["poses"] = jitter_poses(steady, self.jitter, random)
        if "before" in item:                     # it is jittered like the source, because errors of detection last
            item["before"] = change_poses(item["before"][None], change)[0] + item["poses"][0] - steady[0]
        return item


def _videos(data):
    """For every row of a data set, the frames of its video that the list holds: (F, 3) number, row and frame in the row.

    If a frame stands in several rows, a row in which it is a target is preferred.
    """
    found, keys = {}, []
    for row, paths in enumerate(data.rows.frames):
        keys.append((paths[0].rpartition("/")[0], tuple(data.crop[row])))
        for frame, path in enumerate(paths):
            members = found.setdefault(keys[-1], {})
            if members.setdefault(path, (row, frame))[1] == 0 < frame:
                members[path] = row, frame
    frames = {}
    for key, members in found.items():
        numbers = [Window.of(path, path).numbers[1] for path in members]
        if min(numbers) < 0:                                                 # for names without numbers, their order counts
            numbers = np.argsort(np.argsort(list(members)))
        frames[key] = np.array(sorted((int(number), *place) for number, place in zip(numbers, members.values())))
    return [frames[key] for key in keys]


def _pair(data, source, target):
    """The item of two frames of a data set, each (row, frame in it); the target's frame is not 0."""
    places = (source, target)
    item = {"poses": torch.stack([data.poses[place] for place in places]), "action": data.action[source[0]]}
    if data.before is not None:
        row, frame = source
        item["before"] = data.poses[row, frame - 1] if frame else data.before[row]
    if data.images:
        item["images"] = as_image(np.concatenate([data.pictures(row, [frame]) for row, frame in places]))
        item["masks"] = data.masks(target[0], [target[1] - 1])                              # (1, 1, S, S)
        if data.masked:
            item["person_masks"] = torch.cat([data.person_masks(row, [frame]) for row, frame in places])
    return item


def training_pairs(config, images, plate=None):
    """The training data of a configuration: its one list, as published, or a :class:`TrainingPairs`.

    Args:
        config: :class:`utils.schema.Config`.
        images: whether the items carry pictures.
        plate: see :class:`TrainingPairs`.
    """
    sets = [read_pairs(config, entry, images) for entry in config.train_data or [None]]
    unmasked = next((data for data in sets if images and not data.masked), None)
    if unmasked and (config.image_loss.person or config.image_loss.silhouette):
        raise UserError(f"{unmasked.rows.path}: image_loss.person and image_loss.silhouette need masks of the people, "
                        f"{unmasked.mask_path(0, 0)} and so on")
    if not config.train_data and (not images or (config.pairs == "windows" and not config.augment_pictures)):
        return sets[0]
    return TrainingPairs(sets, [entry.share for entry in config.train_data] or [1.0], config.pairs if images else "windows",
                         config.pairs_near, config.augment_pictures and images, plate if images else None, config.joint_jitter)
