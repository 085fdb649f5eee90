"""Colours, drawing and the camera of the synthetic data set.

Colours are BGR, positions are in pixels, and sizes in body heights unless something else is said. Functions draw on a canvas
(h, w, 3) uint8; points (..., 2) are in its pixels.
"""
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

SHIFT = 4                                             # fractional bits of cv2's drawing coordinates


def bgr(*codes):
    """Hex colours "rrggbb" -> (n, 3) float BGR."""
    return np.array([[int(code[i:i + 2], 16) for i in (4, 2, 0)] for code in codes], dtype=float)


WOOD, STEEL, IRON, LEATHER, WHITE = bgr("c8965a", "9aa4ae", "30343c", "8b5a2b", "ffffff")
RIM_SHADE = 0.72                                      # brightness of the outline of shapes


def pick(colours, rng):
    return colours[rng.integers(len(colours))]


TURN = np.linspace(0, 2 * np.pi, 20, endpoint=False)
CIRCLE = np.stack([np.cos(TURN), np.sin(TURN)], -1)


def fixed(points):
    return np.round(np.asarray(points) * 2 ** SHIFT).astype(np.int32)


def polygon(canvas, points, colour):
    cv2.fillPoly(canvas, [fixed(points)], tuple(map(float, colour)), cv2.LINE_AA, SHIFT)


def box(canvas, x, y, width, height, colour):
    polygon(canvas, [(x, y), (x + width, y), (x + width, y + height), (x, y + height)], colour)


def hulls(canvas, shapes, colour, rim=0.0):
    """Fill convex hulls of discs, each a list of (centre (2,), radius), with a darker outline around all of them together."""
    for grow, shade in ((rim, RIM_SHADE), (0, 1)) if rim else ((0, 1),):
        for discs in shapes:
            points = np.concatenate([centre + (radius + grow) * CIRCLE for centre, radius in discs])
            polygon(canvas, cv2.convexHull(points.astype(np.float32))[:, 0], colour * shade)


def hull(canvas, discs, colour, rim=0.0):
    hulls(canvas, [discs], colour, rim)


def soften(canvas, sigma):
    canvas[:] = cv2.GaussianBlur(canvas, (0, 0), sigma)


def fade(canvas, colours, top, bottom):
    """Fill rows top..bottom with a gradient between two colours (2, 3)."""
    weight = np.linspace(0, 1, bottom - top)[:, None, None]
    canvas[top:bottom] = (colours[0] * (1 - weight) + colours[1] * weight).clip(0, 255)


def shadow(canvas, centre, radii, strength):
    """A soft dark ellipse."""
    (x, y), (rx, ry) = centre, radii
    x0, x1 = max(0, int(x - rx)), min(canvas.shape[1], int(x + rx) + 1)
    y0, y1 = max(0, int(y - ry)), min(canvas.shape[0], int(y + ry) + 1)
    if x0 < x1 and y0 < y1:
        far = ((np.arange(x0, x1) - x) / rx) ** 2 + (((np.arange(y0, y1) - y) / ry) ** 2)[:, None]
        light = (1 - strength * np.maximum(1 - far, 0) ** 2).astype(np.float32)
        canvas[y0:y1, x0:x1] = canvas[y0:y1, x0:x1] * light[..., None]


@dataclass
class Camera:
    """An orthographic camera."""

    axes: np.ndarray                   # (3, 3) rows: right, down, towards the viewer
    scale: float                       # pixels per body height
    origin: np.ndarray                 # (2,) pixels

    @classmethod
    def fit(cls, points, yaw, size, rng):
        """A camera for which points (n, 3) fill most of a frame of `size` (w, h), with the scene turned by `yaw` degrees."""
        yaw, pitch = np.radians(yaw), np.radians(rng.uniform(6, 11))
        near = np.array([-np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        right = np.array([np.cos(yaw), 0, np.sin(yaw)])
        axes = np.stack([right, np.cross(right, near), near])
        flat = points @ axes[:2].T
        low, high = flat.min(0) - (0.1, 0.13), flat.max(0) + (0.1, 0.12)
        scale = np.min(np.array(size) / (high - low)) * rng.uniform(0.86, 0.98)
        spare = np.array(size) - scale * (high - low)
        return cls(axes, scale, spare * rng.uniform((0.3, 0.45), (0.7, 0.8)) - scale * low)

    def project(self, points):
        """(..., 3) in body heights -> (..., 2) pixels and (...) depths in body heights, larger means nearer."""
        seen = points @ self.axes.T
        return seen[..., :2] * self.scale + self.origin, seen[..., 2]

    def down(self, amount):
        """A shift by `amount` body heights in the picture."""
        return np.array((0, amount * self.scale))

    @property
    def rim(self):
        """Width of outlines in pixels."""
        return 0.006 * self.scale

    def solid(self, discs, colour):
        """A function of a canvas that draws an outlined hull of discs, each (centre in pixels, radius in body heights)."""
        return partial(hull, discs=[(centre, radius * self.scale) for centre, radius in discs], colour=colour, rim=self.rim)
