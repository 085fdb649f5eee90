"""Lists of keypoints in JSON, whatever skeleton they belong to: `[x, y]`, `[x, y, visible]` or `[x, y, score]` each.

A keypoint is missing if it is null, if x or y is null or NaN, if it is `[0, 0]` or `[-1, -1]`, as many programs write it, or if
its score is below MISSING_SCORE. Only `[0, 0, true]` lies in the corner of the picture.
"""
import json

import numpy as np

from utils.errors import UserError

COORDINATE_LIMIT = 1e6                # pixels; larger numbers are mistakes
MISSING_SCORE, VISIBLE_SCORE = 0.05, 0.3         # below, a keypoint's place means nothing; from here on it is visible
LEAST_THIRD, MOST_THIRD = -1, 2       # COCO's visibility is 0, 1 or 2; scores are about 0 to 1
NOWHERE = ((0, 0), (-1, -1))


def parse_keypoints(content, place, names=None):
    """Read one list of keypoints.

    The third numbers are COCO's visibility if all are whole and one is 2: 2 is visible, 1 is hidden. If all are 0 or 1 (or false
    or true), 1 is visible. Otherwise they are scores.

    Args:
        content: list of K keypoints, parsed JSON.
        place: how messages begin.
        names: K names for messages; None: keypoints have only numbers.
    Returns:
        points (K, 2) float64 pixels, NaN where missing, and visible (K,) bool.
    Raises:
        UserError: something else stands there than keypoints.
    """
    points, thirds = np.full((len(content), 2), np.nan), np.full(len(content), np.nan)
    corner = np.zeros(len(content), bool)                                     # said to be visible in the picture's corner
    for number, point in enumerate(content):
        where = f"{place}: keypoint {number}" if names is None else f"{place}: joint {number} ({names[number]})"
        if point is None:
            continue
        if not isinstance(point, list) or len(point) not in (2, 3):
            raise UserError(f"{where}: expected [x, y], [x, y, visible] or [x, y, score], got {name_value(point)}")
        points[number] = [_coordinate(value, f"{where}: {axis}") for axis, value in zip("xy", point)]
        if len(point) == 3:
            thirds[number], corner[number] = _third(point[2], where), point[2] is True
    told = np.isfinite(thirds)
    flags = np.isin(thirds[told], (-1, 0, 1, 2)).all()
    nowhere = (points[:, None] == NOWHERE).all(-1).any(-1) & ~corner
    unsure = told & (thirds < MISSING_SCORE) if not flags else np.zeros_like(told)
    points[nowhere | unsure | np.isnan(points).any(-1)] = np.nan
    least = VISIBLE_SCORE if not flags else 2 if (thirds[told] == 2).any() else 1
    return points, np.isfinite(points).all(-1) & np.where(told, thirds >= least, True)


def is_number(value):
    """Whether a JSON value can be a coordinate, or null in place of one."""
    return value is None or isinstance(value, (int, float)) and not isinstance(value, bool)


def name_value(value):
    """A short text that names a JSON value in messages."""
    if isinstance(value, (list, dict)):
        return f"a list of {len(value)}" if isinstance(value, list) else "an object {...}"
    text = json.dumps(value)
    return text if len(text) <= 30 else text[:27] + "..."


def _coordinate(value, where):
    """A coordinate as a number, NaN for null."""
    if not is_number(value):
        raise UserError(f"{where} is {name_value(value)}, expected a number of pixels")
    if value is None or value != value:
        return np.nan
    if not abs(value) < COORDINATE_LIMIT:
        raise UserError(f"{where} is {name_value(value)}, which is no coordinate in pixels")
    return value


def _third(value, where):
    """Visibility or score as a number, NaN for null."""
    if isinstance(value, bool):
        return value
    if not is_number(value):
        raise UserError(f"{where}: the third value is {name_value(value)}, expected true or false, 1 or 0, or a score up to 1")
    if value is None or value != value:
        return np.nan
    if not LEAST_THIRD <= value <= MOST_THIRD:
        raise UserError(f"{where}: the third value is {name_value(value)}, which is neither a visibility (0, 1 or 2) nor a score "
                        "(0 to 1)")
    return value
