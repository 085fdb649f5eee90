"""Soft masks of people: edges that follow the picture, one mask for each person, and mask files.

Masks are (h, w) float32 in [0, 1] at the photo's resolution; 1 is the person.
"""
from pathlib import Path

import cv2
import numpy as np

from utils.errors import UserError
from utils.files import write_bytes

LARGEST_SIDE = 1024          # pixels of the person's box at which edges are refined; more shows no more detail and needs memory
RADIUS = 0.015               # of the guided filter, in longer sides of the box
SMOOTHNESS = 1e-4            # of the guided filter, in squared brightness; smaller follows weaker edges of the picture
BAND = 0.02                  # half width of the band around the edge that may change, in longer sides of the box
MIN_SHARE, MOST_ALPHA = 1e-4, 0.95       # shares of the photo that a mask must cover, and that an alpha channel may
SHARED = 0.7                 # share of the smaller mask that also is in the larger one if both are of the same person
CHILD = 0.25                 # of a mask's size: another that is smaller may be a child's, in front of the person
MIN_COVERED, REACH = 0.5, 0.05           # share of the visible joints that must lie this near to the mask, in sizes of the pose


def refine(photo, mask, box):
    """A mask whose edge follows the picture: guided filter in a band around the edge.

    He, Sun, Tang, "Guided Image Filtering", 2010. Inside and outside of the band, the mask becomes plain 1 and 0.

    Args:
        photo: (h, w, 3) uint8.
        mask: (h, w) float32.
        box: (4,) x1, y1, x2, y2 around the person, pixels; only there something changes, outside is 0.
    Returns:
        (h, w) float32.
    """
    h, w = mask.shape
    margin = 0.1 * max(box[2] - box[0], box[3] - box[1]) + 2
    x1, y1, x2, y2 = np.round(np.add(box, (-margin, -margin, margin, margin))).astype(int).clip(0, (w, h, w, h)).tolist()
    refined = np.zeros_like(mask)
    if x2 - x1 < 2 or y2 - y1 < 2:
        return refined
    part, guide = mask[y1:y2, x1:x2], photo[y1:y2, x1:x2]
    ratio = min(1.0, LARGEST_SIDE / max(part.shape))
    size = max(1, round(part.shape[1] * ratio)), max(1, round(part.shape[0] * ratio))
    if ratio < 1:
        part, guide = (cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (part, guide))
    part = _refined(np.ascontiguousarray(guide), np.ascontiguousarray(part))
    refined[y1:y2, x1:x2] = cv2.resize(part, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR) if ratio < 1 else part
    return refined


def _refined(guide, mask):
    longer = max(mask.shape)
    person = (mask > 0.5).astype(np.uint8)
    filtered = cv2.ximgproc.guidedFilter(guide, mask, max(2, round(RADIUS * longer)), SMOOTHNESS * 255 ** 2)
    width = 2 * max(2, round(BAND * longer)) + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    inner, outer = cv2.erode(person, around, borderValue=1), cv2.dilate(person, around)
    # the filter's soft edge is steepened, or else much of the background shines through
    return np.where(inner > 0, 1, np.where(outer > 0, np.clip(1.6 * filtered - 0.3, 0, 1), 0)).astype(np.float32)


def mask_of(photo, person, others=()):
    """A found person's mask, edges refined, without what belongs more to others. Others who are the same person do not count.

    Args:
        photo: (h, w, 3) uint8 RGB.
        person: :class:`pose.detector.Person`.
        others: the other people of the photo, found by the same detector.
    Returns:
        (h, w) float32, or None if the person has no mask, or one that is empty or everything.
    """
    mask = person.mask(photo.shape[:2])
    if mask is None:
        return None
    for other in others:
        if (np.minimum(person.box[2:], other.box[2:]) > np.maximum(person.box[:2], other.box[:2])).all():
            theirs = other.mask(photo.shape[:2])
            if theirs is not None and not _same_person(mask, theirs):
                mask *= np.clip(0.5 + 2 * (mask - theirs), 0, 1)
    mask = refine(photo, mask, person.box)
    return mask if MIN_SHARE <= (mask > 0.5).mean() < 1 else None


def _same_person(mask, other):
    """Whether a detector found the same person twice: one of the masks lies in the other one, which is not a small child's."""
    own, theirs = mask.sum(), other.sum()
    return theirs > CHILD * own and np.minimum(mask, other).sum() > SHARED * min(own, theirs)


def alpha_mask(alpha):
    """An alpha channel (h, w) uint8 as a mask (h, w) float32.

    None if it covers nothing, or so much that it cannot be a person's: opaque pictures, and those with rounded corners.
    """
    return alpha.astype(np.float32) / 255 if MIN_SHARE <= np.count_nonzero(alpha > 127) / alpha.size <= MOST_ALPHA else None


def read_mask(path, size):
    """Read the mask of somebody who is in the photo: as :func:`load_mask`, and an empty one is a :class:`UserError` as well."""
    mask = load_mask(path, size)
    if fault := fault_of(mask):
        raise UserError(f"{path}: this mask {fault}")
    return mask


def load_mask(path, size):
    """Read a mask file: white is the person; the alpha channel counts if there is one that is not constant.

    Args:
        path: picture file, e.g. PNG.
        size: (h, w) of the photo.
    Returns:
        (h, w) float32.
    Raises:
        UserError: unreadable, or of another size.
    """
    try:
        picture = cv2.imdecode(np.frombuffer(Path(path).read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error) as error:
        raise UserError(f"{path}: this mask cannot be read ({getattr(error, 'strerror', None) or 'no picture'})") from None
    if picture is None:
        raise UserError(f"{path}: this mask is no picture that can be read; expected a PNG, white where the person is")
    if picture.shape[:2] != tuple(size):
        raise UserError(f"{path}: this mask is {picture.shape[1]} x {picture.shape[0]} pixels, the photo is {size[1]} x "
                        f"{size[0]}; save it at the photo's size")
    picture = picture.astype(np.float32) * (255 / np.iinfo(picture.dtype).max) if picture.dtype != np.uint8 else picture
    mask = alpha_mask(picture[..., 3]) if picture.ndim == 3 and picture.shape[2] == 4 else None
    return mask if mask is not None else (picture if picture.ndim == 2 else cv2.cvtColor(picture[..., :3], cv2.COLOR_BGR2GRAY)
                                          ).astype(np.float32) / 255


def fault_of(mask):
    """Why a mask (h, w) can be nobody's, as text: it covers (almost) nothing, or everything. None if it can be somebody's."""
    share = float((mask > 0.5).mean())
    if share < MIN_SHARE:
        return "is empty; the person must be white in it"
    return "is white everywhere; the background must be black in it" if share == 1 else None


def check_near(mask, joints, visible, place):
    """Raise :class:`UserError` if a mask lies far from the pose.

    Args:
        mask: (h, w) float32.
        joints: (13, 2) pixels.
        visible: (13,) bool; without any visible joint, all count.
        place: the mask's file, for the message.
    """
    inside = ((joints >= 0) & (joints < mask.shape[::-1])).all(1)
    judged = inside & visible if (inside & visible).any() else inside
    covered, what = int((judged & ~far_joints(mask, joints)).sum()), "visible joints" if visible.any() else "joints"
    if covered < MIN_COVERED * judged.sum():
        raise UserError(f"{place}: this mask is not where the pose is: {covered} of {judged.sum()} {what} are in it; "
                        "is it another photo's?")


def far_joints(mask, joints):
    """(13,) bool: which joints (13, 2), in pixels, lie in the picture but farther than REACH from the mask (h, w)."""
    h, w = mask.shape
    inside = ((joints >= 0) & (joints < (w, h))).all(1)
    reach = max(2.0, REACH * float(np.ptp(joints, axis=0).max()))
    ratio = min(1.0, LARGEST_SIDE / max(h, w))
    small = cv2.resize(mask, (max(1, round(w * ratio)), max(1, round(h * ratio))), interpolation=cv2.INTER_AREA)
    away = cv2.distanceTransform((small <= 0.5).astype(np.uint8), cv2.DIST_L2, 5) / ratio
    cells = np.floor(joints * ratio).clip(0, np.subtract(small.shape[::-1], 1)).astype(int)
    return inside & (away[cells[:, 1], cells[:, 0]] > reach)


def mask_bytes(mask):
    """A mask (h, w) float32 as a grey PNG."""
    return cv2.imencode(".png", cv2.convertScaleAbs(mask, alpha=255))[1].tobytes()


def write_mask(path, mask):
    """Write a mask as a grey PNG, whole."""
    write_bytes(path, mask_bytes(mask))
