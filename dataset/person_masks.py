"""Masks of the people in the frames of a list: mask files, or the surroundings of the pose where a frame has none."""
import warnings
from pathlib import Path

import numpy as np
import torch

from dataset.frame_cache import FrameCache
from dataset.penn_layout import frame_mask
from networks.background import pose_mask
from pose.masks import fault_of, load_mask
from utils.transform import letterboxed


class PersonMasks:
    """The part of :class:`dataset.image_loader2.PennActionPairs` that reads masks of people."""

    mask_cache, warned = None, False

    def find_masks(self):
        """Look for the mask files. Sets `masked`, whether there are any, and `unmasked`, the list's frames that have none."""
        places = {path: (row, frame) for row, paths in enumerate(self.rows.frames) for frame, path in enumerate(paths)}
        self.unmasked = {path for path, place in places.items() if not self.mask_path(*place).is_file()}
        self.masked = len(self.unmasked) < len(places)
        if self.unmasked and self.masked:
            first = self.mask_path(*places[min(self.unmasked)])
            warnings.warn(f"{self.rows.path}: {len(self.unmasked)} of {len(places)} frames have no mask, such as {first}; the "
                          "surroundings of the pose take its place", stacklevel=4)

    def mask_path(self, row, frame):
        """The mask file of a frame."""
        return frame_mask(Path(self.frame_path(row, frame)))

    def person_masks(self, row, frames):
        """Masks of the person in some frames (0 = source) of a row: (len(frames), 1, S, S) float32 in [0, 1]."""
        masks = (np.stack([self._prepare_mask(row, frame) for frame in frames]) if self.mask_cache is None else
                 self.mask_cache[self.cached[row, frames]])                                          # (frames, S, S, 1) uint8
        masks = torch.from_numpy(masks).movedim(-1, 1).float() / 255
        empty = ~masks.flatten(1).any(1)
        if empty.any():
            masks[empty] = pose_mask(self.poses[row, frames][empty], masks[empty])
        return masks

    def use_mask_cache(self, folder, places, crops):
        """Read masks from a :class:`dataset.frame_cache.FrameCache` in `folder`; `places` are (row, frame) of its pictures."""
        files = [None if self.rows.frames[row][frame] in self.unmasked else self.mask_path(row, frame) for row, frame in places]
        self.mask_cache = FrameCache(folder, files, crops, self.imsize, lambda number: self._prepare_mask(*places[number]), 1)

    def _prepare_mask(self, row, frame):
        """Decode and letterbox the mask of a frame: (S, S, 1) uint8, all 0 if there is no usable one."""
        if self.rows.frames[row][frame] in self.unmasked:
            return np.zeros((self.imsize, self.imsize, 1), np.uint8)
        path = self.mask_path(row, frame)
        mask = load_mask(path, self.image_size[row])
        if fault := fault_of(mask):
            if not self.warned:
                warnings.warn(f"{path}: this mask {fault}; the surroundings of the pose take its place", stacklevel=2)
            self.warned, mask = True, np.zeros_like(mask)
        return letterboxed(np.rint(mask * 255).astype(np.uint8)[..., None], self.crop[row], self.imsize)
