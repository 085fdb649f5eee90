"""The pixels of what a person holds, added to the person's mask.

The line that :mod:`pose.held_things` finds is followed where it bends a little, and at each of its pixels the thing is as wide as
colours are nearer to those in its middle than to those beside it. A golf club's head is what differs from the surroundings of the
line's end.
"""
import cv2
import numpy as np
import scipy

from pose.held_things import BESIDE, PERSON, REACH, UNIT, cut, find_held, of_centres, person_unit, ridges, strip_matrix

SCALE = 2                    # pixels of the strip for one at UNIT, an even number
BEND = 3                     # pixels at UNIT by which a thing may leave its line
EDGE = 1.5                   # pixels of the photo around it that are part background, and must not stay where it was
SMOOTH = 0.3                 # units along, over which the width is the median
DIFFERENT = (12.0, 5.0)      # a head differs from its surroundings by so much in CIE Lab, and by so many of their deviations
RING = 2.2                   # outer radius of a head's surroundings, in radii of the head
FULLEST = 0.5                # of the disc that a head may fill; more is background


def held_mask(photo, mask, joints, things):
    """The mask of what a person holds.

    Args:
        photo: (h, w, 3) uint8 RGB.
        mask: (h, w) float32, 1 where the person is.
        joints: (13, 2) pixels.
        things: kinds of :class:`pose.held_things.Thing` that are looked for; of several that are found, the clearest is taken.
    Returns:
        (h, w) float32, 0 where the person is, or None if nothing is found.
    """
    found = [(line, thing) for thing in things if (line := find_held(photo, mask, joints, thing)) is not None]
    if not found:
        return None
    line, thing = max(found, key=lambda pair: pair[0].score)
    return np.where(mask > PERSON, 0, line_mask(photo, mask, line, thing, person_unit(joints)))


def line_mask(photo, mask, line, thing, unit):
    """The mask (h, w) float32 of a thing along a :class:`pose.held_things.Line`; `unit` is the person's, pixels."""
    scale, reach = SCALE * UNIT / unit, SCALE * REACH
    middle = round(SCALE * UNIT * max(RING * thing.head, thing.thickest) + SCALE * (BEND + BESIDE)) + 1
    length = round(scale * float(np.linalg.norm(line.end - line.start)))
    beyond = round(SCALE * UNIT * (RING + 1) * thing.head) + SCALE
    matrix = strip_matrix(line.start, line.direction, scale, (reach, middle + 0.5))
    size = reach + length + beyond, 2 * middle + 1
    smooth = cv2.GaussianBlur(photo, (0, 0), 0.4 / scale) if scale < 1 else photo
    lab = cv2.cvtColor(cut(smooth, matrix, size, cv2.BORDER_REPLICATE).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    person = cut(mask, matrix, size) > PERSON
    strip = shaft(lab[:, :reach + length], line, thing, middle, max(1.0, EDGE * scale))
    strip = np.pad(strip, ((0, 0), (0, beyond)))
    if thing.head:
        rows = np.flatnonzero(strip[:, reach + length - 1] > 0.5)
        strip = np.maximum(strip, head(lab, strip, person, (reach + length, rows.mean() if len(rows) else middle),
                                       SCALE * UNIT * thing.head))
    return cv2.warpAffine(strip, of_centres(matrix), photo.shape[1::-1], flags=cv2.INTER_LINEAR).clip(0, 1)


def shaft(lab, line, thing, middle, edge):
    """The soft mask (h, w) of the thing itself in a strip (h, w, 3) whose row `middle` is the line; `edge` pixels fade out."""
    smooth = cv2.blur(lab, (4 * SCALE + 1, 1))
    width = SCALE * line.width - 1                                              # odd
    away = round(width / 2 + SCALE * BESIDE)
    path = middle - SCALE * BEND + smooth_path(ridges(smooth, width, away)[middle - SCALE * BEND:middle + SCALE * BEND + 1])
    columns = np.arange(lab.shape[1])
    most = max(1, round(SCALE * UNIT * thing.thickest / 2))
    own, halves = smooth[path, columns], []                                                 # (w, 3)
    for side in (-1, 1):
        other = smooth[(path + side * away).clip(0, len(lab) - 1), columns]
        across = smooth[(path + side * np.arange(1, most + 1)[:, None]).clip(0, len(lab) - 1), columns]          # (most, w, 3)
        likeness = ((across - other) * (own - other)).sum(-1) / ((own - other) ** 2).sum(-1).clip(1e-3)
        half = np.cumprod(likeness > 0.5, 0).sum(0)                                         # (w,) pixels
        halves.append(scipy.ndimage.median_filter(half, round(SMOOTH * SCALE * UNIT), mode="nearest") + 0.5)
    rows = np.arange(len(lab))[:, None] - path
    return ((np.where(rows < 0, halves[0], halves[1]) - np.abs(rows)) / edge + 1).clip(0, 1).astype(np.float32)


def smooth_path(ridge):
    """The rows (w,) of the path through a picture (h, w), from its left to its right, along which the sum is largest.

    From a column to the next it changes its row by at most one, which costs something.
    """
    cost = 0.5 * float(ridge.mean()) + 1e-6
    total, came = ridge[:, 0], np.zeros(ridge.shape, int)
    for column in range(1, ridge.shape[1]):
        padded = np.pad(total, 1, constant_values=-np.inf)
        ways = np.stack([padded[1:-1], padded[:-2] - cost, padded[2:] - cost])
        came[:, column] = np.array([0, -1, 1])[ways.argmax(0)]
        total = ways.max(0) + ridge[:, column]
    rows = [int(total.argmax())]
    for column in range(ridge.shape[1] - 1, 0, -1):
        rows.append(rows[-1] + came[rows[-1], column])
    return np.array(rows[::-1])


def head(lab, strip, person, end, radius):
    """The mask (h, w) of what differs from its surroundings at the end (x, y) of a thing, or zeros if that is not clear."""
    y, x = np.indices(strip.shape)
    far = np.hypot(x - end[0], y - end[1])
    ring = lab[(far > radius) & (far < RING * radius) & (strip < 0.1) & ~person]
    inside = far <= radius
    if len(ring) < inside.sum():
        return np.zeros_like(strip)
    middle = np.median(ring, 0)
    deviation = 1.48 * np.median(np.abs(ring - middle), 0)
    apart = lab - middle
    differs = (np.linalg.norm(apart, axis=-1) > DIFFERENT[0]) & (np.abs(apart) > DIFFERENT[1] * deviation).any(-1)
    _, labels = cv2.connectedComponents(((differs & inside) | ((strip > 0.5) & inside)).astype(np.uint8))
    touched = np.unique(labels[(strip > 0.5) & inside & (labels > 0)])
    found = np.isin(labels, touched) & inside & (strip < 0.5) & ~person
    if not touched.size or found.sum() > FULLEST * inside.sum():
        return np.zeros_like(strip)
    return cv2.GaussianBlur(found.astype(np.float32), (0, 0), 0.5 * SCALE)
