"""Soft masks of people: edges that follow the picture, one mask per person, and mask files.

Masks are (h, w) float32 in [0, 1] at the photo's resolution; 1 is the person.
"""
from pathlib import Path

import cv2
import numpy as np

from pose.skeleton import HIPS, LIMBS, SHOULDERS, torso_vector
from utils.errors import UserError
from utils.files import write_bytes
from utils.transform import limited

LARGEST_SIDE = 1024          # pixels of the person's box at which edges are refined, which bounds time and memory
RADIUS, BAND = 0.015, 0.02   # in longer sides of the box: of the guided filter, and half width of the band that it may change
SMOOTHNESS = 1e-4            # of the guided filter, in squared brightness; smaller follows weaker edges of the picture
LEAST_COVERED, MOST_ALPHA = 1e-4, 0.95       # fractions of the photo that a mask must cover, and that an alpha channel may
MIN_INSIDE, NEAR = 0.5, 0.05             # fraction of the visible joints that must lie this near to the mask, in pose sizes
LIMB_WIDTH = 0.25            # in torso lengths


def refine(photo, mask, box):
    """Make the edge of a mask follow the picture, by a guided filter in a band around the edge.

    He, Sun, Tang, "Guided Image Filtering", 2010. Inside and outside of the band, the mask becomes 1 and 0.

    Args:
        photo: (h, w, 3) uint8.
        mask: (h, w) float32.
        box: (4,) x1, y1, x2, y2 around the person, pixels; outside of it (with a margin) the result is 0.
    """
    h, w = mask.shape
    margin = 0.1 * max(box[2] - box[0], box[3] - box[1]) + 2
    x1, y1, x2, y2 = np.round(np.add(box, (-margin, -margin, margin, margin))).astype(int).clip(0, (w, h, w, h)).tolist()
    refined = np.zeros_like(mask)
    if x2 - x1 < 2 or y2 - y1 < 2:
        return refined
    part = limited(mask[y1:y2, x1:x2], LARGEST_SIDE)
    guide = cv2.resize(photo[y1:y2, x1:x2], part.shape[::-1], interpolation=cv2.INTER_AREA)
    side, person = max(part.shape), (part > 0.5).astype(np.uint8)
    soft = cv2.ximgproc.guidedFilter(guide, np.ascontiguousarray(part), max(2, round(RADIUS * side)), SMOOTHNESS * 255 ** 2)
    width = 2 * max(2, round(BAND * side)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    inner, outer = cv2.erode(person, disc, borderValue=1), cv2.dilate(person, disc)
    # the filter's soft edge is steepened, so that less of the background shines through
    part = np.where(inner > 0, 1, np.where(outer > 0, np.clip(1.6 * soft - 0.3, 0, 1), 0)).astype(np.float32)
    refined[y1:y2, x1:x2] = cv2.resize(part, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)
    return refined


def mask_of(photo, person, others=()):
    """The mask of a detected :class:`pose.detector.Person`, with refined edges, without what belongs more to `others`.

    None if the person has no mask, or one that is empty or covers everything.
    """
    mask = person.mask(photo.shape[:2])
    if mask is None:
        return None
    for other in others:
        theirs = other.mask(photo.shape[:2])
        if theirs is not None:
            mask *= np.where(theirs > 0, np.clip(0.5 + 2 * (mask - theirs), 0, 1), 1)
    mask = refine(photo, mask, person.box)
    return None if fault_of(mask) else mask


def alpha_mask(alpha):
    """An alpha channel (h, w) uint8 as a mask (h, w) float32.

    None if it covers nothing, or too much to be a person: opaque pictures, and those with rounded corners.
    """
    return alpha.astype(np.float32) / 255 if LEAST_COVERED <= (alpha > 127).mean() <= MOST_ALPHA else None


def read_mask(path, size):
    """Read the mask of a person in the photo: as :func:`load_mask`, but an empty one is a :class:`UserError` as well."""
    mask = load_mask(path, size)
    if fault := fault_of(mask):
        raise UserError(f"{path}: this mask {fault}")
    return mask


def load_mask(path, size):
    """Read a mask file: white is the person, or the alpha channel if there is one that is not constant.

    Raises:
        UserError: unreadable, or of another size than `size` (h, w).
    """
    content = np.fromfile(path, np.uint8) if Path(path).is_file() else np.zeros(0)
    picture = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if picture is None:
        raise UserError(f"{path}: this mask is missing or not a readable picture; expected a PNG, white where the person is")
    if picture.shape[:2] != tuple(size):
        raise UserError(f"{path}: this mask is {picture.shape[1]} x {picture.shape[0]} pixels, the photo is {size[1]} x "
                        f"{size[0]}; save it at the photo's size")
    white = np.iinfo(picture.dtype).max if picture.dtype.kind in "iu" else max(1, picture.max())
    picture = picture.astype(np.float32) * (255 / white)
    mask = alpha_mask(picture[..., 3]) if picture.ndim == 3 and picture.shape[2] == 4 else None
    if mask is None:
        mask = (picture if picture.ndim == 2 else cv2.cvtColor(picture[..., :3], cv2.COLOR_BGR2GRAY)) / 255
    return mask


def fault_of(mask):
    """Why a mask (h, w) cannot be a person's, as text: it covers (almost) nothing, or everything. None if it can."""
    covered = float((mask > 0.5).mean())
    if covered < LEAST_COVERED:
        return "is empty; the person must be white in it"
    return "is white everywhere; the background must be black in it" if covered == 1 else None


def check_near(mask, joints, visible, place):
    """Raise :class:`UserError` if a mask lies far from the visible joints, or from all if none is visible.

    `place` begins the message.
    """
    inside = ((joints >= 0) & (joints < mask.shape[::-1])).all(1)
    judged = inside & visible if (inside & visible).any() else inside
    covered, what = int((judged & ~far_joints(mask, joints)).sum()), "visible joints" if visible.any() else "joints"
    if covered < MIN_INSIDE * judged.sum():
        raise UserError(f"{place}: this mask is not where the pose is: {covered} of {judged.sum()} {what} are in it; "
                        "is it another photo's?")


def far_joints(mask, joints):
    """(13,) bool: which joints (13, 2), in pixels, lie in the picture but farther than NEAR from the mask (h, w)."""
    inside = ((joints >= 0) & (joints < mask.shape[::-1])).all(1)
    away = cv2.distanceTransform((mask <= 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    x, y = np.floor(joints).clip(0, np.subtract(mask.shape[::-1], 1)).astype(int).T
    return inside & (away[y, x] > max(2.0, NEAR * float(np.ptp(joints, axis=0).max())))


def fill_holes(mask, joints):
    """Fill the holes of a mask that lie mostly in the body, for example where clothes have the background's colour.

    A hole between an arm and the torso stays. Returns the mask (the given array if nothing changes), and the number of holes.
    """
    number, labels = cv2.connectedComponents((mask <= 0.5).astype(np.uint8), connectivity=4)
    area = np.bincount(labels.ravel(), minlength=number)
    filled = 2 * np.bincount(labels[body_region(joints, mask.shape)], minlength=number) > area
    filled[[0, *np.unique(np.concatenate([labels[[0, -1]].ravel(), labels[:, [0, -1]].ravel()]))]] = False   # open to the border
    if not filled.any():
        return mask, 0
    grown = cv2.dilate(filled[labels].astype(np.float32), np.ones((3, 3)))                  # over the soft edges of holes
    return np.maximum(mask, grown), int(filled.sum())


def body_region(joints, size):
    """Where the body of a pose is: (h, w) bool, its torso and thick limbs; joints (13, 2) in pixels."""
    picture = np.zeros(size, np.uint8)
    points = np.rint(np.asarray(joints).clip(-1e4, 2e4)).astype(np.int32)                   # OpenCV's numbers would overflow
    width = max(1, round(LIMB_WIDTH * float(np.linalg.norm(torso_vector(points)))))
    for start, end in LIMBS:
        cv2.line(picture, points[start].tolist(), points[end].tolist(), 1, width)
    return cv2.fillConvexPoly(picture, cv2.convexHull(points[[*SHOULDERS, *HIPS]]), 1).astype(bool)


def write_mask(path, mask):
    """Write a mask as a grey PNG, atomically."""
    write_bytes(path, cv2.imencode(".png", cv2.convertScaleAbs(mask, alpha=255))[1].tobytes())
