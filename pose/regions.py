"""Turned square regions of a photo: cut out as small pictures, and brought back to the photo's pixels.

Coordinates are continuous pixels: the first pixel reaches from 0 to 1, its centre is 0.5.
"""
from typing import NamedTuple

import cv2
import numpy as np


class Region(NamedTuple):
    """A square of a photo, turned about its centre."""

    x: float                 # centre, pixels of the photo
    y: float
    side: float              # pixels of the photo
    angle: float = 0.0       # radians, clockwise in the picture; 0 is upright

    def matrix(self):
        """(2, 3) affine map from the region, [0, 1] x [0, 1] with (0, 0) its upper left corner, to the photo's pixels."""
        turn = self.side * np.array([[np.cos(self.angle), -np.sin(self.angle)], [np.sin(self.angle), np.cos(self.angle)]])
        return np.column_stack([turn, (self.x, self.y) - turn @ (0.5, 0.5)])

    def to_photo(self, points):
        """Points (..., 2) of the region, in [0, 1], -> pixels of the photo."""
        matrix = self.matrix()
        return points @ matrix[:, :2].T + matrix[:, 2]

    def to_region(self, points):
        """Pixels of the photo (..., 2) -> points of the region, in [0, 1] inside it."""
        matrix = self.matrix()
        return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T

    def box(self):
        """(4,) x1, y1, x2, y2: the upright box around the region."""
        corners = self.to_photo(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64))
        return np.concatenate([corners.min(0), corners.max(0)])


def around(centre, rim, growth=1.25):
    """The region around a circle that a person fits into.

    Args:
        centre: (2,) middle of the hips, pixels.
        rim: (2,) a point on the circle, above the person's head when he stands.
        growth: the region's side in diameters of the circle.
    """
    dx, dy = np.subtract(rim, centre)
    return Region(float(centre[0]), float(centre[1]), float(2 * growth * np.hypot(dx, dy)), float(np.arctan2(dx, -dy)))


def cut(photo, region, size, border=cv2.BORDER_REPLICATE):
    """A region of a photo as a picture; what lies outside the photo repeats its border, or is black.

    Large regions are made smaller by area averages first, so that no detail is skipped and little memory is needed.

    Args:
        photo: (h, w, 3) uint8.
        region: :class:`Region`; a side below one pixel counts as one.
        size: side of the picture, pixels.
        border: of OpenCV, e.g. cv2.BORDER_CONSTANT for black.
    Returns:
        (size, size, 3) uint8.
    """
    region = region._replace(side=max(1.0, region.side))
    matrix = region.matrix()
    step = int(region.side / size)
    if step > 1:
        photo, corner = _shrunk(photo, region.box(), step)
        matrix[:, 2] -= corner
        matrix /= step
    to_pixels = np.array([[1 / size, 0, 0.5 / size], [0, 1 / size, 0.5 / size], [0, 0, 1]])
    matrix = matrix @ to_pixels
    matrix[:, 2] -= 0.5                                              # OpenCV counts from the centre of the first pixel
    return cv2.warpAffine(photo, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border)


def _shrunk(photo, box, step):
    """The part of a photo in a box, made smaller by a whole number; and its upper left corner in the photo."""
    h, w = photo.shape[:2]
    x1, y1 = (int(np.clip(low // step * step - 2 * step, 0, max(0, side - step))) for low, side in zip(box[:2], (w, h)))
    x2, y2 = (int(np.clip(high // step * step + 3 * step, low + 1, side)) for high, low, side in zip(box[2:], (x1, y1), (w, h)))
    part = photo[y1:y2, x1:x2]
    part = part[:max(1, part.shape[0] // step * step), :max(1, part.shape[1] // step * step)]
    size = max(1, part.shape[1] // step), max(1, part.shape[0] // step)
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA), (x1, y1)


def paste(values, region, box):
    """Values of a region as the photo sees them, inside a box of the photo; 0 outside the region.

    Args:
        values: (n, n) float32 over the region.
        region: :class:`Region`.
        box: x1, y1, x2, y2, whole pixels of the photo.
    Returns:
        (y2 - y1, x2 - x1) float32.
    """
    x1, y1, x2, y2 = box
    size = len(values)
    photo_to_region = np.linalg.inv(np.vstack([region.matrix(), (0, 0, 1)]))
    pixel_to_photo = np.array([[1, 0, x1 + 0.5], [0, 1, y1 + 0.5], [0, 0, 1]])
    matrix = (size * photo_to_region @ pixel_to_photo)[:2]
    matrix[:, 2] -= 0.5
    return cv2.warpAffine(values, matrix, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_CONSTANT, borderValue=0)
