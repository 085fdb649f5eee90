"""Find an object held in joined hands, a golf club or a baseball bat, and its mask: the masks of detectors lack it.

A held object is a straight ridge of the picture that begins at the hands: its colours differ from those on both of its sides,
over a long way, and more clearly than in any other direction. What is not certain is left out, because a wrong object tears a
piece out of the background.

The search sees a normalised picture around the hands: UNIT pixels are about the length of the person's torso. Directions are
degrees: 0 right, 90 down.
"""
from typing import NamedTuple

import cv2
import numpy as np

from pose.regions import Region, cut, paste
from pose.skeleton import ANKLES, ELBOWS, HIPS, KNEES, WRISTS, torso_vector

UNIT = 64                    # pixels of the normalised picture
SMALLEST_UNIT = 16           # pixels of the photo; nothing is searched on smaller people
BEYOND_WRIST = 0.35          # of the forearm's length: from the wrist to the hand
JOINED = 0.6                 # units between hands that hold something together
STEP, SAME = 2.5, 12         # degrees: between directions, and within which two lines follow the same object
NEAR = 0.35                  # units from the hands within which an object begins
ALONG, BESIDE = 7, 2.5       # pixels: over which colours are averaged along a direction, and from the edge to what is compared
SURROUNDINGS = (25, 15)      # pixels along and across, over which the texture of the surroundings is averaged
PERSON = 0.3                 # a pixel with more than this in the person's mask belongs to the person
LEAD = 1.5                   # ratio of the best score to that of any other direction


class HeldObject(NamedTuple):
    """A kind of held object."""

    directions: tuple        # degrees, from and to
    longest: float           # units from the hands to its end
    widths: tuple            # pixels, odd
    contrast: float          # in CIE Lab, beyond the texture of the surroundings, that a pixel needs
    certain: float           # least score
    head: float              # units: radius of the head at its end; 0 for none


CLUB = HeldObject((0, 360), 2.1, (1, 3), 3.0, 0.65, 0.16)
BAT = HeldObject((195, 345), 1.8, (3, 5, 7), 5.0, 0.75, 0.0)
THINGS = {"club": CLUB, "bat": BAT}
HELD_IN = {"golf_swing": CLUB, "baseball_swing": BAT}        # action -> object
BY_ACTION, OFF = "auto", "off"      # instead of a name in THINGS: the objects of the actions, and none


class Line(NamedTuple):
    """A straight line along an object, in the normalised picture."""

    score: float             # units of line with just enough contrast
    direction: float         # degrees
    start: np.ndarray        # (2,) pixels, at the hands
    end: np.ndarray          # (2,)
    width: int               # pixels


def objects_asked_for(name, actions):
    """The :class:`HeldObject`s to search: `name` is in THINGS, OFF, or BY_ACTION, then `actions` (a, b, ...) count."""
    if name == BY_ACTION:
        asked = {action.strip().replace(" ", "_") for action in actions.split(",")}
        return [kind for action, kind in HELD_IN.items() if action in asked]
    return [] if name == OFF else [THINGS[name]]


def held_mask(photo, mask, joints, kinds):
    """The mask of the object that a person holds.

    Args:
        photo: (h, w, 3) uint8 RGB.
        mask: (h, w) float32, 1 where the person is.
        joints: (13, 2) pixels.
        kinds: each a :class:`HeldObject`; of several that are found, the clearest is taken.
    Returns:
        (h, w) float32, 0 where the person is, or None if nothing is found.
    """
    legs = [joints[end] - joints[start] for start, end in (*zip(HIPS, KNEES), *zip(KNEES, ANKLES))]
    unit = float(np.linalg.norm([torso_vector(joints), *legs], axis=1).max())           # a torso may be foreshortened
    wrists, elbows = joints[list(WRISTS)], joints[list(ELBOWS)]
    hands = wrists + BEYOND_WRIST * (wrists - elbows)
    if not unit >= SMALLEST_UNIT or np.linalg.norm(hands[0] - hands[1]) > JOINED * unit:
        return None
    reach = 1.25 * max((kind.longest for kind in kinds), default=0)                     # units
    region, side = Region(*hands.mean(0), 2 * reach * unit), round(2 * reach * UNIT)
    found = [(line, kind) for kind in kinds if (line := find_line(photo, mask, region, side, kind)) is not None]
    if not found:
        return None
    line, kind = max(found, key=lambda pair: pair[0].score)
    held = paste(object_pixels(cut(photo, region, 2 * side), line, kind), region, photo.shape[:2])
    return np.where(mask > PERSON, 0, held)


def find_line(photo, mask, region, side, kind):
    """The :class:`Line` along an object of a kind in a region, seen as a picture of `side` pixels; None if none is certain."""
    lab = cv2.cvtColor(cut(photo, region, side).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    person = cut((mask > PERSON).astype(np.float32), region, side, cv2.BORDER_CONSTANT)
    inside = cut(np.ones_like(mask), region, side, cv2.BORDER_CONSTANT)
    lines = [line for direction in np.arange(*kind.directions, STEP) for line in _lines(lab, person, inside, direction, kind)]
    best = max(lines, key=lambda line: line.score)
    others = [line.score for line in lines if abs((line.direction - best.direction + 180) % 360 - 180) > SAME]
    ends = np.linalg.norm(best.end - side / 2) < 0.97 * kind.longest * UNIT            # a line of the background goes on
    return best if ends and best.score >= max(kind.certain, LEAD * max(others)) else None


def _lines(lab, person, inside, direction, kind):
    """The best line of each width in one direction from the centre of a picture, which is searched in a rotated strip."""
    near = round(NEAR * UNIT)
    middle = near + SURROUNDINGS[1] + max(kind.widths)                                  # row of the hands
    size, centre = (near + round(kind.longest * UNIT), 2 * middle + 1), (len(lab) - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), direction, 1) + ((0, 0, near - centre), (0, 0, middle - centre))
    colours = cv2.blur(cv2.warpAffine(lab, matrix, size, borderMode=cv2.BORDER_REPLICATE), (ALONG, 1))
    inside = cv2.warpAffine(inside, matrix, size) > 0.99
    person = cv2.dilate(cv2.warpAffine(person, matrix, size), np.ones((3, 3)))
    starts = cv2.dilate(person, np.ones((13, 13))) > 0.5                                # an object begins close to the person
    rows, back = slice(middle - near, middle + near + 1), cv2.invertAffineTransform(matrix)
    for width in kind.widths:
        away = round(width / 2 + BESIDE)
        free = inside & (sum(np.roll(person, shift, 0) for shift in (-away, 0, away)) < 0.5)
        ridge = ridges(colours, width, away)
        gain = ((ridge - 1.5 * cv2.blur(ridge, SURROUNDINGS)) / kind.contrast - 1).clip(-1, 2)
        counts = np.where(free, gain, np.where(inside, -0.05, -1))                      # what the person hides hardly counts
        score, row, first, last = best_run(counts[rows], starts[rows, :2 * near])
        start, end = (back @ (column, rows.start + row, 1) for column in (first, last))
        yield Line(score / UNIT, direction, start, end, width)


def ridges(colours, width, away):
    """How much each pixel of a picture (h, w, 3) differs, in the same way, from those `away` above and below it: (h, w)."""
    centre = cv2.blur(colours, (1, width))
    above, below = centre - np.roll(colours, away, 0), centre - np.roll(colours, -away, 0)
    square = np.minimum.reduce([(above * below).sum(-1), (above ** 2).sum(-1), (below ** 2).sum(-1)])
    return np.sqrt(square.clip(0))


def best_run(counts, starts):
    """The run of pixels in a row of counts (h, w) with the largest sum, that begins where starts (h, s <= w) is True.

    Returns the sum, the row, the first and the last column; the sum is 0 if no run may begin.
    """
    sums = np.pad(np.cumsum(counts, 1), ((0, 0), (1, 0)))                           # (h, w + 1)
    before = np.where(starts, sums[:, :starts.shape[1]], np.inf)                    # sum of what precedes a run
    least = np.pad(np.minimum.accumulate(before, 1), ((0, 0), (0, counts.shape[1] - starts.shape[1])), mode="edge")
    runs = np.where(np.isfinite(least), sums[:, 1:] - least, 0)                     # (h, w)
    row, last = np.unravel_index(runs.argmax(), runs.shape)
    return float(runs[row, last]), int(row), int(before[row, :last + 1].argmin()), int(last)


def object_pixels(picture, line, kind):
    """Segment an object by GrabCut in a band around its line: a soft mask (h, w) float32.

    `picture` (h, w, 3) uint8 is the normalised picture at twice its resolution.
    """
    hand = line.start - 6 * (line.end - line.start) / max(1, np.linalg.norm(line.end - line.start))      # the person may hide it
    hand, start, end = (np.rint(2 * point + 0.5).astype(int).tolist() for point in (hand, line.start, line.end))
    labels, band = np.full(picture.shape[:2], cv2.GC_BGD, np.uint8), np.zeros(picture.shape[:2], np.uint8)
    cv2.line(band, hand, end, 1, 60)
    if kind.head:
        cv2.circle(band, end, round(4 * kind.head * UNIT), 1, -1)
        cv2.circle(labels, end, round(2 * kind.head * UNIT), cv2.GC_PR_BGD, -1)
    cv2.line(labels, hand, end, cv2.GC_PR_FGD, 4 * max(kind.widths))
    cv2.line(labels, start, end, cv2.GC_FGD, line.width)
    x, y, w, h = cv2.boundingRect(band)
    part = np.ascontiguousarray(labels[y:y + h, x:x + w])
    cv2.grabCut(np.ascontiguousarray(picture[y:y + h, x:x + w]), part, None, np.zeros((1, 65)), np.zeros((1, 65)), 3,
                cv2.GC_INIT_WITH_MASK)
    found = np.zeros(picture.shape[:2], np.float32)
    found[y:y + h, x:x + w] = part % 2
    return cv2.GaussianBlur(cv2.dilate(found, np.ones((3, 3))), (0, 0), 1)
