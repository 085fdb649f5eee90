"""Fill holes of a mask where the pose has the body: clothes of the background's colour, a paint program's slip.

A hole between an arm and the torso, which shows the background, stays.
"""
import cv2
import numpy as np

from pose.masks import LARGEST_SIDE
from pose.skeleton import HIPS, LIMBS, SHOULDERS

WIDTH = 0.25                 # of a limb, in lengths of the torso
INSIDE = 0.5                 # share of a hole that must lie in the body


def fill_holes(mask, joints):
    """Fill the holes of a mask that lie in the body.

    Args:
        mask: (h, w) float32 in [0, 1].
        joints: (13, 2) pixels.
    Returns:
        the mask, and the number of holes that were filled; without any it is the given array itself.
    """
    h, w = mask.shape
    ratio = min(1.0, LARGEST_SIDE / max(h, w))
    size = max(1, round(w * ratio)), max(1, round(h * ratio))
    small = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    number, parts, stats, _ = cv2.connectedComponentsWithStats((small <= 0.5).astype(np.uint8), connectivity=4)
    body, filled = body_picture(joints * ratio, small.shape), np.zeros(small.shape, np.uint8)
    holes = 0
    for part in range(1, number):
        x, y, width, height, area = stats[part]
        enclosed = x > 0 and y > 0 and x + width < size[0] and y + height < size[1]
        if enclosed and (parts == part)[body].sum() > INSIDE * area:
            filled[parts == part], holes = 1, holes + 1
    if not holes:
        return mask, 0
    grown = cv2.dilate(filled, np.ones((3, 3), np.uint8)).astype(np.float32)                # over the soft edges of holes
    return np.maximum(mask, cv2.resize(grown, (w, h), interpolation=cv2.INTER_LINEAR)), holes


def body_picture(joints, size):
    """Where a pose has the body: (h, w) bool, its torso and thick limbs; joints (13, 2) in pixels of this picture."""
    picture = np.zeros(size, np.uint8)
    points = np.rint(np.asarray(joints).clip(-1e4, 2e4)).astype(np.int32)                   # cv2's numbers would overflow
    torso = points[[SHOULDERS[0], SHOULDERS[1], HIPS[1], HIPS[0]]]
    length = np.linalg.norm(np.diff([torso[:2].mean(0), torso[2:].mean(0)], axis=0))
    for start, end in LIMBS:
        cv2.line(picture, points[start].tolist(), points[end].tolist(), 1, max(1, round(WIDTH * float(length))))
    return cv2.fillConvexPoly(picture, cv2.convexHull(torso), 1).astype(bool)
