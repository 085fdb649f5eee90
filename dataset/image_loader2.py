"""The training data: windows of a pair list as poses and, for the pose-to-image module, pictures and masks."""
import functools
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from dataset.frame_cache import FrameCache
from dataset.frames import FrameError, frame_files, frame_names, frame_reading, open_frame, read_frame, unusable
from dataset.matlab import read_mat
from dataset.pair_list import ACTIONS, count_valid_steps, read_list, resolve_frame
from utils import transform
from utils.transform import as_image

SAME_POSE = 1e-3          # pixels between a pose in a list and in its annotation; lists have six decimals


class PennActionPairs(Dataset):
    """Windows of a pair list, prepared as in the published system ("Data").

    The poses of the whole list are prepared once, in one vectorised transform. For that the size of each video's
    frames is needed: it is read from the header of a frame (no pixel is decoded), without images first from
    `labels/VVVV.mat`. Where neither is there the crop boxes are taken to lie inside their images. With images and labels both
    are compared, once a video: frames of another size, too many or out of step with their poses are refused.

    An item is a dict: `poses` (T + 1, 13, 2) float32 in [-1, 1), source first, and `action` int64; without images also
    `extent` (2,) float32, half width and half height of the crop in the picture, the longer 1; with images
    `images` (T + 1, 3, S, S) float32 in [-1, 1], source first, and `masks` (T, 1, S, S) float32, of the T targets; in lists with
    rows that repeat their clip's last frame also `valid_steps` int64, the targets up to there (:func:`dataset.pair_list.count_valid_steps`).

    Args:
        data_list: path of the list.
        data_root: folder that holds `frames/` and `labels/`. In both paths `~` is the home folder.
        imsize: S, side of the prepared pictures in pixels.
        images: whether items carry pictures; without, no picture is opened for them.
        actions: action names by id.
        by_name: the list's rows are known by their actions' names, whatever their ids.
        list_actions: action names by the list's own ids, if those are others; each must be among `actions`.
    Raises:
        ListError, FrameError: bad list, a crop outside its image or, with images, a missing frame or frames that do not fit
            their annotation.
    """

    def __init__(self, data_list, data_root, imsize, images=True, actions=ACTIONS, by_name=False, list_actions=None):
        self.rows = read_list(data_list, list_actions or actions, by_name and not list_actions)
        if list_actions:
            ids = np.array([actions.index(name) for name in list_actions])
            self.rows = self.rows._replace(actions=tuple(actions), action=ids[self.rows.action])
        self.data_root, self.imsize, self.images = os.path.expanduser(data_root), imsize, images
        if images:
            self._check_frames_exist()
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

    @property
    def targets(self):
        """T, the frames that follow a source."""
        return self.rows.targets

    def __getitem__(self, index):
        """The item of a row; of `(row, (k1, r, k3))`, the frame_indices of one iteration of the pose-to-image module from 0, only the
        pictures that it uses: `images` (4, 3, S, S) are then the source and those three targets, `masks` (1, 1, S, S)
        that of k3, and `frame_indices` (3,) names them."""
        row, frame_indices = index if isinstance(index, tuple) else (index, None)
        item = {"poses": self.poses[row], "action": self.action[row]}
        if self.padded:
            item["valid_steps"] = self.valid_steps[row]
        if not self.images:
            item["extent"] = self.extent[row]
        else:
            targets = range(self.targets) if frame_indices is None else frame_indices
            item["images"] = as_image(self.pictures(row, [0, *(target + 1 for target in targets)]))
            item["masks"] = self.masks(row, targets if frame_indices is None else frame_indices[-1:])
            if frame_indices is not None:
                item["frame_indices"] = torch.tensor(frame_indices)
        return item

    def masks(self, row, targets):
        """Person boxes of some targets (from 0) of a row: (len(targets), 1, S, S) float32, 1 inside."""
        masks = transform.person_masks(self.rows.persons[row, targets], self.crop[row], self.image_size[row], self.imsize)
        return torch.from_numpy(masks)[:, None].float()

    def pictures(self, row, frames):
        """Prepared pictures of some frames (0 = source) of a row: (len(frames), S, S, 3) uint8."""
        if self.cache is not None:
            return self.cache[self.cached[row, frames]]
        return np.stack([self._prepare(row, frame) for frame in frames])

    def frame_path(self, row, frame):
        """Where frame `frame` (0 = source) of row `row` lies on this machine."""
        return resolve_frame(self.rows.frames[row][frame], self.data_root)

    def row_name(self, row):
        """List and line of a row, for messages."""
        return f"{self.rows.path}:{self.rows.lines[row]}"

    def _prepare(self, row, frame):
        """One frame of a row, decoded and letterboxed: (S, S, 3) uint8."""
        path, size = self.frame_path(row, frame), tuple(self.image_size[row])
        picture = read_frame(path, self.row_name(row), self.turned[row])
        if picture.shape[:2] != size:
            raise FrameError(f"{self.row_name(row)}: frame {path} is {picture.shape[1]} x {picture.shape[0]} pixels but others "
                             f"of its video are {size[1]} x {size[0]}")
        return transform.picture_from_frame(picture, self.crop[row], self.imsize)

    @functools.cached_property
    def cached(self):
        """(N, T + 1) number of each row's frames among the distinct (frame, crop), in the order of their first use."""
        known = {}
        return np.array([[known.setdefault((path, tuple(self.crop[row])), len(known)) for path in paths]
                         for row, paths in enumerate(self.rows.frames)])

    def use_cache(self, folder):
        """Take the pictures from a :class:`dataset.frame_cache.FrameCache` in `folder`, which is built if need be."""
        first_use = [divmod(int(use), self.targets + 1) for use in np.unique(self.cached, return_index=True)[1]]
        self.cache = FrameCache(folder, [self.frame_path(*use) for use in first_use],
                                [(*self.crop[row], self.turned[row]) for row, _ in first_use], self.imsize,
                                lambda place: self._prepare(*first_use[place]))

    def _check_frames_exist(self):
        seen = set()
        for row, paths in enumerate(self.rows.frames):
            for frame, path in enumerate(paths):
                problem = None if path in seen else unusable(self.frame_path(row, frame))
                if problem:
                    raise self.rows.error(row, f"frame {self.frame_path(row, frame)} {problem}; "
                                               f"data_root is {str(self.data_root)!r}", frame)
                seen.add(path)

    def _image_sizes(self):
        """(N, 2) int64 sizes (h, w) of the rows' frames and (N,) bool, whether their EXIF orientation is applied; looked up once
        a video."""
        sizes, unknown = {}, np.iinfo(np.int32).max
        for row, (source, *_) in enumerate(self.rows.frames):
            video = source.rpartition("/")[0]
            if video not in sizes:
                sizes[video] = self._video_size(row) or ((unknown, unknown), True)
        missing = sum(height == unknown for (height, _), _ in sizes.values())
        if missing:
            warnings.warn(f"{self.rows.path}: neither labels nor frames of {missing} of {len(sizes)} videos are under "
                          f"data_root {str(self.data_root)!r}; their crop boxes are taken to lie inside the images",
                          stacklevel=3)
        found = [sizes[source.rpartition("/")[0]] for source, *_ in self.rows.frames]
        return np.array([size for size, _ in found]), np.array([turned for _, turned in found])

    def _video_size(self, row):
        """Size (h, w) of a row's frames and whether their EXIF orientation is applied, or None where nothing tells."""
        frame = self.frame_path(row, 0)
        size, joints = self._annotation(frame.parent.name)
        if not self.images and (size or not os.path.isfile(frame)):
            return size and (size, True)
        shown = self._poses_of(row, joints)
        if len(shown):
            self._check_frames(row, frame, shown, len(joints))
        with open_frame(frame, self.row_name(row)) as image:
            try:
                return frame_reading(image, size if len(shown) else None)
            except ValueError as problem:
                raise self.rows.error(row, f"video {frame.parent.name}: {problem}; the poses would lie beside the people", 0) \
                    from None

    def _annotation(self, video):
        """Size (h, w) and, with images, joints (n, 13, 2) of `labels/VIDEO.mat`; None for both where it is of no use."""
        try:
            mat = read_mat(Path(self.data_root) / "labels" / f"{video}.mat")
            height, width = mat["dimensions"].ravel()[:2]
            return (int(height), int(width)), np.stack([mat["x"], mat["y"]], -1) if self.images else None
        except (OSError, ValueError, KeyError, AttributeError, OverflowError):
            return None, None

    def _poses_of(self, row, joints):
        """Places of the annotation's joints (n, 13, 2) that are the row's source; none if the list has its poses from elsewhere,
        so that the annotation says nothing about its frames."""
        source = self.rows.poses[row, 0]
        if joints is None or joints.shape[1:] != source.shape:
            return np.empty(0, int)
        return np.flatnonzero(np.abs(joints - source).max((1, 2)) < SAME_POSE)

    def _check_frames(self, row, frame, shown, poses):
        """A row's source must be the frame of one of the poses (places from 0) that the annotation has for it."""
        try:
            files = frame_files(frame_names(frame.parent), poses)
        except OSError as error:
            raise self.rows.error(row, f"folder {frame.parent} cannot be read ({error.strerror})", 0) from None
        except ValueError as problem:
            raise self.rows.error(row, f"video {frame.parent.name}: {problem}", 0) from None
        numbers = {name: number for number, name in files.items()}
        if frame.name in numbers and numbers[frame.name] - 1 not in shown:
            raise self.rows.error(row, f"video {frame.parent.name}: {frame.name} is the frame of pose {numbers[frame.name]}, but "
                                       f"the row has pose {shown[0] + 1} (the frames begin with {files[min(files)]}); make the "
                                       "list again", 0)
