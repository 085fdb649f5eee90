"""Find what joined hands hold, a golf club or a baseball bat: the masks of detectors lack it.

A held thing is a straight ridge of the picture that begins at the hands: its colours differ from those on both of its sides, over
a long way, and more clearly than in any other direction from the hands. What is not certain is left out, because a wrong addition
tears a piece out of the background. :mod:`pose.held_masks` finds the pixels.

Lengths are in units of the person, about the torso's length. Directions are degrees in the picture: 0 right, 90 down.
"""
from typing import NamedTuple

import cv2
import numpy as np

from pose.skeleton import ANKLES, ELBOWS, HIPS, KNEES, WRISTS, torso

UNIT = 64                    # pixels of a unit in the pictures that are searched
SMALLEST_UNIT = 16           # pixels of the photo; on smaller people nothing is looked for
BEYOND_WRIST = 0.35          # of the forearm's length: there the hand is
JOINED = 0.6                 # units; hands that are farther apart hold nothing together
ALONG = 7                    # pixels, over which colours are averaged along a direction
BESIDE = 2.5                 # pixels from the edge of the thing to where the picture beside it is looked at
SURROUNDINGS = (25, 15)      # pixels along and across, over which the ridges of the surroundings are averaged
MOST = 2.0                   # a pixel counts at most as many times one that has just enough contrast
HIDDEN = -0.05               # what a pixel counts that the person hides
REACH = 6                    # pixels; so near to the person a thing begins
ENDS = 0.97                  # of the longest thing; what reaches farther does not end there
SAME = 12                    # degrees; lines whose directions differ by less are the same thing
PERSON = 0.3                 # of a soft mask: where it is more, a pixel is the person's


class Thing(NamedTuple):
    """A kind of held thing."""

    directions: tuple        # degrees, from and to
    step: float              # degrees from one direction to the next
    longest: float           # units from the hands to its end
    near: float              # units; so far from the middle of the hands it may pass and begin
    widths: tuple            # pixels at UNIT, odd
    thickest: float          # units, across
    contrast: float          # in CIE Lab, beyond the texture of the surroundings, that a pixel needs
    texture: float           # the mean ridge of the surroundings is subtracted so many times
    certain: float           # units of line with just enough contrast that a thing needs
    lead: float              # it must surpass every other direction so many times
    head: float              # units, radius of what is at its end; 0: nothing


CLUB = Thing((0, 360), 2.5, 2.1, 0.3, (1, 3), 0.06, 3.0, 1.5, 0.65, 1.8, 0.16)
BAT = Thing((195, 345), 3.0, 1.8, 0.45, (3, 5, 7), 0.17, 5.0, 1.0, 0.75, 1.5, 0.0)
THINGS = {"club": CLUB, "bat": BAT}
HELD_IN = {"golf_swing": CLUB, "baseball_swing": BAT}        # what somebody holds who does an action
BY_ACTION, OFF = "auto", "off"      # instead of a name in THINGS: what the actions hold, and nothing


class Line(NamedTuple):
    """A straight line along a thing."""

    score: float             # units of line with just enough contrast
    direction: float         # degrees
    start: np.ndarray        # (2,) pixels of the photo, at the hands
    end: np.ndarray          # (2,)
    width: int               # pixels at UNIT


def things_asked_for(name, actions):
    """The kinds of things to look for, a list of :class:`Thing`.

    Args:
        name: in THINGS, BY_ACTION or OFF.
        actions: names of actions with commas between them, which count with BY_ACTION.
    """
    if name == BY_ACTION:
        asked = {action.strip().replace(" ", "_") for action in actions.split(",")}
        return [thing for action, thing in HELD_IN.items() if action in asked]
    return [] if name == OFF else [THINGS[name]]


def find_held(photo, mask, joints, thing):
    """The line along what a person holds.

    Args:
        photo: (h, w, 3) uint8 RGB.
        mask: (h, w) float32, 1 where the person is.
        joints: (13, 2) pixels.
        thing: :class:`Thing`.
    Returns:
        :class:`Line`, or None if there is none that is certain.
    """
    unit, hands = person_unit(joints), hand_points(joints)
    if not unit >= SMALLEST_UNIT or np.linalg.norm(hands[0] - hands[1]) > JOINED * unit:
        return None
    best, *others = candidates(photo, mask, joints, thing)
    ends = np.linalg.norm(best.end - hands.mean(0)) < ENDS * thing.longest * unit            # a line of the background goes on
    clear = best.score >= thing.certain and all(best.score >= thing.lead * other.score for other in others)
    return best if ends and clear else None


def person_unit(joints):
    """The unit of length of a pose (13, 2), pixels: the torso, or a thigh or shin that appears longer."""
    legs = [joints[end] - joints[start] for start, end in (*zip(HIPS, KNEES), *zip(KNEES, ANKLES))]
    return float(np.linalg.norm([torso(joints), *legs], axis=1).max())


def hand_points(joints):
    """Where the two hands of a pose (13, 2) are: (2, 2)."""
    wrists, elbows = joints[list(WRISTS)], joints[list(ELBOWS)]
    return wrists + BEYOND_WRIST * (wrists - elbows)


def candidates(photo, mask, joints, thing, number=2):
    """The `number` best lines of different directions, the best first. Args as :func:`find_held`."""
    hands, scale = hand_points(joints).mean(0), UNIT / person_unit(joints)
    lab, person = lab_around(photo, hands, thing.longest * UNIT / scale), (mask > PERSON).astype(np.float32)
    if scale < 1:
        lab = cv2.GaussianBlur(lab, (0, 0), 0.4 / scale)
    lines = [line for direction in np.arange(*thing.directions, thing.step)
             for line in Strip(hands, direction, scale, thing).lines(lab, person)]
    chosen = []
    for line in sorted(lines, key=lambda line: -line.score):
        if all(abs((line.direction - other.direction + 180) % 360 - 180) > SAME for other in chosen):
            chosen.append(line)
    return chosen[:number]


def lab_around(photo, point, reach):
    """A photo (h, w, 3) uint8 in CIE Lab, float32, computed only near a point, or else zeros: all is as large as the photo."""
    x1, y1 = np.floor(point - 1.5 * reach).astype(int).clip(0)
    x2, y2 = np.ceil(point + 1.5 * reach).astype(int).clip(0)
    lab = np.zeros(photo.shape, np.float32)
    if (part := photo[y1:y2, x1:x2]).size:
        lab[y1:y2, x1:x2] = cv2.cvtColor(part.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab


class Strip:
    """A turned and scaled strip of a photo: one direction from the hands is to the right.

    Args:
        hands: (2,) pixels of the photo.
        direction: degrees.
        scale: pixels of the strip for each of the photo.
        thing: :class:`Thing`.
    """

    def __init__(self, hands, direction, scale, thing):
        self.direction, self.thing, self.near = direction, thing, round(thing.near * UNIT)
        self.middle = self.near + SURROUNDINGS[1] + max(thing.widths)                    # row of the hands
        self.size = self.near + round(thing.longest * UNIT), 2 * self.middle + 1
        self.matrix = strip_matrix(hands, direction, scale, (self.near, self.middle + 0.5))

    def lines(self, lab, person):
        """The best line of each width."""
        colours = cv2.blur(cut(lab, self.matrix, self.size, cv2.BORDER_REPLICATE), (ALONG, 1))
        inside = cut(np.ones_like(person), self.matrix, self.size) > 0.99
        person = cv2.dilate(cut(person, self.matrix, self.size), np.ones((3, 3)))
        starts = cv2.dilate(person, np.ones((2 * REACH + 1, 2 * REACH + 1))) > 0.5
        rows, lines = slice(self.middle - self.near, self.middle + self.near + 1), []
        for width in self.thing.widths:
            away = round(width / 2 + BESIDE)
            free = inside & (sum(np.roll(person, shift, 0) for shift in (-away, 0, away)) < 0.5)
            ridge = ridges(colours, width, away)
            gain = (ridge - self.thing.texture * cv2.blur(ridge, SURROUNDINGS)) / self.thing.contrast - 1
            counts = np.where(free, gain.clip(-1, MOST), np.where(inside, HIDDEN, -1))
            score, row, first, last = best_run(counts[rows], starts[rows, :2 * self.near])
            ends = np.array([[first, rows.start + row + 0.5], [last + 1, rows.start + row + 0.5]])
            lines.append(Line(score / UNIT, self.direction, *(ends @ self.matrix[:, :2].T + self.matrix[:, 2]), width))
        return lines


def strip_matrix(point, direction, scale, place):
    """(2, 3) affine map, in continuous pixels, from a strip that shows `point` at `place` to the photo."""
    angle = np.deg2rad(direction)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    return np.column_stack([turn, point - turn @ place])


def of_centres(matrix):
    """A (2, 3) affine map between continuous pixels as OpenCV needs it, which counts from the centre of the first pixel."""
    return np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ (0.5, 0.5) - 0.5])


def cut(picture, matrix, size, border=cv2.BORDER_CONSTANT):
    """A picture of the photo's size as a strip of `size` (w, h) shows it."""
    return cv2.warpAffine(picture, of_centres(matrix), size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border)


def ridges(colours, width, away):
    """How much each pixel of a picture (h, w, 3) differs, in the same way, from those `away` above and below it: (h, w).

    Of bands that are wider than a pixel, half of their own unevenness is subtracted.
    """
    centre, side = (cv2.blur(colours, (1, width)), cv2.blur(colours, (1, 3))) if width > 1 else (colours, colours)
    above, below = centre - np.roll(side, away, 0), centre - np.roll(side, -away, 0)
    square = np.minimum.reduce([(above * below).sum(-1), (above ** 2).sum(-1), (below ** 2).sum(-1)])
    uneven = np.sqrt((cv2.blur(colours ** 2, (1, width)) - centre ** 2).clip(0).sum(-1)) if width > 1 else 0
    return (np.sqrt(square.clip(0)) - 0.5 * uneven).clip(0)


def best_run(counts, starts):
    """The run of pixels in a row whose sum is largest.

    Args:
        counts: (h, w).
        starts: (h, s) bool, where a run may begin; s <= w.
    Returns:
        the sum, the row, the first and the last column; the sum is 0 if no run may begin.
    """
    sums = np.pad(np.cumsum(counts, 1), ((0, 0), (1, 0)))                           # (h, w + 1)
    before = np.where(starts, sums[:, :starts.shape[1]], np.inf)                    # sum of what lies before a run
    least = np.pad(np.minimum.accumulate(before, 1), ((0, 0), (0, counts.shape[1] - starts.shape[1])), mode="edge")
    runs = np.where(np.isfinite(least), sums[:, 1:] - least, 0)                     # (h, w)
    row, last = np.unravel_index(runs.argmax(), runs.shape)
    return float(runs[row, last]), int(row), int(before[row, :last + 1].argmin()), int(last)
