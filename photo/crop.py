"""The part of a photo around a person, as the networks see it, and how painted pictures of it go back into the photo.

Sizes are `(h, w)`, boxes `x1, y1, x2, y2`. The longer side of the whole photo is shown with at most WHOLE_SIDE pixels, that
of the crop with at most CROP_SIDE; smaller ones keep their resolution.
"""
from typing import NamedTuple

import cv2
import numpy as np

from photo.video_end import Past
from pose.detector import Person
from utils.errors import UserError
from utils.transform import PAD_RGB, letterbox, limited, picture_from_frame, resized, to_pixels

WHOLE_SIDE, CROP_SIDE = 1280, 1080    # pixels
SMALLEST_SIDE = 64                    # of a crop; a smaller one is enlarged
SMALLEST_PERSON = 8                   # pixels of the photo
FEATHER = 0.04                        # width of the seam, as a share of the crop's shorter side
SAME, OTHER = 3, 16                   # grey levels: pixels that changed by less stay the photo's, by more they are painted
DEFAULT_MARGIN = 0.35                 # on every side, for actions whose margins are not known


def pose_boxes(poses):
    """Boxes (..., 4) `x1, y1, x2, y2` around poses (..., J, 2), in the same coordinates."""
    return np.concatenate([poses.min(-2), poses.max(-2)], -1)


class Subject(NamedTuple):
    """A photo and the person in it."""

    photo: np.ndarray        # (h, w, 3) uint8 RGB
    whole: np.ndarray        # (H, W, 3) uint8, the photo as it is shown, see `shown_whole`
    person: Person           # in pixels of the photo
    mask: np.ndarray | None = None   # (h, w) float32 in [0, 1]: 1 where the person is
    plate: np.ndarray | None = None  # (h, w, 3) uint8, the photo without the person
    held: np.ndarray | None = None   # (h, w) float32 in [0, 1], the part of `mask` that the hands hold
    past: Past | None = None         # how the person was moving, where that is known


class Crop(NamedTuple):
    """A person and the surroundings, cut out of a photo."""

    box: np.ndarray          # (4,) int, pixels of the photo
    size: int                # P: side of the letterboxed picture, pixels
    picture: np.ndarray      # (P, P, 3) uint8, letterboxed as in training
    whole: np.ndarray        # (H, W, 3) uint8, the photo as it is shown
    region: np.ndarray       # (4,) int, where the crop lies in it
    blend: np.ndarray        # (h, w, 1) float32 of the region: 0 at a seam, 1 from its inner edge on
    photo_size: tuple        # (h, w) of the photo, pixels
    mask: np.ndarray | None = None   # (P, P) float32 in [0, 1], letterboxed like `picture`: 1 where the person is
    plate: np.ndarray | None = None  # (P, P, 3) uint8, `picture` without the person
    held: np.ndarray | None = None   # (P, P) float32 in [0, 1], likewise

    @property
    def scales(self):
        """Pixels of the clips for each pixel of the photo: (of the person, of the whole photo)."""
        return float(self.place().ratio), self.whole.shape[1] / self.photo_size[1]

    def place(self, size=None):
        """Where the crop lies in a letterboxed picture with this side, or in `picture`: a :class:`utils.transform.Letterbox`."""
        x1, y1, x2, y2 = self.box
        return letterbox(y2 - y1, x2 - x1, size or self.size)

    def inside(self, pictures):
        """Letterboxed pictures (..., S, S, 3) without the letterbox's margins."""
        place = self.place(pictures.shape[-2])
        return pictures[..., place.top:place.top + place.height, place.left:place.left + place.width, :]

    def picture_at(self, size):
        """The letterboxed picture with another side, (size, size, 3)."""
        place, picture = self.place(size), np.full((size, size, 3), np.round(PAD_RGB), np.uint8)
        picture[place.top:place.top + place.height, place.left:place.left + place.width] = resized(
            self.inside(self.picture), (place.height, place.width))
        return picture

    def to_photo(self, poses):
        """Normalised poses (..., J, 2) -> pixels of the photo; the inverse of `utils.transform.pose_to_picture`."""
        place = self.place()
        return (to_pixels(np.asarray(poses, np.float64), self.size) - (place.dw, place.dh)) / place.ratio + self.box[:2]

    def put_back(self, pictures):
        """Crops (T, h, w, 3) uint8, without margins, put back into the whole photo: (T, H, W, 3)."""
        x1, y1, x2, y2 = self.region
        shown = np.repeat(self.whole[None], len(pictures), 0)
        ground = self.whole[y1:y2, x1:x2].astype(np.float32)
        for picture, frame in zip(pictures, shown):
            frame[y1:y2, x1:x2] = np.rint(ground + self.blend * (resized(picture, (y2 - y1, x2 - x1)) - ground))
        return shown

    def put_alone(self, people):
        """People without a background (T, h, w, 4) uint8, cut like the crop, in a transparent picture of the whole photo's size:
        (T, H, W, 4)."""
        x1, y1, x2, y2 = self.region
        shown = np.zeros((len(people), *self.whole.shape[:2], 4), np.uint8)
        for person, frame in zip(people, shown):
            frame[y1:y2, x1:x2] = resized(person, (y2 - y1, x2 - x1))
            frame[y1:y2, x1:x2, 3:] = np.rint(frame[y1:y2, x1:x2, 3:] * self.blend)
        return shown

    def enlarge(self, pictures):
        """Pictures painted at another size, (T, S, S, 3) with the source first -> (T, h, w, 3) of this crop.

        Pixels that did not change are taken from the photo, so that only the person loses sharpness.
        """
        small, sharp = self.inside(pictures), self.inside(self.picture)
        result = np.empty((len(small), *sharp.shape), np.uint8)
        for picture, target in zip(small, result):
            change = np.abs(picture.astype(np.float32) - small[0]).max(-1)                              # (s, s)
            share = cv2.GaussianBlur(((change - SAME) / (OTHER - SAME)).clip(0, 1), (3, 3), 0)
            share = resized(share, sharp.shape[:2])[..., None]
            target[:] = np.rint(sharp + share * (resized(picture, sharp.shape[:2]).astype(np.float32) - sharp))
        return result


def shown_whole(photo):
    """A photo (h, w, 3) as clips show it, its longer side at most WHOLE_SIDE."""
    return limited(photo, WHOLE_SIDE)


def crop_person(subject, joints, margins):
    """The :class:`Crop` of a person.

    Args:
        subject: :class:`Subject`.
        joints: (N, 2) pixels of the photo; the crop reaches around all of them: one pose, or a motion.
        margins: (4,) left, top, right, bottom, as shares of the longer side of the joints' box.
    Raises:
        UserError: the person is too small.
    """
    photo, whole, box = subject.photo, subject.whole, pose_boxes(joints)
    longer = (box[2:] - box[:2]).max()
    if longer < SMALLEST_PERSON:
        raise UserError(f"the joints lie within {longer:.0f} pixels, which is too small for a person")
    size = np.array(photo.shape[1::-1])
    ratio = np.tile(np.array(whole.shape[1::-1]) / size, 2)                            # shown pixels per photo pixel
    limit = np.tile(whole.shape[1::-1], 2)
    region = np.concatenate([np.floor(((box - margins * longer) * ratio)[:2]), np.ceil(((box + margins * longer) * ratio)[2:])])
    region = region.clip(0, limit).astype(int)
    box = np.rint(region / ratio).astype(int)          # whole pixels of what is shown: nothing moves when put back
    if min(region[2:] - region[:2]) < 2:
        raise UserError("the joints leave no room for a person in the photo")
    side = int(np.clip((box[2:] - box[:2]).max(), SMALLEST_SIDE, CROP_SIDE))
    inner = [*(region[:2] > 0), *(region[2:] < limit[2:])]
    return Crop(box, side, picture_from_frame(photo, box, side), whole, region, seam(region[2:] - region[:2], inner),
                photo.shape[:2], None if subject.mask is None else crop_mask(subject.mask, box, side),
                None if subject.plate is None else picture_from_frame(subject.plate, box, side),
                None if subject.held is None else crop_mask(subject.held, box, side))


def crop_mask(mask, box, size):
    """A mask (h, w) float32 of a photo in a letterboxed picture of its crop: (size, size) float32, 0 in the margins."""
    x1, y1, x2, y2 = box
    place, cropped = letterbox(y2 - y1, x2 - x1, size), np.zeros((size, size), np.float32)
    cropped[place.top:place.top + place.height, place.left:place.left + place.width] = resized(
        mask[y1:y2, x1:x2], (place.height, place.width)).clip(0, 1)
    return cropped


def seam(size, inner):
    """How much of a painted picture is blended into the photo.

    Args:
        size: (w, h) of the picture, pixels.
        inner: (4,) bool for left, top, right, bottom: whether that side lies inside the photo.
    Returns:
        (h, w, 1) float32: 1 in the middle, falling to 0 at the inner sides.
    """
    width = max(1, FEATHER * min(size))
    ramps = []
    for axis in (0, 1):
        at = np.arange(size[axis]) + 0.5
        low, high = (at if inner[axis] else width, size[axis] - at if inner[axis + 2] else width)
        share = (np.minimum(low, high) / width).clip(0, 1)
        ramps.append(np.broadcast_to(share * share * (3 - 2 * share), size[axis]))
    return (ramps[1][:, None, None] * ramps[0][None, :, None]).astype(np.float32)
