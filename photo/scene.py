"""Another background for a photo's person: a picture, a colour, or nothing.

Axes: T frames; h, w sides of a crop, H, W those of the photo as it is shown.
"""
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ImageColor

from photo.photo_file import read_photo
from utils.errors import UserError
from utils.transform import limited, resized

NOTHING = "none"
LARGEST_SIDE = 2560       # pixels of the picture that is kept, twice those that are shown
CHECKS, LIGHT, DARK = 8, 255, 224      # pixels and grey levels of the board that shows what is transparent


class Scene(NamedTuple):
    """What is behind the person. Without colour and picture it is nothing: the frames have an alpha channel."""

    colour: tuple | None = None           # red, green, blue, 0 to 255
    picture: np.ndarray | None = None     # uint8 RGB of any size, of which the middle covers the photo

    def ground(self, frame, region, size):
        """The background of a part of the photo.

        Args:
            frame: (H, W).
            region: (4,) x1, y1, x2, y2 in it.
            size: (h, w) of the result.
        Returns:
            (h, w, 3) uint8, or None for nothing.
        """
        if self.picture is None:
            return self.colour and np.full((*size, 3), self.colour, np.uint8)
        sides, frame = np.array(self.picture.shape[1::-1]), np.array(frame[::-1])                # x, y
        ratio = (sides / frame).min()
        corners = (sides - ratio * frame) / 2 + ratio * np.reshape(region, (2, 2))
        (x1, y1), (x2, y2) = np.rint(corners).astype(int).clip(0, sides)
        x1, y1 = min(x1, sides[0] - 1), min(y1, sides[1] - 1)
        return resized(self.picture[y1:max(y2, y1 + 1), x1:max(x2, x1 + 1)], size)

    def behind(self, crop, people):
        """A clip of the crop in front of this background.

        Args:
            crop: :class:`photo.crop.Crop`.
            people: (T, h, w, 4) uint8 of the crop, without margins: colours and alpha of the person.
        Returns:
            (T, h, w, 3) uint8; with 4 channels if the background is nothing.
        """
        return in_front(people, self.ground(crop.whole.shape[:2], crop.region, people.shape[1:3]))

    def behind_whole(self, crop, people):
        """As :meth:`behind`, a clip (T, H, W, 3 or 4) of the whole photo."""
        frame = crop.whole.shape[:2]
        return in_front(crop.put_alone(people), self.ground(frame, (0, 0, *frame[::-1]), frame))


def read_scene(text):
    """The :class:`Scene` that the option --background names.

    Raises:
        UserError: it is neither a picture file, nor a colour, nor `none`.
    """
    if text == NOTHING:
        return Scene()
    if Path(text).exists():
        return Scene(picture=limited(read_photo(text), LARGEST_SIDE))
    try:
        return Scene(colour=ImageColor.getrgb(text)[:3])
    except ValueError:
        raise UserError(f"--background {text}: neither a picture file, nor a colour like white or #20a060, nor none") from None


def in_front(people, ground):
    """People (..., h, w, 4) uint8 in front of a background (h, w, 3); None leaves them as they are. Returns uint8."""
    if ground is None:
        return people
    shown = np.empty((*people.shape[:-1], 3), np.uint8)
    for picture, person in zip(shown.reshape(-1, *shown.shape[-3:]), people.reshape(-1, *people.shape[-3:])):
        share = person[..., 3:] / np.float32(255)
        picture[:] = np.rint(ground + share * (person[..., :3] - ground.astype(np.float32)))
    return shown


def opaque(pictures):
    """Pictures (..., h, w, 3 or 4) uint8 without alpha channel; a chequered board shows through."""
    if pictures.shape[-1] == 3:
        return pictures
    y, x = (np.arange(side) // CHECKS for side in pictures.shape[-3:-1])
    board = np.where((y[:, None] + x) % 2, DARK, LIGHT)[..., None].repeat(3, -1)
    return in_front(pictures, board)
