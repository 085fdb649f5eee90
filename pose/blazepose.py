"""People in photos and videos by BlazePose: joints and masks, from weights that come with a Python package.

A photo is looked at several times, whole and with a margin, plain, mirrored and turned, because the detector misses people who
fill the picture or turn their back. If nobody is found, parts of the photo and a brightened photo follow. In a video a person is
followed from frame to frame, and the detector runs only when somebody is lost.
"""
from typing import NamedTuple

import cv2
import numpy as np

from pose.blazepose_networks import BODY, DETECTED, LANDMARKED, LandmarkNetwork, PersonDetector, sigmoid
from pose.blazepose_weights import read_weights
from pose.person import Person
from pose.regions import Region, around, cut

HEAD = [0, 7, 8]             # nose and ears; their mean is the middle of the head
# Penn Action's joints 1 to 12: its left is the person's own right, which has BlazePose's even numbers
PENN = [12, 11, 14, 13, 16, 15, 24, 23, 26, 25, 28, 27]
MIRRORED = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(at + 1 if at % 2 else at - 1 for at in range(11, BODY)), BODY, BODY + 1]
CANDIDATE, MIN_SCORE = 0.3, 0.5          # score that a look needs, and that all looks at a person need together
MIN_PRESENCE, MIN_VISIBLE = 0.5, 0.5
MIN_COVERED, WELL_COVERED = 0.3, 0.8     # shares of the joints that the person's own mask must cover, and covers if all is well
SAME_CENTRE, SAME_SIZE = 0.4, 1.6        # detections of one person: distance in radii, ratio of the radii
SAME_POSE = 0.5              # two finds are the same person below this mean distance of the joints, in torso lengths
AGREE = 0.15                 # plain and mirrored region agree below this mean distance of the joints, in torso lengths
MOST_PEOPLE = 12             # whose landmarks are looked for
SMALL, MOST_CLOSER = 0.35, 4             # regions of this share of the photo's longer side get a second pass, at most so many
BRIGHTEST, DARK = 99, 128                # percentile of a photo's values that is called its brightest, and when that is dark
FOLLOWED = 2                 # people followed in a video
LOOK_EACH, LOST_LOOK_EACH = 15, 3        # frames of a video after which the detector looks for newcomers, and for the lost


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
        return np.concatenate([self.points[HEAD].mean(0, keepdims=True), self.points[PENN]])

    @property
    def shown(self):
        """(13,) probabilities that the joints are visible."""
        return np.concatenate([self.visible[HEAD].mean(keepdims=True), self.visible[PENN]])

    @property
    def covered(self):
        """Share of the joints that the mask covers."""
        cells = np.floor(self.region.to_region(self.joints) * LANDMARKED).astype(int)
        inside = ((cells >= 0) & (cells < LANDMARKED)).all(1)
        return float((self.mask[tuple(cells[inside].T[::-1])] > 0).sum() / len(cells))


class BlazePose:
    """Finds people with BlazePose.

    Args:
        weights: a wheel of mediapipe or a folder with the two networks' files, or None for those in the user's cache, downloaded
            once.
        threads: of the processor, for each network.
        ways_out: what to do without weights, for messages.
    Raises:
        UserError: the weights cannot be had or are something else, or LiteRT is not installed.
    """

    def __init__(self, weights=None, threads=1, ways_out=None):
        detector, landmarks = read_weights(weights, *(() if ways_out is None else (ways_out,)))
        self.detector, self.landmarks = PersonDetector(detector, threads), LandmarkNetwork(landmarks, threads)

    def detect(self, photo):
        """The people in a photo (h, w, 3) uint8 RGB: a list of :class:`pose.person.Person`, the most prominent first.

        Prominent is who covers a large part of the photo and is found in most of the looks at it. A person lying or upside down
        is found like others; in a dark photo or if people are small, it takes longer.
        """
        h, w = photo.shape[:2]
        photo, everything = lit(photo), Region(w / 2, h / 2, max(h, w))
        for picture, looks in ((photo, views(everything)), (photo, parts(h, w)), (None, views(everything))):
            picture = with_contrast(photo) if picture is None else picture
            sights = self.look(picture, looks)
            if sights:
                return [as_person(sight, (h, w)) for sight in self._closer(picture, sights)]
        return []

    def _closer(self, photo, sights):
        """A second pass over the surroundings of people who are small in the photo; the most prominent first."""
        if sights[0].region.side > SMALL * max(photo.shape[:2]):
            return sights
        again = []
        for sight in sights[:MOST_CLOSER]:
            again += self.look(photo, views(sight.region._replace(angle=0.0)), known=again)
        return sorted(again, key=lambda sight: -prominence(sight, photo.shape)) or sights

    def tracker(self):
        """A :class:`Tracker` for the frames of one video."""
        return Tracker(self)

    def look(self, photo, looks, known=()):
        """People in a photo.

        Args:
            photo: (h, w, 3) uint8 RGB.
            looks: (region, mirrored) of the parts of it that the detector sees.
            known: sights of people who are left out.
        Returns:
            list of :class:`Sight`, the most prominent first.
        """
        found = [detection for region, mirrored in looks for detection in self._detections(photo, region, mirrored)]
        people = []
        for circle, score in grouped(found)[:MOST_PEOPLE]:
            if any(same_circle(circle, sight.points[BODY:]) for sight in known):
                continue
            sight = self.settle(photo, around(*circle))
            if sight is not None and not any(same_pose(sight, other) for other in (*people, *known)):
                people.append(sight._replace(support=min(1.0, score / len(looks))))
        return sorted(people, key=lambda sight: -prominence(sight, photo.shape))

    def _detections(self, photo, region, mirrored):
        """(middle of the hips and point on the circle (2, 2), score) of the people in a region."""
        picture = cut(photo, region, DETECTED, cv2.BORDER_CONSTANT)
        points, scores = self.detector(picture[:, ::-1] if mirrored else picture, CANDIDATE)
        points = points[:, :2]
        if mirrored:
            points = points * (-1, 1) + (1, 0)
        return [(region.to_photo(circle), score) for circle, score in zip(points, scores)]

    def see(self, photo, region, mirrored=False):
        """The :class:`Sight` of the person in a region."""
        picture = cut(photo, region, LANDMARKED)
        seen = self.landmarks(picture[:, ::-1] if mirrored else picture)
        if not mirrored:
            return Sight(region, region.to_photo(seen.points), seen.visible, seen.presence, seen.mask)
        points = seen.points[MIRRORED] * (-1, 1) + (1, 0)
        return Sight(region, region.to_photo(points), seen.visible[MIRRORED[:BODY]], seen.presence, seen.mask[:, ::-1])

    def settle(self, photo, region):
        """The :class:`Sight` of the person around a detection, or None if there is nobody.

        The region is found again from the first landmarks, as in a video.
        """
        return self.follow(photo, following(self.see(photo, region)))

    def follow(self, photo, region, thorough=True):
        """The :class:`Sight` of the person in a region that landmarks gave, or None if there is nobody.

        Without `thorough`, one run of the network is enough where it is sure.

        The plain and the mirrored region must agree, and their mean is taken; or else six views of the region vote: the pose that
        is nearest to the others, and covered by its mask, wins. In side views, this settles which leg is the left one.
        """
        plain = self.see(photo, region)
        if not thorough and plain.presence >= MIN_PRESENCE and plain.covered >= WELL_COVERED:
            return plain
        mirrored = self.see(photo, region, mirrored=True)
        if min(plain.presence, mirrored.presence) >= MIN_PRESENCE and distance(plain, mirrored) < AGREE * torso(plain):
            sight = plain._replace(points=(plain.points + mirrored.points) / 2, mask=(plain.mask + mirrored.mask) / 2,
                                   visible=(plain.visible + mirrored.visible) / 2)
        else:
            turned = [region._replace(angle=region.angle + turn, side=region.side * 1.05) for turn in (-0.2, 0.2)]
            views = [plain, mirrored] + [self.see(photo, other, flip) for other in turned for flip in (False, True)]
            views = [view for view in views if view.presence >= MIN_PRESENCE]
            if not views:
                return None
            sight = min(views, key=lambda view: np.median([distance(view, other) for other in views]) / max(view.covered, 0.1))
        return sight if sight.covered >= MIN_COVERED else None


class Tracker:
    """Follows the people of one video from frame to frame.

    Each person's next region follows from the last landmarks. The most prominent person's is seen plain and mirrored, which makes
    the joints less noisy. The detector looks at the first frame, when somebody is lost, and every LOOK_EACH frames for newcomers.
    """

    def __init__(self, blazepose):
        self.blazepose, self.sights, self.most, self.frames = blazepose, [], 0, LOOK_EACH

    def detect(self, picture):
        """The people in the next frame (h, w, 3) uint8 RGB: a list of :class:`pose.person.Person`, the most prominent first."""
        shape, sights = picture.shape[:2], []
        for number, last in enumerate(self.sights):
            sight = self.blazepose.follow(picture, following(last), thorough=number == 0)
            if sight is not None and not any(same_pose(sight, other) for other in sights):
                sights.append(sight._replace(support=last.support))
        self.frames += 1
        if self.frames >= (LOST_LOOK_EACH if len(sights) < max(1, self.most) else LOOK_EACH):
            sights += self.blazepose.look(picture, views(Region(shape[1] / 2, shape[0] / 2, max(shape))), known=sights)
            self.frames, self.most = 0, min(FOLLOWED, len(sights))
        self.sights = sorted(sights[:FOLLOWED], key=lambda sight: -prominence(sight, shape))
        return [as_person(sight, shape) for sight in self.sights]


def views(region):
    """(region, mirrored) of the looks at a region: close and wide, plain and mirrored, and turned to both sides."""
    return [(region._replace(side=region.side * growth, angle=region.angle + angle), mirrored) for growth, angle, mirrored in (
        (1.0, 0.0, False), (1.0, 0.0, True), (1.5, 0.0, False), (1.5, 0.0, True), (1.2, -0.6, False), (1.2, 0.6, False))]


def parts(h, w):
    """(region, mirrored) of the looks at parts of a photo and at the photo turned about, for people small or upside down."""
    side = max(h, w)
    turned = [(Region(w / 2, h / 2, 1.2 * side, turn * np.pi / 2), False) for turn in (1, 2, 3)]
    return turned + [(Region(x, y, side * size), False) for size in (0.6, 0.35, 0.2)
                     for x in spread(w, side * size) for y in spread(h, side * size)]


def spread(length, side):
    """Middles of squares of this side that cover a length and overlap by a third or more."""
    number = max(1, int(np.ceil((length - side) / (0.67 * side))) + 1)
    return np.linspace(side / 2, length - side / 2, number) if number > 1 else np.array([length / 2])


def lit(photo):
    """A photo whose brightest parts are bright: a dark one is stretched, (h, w, 3) uint8."""
    brightest = float(np.percentile(photo[::max(1, photo.shape[0] // 256), ::max(1, photo.shape[1] // 256)], BRIGHTEST))
    return photo if brightest >= DARK else cv2.convertScaleAbs(photo, alpha=255 / max(brightest, 8.0))


def with_contrast(photo):
    """A photo with its contrast raised part by part (CLAHE), (h, w, 3) uint8."""
    lightness, *colour = cv2.split(cv2.cvtColor(photo, cv2.COLOR_RGB2LAB))
    lightness = cv2.createCLAHE(8.0, (8, 8)).apply(lightness)
    return cv2.cvtColor(cv2.merge([lightness, *colour]), cv2.COLOR_LAB2RGB)


def grouped(found):
    """Detections of the same person in several looks, brought together.

    Args:
        found: (circle (2, 2), score): middle of the hips and a point on the circle around the body, pixels.
    Returns:
        (mean circle, sum of the scores) of those with MIN_SCORE or more, the highest sum first.
    """
    groups = []
    for circle, score in sorted(found, key=lambda pair: -pair[1]):
        for group in groups:
            if same_circle(circle, group[0][0]):
                group.append((circle, score))
                break
        else:
            groups.append([(circle, score)])
    means = [(np.average([circle for circle, _ in group], axis=0, weights=[score for _, score in group]),
              sum(score for _, score in group)) for group in groups]
    return sorted((pair for pair in means if pair[1] >= MIN_SCORE), key=lambda pair: -pair[1])


def same_circle(one, other):
    """Whether two circles, (2, 2) centre and rim each, are around the same body."""
    radii = sorted(np.linalg.norm(circle[1] - circle[0]) for circle in (one, other))
    return np.linalg.norm(one[0] - other[0]) < SAME_CENTRE * radii[0] and radii[1] < SAME_SIZE * radii[0]


def following(sight):
    """The region that follows from the landmarks found in the last one."""
    return around(sight.points[BODY], sight.points[BODY + 1])


def distance(one, other):
    """Mean distance of the joints of two sights, pixels."""
    return float(np.linalg.norm(one.joints - other.joints, axis=1).mean())


def torso(sight):
    """Length from the middle of the shoulders to the middle of the hips, pixels; at least one tenth of the region."""
    joints = sight.joints
    return max(float(np.linalg.norm(joints[1:3].mean(0) - joints[7:9].mean(0))), 0.1 * sight.region.side)


def same_pose(one, other):
    """Whether two sights are of the same person."""
    return distance(one, other) < SAME_POSE * max(torso(one), torso(other))


def prominence(sight, shape):
    """Pixels of the photo that the mask covers, less for joints outside of the photo or of the mask and for doubts."""
    inside = ((sight.joints >= 0) & (sight.joints < shape[1::-1])).all(1).mean()
    return float((sight.mask > 0).mean() * sight.region.side ** 2 * inside * sight.covered * sight.support)


def as_person(sight, shape):
    """A :class:`Sight` as :class:`pose.person.Person` of a photo of shape (h, w); the box is that of joints and mask."""
    joints, (h, w) = sight.joints, shape
    rows, columns = (np.flatnonzero((sight.mask > 0).any(axis)) for axis in (1, 0))
    corners = joints
    if len(rows):
        y1, y2, x1, x2 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        corners = sight.region.to_photo(np.array([[x1, y1], [x2, y1], [x1, y2], [x2, y2]]) / LANDMARKED)
        if abs(sight.region.angle) > 0.3:                            # the turned box is too large
            corners = joints
        corners = np.concatenate([corners, joints])
    box = np.concatenate([corners.min(0), corners.max(0)]).clip(0, (w, h, w, h))
    inside = ((joints >= 0) & (joints < (w, h))).all(1)
    return Person(box, float(sight.presence), joints, (sight.shown >= MIN_VISIBLE) & inside, sight.region,
                  sigmoid(sight.mask).astype(np.float32))
