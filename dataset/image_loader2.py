"""The training data: the rows of a pair list as poses and, for the pose-to-image module, pictures and masks.

Axes: N rows, T targets, T + 1 frames (source first), J = 13 joints, S side of the prepared pictures.
"""
import functools
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from dataset.frame_cache import FrameCache
from dataset.frames import FrameError, frame_files, frame_names, frame_reading, open_frame, read_frame, unusable
from dataset.history import earlier_poses
from dataset.matlab import read_mat
from dataset.pair_list import ACTIONS, count_valid_steps, read_list, resolve_frame
from dataset.person_masks import PersonMasks
from utils import transform
from utils.transform import as_image

SAME_POSE = 1e-3          # pixels between a pose in a list and in its annotation; lists have six decimals


class PennActionPairs(PersonMasks, Dataset):
    """The rows of a pair list in Penn Action's layout, prepared as in the published system ("Data").

    All poses are prepared at once. This needs the size of each video's frames, which is read from the header of one frame or,
    without images, from `labels/VIDEO.mat`. If neither exists, the crop boxes are assumed to lie inside their frames. With
    images and labels the two are compared once per video: frames of another size, too many frames, or frames out of step with
    the poses are refused.

    An item is a dict:
        poses: (T + 1, 13, 2) float32 in [-1, 1), source first.
        action: int64 id.
        valid_steps: int64, the number of targets before the row repeats its last frame
            (:func:`dataset.pair_list.count_valid_steps`); only in lists with such rows.
        before: (13, 2) float32, the pose one step before the source (:func:`dataset.history.earlier_poses`); only with a history
            of 2.
        extent: (2,) float32, width and height of the crop divided by the longer of them; only without images.
        images: (T + 1, 3, S, S) float32 in [-1, 1], source first; only with images.
        masks: (T, 1, S, S) float32, 1 inside the person boxes of the targets; only with images.
        person_masks: (T + 1, 1, S, S) float32 in [0, 1], 1 where the person is, source first; only if they are `masked`.

    Another layout is a subclass, see :mod:`dataset.layouts`.

    Args:
        data_list: path of the list; `~` is the home folder, here and in `data_root`.
        data_root: folder that holds `frames/` and `labels/`.
        imsize: S, in pixels.
        images: whether the items carry pictures.
        actions: action names by id.
        by_name: take a row's action from its name and ignore its id.
        list_actions: action names by the ids that the list uses, if they differ from `actions`, which must contain them.
        masks: whether masks of people are read, with images. They lie in `masks/` beside `frames/`, under the names of the
            frames and as PNG, as pose.masks.write_mask writes them. If only some frames have one that can be used, the
            surroundings of the pose take the place of the others, which is told.
        history: number of poses that the pose module sees, see :class:`networks.interfaces.PoseModule`.
    Raises:
        ListError: a bad list, or a crop box outside its frame.
        FrameError: a frame that is missing, or frames that do not fit their annotation; only with images.
    """

    def __init__(self, data_list, data_root, imsize, images=True, actions=ACTIONS, by_name=False, list_actions=None,
                 masks=False, history=1):
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
        self.before = None                                                   # (N, 13, 2)
        if history > 1:
            before = transform.pose_to_picture(earlier_poses(self.rows)[:, None], self.crop, imsize)[:, 0]
            self.before = torch.from_numpy(before.astype(np.float32))
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
        """Read the list: a :class:`dataset.pair_list.PairList`. The folder of a frame's path identifies its video."""
        return read_list(path, actions, by_name)

    @property
    def targets(self):
        """T, the number of frames that follow a source."""
        return self.rows.targets

    def __getitem__(self, index):
        """The item of a row.

        An index `(row, (k1, r, k3))` also holds the frame indices, counted from 0, of the targets that one iteration of the
        pose-to-image module uses. Then only these are loaded: `images` (4, 3, S, S) are the source and the three targets,
        `masks` (1, 1, S, S) is that of k3, `person_masks` (4, 1, S, S) are those of the images, and `frame_indices` (3,) is
        added.
        """
        row, frame_indices = index if isinstance(index, tuple) else (index, None)
        item = {"poses": self.poses[row], "action": self.action[row]}
        if self.padded:
            item["valid_steps"] = self.valid_steps[row]
        if self.before is not None:
            item["before"] = self.before[row]
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
        """The picture file of frame `frame` (0 = source) of row `row` on this machine."""
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
        """(N, T + 1) int64: each frame's number among the distinct pairs of frame and crop, in the order of first use."""
        known = {}
        return np.array([[known.setdefault((path, tuple(self.crop[row])), len(known)) for path in paths]
                         for row, paths in enumerate(self.rows.frames)])

    def use_cache(self, folder):
        """Read pictures and masks from a :class:`dataset.frame_cache.FrameCache` each in `folder`, built if it does not exist."""
        first_use = [divmod(int(use), self.targets + 1) for use in np.unique(self.cached, return_index=True)[1]]
        crops = [(*self.crop[row], self.turned[row]) for row, _ in first_use]
        self.cache = FrameCache(folder, [self.frame_path(*use) for use in first_use], crops, self.imsize,
                                lambda place: self._prepare(*first_use[place]))
        if self.masked:
            self.use_mask_cache(folder, first_use, crops)

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
        """(N, 2) int64 sizes (h, w) of the rows' frames, and (N,) bool, whether their EXIF orientation is applied.

        Both are looked up once per video.
        """
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
        size, joints = self.annotation(frame.parent.name)
        if not self.images and (size or not os.path.isfile(frame)):
            return size and (size, True)
        shown = self._poses_of(row, joints)
        if len(shown):
            self._check_frames(row, frame, shown, len(joints))
        with open_frame(frame, self.row_name(row)) as image:
            try:
                return frame_reading(image, size if len(shown) else None)
            except ValueError as problem:
                raise self.rows.error(row, f"video {frame.parent.name}: {problem}; the poses would not lie on the people", 0) \
                    from None

    def annotation(self, video):
        """What `labels/VIDEO.mat` holds: frame size (h, w) and, with images, joints (n, 13, 2) in pixels; None for both if it
        cannot be used."""
        try:
            mat = read_mat(Path(self.data_root) / "labels" / f"{video}.mat")
            height, width = mat["dimensions"].ravel()[:2]
            return (int(height), int(width)), np.stack([mat["x"], mat["y"]], -1) if self.images else None
        except (OSError, ValueError, KeyError, AttributeError, OverflowError):
            return None, None

    def _poses_of(self, row, joints):
        """The numbers (from 0) of the annotation's poses (n, 13, 2) that equal the row's source pose.

        Empty if the poses of the list come from elsewhere: then the annotation says nothing about the frames.
        """
        source = self.rows.poses[row, 0]
        if joints is None or joints.shape[1:] != source.shape:
            return np.empty(0, int)
        return np.flatnonzero(np.abs(joints - source).max((1, 2)) < SAME_POSE)

    def _check_frames(self, row, frame, shown, poses):
        """Raise unless the row's source frame shows a pose in `shown`, numbers from 0 of the `poses` annotated ones."""
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
