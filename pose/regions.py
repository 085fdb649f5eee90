"""Rotated square regions of a photo: cut out as small pictures, and pasted back.

Coordinates are continuous pixels: the first pixel spans 0 to 1, its centre is 0.5.
"""
from typing import NamedTuple

import cv2
import numpy as np


class Region(NamedTuple):
    """A square of a photo, rotated about its centre."""

    x: float                 # centre, pixels of the photo
    y: float
    side: float              # pixels of the photo
    angle: float = 0.0       # radians, clockwise in the picture; 0 is upright

    def matrix(self):
        """(2, 3) affine map from the region, [0, 1] x [0, 1] with (0, 0) its upper left corner, to pixels of the photo."""
        turn = self.side * np.array([[np.cos(self.angle), -np.sin(self.angle)], [np.sin(self.angle), np.cos(self.angle)]])
        return np.column_stack([turn, (self.x, self.y) - turn @ (0.5, 0.5)])

    def to_photo(self, points):
        """Map points (..., 2) of the region to pixels of the photo."""
        matrix = self.matrix()
        return points @ matrix[:, :2].T + matrix[:, 2]

    def to_region(self, points):
        """Map pixels of the photo (..., 2) to points of the region."""
        matrix = self.matrix()
        return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def region_around(centre, rim, growth=1.25):
    """The region around a circle that encloses a person, `growth` times as wide.

    `centre` (2,) is the middle of the hips, `rim` (2,) the point of the circle above the head of a standing person, in pixels.
    """
    dx, dy = np.subtract(rim, centre)
    return Region(float(centre[0]), float(centre[1]), float(2 * growth * np.hypot(dx, dy)), float(np.arctan2(dx, -dy)))


def pixel_map(matrix):
    """An affine map (2, 3) between continuous pixels as OpenCV expects it: it counts from the centre of the first pixel."""
    return np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ (0.5, 0.5) - 0.5])


def cut(photo, region, size, border=cv2.BORDER_REPLICATE):
    """Cut a region out of a photo (h, w, ...): (size, size, ...).

    Outside of the photo is its repeated border, or black for cv2.BORDER_CONSTANT.
    """
    region = region._replace(side=max(1.0, region.side))
    matrix = region.matrix()
    step = int(region.side / size)
    if step > 1:                                                     # average areas first: warpAffine would skip pixels
        h, w = (max(1, side // step) for side in photo.shape[:2])
        photo = cv2.resize(photo[:h * step, :w * step], (w, h), interpolation=cv2.INTER_AREA)
        matrix /= step
    matrix[:, :2] /= size
    return cv2.warpAffine(photo, pixel_map(matrix), (size, size), None, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, border)


def paste(values, region, size):
    """Paste values (n, n) float32 of a region into a picture of `size` (h, w): (h, w) float32, 0 outside the region."""
    matrix = region.matrix()
    matrix[:, :2] /= len(values)
    return cv2.warpAffine(values, pixel_map(matrix), size[::-1], flags=cv2.INTER_LINEAR)
