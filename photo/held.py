"""What the hands hold: the person's mask is grown along a thin, straight, contrasting thing that begins at a hand.

A club or a bat is not part of the person's mask, and would stay lying in the air when the person moves. From each hand rays go in
all directions. Along a ray a pixel counts where it differs from the pixels on both sides, as on a stick. The longest unbroken ray
is taken if it is long enough and does not go on behind the hand, as a line of the background does. Level rays are left out: most
of them are horizons, fences and boards.
"""
import cv2
import numpy as np

from pose.skeleton import ELBOWS, HIPS, SHOULDERS, WRISTS

SIDE = 256                     # pixels of the picture that is searched
ANGLES = 180
BEYOND = 0.35                  # of the forearm: so far beyond the wrist is the hand
OFFSETS = np.linspace(-0.15, 0.15, 7)   # of the torso's length: rays pass the hand so far beside it
BESIDE = (0.06, 0.13)          # of the torso's length: distances of the pixels at both sides, for clubs and for bats
REACH = 2.5                    # torso lengths: the longest thing
SHORTEST = 0.55                # torso lengths outside the mask
CONTRAST = 8.0                 # in Lab, of 8-bit pictures
WINDOW = 0.2                   # torso lengths: a longer gap ends the thing
FILLED = 0.75                  # of the pixels in a window must have the contrast
CALM = 16.0                    # of Lab: so little does its colour change from pixel to pixel
LEVEL = 0.2                    # sine of the angle to the horizontal
WIDTH = 0.09                   # torso lengths: so thick is the thing in the mask


def add_held(picture, mask, joints):
    """Grow a person's mask by what the hands hold.

    Args:
        picture: (h, w, 3) uint8 RGB.
        mask: (h, w) float in [0, 1].
        joints: (13, 2) pixels of the picture.
    Returns:
        (h, w) mask, the given one where nothing is found.
    """
    found = [thing for thing in (held_by(picture, mask, joints, side) for side in (0, 1)) if thing is not None]
    if not found:
        return mask
    start, end, _ = max(found, key=lambda thing: thing[2])           # both hands hold the same thing
    stick = np.zeros(mask.shape, np.uint8)
    width = max(1, round(WIDTH * torso_pixels(joints)))
    cv2.line(stick, tuple(map(int, start)), tuple(map(int, end)), 255, width, cv2.LINE_AA)
    return np.maximum(mask, stick / np.float32(255))


def torso_pixels(joints):
    """Length of the torso in pixels."""
    return float(np.linalg.norm(joints[list(SHOULDERS)].mean(0) - joints[list(HIPS)].mean(0)))


def held_by(picture, mask, joints, side):
    """The thing in the hand of a side (0 or 1): its ends (2,) in pixels and its length in torso lengths, or None."""
    ratio = min(1, SIDE / max(picture.shape[:2]))
    torso = torso_pixels(joints) * ratio
    wrist, elbow = joints[WRISTS[side]] * ratio, joints[ELBOWS[side]] * ratio
    if not (np.isfinite(joints).all() and torso > 8):
        return None
    size = [max(1, round(length * ratio)) for length in picture.shape[1::-1]]
    lab = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB).astype(np.float32)
    body = cv2.dilate(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.ones((5, 5), np.uint8))
    hand = wrist + BEYOND * (wrist - elbow)
    runs, starts, along = ray_runs(lab, body, hand, torso)
    behind = np.roll(runs, ANGLES // 2, 0).max(1)                    # (angles,) the longest ray the other way
    runs = np.where(((behind > SHORTEST * torso / 2) | (np.abs(along[:, 1]) < LEVEL))[:, None], 0, runs)
    angle, offset = np.unravel_index(runs.argmax(), runs.shape)
    length = runs[angle, offset]
    if length < SHORTEST * torso:
        return None
    start = starts[angle, offset]
    first = outside_from(body, start, along[angle], torso)
    return start / ratio, (start + along[angle] * (first + length)) / ratio, length / torso


def outside_from(body, start, along, torso):
    """How many pixels from `start` a ray leaves the body's mask."""
    steps = np.arange(REACH * torso)
    points = np.rint(start + along * steps[:, None]).astype(int)
    points = points.clip(0, np.array(body.shape[::-1]) - 1)
    inside = np.flatnonzero(body[points[:, 1], points[:, 0]] > 0.3)
    near = inside[inside < torso]
    return int(near[-1]) + 1 if len(near) else 0


def ray_runs(lab, body, hand, torso):
    """How far a stick goes along rays that begin near a hand.

    Returns:
        (angles, offsets) lengths in pixels outside the body's mask, (angles, offsets, 2) where the rays begin, and their
        directions (angles, 2).
    """
    turn = np.arange(ANGLES) * 2 * np.pi / ANGLES
    along = np.stack([np.cos(turn), np.sin(turn)], -1)                                       # (A, 2)
    across = along[:, ::-1] * (-1, 1)
    starts = hand + across[:, None] * (OFFSETS * torso)[:, None]                             # (A, O, 2)
    steps = np.arange(round(REACH * torso))
    points = starts[:, :, None] + along[:, None, None] * steps[:, None]                      # (A, O, R, 2)

    def look(picture, at):
        at = at.astype(np.float32).reshape(len(at), -1, 2)
        return cv2.remap(picture, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(*points.shape[:3], -1)
    middle, stick = look(lab, points), np.zeros(points.shape[:3], bool)
    for share in BESIDE:
        beside = across[:, None, None] * max(2, share * torso)
        left, right = (look(lab, points + shift) for shift in (beside, -beside))
        outside = (look(body, points + beside)[..., 0] < 0.3) & (look(body, points - beside)[..., 0] < 0.3)
        # brighter or darker than both sides: at the border of two areas a pixel lies between them
        stick |= (((middle - left) * (middle - right)).sum(-1) > CONTRAST ** 2) & outside
    high, wide = body.shape
    stick &= ((points >= 0) & (points < (wide, high))).all(-1)
    inside = look(body, points)[..., 0] > 0.3
    calm = np.linalg.norm(np.diff(middle, axis=2, append=middle[:, :, -1:]), axis=-1) < CALM
    stick &= calm
    first = np.where(inside & (steps < torso), steps, -1).max(-1) + 1                        # (A, O) where a ray leaves the body
    window = max(3, round(WINDOW * torso))
    ahead = np.cumsum(np.pad(stick, ((0, 0), (0, 0), (1, window))), -1)
    filled = (ahead[..., window:-1] - ahead[..., :-window - 1]) / window                     # (A, O, R) of the window ahead
    broken = (filled < FILLED) & (steps >= first[..., None])
    length = np.where(broken.any(-1), broken.argmax(-1), len(steps)) - first
    return np.where(length > 0, length + window // 2, 0), starts, along
