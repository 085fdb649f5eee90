"""Frames on disk: which files show which poses, opened safely, read as RGB whatever kind of picture they are."""
import os
import re
import stat
from pathlib import Path

import numpy as np
from PIL import Image

from utils.errors import UserError
from utils.rgb import as_rgb

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")        # of frames, in capitals too
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")         # no others: Pillow hands some of them to other programs
BROKEN = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)      # what Pillow raises for files that are no picture
ORIENTATION = 0x0112      # tag of EXIF
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
         5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
         8: Image.Transpose.ROTATE_90}            # EXIF's orientation -> what sets it upright


class FrameError(UserError):
    """A frame file is missing, cut short or no picture."""


def open_frame(path, row_name):
    """Open a frame without decoding it; `row_name` (list and line) is told in the :class:`FrameError`."""
    try:
        return Image.open(path, formats=FORMATS)
    except FileNotFoundError:
        raise FrameError(f"{row_name}: frame {path} is missing; is data_root right?") from None
    except BROKEN as error:
        raise FrameError(f"{row_name}: frame {path} is not a readable picture ({error})") from None


def read_frame(path, row_name, turned=True):
    """A frame file as (h, w, 3) uint8 RGB, set upright by its EXIF orientation if `turned`.

    Raises :class:`FrameError` for a missing, truncated or foreign file.
    """
    with open_frame(path, row_name) as image:
        try:
            turn = orientation(image) if turned else 1
            picture = as_rgb(image)
            return np.asarray(picture.transpose(TURNS[turn]) if turn > 1 else picture)
        except BROKEN as error:
            raise FrameError(f"{row_name}: frame {path} cannot be decoded ({error})") from None


def unusable(path):
    """What keeps a path from being a file that can be read, in words, or None."""
    try:
        return None if stat.S_ISREG(os.stat(path).st_mode) else "is no file"
    except (FileNotFoundError, NotADirectoryError):
        return "is missing"
    except (OSError, ValueError) as error:               # ValueError: a zero byte in data_root
        return f"cannot be read ({getattr(error, 'strerror', error)})"


def frame_names(folder):
    """Names of the pictures in a folder, sorted; hidden files, as macOS leaves them, are none. Raises OSError."""
    return sorted(name for name in os.listdir(folder) if name.lower().endswith(SUFFIXES) and not name.startswith("."))


def frame_files(names, poses):
    """Which file shows which pose of a video.

    The last number in a name counts, without its suffix. Numbers 1..poses are those of the poses, whichever are there. Others,
    as from 0 on, tell no more than the order, which will do if there are as many frames as poses.

    Args:
        names: of the pictures in the video's folder; those without a number are passed over.
        poses: how many the video's annotation holds.
    Returns:
        dict, number of a pose, from 1 -> file name.
    Raises:
        ValueError: frames and poses do not belong together for certain; the text tells the numbers.
    """
    numbered = {}
    for name in names:
        number = re.search(r"(\d+)\D*$", Path(name).stem)
        if number and numbered.setdefault(int(number[1]), name) != name:
            raise ValueError(f"both {numbered[int(number[1])]} and {name} are frame {int(number[1])}")
    count, first, last = len(numbered), min(numbered, default=1), max(numbered, default=1)
    if count > poses:
        raise ValueError(f"{count} frames on disk for {poses} poses")
    if first >= 1 and last <= poses:
        return numbered
    if count < poses:
        raise ValueError(f"{count} frames on disk, numbered {first}..{last}, for {poses} poses: which pose is which frame's?")
    return dict(enumerate((numbered[number] for number in sorted(numbered)), 1))


def orientation(image):
    """EXIF's orientation of an opened picture, 1..8; 1, which is upright, where there is none."""
    if "exif" not in image.info:                 # before getexif(), which decodes a whole PNG to look for it
        return 1
    try:
        turn = image.getexif().get(ORIENTATION, 1)
    except Exception:                            # EXIF that is damaged, in a picture that need not be: whatever Pillow meets
        return 1
    return turn if turn in range(1, 9) else 1


def frame_reading(image, size=None):
    """How an opened frame is to be read, so that the poses are where they belong in it.

    Annotators see a frame as viewers show it, turned by its EXIF orientation, or as it is stored: the annotation's size tells.

    Args:
        image: Pillow's, not decoded yet.
        size: (h, w) in the annotation, or None if that is unknown: then it is read as viewers show it.
    Returns:
        its size (h, w) read so, and whether its orientation is applied.
    Raises:
        ValueError: it has another size, turned or not; the text tells both.
    """
    stored = (image.height, image.width)
    shown = stored[::-1] if orientation(image) > 4 else stored
    for found, turned in ((shown, True), (stored, False)):
        if size is None or found == tuple(size):
            return found, turned
    raise ValueError(f"frames are {image.width} x {image.height} pixels, but by the annotation's dimensions (height, width, ..) "
                     f"{size[1]} x {size[0]}")
