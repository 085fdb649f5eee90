"""The training data: the windows of a pair list as poses and, for the pose-to-image module, pictures and masks.

Axes: N windows, T targets, T + 1 frames (source first), J = 13 joints, S side of the prepared pictures.
"""
import functools
import json
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from dataset.frame_cache import FrameCache
from dataset.frames import FrameError, frame_reading, open_frame, read_frame
from dataset.pair_list import ACTIONS, count_valid_steps, read_list, resolve_frame
from dataset.penn_layout import RATES, read_annotation
from dataset.person_masks import PersonMasks
from utils import transform
from utils.errors import UserError
from utils.transform import as_image


class PennActionPairs(PersonMasks, Dataset):
    """The windows of a pair list in Penn Action's layout, prepared as in the published system ("Data").

    All poses are prepared at once. This needs the size of each video's frames, which is read from the header of one frame or,
    without images, from `labels/VIDEO.mat`. If neither exists, the crop boxes are assumed to lie inside their frames. With
    images and labels, the size of the frames must be that of the label.

    An item is a dict:
        poses: (T + 1, 13, 2) float32 in [-1, 1), source first.
        action: int64 id.
        valid_steps: int64, the number of targets before the row repeats its last frame
            (:func:`dataset.pair_list.count_valid_steps`); only in lists with such rows.
        extent: (2,) float32, width and height of the crop divided by the longer of them; only without images.
        images: (T + 1, 3, S, S) float32 in [-1, 1], source first; only with images.
        masks: (T, 1, S, S) float32, 1 inside the person boxes of the targets; only with images.
        person_masks: (T + 1, 1, S, S) float32 in [0, 1], 1 where the person is, source first; only if they are `masked`.

    Another layout is a subclass, see :mod:`dataset.layouts`.

    Args:
        data_list: path of the list; `~` is the home folder, here and in `data_root`.
        data_root: folder that holds `frames/` and `labels/`.
        imsize: S, in pixels.
        images: whether the items have pictures.
        actions: action names by id.
        by_name: take a row's action from its name and ignore its id.
        list_actions: action names by the ids of the list, if they differ from `actions`, which must contain them.
        masks: whether to read masks of people (PNG files in `masks/` beside `frames/`, named like the frames), with images.
    Raises:
        ListError: a bad list, or a crop box outside its frame.
        FrameError: a missing frame; only with images.
    """

    def __init__(self, data_list, data_root, imsize, images=True, actions=ACTIONS, by_name=False, list_actions=None,
                 masks=False):
        self.rows = self.read_rows(data_list, list_actions or actions, by_name and not list_actions)
        if list_actions:
            ids = np.array([actions.index(name) for name in list_actions])
            self.rows = self.rows._replace(actions=tuple(actions), action=ids[self.rows.action])
        self.data_root, self.imsize, self.images = os.path.expanduser(data_root), imsize, images
        self.masked = False
        if images:
            self._check_frames_exist()
            if masks:
                self.find_masks()
        self.image_size, self.turned = self._image_sizes()
        self.crop = transform.clamp_box(self.rows.crop, self.image_size)
        empty = (self.crop[:, 0] >= self.crop[:, 2]) | (self.crop[:, 1] >= self.crop[:, 3])
        if empty.any():
            row = int(empty.argmax())
            h, w = self.image_size[row]
            raise self.rows.error(row, f"the crop box {tuple(self.rows.crop[row].tolist())} lies outside the image, "
                                       f"which is {w} x {h} pixels")
        poses = transform.pose_to_picture(self.rows.poses, self.crop, imsize)
        self.poses = torch.from_numpy(poses.astype(np.float32))
        self.action = torch.from_numpy(self.rows.action)
        side = (self.crop[:, 2:] - self.crop[:, :2]).astype(np.float32)
        self.extent = torch.from_numpy(side / side.max(-1, keepdims=True))
        self.valid_steps = torch.tensor([count_valid_steps(paths) for paths in self.rows.frames])
        self.padded = bool((self.valid_steps < self.targets).any())
        self.cache = None

    def __len__(self):
        return len(self.action)

    @staticmethod
    def read_rows(path, actions, by_name):
        """Read the list as a :class:`dataset.pair_list.PairList`. The folder of a frame identifies its video."""
        return read_list(path, actions, by_name)

    @property
    def targets(self):
        """T, the number of frames that follow a source."""
        return self.rows.targets

    def __getitem__(self, index):
        """The item of a row.

        With an index `(row, (k1, r, k3))`, only these targets (counted from 0) are loaded, which one iteration of the
        pose-to-image module uses: `images` (4, 3, S, S) are the source and the three targets, `masks` (1, 1, S, S) is that of k3,
        `person_masks` (4, 1, S, S) are those of the images, and `frame_indices` (3,) is added.
        """
        row, frame_indices = index if isinstance(index, tuple) else (index, None)
        item = {"poses": self.poses[row], "action": self.action[row]}
        if self.padded:
            item["valid_steps"] = self.valid_steps[row]
        if not self.images:
            item["extent"] = self.extent[row]
        else:
            targets = range(self.targets) if frame_indices is None else frame_indices
            frames = [0, *(target + 1 for target in targets)]
            item["images"] = as_image(self.pictures(row, frames))
            if self.masked:
                item["person_masks"] = self.person_masks(row, frames)
            item["masks"] = self.masks(row, targets if frame_indices is None else frame_indices[-1:])
            if frame_indices is not None:
                item["frame_indices"] = torch.tensor(frame_indices)
        return item

    def masks(self, row, targets):
        """Masks of some targets (counted from 0) of a row: (len(targets), 1, S, S) float32, 1 inside the person box."""
        masks = transform.person_masks(self.rows.persons[row, targets], self.crop[row], self.image_size[row], self.imsize)
        return torch.from_numpy(masks)[:, None].float()

    def pictures(self, row, frames):
        """Prepared pictures of some frames (0 = source) of a row: (len(frames), S, S, 3) uint8."""
        if self.cache is not None:
            return self.cache[self.cached[row, frames]]
        return np.stack([self._prepare(row, frame) for frame in frames])

    def frame_path(self, row, frame):
        """The picture file of a frame (0 = source) of a row."""
        return resolve_frame(self.rows.frames[row][frame], self.data_root)

    def row_name(self, row):
        """The list and the line of a row, for messages."""
        return f"{self.rows.path}:{self.rows.lines[row]}"

    def _prepare(self, row, frame):
        """Decode and letterbox one frame of a row: (S, S, 3) uint8."""
        path, size = self.frame_path(row, frame), tuple(self.image_size[row])
        picture = read_frame(path, self.row_name(row), self.turned[row])
        if picture.shape[:2] != size:
            raise FrameError(f"{self.row_name(row)}: frame {path} is {picture.shape[1]} x {picture.shape[0]} pixels but others "
                             f"of its video are {size[1]} x {size[0]}")
        return transform.picture_from_frame(picture, self.crop[row], self.imsize)

    @functools.cached_property
    def cached(self):
        """(N, T + 1) int64: the number of each frame among the distinct pairs of frame and crop, in the order of first use."""
        known = {}
        return np.array([[known.setdefault((path, tuple(self.crop[row])), len(known)) for path in paths]
                         for row, paths in enumerate(self.rows.frames)])

    def use_cache(self, folder):
        """Read pictures, and masks, from a :class:`dataset.frame_cache.FrameCache` in `folder`."""
        first_use = [divmod(int(use), self.targets + 1) for use in np.unique(self.cached, return_index=True)[1]]
        crops = [(*self.crop[row], self.turned[row]) for row, _ in first_use]
        self.cache = FrameCache(folder, [self.frame_path(*use) for use in first_use], crops, self.imsize,
                                lambda place: self._prepare(*first_use[place]))
        if self.masked:
            self.use_mask_cache(folder, first_use, crops)

    def frame_rates(self, default):
        """(N,) frames a second of the rows' videos: those in `rates.json` beside the labels, or else `default`."""
        path = Path(self.data_root) / RATES
        try:
            rates = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            return np.array([float(rates.get(window.video, default)) for window in self.rows.windows()])
        except (OSError, ValueError, TypeError, AttributeError):
            raise UserError(f"{path}: expected frames a second of each video, {{\"clip\": 29.97}}") from None

    def _check_frames_exist(self):
        seen = set()
        for row, paths in enumerate(self.rows.frames):
            for frame, path in enumerate(paths):
                if path not in seen and not os.path.isfile(self.frame_path(row, frame)):
                    raise self.rows.error(row, f"frame {self.frame_path(row, frame)} is missing; "
                                               f"data_root is {str(self.data_root)!r}", frame)
                seen.add(path)

    def _image_sizes(self):
        """(N, 2) int64 sizes (h, w) of the rows' frames, and (N,) bool, whether their EXIF orientation is applied."""
        sizes, unknown = {}, np.iinfo(np.int32).max
        for row, (source, *_) in enumerate(self.rows.frames):
            video = source.rpartition("/")[0]
            if video not in sizes:
                sizes[video] = self._video_size(row) or ((unknown, unknown), True)
        missing = sum(height == unknown for (height, _), _ in sizes.values())
        if missing:
            warnings.warn(f"{self.rows.path}: neither labels nor frames of {missing} of {len(sizes)} videos are under "
                          f"data_root {str(self.data_root)!r}; their crop boxes are assumed to lie inside the images",
                          stacklevel=3)
        found = [sizes[source.rpartition("/")[0]] for source, *_ in self.rows.frames]
        return np.array([size for size, _ in found]), np.array([turned for _, turned in found])

    def _video_size(self, row):
        """Size (h, w) of a row's frames and whether their EXIF orientation is applied, or None if neither file exists."""
        frame = self.frame_path(row, 0)
        size = self.annotated_size(frame.parent.name)
        if not self.images and (size or not os.path.isfile(frame)):
            return size and (size, True)
        with open_frame(frame, self.row_name(row)) as image:
            try:
                return frame_reading(image, size)
            except ValueError as problem:
                raise self.rows.error(row, f"video {frame.parent.name}: {problem}; the poses would not lie on the people", 0) \
                    from None

    def annotated_size(self, video):
        """The frame size (h, w) in `labels/VIDEO.mat`; None if there is no such file."""
        path = Path(self.data_root) / "labels" / f"{video}.mat"
        return read_annotation(path).size if path.is_file() else None
