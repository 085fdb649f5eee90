"""Training data mixed from several data sets: windows, or pairs of frames from anywhere in a video, with random changes.

An item depends only on the row's number and on a seed, which the sampler draws from the run's seed and the iteration. So a run
can be resumed exactly, with any number of processes.
"""
import hashlib
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from dataset.augment import change_masks, change_pictures, change_poses, draw_change, jitter_poses, roughen
from dataset.layouts import read_pairs
from dataset.pair_list import Window
from utils.errors import UserError
from utils.transform import as_image

NEAR_FRAMES = 8                # largest distance in frames of a near pair
OTHER_ACTION = 0.25            # probability of another action in an augmented item, so that generators follow the pose instead


class Draw(NamedTuple):
    """A drawn row."""

    row: int                   # number, counted over all data sets
    seed: int                  # for the choice of the pair and for the changes


class Rows(NamedTuple):
    """All lists together, for messages and the log."""

    path: str
    lines: np.ndarray          # (N,) line number of each row in its list
    sha256: str


class TrainingPairs(Dataset):
    """The windows of several data sets, see :class:`dataset.image_loader2.PennActionPairs`.

    A row's number is the index of its window, unchanged. A :class:`Draw` or `(Draw, frame_indices)` is the index of a training
    item: a window or, with `pairs="anywhere"`, a pair of frames, source first, with `poses` (2, 13, 2), `images` (2, 3, S, S),
    `masks` (1, 1, S, S) and, if the sets are masked, `person_masks` (2, 1, S, S). If any list has rows that repeat their last
    frame, all windows have `valid_steps`.

    Args:
        sets: the data sets, all with the same imsize and number of targets.
        fractions: for each set, the probability of drawing from it; they add up to 1.
        pairs: "windows" or "anywhere".
        near: probability that a pair is at most `NEAR_FRAMES` apart.
        augment: whether training items are changed, see :mod:`dataset.augment`.
        jitter: deviation of augmented joints, see :func:`dataset.augment.jitter_poses`.
    Raises:
        UserError: lists of different numbers of targets, or masks for some of the sets only.
    """

    def __init__(self, sets, fractions=(1.0,), pairs="windows", near=0.5, augment=False, jitter=0.0):
        self.sets, self.fractions, self.jitter = list(sets), np.cumsum(fractions), jitter
        self.anywhere, self.near, self.augment = pairs == "anywhere", near, augment
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
        lists = [(data.rows.sha256, fraction) for data, fraction in zip(self.sets, fractions)]
        digest = hashlib.sha256(repr(lists).encode()).hexdigest()
        self.rows = Rows(", ".join(str(data.rows.path) for data in self.sets),
                         np.concatenate([data.rows.lines for data in self.sets]), digest)
        self.videos = [_videos(data) for data in self.sets] if self.anywhere else None
        self.padded = any(data.padded for data in self.sets)

    def __len__(self):
        return int(self.starts[-1])

    def draw(self, random, count):
        """Draw `count` rows with a numpy Generator: a list of :class:`Draw`. All rows of a set are equally probable."""
        chosen = np.minimum(np.searchsorted(self.fractions, random.random(count), "right"), len(self.sets) - 1)
        rows = self.starts[chosen] + (random.random(count) * np.diff(self.starts)[chosen]).astype(int)
        return [Draw(int(row), int(seed)) for row, seed in zip(rows, random.integers(2 ** 63, size=count))]

    def use_cache(self, folder):
        """Use a frame cache for every set."""
        for data in self.sets:
            data.use_cache(folder)

    def pictures(self, row, frames):
        which, row = self._place(row)
        return self.sets[which].pictures(row, frames)

    def person_masks(self, row, frames):
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
            item = _pair(data, *self._partners(self.videos[which][row], random))
        else:
            item = self._window(data, row, frame_indices)
        return self._changed(item, random) if self.augment else item

    def _window(self, data, row, frame_indices=None):
        item = data[row if frame_indices is None else (row, frame_indices)]
        return {**item, "valid_steps": data.valid_steps[row]} if self.padded else item

    def _place(self, row):
        """The number of a row's set, and the row's number in it."""
        which = int(np.searchsorted(self.starts, row, "right")) - 1
        return which, int(row - self.starts[which])

    def _partners(self, frames, random):
        """Draw source and target, each (row, frame in it), among a video's frames, see :func:`_videos`.

        A list has person boxes of targets only, so a frame that is only a source is never drawn as a target.
        """
        source, targets = frames[random.integers(len(frames))], frames[frames[:, 2] > 0]
        near = targets[np.abs(targets[:, 0] - source[0]) <= NEAR_FRAMES]
        target = random.choice(near if random.random() < self.near and len(near) else targets)
        return tuple(source[1:].tolist()), tuple(target[1:].tolist())

    def _changed(self, item, random):
        change, other = draw_change(random), random.integers(self.actions)
        if random.random() < OTHER_ACTION:
            item["action"] = torch.tensor(int(other))
        item["poses"] = change_poses(item["poses"], change)
        if self.images:
            item["images"], item["masks"] = change_pictures(item["images"], change), change_masks(item["masks"], change)
            if self.masked:                      # only the source's mask gets a detector's errors: losses use the target's
                masks = change_masks(item["person_masks"], change, "bilinear")
                item["person_masks"] = torch.cat([roughen(masks[0], random)[None], masks[1:]])
        item["poses"] = jitter_poses(item["poses"], self.jitter, random)
        return item


def _videos(data):
    """For every row, the frames of its video in the list: (F, 3) number, row, frame in the row.

    Of several rows with the same frame, one in which it is a target is preferred.
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
        if min(numbers) < 0:                                                 # names without numbers: their order counts
            numbers = np.argsort(np.argsort(list(members)))
        frames[key] = np.array(sorted((int(number), *place) for number, place in zip(numbers, members.values())))
    return [frames[key] for key in keys]


def _pair(data, source, target):
    """The item of two frames, each (row, frame in it); the target's frame is not 0."""
    places = (source, target)
    item = {"poses": torch.stack([data.poses[place] for place in places]), "action": data.action[source[0]]}
    if data.images:
        item["images"] = as_image(np.concatenate([data.pictures(row, [frame]) for row, frame in places]))
        item["masks"] = data.masks(target[0], [target[1] - 1])                              # (1, 1, S, S)
        if data.masked:
            item["person_masks"] = torch.cat([data.person_masks(row, [frame]) for row, frame in places])
    return item


def training_pairs(config, images):
    """The training data of a configuration, with or without `images`: its one list, as published, or a :class:`TrainingPairs`."""
    sets = [read_pairs(config, entry, images) for entry in config.train_data or [None]]
    unmasked = next((data for data in sets if images and not data.masked), None)
    if unmasked and (config.image_loss.person or config.image_loss.silhouette):
        raise UserError(f"{unmasked.rows.path}: image_loss.person and image_loss.silhouette need masks of the people, "
                        f"{unmasked.mask_path(0, 0)} and so on")
    if not config.train_data and (not images or (config.pairs == "windows" and not config.augment_pictures)):
        return sets[0]
    return TrainingPairs(sets, [entry.share for entry in config.train_data] or [1.0], config.pairs if images else "windows",
                         config.pairs_near, config.augment_pictures and images, config.joint_jitter)
