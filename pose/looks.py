"""Where the detector looks in a photo, and which of the people found there are the same."""
import cv2
import numpy as np

from pose.regions import Region

MIN_SCORE = 0.55             # of the detector, that one look at a person needs; rocks, cups and patterns stay below it
SAME_CENTRE, SAME_SIZE = 0.4, 1.6        # detections of one person: distance in radii, ratio of the radii
BRIGHTEST, DARK = 99, 128    # percentile of a photo's values that is called its brightest, and when that is dark


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
        (mean circle, sum of the scores) of those that one look found with MIN_SCORE or more, the highest sum first.
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
              sum(score for _, score in group)) for group in groups if group[0][1] >= MIN_SCORE]
    return sorted(means, key=lambda pair: -pair[1])


def same_circle(one, other):
    """Whether two circles, (2, 2) centre and rim each, are around the same body."""
    radii = sorted(np.linalg.norm(circle[1] - circle[0]) for circle in (one, other))
    return np.linalg.norm(one[0] - other[0]) < SAME_CENTRE * radii[0] and radii[1] < SAME_SIZE * radii[0]
