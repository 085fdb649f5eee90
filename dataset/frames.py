"""Frames on disk: which file shows which pose, and pictures of all common formats as RGB."""
import os
import re
from pathlib import Path

import numpy as np
from PIL import Image

from utils.errors import UserError
from utils.media import as_rgb

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")        # of frames, in capitals too
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")         # no others: Pillow starts other programs for some formats
BROKEN = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)      # what Pillow raises for bad files
ORIENTATION = 0x0112      # EXIF tag
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
         5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
         8: Image.Transpose.ROTATE_90}            # EXIF orientation -> transposition that sets the picture upright


class FrameError(UserError):
    """A frame file is missing, truncated or not a picture."""


def open_frame(path, row_name):
    """Open a frame without decoding it. Raises :class:`FrameError`, which names `row_name` (list and line)."""
    try:
        return Image.open(path, formats=FORMATS)
    except FileNotFoundError:
        raise FrameError(f"{row_name}: frame {path} is missing; is data_root right?") from None
    except BROKEN as error:
        raise FrameError(f"{row_name}: frame {path} is not a readable picture ({error})") from None


def read_frame(path, row_name, turned=True):
    """Read a frame file as (h, w, 3) uint8 RGB, set upright by its EXIF orientation if `turned`.

    Raises :class:`FrameError` for missing and truncated files and for files of other formats.
    """
    with open_frame(path, row_name) as image:
        try:
            turn = orientation(image) if turned else 1
            picture = as_rgb(image)
            return np.asarray(picture.transpose(TURNS[turn]) if turn > 1 else picture)
        except BROKEN as error:
            raise FrameError(f"{row_name}: frame {path} cannot be decoded ({error})") from None


def frame_names(folder):
    """Names of the pictures in a folder, sorted, without hidden files (macOS leaves some). Raises OSError."""
    return sorted(name for name in os.listdir(folder) if name.lower().endswith(SUFFIXES) and not name.startswith("."))


def frame_files(names, poses):
    """Which file shows which pose of a video.

    The number of a frame is the last number in its name before the suffix. If all numbers lie in 1..poses, they are the numbers
    of the poses, even if some are missing. Otherwise, as with numbers from 0 on, only their order counts, and there must be as
    many frames as poses.

    Args:
        names: of the pictures in the video's folder; those without a number are ignored.
        poses: number of poses in the video's annotation.
    Returns:
        dict from the number of a pose (from 1) to a file name.
    Raises:
        ValueError: it is not certain which frame belongs to which pose; the text names the numbers.
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
    """The EXIF orientation of an opened picture, 1..8; 1 (upright) if it has none."""
    if "exif" not in image.info:                 # tested first, because getexif() decodes a whole PNG to look for it
        return 1
    try:
        turn = image.getexif().get(ORIENTATION, 1)
    except Exception:                            # Pillow raises many kinds of errors for damaged EXIF data
        return 1
    return turn if turn in range(1, 9) else 1


def frame_reading(image, size=None):
    """Decide whether the EXIF orientation of an opened frame must be applied so that its poses fit.

    Some annotation tools show a frame with its EXIF orientation applied, others as it is stored. The annotation's size decides.

    Args:
        image: Pillow picture, not decoded yet.
        size: (h, w) in the annotation; None if it is unknown: then the orientation is applied.
    Returns:
        size (h, w) of the frame as it is to be read, and whether its orientation is applied.
    Raises:
        ValueError: the annotation has another size; the text names both.
    """
    stored = (image.height, image.width)
    shown = stored[::-1] if orientation(image) > 4 else stored
    for found, turned in ((shown, True), (stored, False)):
        if size is None or found == tuple(size):
            return found, turned
    raise ValueError(f"frames are {image.width} x {image.height} pixels, but by the annotation's dimensions (height, width, ..) "
                     f"{size[1]} x {size[0]}")
