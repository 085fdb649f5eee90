"""Pose hypotheses: BlazePose's landmarks of one person, from one view of a photo, as Penn Action's joints."""
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from pose.blazepose_networks import BODY, LANDMARK_SIDE
from pose.detector import Person
from pose.plausible import bone_doubts
from pose.regions import Region, region_around
from pose.skeleton import HEAD, HIPS, MIRROR, middle, torso_vector

FACE = [0, 7, 8]             # nose and ears; their mean is the middle of the head
# Penn Action's joints 1 to 12: its left is the person's own right, which has BlazePose's even numbers
PENN = [12, 11, 14, 13, 16, 15, 24, 23, 26, 25, 28, 27]
# BlazePose's landmarks on the other side
MIRRORED = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(at + 1 if at % 2 else at - 1 for at in range(11, BODY)), BODY, BODY + 1]
MIN_VISIBLE = 0.5            # probability
SAME_PERSON = 0.5            # mean distance of the joints, in torso lengths, below which two hypotheses are of the same person
REPEATED = 0.8               # fraction of the joints in the masks of others from which on a hypothesis is none of its own
CROWN = 1.2                  # distance from the hips to the crown, relative to that to the middle of the head


class Hypothesis(NamedTuple):
    """A person's landmarks in a photo."""

    region: Region
    points: np.ndarray       # (35, 2) pixels: the body's landmarks, centre and rim of the body's circle
    visible: np.ndarray      # (33,) probabilities
    presence: float          # probability
    mask: np.ndarray         # (256, 256) logits over the region
    support: float = 1.0     # mean score of the person detector over all views

    @property
    def joints(self):
        """(13, 2) pixels, Penn Action's joints."""
        return np.concatenate([self.points[FACE].mean(0, keepdims=True), self.points[PENN]])

    @property
    def torso(self):
        """Length of the torso in pixels, at least a tenth of the region's side."""
        return max(float(np.linalg.norm(torso_vector(self.joints))), 0.1 * self.region.side)

    @property
    def covered(self):
        """Fraction of the joints that the mask covers."""
        return float(self.holds(self.joints).mean())

    @property
    def quality(self):
        """Confidence in the hypothesis, 0 to 1: by both networks and its mask, half for each bone of implausible length."""
        return self.support * self.presence * self.covered * 0.5 ** len(bone_doubts(self.joints))

    def next_region(self):
        """The region that follows from the landmarks, more accurate than :attr:`region`."""
        return region_around(self.points[BODY], self.points[BODY + 1])

    def distance(self, other):
        """Mean distance of the joints from those of another hypothesis, pixels."""
        return float(np.linalg.norm(self.joints - other.joints, axis=1).mean())

    def same_person(self, other):
        return self.distance(other) < SAME_PERSON * max(self.torso, other.torso)

    def consists_of(self, people):
        """Whether this repeats people already found: their masks hold nearly all joints of this one."""
        held = np.zeros(len(self.joints), bool)
        for other in people:
            held |= other.holds(self.joints)
        return held.mean() >= REPEATED or any(self.same_person(other) for other in people)

    def holds(self, joints):
        """(n,) bool: which points (n, 2), in pixels, lie in the mask."""
        cells = np.floor(self.region.to_region(joints) * LANDMARK_SIDE).astype(int)
        inside = ((cells >= 0) & (cells < LANDMARK_SIDE)).all(1)
        column, row = cells.clip(0, LANDMARK_SIDE - 1).T
        return inside & (self.mask[row, column] > 0)

    def matches(self, joints, visible):
        """Whether this is the person with these joints (13, 2), of which visible (13,) count; sides may be exchanged."""
        counted = visible if visible.any() else ~visible
        distance = min(np.linalg.norm(own - joints, axis=1)[counted].mean() for own in (self.joints, self.joints[list(MIRROR)]))
        return distance < SAME_PERSON * self.torso

    def prominence(self, shape):
        """Area of the mask in a photo of `shape`, weighted by the quality; less for joints outside of the photo."""
        inside = ((self.joints >= 0) & (self.joints < shape[1::-1])).all(1).mean()
        return float((self.mask > 0).mean() * self.region.side ** 2 * inside * self.quality)

    def person(self, shape):
        """The :class:`pose.detector.Person` in a photo of `shape` (h, w, ...); the box encloses joints and mask."""
        joints, (h, w) = self.joints, shape[:2]
        rows, columns = np.nonzero(self.mask > 0)
        corners = (np.stack([columns, rows], 1)[:, None] + ((0, 0), (0, 1), (1, 0), (1, 1))).reshape(-1, 2) / LANDMARK_SIDE
        corners = np.concatenate([joints, self.region.to_photo(corners)])
        box = np.concatenate([corners.min(0), corners.max(0)]).clip(0, (w, h, w, h))
        inside = ((joints >= 0) & (joints < (w, h))).all(1)
        visible = np.concatenate([self.visible[FACE].mean(keepdims=True), self.visible[PENN]]) >= MIN_VISIBLE
        return Person(box, float(self.presence), joints, visible & inside, self.region, expit(self.mask).astype(np.float32))


def region_of(joints):
    """The region of a person with known joints (13, 2): around a circle about the hips that encloses head and feet."""
    centre, up = middle(joints, HIPS), -torso_vector(joints)
    up = up / np.linalg.norm(up) if up.any() else np.array([0.0, -1.0])
    reach = np.linalg.norm(joints - centre, axis=1)
    reach[HEAD] *= CROWN                                        # the joint is the middle of the head
    return region_around(centre, centre + max(1.0, reach.max()) * up)
