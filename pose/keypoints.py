"""Lists of keypoints in JSON, of any skeleton: each is `[x, y]`, `[x, y, visible]` or `[x, y, score]`.

A keypoint is missing if it is null, if x or y is null or NaN, if it is `[0, 0]` or `[-1, -1]`, as many programs write it, or if
its score is below MISSING_SCORE. Only `[0, 0, true]` lies in the corner of the picture.
"""
import json

import numpy as np

from utils.errors import UserError

COORDINATE_LIMIT = 1e6                # pixels; larger numbers are mistakes
MISSING_SCORE, VISIBLE_SCORE = 0.05, 0.3         # below the first a keypoint is missing, from the second on visible


def parse_keypoints(content, place, names=None):
    """Parse one list of keypoints.

    If all third values are whole, they are visibilities: 0 or 1 (or booleans), or COCO's 0, 1 (hidden) and 2 (visible).
    Otherwise they are scores.

    Args:
        content: list of K keypoints, parsed JSON.
        place, names: start of error messages, and K names for them or None.
    Returns:
        points (K, 2) float64 pixels, NaN where missing, and visible (K,) bool.
    Raises:
        UserError: an entry is not a keypoint.
    """
    points, thirds = np.full((len(content), 2), np.nan), np.full(len(content), np.nan)
    corner = np.zeros(len(content), bool)                                     # explicitly visible in the picture's corner
    for number, point in enumerate(content):
        where = f"{place}: keypoint {number}" if names is None else f"{place}: joint {number} ({names[number]})"
        if point is None:
            continue
        if not isinstance(point, list) or len(point) not in (2, 3):
            raise UserError(f"{where}: expected [x, y], [x, y, visible] or [x, y, score], got {name_value(point)}")
        for axis, value in enumerate(point[:2]):
            if not is_number(value) or isinstance(value, (int, float)) and abs(value) >= COORDINATE_LIMIT:
                raise UserError(f"{where}: {'xy'[axis]} is {name_value(value)}, expected a number of pixels")
            points[number, axis] = np.nan if value is None else value
        if len(point) == 3:
            third, corner[number] = point[2], point[2] is True
            if not is_number(third) and not isinstance(third, bool) or third is not None and (third < -1 or third > 2):
                raise UserError(f"{where}: the third value is {name_value(third)}, expected a visibility (true, false, 0, 1 or 2)"
                                " or a score (0 to 1)")
            thirds[number] = np.nan if third is None else third
    given = np.isfinite(thirds)
    scores = not np.isin(thirds[given], (-1, 0, 1, 2)).all()
    nowhere = (points == 0).all(-1) & ~corner | (points == -1).all(-1)
    points[nowhere | scores & given & (thirds < MISSING_SCORE) | np.isnan(points).any(-1)] = np.nan
    least = VISIBLE_SCORE if scores else 2 if (thirds[given] == 2).any() else 1
    return points, np.isfinite(points).all(-1) & np.where(given, thirds >= least, True)


def is_number(value):
    """Whether a JSON value is a coordinate, or null in place of one."""
    return value is None or isinstance(value, (int, float)) and not isinstance(value, bool)


def name_value(value):
    """A short description of a JSON value, for messages."""
    if isinstance(value, (list, dict)):
        return f"a list of {len(value)}" if isinstance(value, list) else "an object {...}"
    text = json.dumps(value)
    return text if len(text) <= 30 else text[:27] + "..."
