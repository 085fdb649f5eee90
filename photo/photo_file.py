"""Photo files of any size, orientation and kind of pixels, read as upright RGB pictures."""
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pose.masks import alpha_mask
from utils.errors import UserError
from utils.rgb import as_rgb

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")    # only these: Pillow passes some others to external programs
LARGEST = 120_000_000     # pixels; while it is turned upright, memory holds it twice
SMALLEST = 32             # pixels of a side
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")       # of phones' photos, bytes 8 to 12


def read_photo(path):
    """Read a photo as (h, w, 3) uint8 RGB, turned upright as its EXIF data say.

    All kinds of pixels become RGB, see :func:`utils.rgb.as_rgb`. Of a file with several pictures the first is read.

    Raises:
        UserError: the file is missing, damaged or no picture, or the photo is too large or too small.
    """
    with _opened(path) as image:
        return np.asarray(as_rgb(ImageOps.exif_transpose(image)))


def read_alpha(path):
    """The alpha channel of a photo as a mask (h, w) float32, turned upright; None if it says nothing about a person.

    Arguments and errors as in :func:`read_photo`.
    """
    with _opened(path) as image:
        if not image.has_transparency_data:
            return None
        return alpha_mask(np.asarray(ImageOps.exif_transpose(image).convert("RGBA").getchannel("A")))


@contextmanager
def _opened(path):
    """The Pillow picture of a photo, not decoded yet; whatever is wrong with it becomes a :class:`UserError`."""
    heif = _is_heif(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                  # about many pixels, or about odd EXIF data
            with Image.open(path, formats=(*FORMATS, *(_heif_formats(path) if heif else ()))) as image:
                if image.width * image.height > LARGEST:
                    raise UserError(f"{path}: {image.width} x {image.height} pixels are too many; make it smaller than "
                                     f"{LARGEST // 1_000_000} megapixels")
                if min(image.size) < SMALLEST:
                    raise UserError(f"{path}: {image.width} x {image.height} pixels are too few to paint from")
                yield image
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such photo") from None
    except IsADirectoryError:
        raise UserError(f"{path}: this is a folder; name photos, like {Path(path) / '*.jpg'}") from None
    except UserError:
        raise
    except Exception as error:             # Pillow's plugins raise errors of many kinds for broken files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path}: not a photo that can be read ({reason}); JPEG, PNG, WebP, TIFF, BMP and GIF can") from None


def _is_heif(path):
    """Whether a file is HEIC, as phones write it, whatever its name."""
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start[4:8] == b"ftyp" and start[8:] in HEIF_BRANDS


def _heif_formats(path):
    try:
        from pillow_heif import register_heif_opener  # optional: only for photos of some phones
    except ImportError:
        raise UserError(f"{path}: HEIC photos need a package more: pip install pillow-heif (or save it as JPEG)") from None
    register_heif_opener()
    return ("HEIF",)
