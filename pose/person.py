"""Somebody whom a detector found in a picture."""
from typing import NamedTuple

import numpy as np

from pose.regions import Region, paste


class Person(NamedTuple):
    """Somebody in a picture; pixels of the picture, joints in Penn Action's order and with its sides."""

    box: np.ndarray                      # (4,) float64 x1, y1, x2, y2
    score: float                         # 0..1
    joints: np.ndarray                   # (13, 2) float64
    visible: np.ndarray                  # (13,) bool
    region: Region | None = None         # around the person, where the detector finds masks
    soft: np.ndarray | None = None       # (n, n) float32 over the region: probability that a pixel is the person's

    @property
    def size(self):
        """Area of the box, pixels squared."""
        return float(np.prod(self.box[2:] - self.box[:2]))

    def mask(self, shape):
        """The person's soft mask in a picture of this shape, (h, w) float32 in [0, 1]; made on demand, because it is large."""
        return paste(self.soft, self.region, (0, 0, shape[1], shape[0]))
