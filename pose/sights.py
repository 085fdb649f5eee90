"""Somebody seen in a region of a photo: BlazePose's landmarks as Penn Action's joints, and what can be told from them."""
from typing import NamedTuple

import numpy as np

from pose.blazepose_networks import BODY, LANDMARKED, sigmoid
from pose.detector import Person
from pose.regions import Region, around
from pose.skeleton import HEAD, HIPS, MIRROR, middle, torso

FACE = [0, 7, 8]             # nose and ears; their mean is the middle of the head
# Penn Action's joints 1 to 12: its left is the person's own right, which has BlazePose's even numbers
PENN = [12, 11, 14, 13, 16, 15, 24, 23, 26, 25, 28, 27]
MIN_VISIBLE = 0.5            # probability
SAME_POSE = 0.5              # two sights are of the same person below this mean distance of the joints, in torso lengths
CROWN = 1.2                  # distance of the crown from the hips against that of the middle of the head


class Sight(NamedTuple):
    """A person's landmarks in a photo."""

    region: Region
    points: np.ndarray       # (35, 2) pixels: the body's landmarks, the middle of the hips, a point on the body's circle
    visible: np.ndarray      # (33,) probabilities
    presence: float          # probability
    mask: np.ndarray         # (256, 256) logits over the region
    support: float = 1.0     # score of the detector, over all looks

    @property
    def joints(self):
        """(13, 2) pixels, Penn Action's joints."""
        return np.concatenate([self.points[FACE].mean(0, keepdims=True), self.points[PENN]])

    @property
    def shown(self):
        """(13,) probabilities that the joints are visible."""
        return np.concatenate([self.visible[FACE].mean(keepdims=True), self.visible[PENN]])

    @property
    def covered(self):
        """Share of the joints that the mask covers."""
        cells = np.floor(self.region.to_region(self.joints) * LANDMARKED).astype(int)
        inside = ((cells >= 0) & (cells < LANDMARKED)).all(1)
        return float((self.mask[tuple(cells[inside].T[::-1])] > 0).sum() / len(cells))


def following(sight):
    """The region that follows from the landmarks found in the last one."""
    return around(sight.points[BODY], sight.points[BODY + 1])


def distance(one, other):
    """Mean distance of the joints of two sights, pixels."""
    return float(np.linalg.norm(one.joints - other.joints, axis=1).mean())


def torso_length(sight):
    """Length from the middle of the shoulders to the middle of the hips, pixels; at least one tenth of the region."""
    return max(float(np.linalg.norm(torso(sight.joints))), 0.1 * sight.region.side)


def same_pose(one, other):
    """Whether two sights are of the same person."""
    return distance(one, other) < SAME_POSE * max(torso_length(one), torso_length(other))


def region_of(joints):
    """The region of a person whose joints (13, 2) are known: a circle around the middle of the hips that holds head and feet."""
    centre, up = middle(joints, HIPS), -torso(joints)
    length = np.linalg.norm(up)
    up = up / length if length > 0 else np.array([0.0, -1.0])
    reach = np.linalg.norm(joints - centre, axis=1)
    reach[HEAD] *= CROWN                                        # the joint is the middle of the head
    return around(centre, centre + max(1.0, reach.max()) * up)


def has_joints(sight, joints, visible):
    """Whether a sight is of the person with these joints (13, 2), of which visible (13,) count; sides may be exchanged."""
    counted = visible if visible.any() else ~visible
    shift = min(np.linalg.norm(found - joints, axis=1)[counted].mean() for found in (sight.joints, sight.joints[list(MIRROR)]))
    return shift < SAME_POSE * torso_length(sight)


def prominence(sight, shape):
    """Pixels of the photo that the mask covers, less for joints outside of the photo or of the mask and for doubts."""
    inside = ((sight.joints >= 0) & (sight.joints < shape[1::-1])).all(1).mean()
    return float((sight.mask > 0).mean() * sight.region.side ** 2 * inside * sight.covered * sight.support)


def outline(mask):
    """Points (n, 2) around a mask (h, w) bool, in its pixels: the outer corners of the first and last pixel of each row."""
    rows = np.flatnonzero(mask.any(1))
    first, last = mask[rows].argmax(1), mask.shape[1] - mask[rows, ::-1].argmax(1)
    return np.stack([np.concatenate([first, last, first, last]), np.concatenate([rows, rows, rows + 1, rows + 1])], 1)


def as_person(sight, shape):
    """A :class:`Sight` as :class:`pose.detector.Person` of a photo of shape (h, w); the box is that of joints and mask."""
    joints, (h, w) = sight.joints, shape
    corners = np.concatenate([joints, sight.region.to_photo(outline(sight.mask > 0) / LANDMARKED)])
    box = np.concatenate([corners.min(0), corners.max(0)]).clip(0, (w, h, w, h))
    inside = ((joints >= 0) & (joints < (w, h))).all(1)
    return Person(box, float(sight.presence), joints, (sight.shown >= MIN_VISIBLE) & inside, sight.region,
                  sigmoid(sight.mask).astype(np.float32))
