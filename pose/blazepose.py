"""People in photos and videos by BlazePose: joints and masks, with weights from a Python package.

The detector sees several views of a photo (test-time augmentation), because it misses people who fill the picture or turn their
back. If it finds nobody, views of parts of the photo follow. In a video a person is followed from frame to frame, and the
detector runs only now and then, or when nobody is left.
"""
from importlib.util import find_spec

import cv2
import numpy as np

from pose.blazepose_networks import BODY, DETECTOR_SIDE, LANDMARK_SIDE, LandmarkNetwork, PersonDetector
from pose.blazepose_weights import WHEEL, is_cached, read_weights
from pose.detector import Detector, DetectorError
from pose.hypotheses import MIRRORED, Hypothesis, region_of
from pose.regions import Region, cut, region_around
from utils.transform import limited

CANDIDATE, MIN_SCORE = 0.3, 0.55     # score of a detection in one view, and in the best view of a person, above rocks and cups
SAME_CENTRE, SAME_SIZE = 0.4, 1.6    # detections of one person: distance of centres in radii, ratio of radii
MIN_COVERED = 0.3            # fraction of the joints that the person's own mask must cover
AGREE = 0.15                 # mean distance of the joints, in torso lengths, below which plain and mirrored view agree
MOST_PEOPLE, FOLLOWED = 12, 2            # people in a photo; people followed in a video
DARK = 128                   # the 99th percentile of a dark photo's values lies below
BRIGHTNESS_SIDE = 256        # pixels; the brightness is measured at this size
SEARCH_EVERY = 15            # frames of a video after which the detector searches for newcomers


def views(region):
    """(region, mirrored) of a region's views: close and wide, plain and mirrored, and rotated to both sides."""
    return [(region._replace(side=region.side * growth, angle=region.angle + angle), mirrored) for growth, angle, mirrored in (
        (1.0, 0.0, False), (1.0, 0.0, True), (1.5, 0.0, False), (1.5, 0.0, True), (1.2, -0.6, False), (1.2, 0.6, False))]


def part_views(h, w):
    """(region, mirrored) of a photo rotated by quarter turns, and of its parts, which overlap: for small or inverted people."""
    side = max(h, w)
    rotated = [(Region(w / 2, h / 2, 1.2 * side, turn * np.pi / 2), False) for turn in (1, 2, 3)]
    return rotated + [(Region(x, y, side * size), False) for size in (0.6, 0.35, 0.2)
                      for x in _centres(w, side * size) for y in _centres(h, side * size)]


def _centres(length, side):
    """Centres of squares of this side that cover a length and overlap by a third or more."""
    number = max(1, int(np.ceil((length - side) / (0.67 * side))) + 1)
    return np.linspace(side / 2, length - side / 2, number) if number > 1 else np.array([length / 2])


def brightened(photo):
    """A dark photo (h, w, 3) uint8 stretched so that its brightest parts are white, any other photo as it is."""
    brightest = float(np.percentile(limited(photo, BRIGHTNESS_SIDE), 99))
    return photo if brightest >= DARK else cv2.convertScaleAbs(photo, alpha=255 / max(brightest, 8.0))


def group_detections(detections):
    """Merge the detections (view, circle (2, 2), score) of the same person by several anchors and in several views.

    A circle is its centre and a point on its rim, in pixels. Returns (mean circle, sum of the views' best scores) of each person
    whom one view found with MIN_SCORE or more, the highest sum first.
    """
    groups = []
    for view, circle, score in sorted(detections, key=lambda detection: -detection[2]):
        group = next((group for group in groups if _same_circle(circle, group[0][1])), None)
        if group is not None:
            group.append((view, circle, score))
        elif score >= MIN_SCORE:
            groups.append([(view, circle, score)])
    means = [(np.average([circle for _, circle, _ in group], axis=0, weights=[score for *_, score in group]),
              sum({view: score for view, _, score in group[::-1]}.values())) for group in groups]
    return sorted(means, key=lambda pair: -pair[1])


def _same_circle(one, other):
    small, large = sorted(np.linalg.norm(circle[1] - circle[0]) for circle in (one, other))
    return np.linalg.norm(one[0] - other[0]) < SAME_CENTRE * small and large < SAME_SIZE * small


class BlazePose(Detector):
    """Finds people with BlazePose.

    Args:
        weights: see :func:`pose.blazepose_weights.read_weights`.
        device: ignored; LiteRT runs on the CPU.
        min_score: probability that a person is in a region; None for `min_score` of the class.
    """

    min_score = 0.5
    default_weights = WHEEL
    finds_masks = True

    def __init__(self, weights=None, device="cpu", min_score=None):
        detector, landmarks = read_weights(weights)
        self.min_score = self.min_score if min_score is None else min_score
        try:
            self.detector, self.landmarks = PersonDetector(detector), LandmarkNetwork(landmarks)
        except ImportError as error:
            raise DetectorError(f"BlazePose needs LiteRT, which is not installed ({error}): pip install ai-edge-litert; if it is "
                                "not available, take --detector keypoint_rcnn") from None

    @classmethod
    def at_hand(cls, weights=None):
        return find_spec("ai_edge_litert") is not None and (weights is not None or is_cached())

    def detect(self, photo):
        """Find people; the most prominent person covers a large part of the photo and is found in most views."""
        h, w = photo.shape[:2]
        photo = brightened(photo)
        found = self.search(photo, views(Region(w / 2, h / 2, max(h, w)))) or self.search(photo, part_views(h, w))
        return [hypothesis.person(photo.shape) for hypothesis in found]

    def find_again(self, picture, joints, visible):
        found = self.locate(brightened(picture), region_of(joints))
        return found.person(picture.shape) if found is not None and found.matches(joints, visible) else None

    def tracker(self):
        return Tracker(self)

    def search(self, photo, seen):
        """The hypotheses of the people in views (region, mirrored) of a photo, the most prominent first."""
        detections = [(number, *found) for number, view in enumerate(seen) for found in self._detections(photo, *view)]
        found = [hypothesis._replace(support=min(1.0, score / len(seen)))
                 for circle, score in group_detections(detections)[:MOST_PEOPLE]
                 if (hypothesis := self.locate(photo, region_around(*circle))) is not None]
        people = []
        for hypothesis in sorted(found, key=lambda one: -one.quality):
            people += [] if hypothesis.consists_of(people) else [hypothesis]
        return sorted(people, key=lambda person: -person.prominence(photo.shape))

    def _detections(self, photo, region, mirrored):
        """(circle (2, 2) in pixels, score) of the people in a view."""
        picture = cut(photo, region, DETECTOR_SIDE, cv2.BORDER_CONSTANT)
        circles, scores = self.detector(picture[:, ::-1] if mirrored else picture, CANDIDATE)
        circles = circles * (-1, 1) + (1, 0) if mirrored else circles
        return [(region.to_photo(circle), score) for circle, score in zip(circles, scores)]

    def see(self, photo, region, mirrored=False):
        """The :class:`pose.hypotheses.Hypothesis` from one view of a region."""
        picture = cut(photo, region, LANDMARK_SIDE)
        seen = self.landmarks(picture[:, ::-1] if mirrored else picture)
        if mirrored:
            seen = seen._replace(points=seen.points[MIRRORED] * (-1, 1) + (1, 0), visible=seen.visible[MIRRORED[:BODY]],
                                 mask=seen.mask[:, ::-1])
        return Hypothesis(region, region.to_photo(seen.points), seen.visible, seen.presence, seen.mask)

    def locate(self, photo, region):
        """The hypothesis of the person in a region, or None; the landmarks of a first view give a more accurate region.

        A first view without a person, for example between two people, would lead to the limbs of several.
        """
        first = self.see(photo, region)
        return self.follow(photo, first.next_region()) if first.presence >= self.min_score else None

    def follow(self, photo, region, last=None):
        """The hypothesis of the person in a region that landmarks gave, or None if nobody is there.

        If the plain and the mirrored view agree, it is their mean. If they do not (in side views often about which leg is the
        left one), it is the one nearest to the pose of the last frame `last`; without that, the medoid of six views.
        """
        found = self._present(photo, [(region, False), (region, True)])
        if len(found) == 2 and found[0].distance(found[1]) < AGREE * found[0].torso:
            mean = {name: (getattr(found[0], name) + getattr(found[1], name)) / 2 for name in ("points", "visible", "mask")}
            best = found[0]._replace(**mean)
        elif last is not None and (known := [one for one in found if one.same_person(last)]):
            best = min(known, key=last.distance)
        else:
            rotated = [region._replace(angle=region.angle + turn, side=region.side * 1.05) for turn in (-0.2, 0.2)]
            found += self._present(photo, [(other, mirrored) for other in rotated for mirrored in (False, True)])
            best = min(found, default=None, key=lambda one: np.median([one.distance(other) for other in found])
                       / max(one.covered, 0.1))
        return best if best is not None and best.covered >= MIN_COVERED else None

    def _present(self, photo, seen):
        return [found for view in seen if (found := self.see(photo, *view)).presence >= self.min_score]


class Tracker:
    """Follows the people of one video from frame to frame.

    The region of each person follows from the last landmarks. The detector runs every SEARCH_EVERY frames, and while nobody is
    followed.
    """

    def __init__(self, blazepose):
        self.blazepose, self.people, self.frames = blazepose, [], 0

    def detect(self, picture):
        """The people in the next frame (h, w, 3) uint8 RGB: a list of :class:`pose.detector.Person`, the most prominent first."""
        h, w = picture.shape[:2]
        people = []
        for last in self.people:
            found = self.blazepose.follow(picture, last.next_region(), last)
            if found is not None and not found.consists_of(people):
                people.append(found._replace(support=last.support))
        if not people or self.frames % SEARCH_EVERY == 0:
            people += [found for found in self.blazepose.search(picture, views(Region(w / 2, h / 2, max(h, w))))
                       if not found.consists_of(people)]
        self.frames += 1
        self.people = sorted(people, key=lambda person: -person.prominence(picture.shape))[:FOLLOWED]
        return [person.person(picture.shape) for person in self.people]
