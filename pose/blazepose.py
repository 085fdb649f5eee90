"""People in photos and videos by BlazePose: joints and masks, from weights that come with a Python package.

A photo is looked at several times, whole and with a margin, plain, mirrored and turned, because the detector misses people who
fill the picture or turn their back. If nobody is found, parts of the photo and a brightened photo follow. In a video a person is
followed from frame to frame, and the detector runs only when somebody is lost.
"""
from importlib.util import find_spec

import cv2
import numpy as np

from pose.blazepose_networks import BODY, DETECTED, LANDMARKED, LandmarkNetwork, PersonDetector
from pose.blazepose_weights import WHEEL, kept, read_weights
from pose.detector import Detector, DetectorError
from pose.looks import grouped, lit, parts, same_circle, views, with_contrast
from pose.regions import Region, around, cut
from pose.sights import Sight, as_person, distance, following, has_joints, prominence, region_of, same_pose, torso_length

MIRRORED = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(at + 1 if at % 2 else at - 1 for at in range(11, BODY)), BODY, BODY + 1]
CANDIDATE = 0.3              # score of the detector that one look needs
MIN_COVERED, WELL_COVERED = 0.3, 0.8     # shares of the joints that the person's own mask must cover, and covers if all is well
AGREE = 0.15                 # plain and mirrored region agree below this mean distance of the joints, in torso lengths
MOST_PEOPLE = 12             # whose landmarks are looked for
SMALL, MOST_CLOSER = 0.35, 4             # regions of this share of the photo's longer side get a second pass, at most so many
FOLLOWED = 2                 # people followed in a video
LOOK_EACH, LOST_LOOK_EACH = 15, 3        # frames of a video after which the detector looks for newcomers, and for the lost


class BlazePose(Detector):
    """Finds people with BlazePose.

    Args:
        weights: a wheel of mediapipe or a folder with the two networks' files, or None for those in the user's cache, which are
            downloaded once.
        device: LiteRT always runs on the CPU.
        min_score: probability that somebody is in a region; None for `min_score` of the class.
        threads: of the processor, for each network.
    Raises:
        DetectorError: the weights cannot be had or are something else, or LiteRT is not installed.
    """

    min_score = 0.5
    default_weights = WHEEL
    finds_masks = True

    def __init__(self, weights=None, device="cpu", min_score=None, threads=1):
        detector, landmarks = read_weights(weights)
        self.min_score = self.min_score if min_score is None else min_score
        try:
            self.detector, self.landmarks = PersonDetector(detector, threads), LandmarkNetwork(landmarks, threads)
        except ImportError as error:
            raise DetectorError(f"BlazePose needs LiteRT, which is not installed here ({error}): pip install ai-edge-litert; "
                                "where there is none for this machine, take --detector keypoint_rcnn") from None

    @classmethod
    def at_hand(cls, weights=None):
        return find_spec("ai_edge_litert") is not None and (weights is not None or kept())

    def detect(self, photo):
        """The people in a photo, see :meth:`pose.detector.Detector.detect`.

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

    def find_again(self, picture, joints, visible):
        sight = self.settle(lit(picture), region_of(joints))
        return as_person(sight, picture.shape[:2]) if sight is not None and has_joints(sight, joints, visible) else None

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

    def follow(self, photo, region, last=None, thorough=True):
        """The :class:`Sight` of the person in a region that landmarks gave, or None if there is nobody.

        The plain and the mirrored region must agree, and their mean is taken. Where they do not, as in side views about which leg
        is the left one, the pose nearest to the last frame's is taken. Without one, six views of the region vote: the pose that
        is nearest to the others, and covered by its mask, wins.

        Args:
            photo: (h, w, 3) uint8 RGB.
            region: where the person is.
            last: the person's sight in the frame before, or None.
            thorough: False lets the plain region alone be enough where the network is sure.
        """
        plain = self.see(photo, region)
        if not thorough and plain.presence >= self.min_score and plain.covered >= WELL_COVERED:
            return plain
        mirrored = self.see(photo, region, mirrored=True)
        views = [view for view in (plain, mirrored) if view.presence >= self.min_score]
        steady = [view for view in views if last is not None and same_pose(view, last)]
        if len(views) == 2 and distance(plain, mirrored) < AGREE * torso_length(plain):
            sight = plain._replace(points=(plain.points + mirrored.points) / 2, mask=(plain.mask + mirrored.mask) / 2,
                                   visible=(plain.visible + mirrored.visible) / 2)
        elif steady:
            sight = min(steady, key=lambda view: distance(view, last))
        else:
            sight = self._vote(photo, region, views)
        return sight if sight is not None and sight.covered >= MIN_COVERED else None

    def _vote(self, photo, region, views):
        """Of these views and four of the region turned a little, the one nearest to the others; None if nobody is there."""
        turned = [region._replace(angle=region.angle + turn, side=region.side * 1.05) for turn in (-0.2, 0.2)]
        views = views + [self.see(photo, other, flip) for other in turned for flip in (False, True)]
        views = [view for view in views if view.presence >= self.min_score]
        return min(views, default=None, key=lambda view: np.median([distance(view, other) for other in views])
                   / max(view.covered, 0.1))


class Tracker:
    """Follows the people of one video from frame to frame.

    Each person's next region follows from the last landmarks. The most prominent person's is seen plain and mirrored, which makes
    the joints less noisy. The detector looks at the first frame, when somebody is lost, and every LOOK_EACH frames for newcomers.
    """

    def __init__(self, blazepose):
        self.blazepose, self.sights, self.most, self.frames = blazepose, [], 0, LOOK_EACH

    def detect(self, picture):
        """The people in the next frame (h, w, 3) uint8 RGB: a list of :class:`pose.detector.Person`, the most prominent first."""
        shape, sights = picture.shape[:2], []
        for number, last in enumerate(self.sights):
            sight = self.blazepose.follow(picture, following(last), last, thorough=number == 0)
            if sight is not None and not any(same_pose(sight, other) for other in sights):
                sights.append(sight._replace(support=last.support))
        self.frames += 1
        if self.frames >= (LOST_LOOK_EACH if len(sights) < max(1, self.most) else LOOK_EACH):
            sights += self.blazepose.look(picture, views(Region(shape[1] / 2, shape[0] / 2, max(shape))), known=sights)
            self.frames, self.most = 0, min(FOLLOWED, len(sights))
        self.sights = sorted(sights[:FOLLOWED], key=lambda sight: -prominence(sight, shape))
        return [as_person(sight, shape) for sight in self.sights]
