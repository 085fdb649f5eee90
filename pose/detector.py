"""What every detector of people is, and what it finds."""
from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from pose.regions import Region, paste
from utils.errors import UserError


class DetectorError(UserError):
    """A detector cannot be set up; the message says why and how to give it weights. Commands add other ways out."""


class Person(NamedTuple):
    """A person in a picture. Coordinates are pixels of the picture; joints as in :mod:`pose.skeleton`."""

    box: np.ndarray                    # (4,) float64 x1, y1, x2, y2
    score: float                       # 0..1, how sure the detector is
    joints: np.ndarray                 # (13, 2) float64
    visible: np.ndarray                # (13,) bool
    region: Region | None = None       # around the person; None if the detector finds no masks
    soft: np.ndarray | None = None     # (n, n) float32 over the region: probability that a pixel is the person's

    @property
    def size(self):
        """Area of the box in square pixels."""
        return float(np.prod(self.box[2:] - self.box[:2]))

    def mask(self, size):
        """The person's soft mask (h, w) float32 in [0, 1] in a picture of this size, or None without one.

        It is made on demand, because it is large. :func:`pose.masks.mask_of` makes its edges follow the picture.
        """
        return None if self.soft is None else paste(self.soft, self.region, (0, 0, size[1], size[0]))


class Detector(ABC):
    """Finds the people in pictures. To add one, write a subclass and register it in :mod:`pose`.

    Args of every subclass:
        weights: path of its weights, or None for those that it finds or downloads by itself.
        device: on which it runs, as torch names it.
        min_score: score that a person needs; None for the detector's own `min_score`.
    Raises:
        DetectorError: it cannot be set up.
    """

    min_score: float                   # least score of a person, unless the user gives another
    default_weights: str               # what records call the weights that it uses if none are given
    finds_masks = False                # whether the people it finds have masks

    @abstractmethod
    def detect(self, picture):
        """The people in a picture (h, w, 3) uint8 RGB of any size: a list of :class:`Person`, the most prominent first.

        As a rule the most prominent person is the largest.
        """

    def find_again(self, picture, joints, visible):
        """The person whose joints (13, 2) and visible (13,) are known, with a mask; None if nobody is seen there.

        Detectors without masks have nothing to add.
        """
        return None

    @classmethod
    def at_hand(cls, weights=None):
        """Whether it can be set up with these weights without a download."""
        return weights is not None

    def tracker(self):
        """A detector for the frames of one video, in their order. One that cannot follow people sees each frame alone: itself."""
        return self


def by_size(people):
    """People as a list, the largest first."""
    return sorted(people, key=lambda person: -person.size)
