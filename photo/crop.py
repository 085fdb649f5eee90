"""The crop of a photo around a person, as the networks see it, and how rendered pictures of it go back into the photo.

Sizes are `(h, w)`, boxes `x1, y1, x2, y2`. Clips show the photo with a longer side of at most MAX_PHOTO pixels, and
the crop of at most MAX_CROP; smaller ones keep their resolution.

Axes: T frames; P, the side of the letterboxed crop; H, W, sides of the photo as clips show it; h, w, other sides.
"""
from typing import NamedTuple

import cv2
import numpy as np

from utils.errors import UserError
from utils.transform import PAD_RGB, letterbox, picture_from_frame, pose_to_picture, resized, to_pixels

MAX_PHOTO, MAX_CROP = 1280, 1080      # pixels
MIN_CROP = 64                         # pixels; smaller crops are enlarged
MIN_PERSON = 8                        # pixels of the photo
SEAM = 0.04                           # width of the blended border, as a fraction of the crop's shorter side
DEFAULT_MARGIN = 0.35                 # on every side, for actions whose margins are not known


def pose_boxes(poses):
    """Boxes (..., 4) around poses (..., J, 2), in the same coordinates."""
    return np.concatenate([poses.min(-2), poses.max(-2)], -1)


class Crop(NamedTuple):
    """A person and the surroundings, cut out of a photo."""

    box: np.ndarray          # (4,) int, pixels of the photo
    picture: np.ndarray      # (P, P, 3) uint8, letterboxed as in training
    shown: np.ndarray        # (H, W, 3) uint8, the photo as clips show it
    region: np.ndarray       # (4,) int, the crop in `shown`
    blend: np.ndarray        # (h, w, 1) float32 of the region: 0 at its border inside the photo, 1 from the seam's inner edge on
    photo_size: tuple        # (h, w) of the photo, pixels
    mask: np.ndarray | None = None        # (P, P) float32 in [0, 1], letterboxed like `picture`: 1 where the person is
    background: np.ndarray | None = None  # (P, P, 3) uint8, `picture` without the person
    held: np.ndarray | None = None        # (P, P) float32, the part of `mask` that held objects cover

    @property
    def size(self):
        return len(self.picture)                             # P

    def place(self, size=None):
        """Where the crop lies in a letterboxed picture with this side, by default P: a :class:`utils.transform.Letterbox`."""
        x1, y1, x2, y2 = self.box
        return letterbox(y2 - y1, x2 - x1, size or self.size)

    def inside(self, pictures):
        """Letterboxed pictures (..., S, S, C) without the padding."""
        place = self.place(pictures.shape[-2])
        return pictures[..., place.top:place.top + place.height, place.left:place.left + place.width, :]

    def picture_at(self, size):
        """`picture` with another side, (size, size, 3)."""
        picture = np.full((size, size, 3), np.round(PAD_RGB), np.uint8)
        inside = self.inside(picture)
        inside[:] = resized(self.inside(self.picture), inside.shape[:2])
        return picture

    def to_picture(self, poses):
        """Normalise poses (T, J, 2) in pixels of the photo; joints may lie outside the crop."""
        return pose_to_picture(poses, self.box, self.size, clip=False)

    def to_photo(self, poses):
        """The inverse of :meth:`to_picture`."""
        place = self.place()
        return (to_pixels(np.asarray(poses, np.float64), self.size) - (place.dw, place.dh)) / place.ratio + self.box[:2]

    def put_back(self, pictures):
        """Put pictures of the crop (T, h, w, 3) uint8, without padding, into the photo: (T, H, W, 3).

        People without a background (T, h, w, 4) are put into transparent pictures of the photo's size: (T, H, W, 4).
        """
        (x1, y1, x2, y2), alone = self.region, pictures.shape[-1] == 4
        frames = np.zeros((len(pictures), *self.shown.shape[:2], 4), np.uint8) if alone else np.repeat(
            self.shown[None], len(pictures), 0)
        photo, weight = frames[0, y1:y2, x1:x2].astype(np.float32), self.blend
        if alone:                                            # only the alpha channel falls to 0 at the seam
            weight = np.where(np.arange(4) == 3, weight, 1)
        for picture, frame in zip(pictures, frames):
            frame[y1:y2, x1:x2] = np.rint(photo + weight * (resized(picture, (y2 - y1, x2 - x1)) - photo))
        return frames

    def enlarge(self, pictures):
        """Enlarge pictures (T, S, S, 3) that were rendered at another size, the source first: (T, h, w, 3).

        Pixels that do not change stay the photo's, so that only the person loses sharpness.
        """
        small, sharp = self.inside(pictures), self.inside(self.picture)
        result = np.empty((len(small), *sharp.shape), np.uint8)
        for picture, target in zip(small, result):
            change = np.abs(picture.astype(np.float32) - small[0]).max(-1)                     # (h, w) grey levels
            weight = cv2.GaussianBlur(((change - 3) / 13).clip(0, 1), (3, 3), 0)               # 1 from 16 grey levels on
            weight = resized(weight, sharp.shape[:2])[..., None]
            target[:] = np.rint(sharp + weight * (resized(picture, sharp.shape[:2]).astype(np.float32) - sharp))
        return result


def crop_person(subject, joints, margins):
    """The :class:`Crop` of a person.

    Args:
        subject: :class:`photo.subject.Subject`.
        joints: (N, 2) pixels of the photo that the crop holds: those of one pose, or of a motion.
        margins: (4,) left, top, right, bottom, or one for all, as fractions of the longer side of the joints' box.
    Raises:
        UserError: the person is too small.
    """
    photo, shown, box = subject.pixels, subject.shown, pose_boxes(joints)
    longer = (box[2:] - box[:2]).max()
    if longer < MIN_PERSON:
        raise UserError(f"the joints lie within {longer:.0f} pixels, which is too small for a person")
    limit = np.tile(shown.shape[1::-1], 2)
    ratio = limit / np.tile(photo.shape[1::-1], 2)                                     # shown pixels per photo pixel
    outer = (box + np.array((-1, -1, 1, 1)) * margins * longer) * ratio
    region = np.concatenate([np.floor(outer[:2]), np.ceil(outer[2:])]).clip(0, limit).astype(int)
    box = np.rint(region / ratio).astype(int)          # whole pixels of what is shown: nothing moves when put back
    if min(region[2:] - region[:2]) < 2:
        raise UserError("the joints leave no room for a person in the photo")
    size = int(np.clip((box[2:] - box[:2]).max(), MIN_CROP, MAX_CROP))
    blend = seam(*region[2:] - region[:2], *(region[:2] > 0), *(region[2:] < limit[2:]))
    mask, held = (None if mask is None else crop_mask(mask, box, size) for mask in (subject.mask, subject.held))
    background = None if subject.background is None else picture_from_frame(subject.background, box, size)
    return Crop(box, picture_from_frame(photo, box, size), shown, region, blend, photo.shape[:2], mask, background, held)


def crop_mask(mask, box, size):
    """A mask (h, w) float32 of a photo in the letterboxed picture of a crop: (size, size), 0 in the padding."""
    x1, y1, x2, y2 = box
    place, cropped = letterbox(y2 - y1, x2 - x1, size), np.zeros((size, size), np.float32)
    cropped[place.top:place.top + place.height, place.left:place.left + place.width] = resized(
        mask[y1:y2, x1:x2], (place.height, place.width)).clip(0, 1)
    return cropped


def seam(width, height, left, top, right, bottom):
    """The weight (h, w, 1) float32 of a rendered picture: 1, falling to 0 at those sides that lie inside the photo."""
    inside = cv2.copyMakeBorder(np.ones((height, width), np.uint8), *map(int, (top, bottom, left, right)), cv2.BORDER_CONSTANT)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[int(top):, int(left):][:height, :width] - 0.5     # pixels
    weight = (distance / max(1, SEAM * min(width, height))).clip(0, 1)[..., None]
    return weight * weight * (3 - 2 * weight)
