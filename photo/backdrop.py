"""What is shown behind the person instead of the photo's own background: a picture, a colour, or nothing.

Axes: T frames; h, w, sides of a crop; H, W, sides of the photo as clips show it.
"""
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageColor, ImageOps

from photo.photo_file import read_photo
from utils.errors import UserError
from utils.transform import resized

NOTHING = "none"


class Backdrop(NamedTuple):
    """A picture or a colour; without both it is nothing, and the frames have an alpha channel."""

    colour: tuple | None = None           # red, green, blue, 0 to 255
    picture: np.ndarray | None = None     # uint8 RGB of any size, whose middle covers the photo

    def part(self, frame, region, size):
        """The backdrop of a region x1, y1, x2, y2 in a frame (H, W): (h, w, 3) uint8 of this size; None for nothing."""
        if self.picture is None:
            return self.colour and np.full((*size, 3), self.colour, np.uint8)
        x1, y1, x2, y2 = region
        return resized(np.asarray(ImageOps.fit(Image.fromarray(self.picture), frame[::-1]))[y1:y2, x1:x2], size)

    def behind(self, crop, people):
        """People of a crop (T, h, w, 4) uint8 in front of the backdrop: (T, h, w, 3), or 4 channels if it is nothing."""
        return in_front(people, self.part(crop.shown.shape[:2], crop.region, people.shape[1:3]))

    def behind_whole(self, crop, people):
        """As :meth:`behind`, in the whole photo: (T, H, W, 3 or 4)."""
        frame = crop.shown.shape[:2]
        return in_front(crop.put_back(people), self.part(frame, (0, 0, *frame[::-1]), frame))


def read_backdrop(text):
    """The :class:`Backdrop` that --background names; raises :class:`UserError`."""
    if text == NOTHING:
        return Backdrop()
    if Path(text).exists():
        return Backdrop(picture=read_photo(text))
    try:
        return Backdrop(colour=ImageColor.getrgb(text)[:3])
    except ValueError:
        raise UserError(f"--background {text}: neither a picture file, nor a colour like white or #20a060, nor none") from None


def in_front(people, background):
    """People (T, h, w, 4) uint8 in front of a background (h, w, 3); None leaves them as they are."""
    if background is None:
        return people
    frames = np.empty((*people.shape[:3], 3), np.uint8)
    for frame, person in zip(frames, people):
        alpha = person[..., 3:] / np.float32(255)
        frame[:] = np.rint(background + alpha * (person[..., :3] - background.astype(np.float32)))
    return frames


def opaque(pictures):
    """Pictures (T, h, w, 3 or 4) uint8 without an alpha channel, in front of white."""
    return pictures if pictures.shape[-1] == 3 else in_front(pictures, np.full((*pictures.shape[1:3], 3), 255, np.uint8))
