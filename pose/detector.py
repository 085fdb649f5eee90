"""The interface of person detectors, and what they find."""
from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from pose.regions import Region, paste
from utils.errors import UserError


class DetectorError(UserError):
    """A detector cannot be set up; the message says why and how to provide its weights."""


class Person(NamedTuple):
    """A person in a picture. Coordinates are pixels of the picture; joints as in :mod:`pose.skeleton`."""

    box: np.ndarray                    # (4,) float64 x1, y1, x2, y2
    score: float                       # 0..1, confidence of the detector
    joints: np.ndarray                 # (13, 2) float64
    visible: np.ndarray                # (13,) bool
    region: Region | None = None       # around the person; None if the detector finds no masks
    soft: np.ndarray | None = None     # (n, n) float32 over the region: probability that a pixel belongs to the person

    @property
    def size(self):
        """Area of the box in square pixels."""
        return float(np.prod(self.box[2:] - self.box[:2]))

    def mask(self, size):
        """The soft mask (h, w) float32 in a picture of `size` (h, w), or None. :func:`pose.masks.mask_of` refines its edges."""
        return None if self.soft is None else paste(self.soft, self.region, size)


class Detector(ABC):
    """Finds the people in pictures. To add one, write a subclass and register it in :mod:`pose`.

    Every subclass takes `weights` (a path, or None for those that it downloads itself), `device` (of torch) and `min_score`
    (None for its own), and raises :class:`DetectorError` if it cannot be set up.
    """

    min_score: float                   # least score of a person, unless the user gives another
    default_weights: str               # name of the default weights in records
    finds_masks = False                # whether people come with masks

    @abstractmethod
    def detect(self, picture):
        """Find the people in a picture (h, w, 3) uint8 RGB of any size: a list of :class:`Person`, the most prominent first."""

    def find_again(self, picture, joints, visible):
        """Find the person with known joints (13, 2) and visible (13,), with a mask; None if there is none, or no mask."""
        return None

    @classmethod
    def at_hand(cls, weights=None):
        """Whether it can be set up with these weights without a download."""
        return weights is not None

    def tracker(self):
        """A detector for the successive frames of one video; by default this one, which sees each frame on its own."""
        return self
