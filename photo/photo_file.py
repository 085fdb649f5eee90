"""Photos as people have them: any size, orientation and kind of pixels, read as upright RGB."""
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from utils.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")    # no others: Pillow hands some of them to other programs
LARGEST = 120_000_000     # pixels; upright and in RGB it is held twice for a moment
SMALLEST = 32             # pixels of a side
GROUND = (255, 255, 255)  # behind what is transparent
ROWS = 256                # of 16-bit pixels that are scaled at once


class PhotoError(UserError):
    """A photo that cannot be used."""


def read_photo(path):
    """A photo as (h, w, 3) uint8 RGB, turned as its EXIF data say.

    Grey, with or without transparency, palettes, CMYK and 16 bits become RGB; of a file of several pictures the first is taken.

    Raises:
        PhotoError: no such file, no picture, one that is cut short, too large or too small.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                  # of many pixels, and of odd EXIF data
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > LARGEST:
                    raise PhotoError(f"{path}: {image.width} x {image.height} pixels are too many; make it smaller than "
                                     f"{LARGEST // 1_000_000} megapixels")
                if min(image.size) < SMALLEST:
                    raise PhotoError(f"{path}: {image.width} x {image.height} pixels are too few to paint from")
                return np.asarray(_as_rgb(ImageOps.exif_transpose(image)))
    except FileNotFoundError:
        raise PhotoError(f"{path}: there is no such photo") from None
    except IsADirectoryError:
        raise PhotoError(f"{path}: this is a folder; name photos, like {Path(path) / '*.jpg'}") from None
    except PhotoError:
        raise
    except Exception as error:             # Pillow's plugins let many kinds through for broken files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise PhotoError(f"{path}: not a photo that can be read ({reason}); JPEG, PNG, WebP, TIFF, BMP and GIF can") from None


def _as_rgb(image):
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _in_8_bits(image)
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBa"):
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        ground = Image.new("RGB", image.size, GROUND)
        ground.paste(image, mask=image.getchannel("A"))
        return ground
    return image if image.mode == "RGB" else image.convert("RGB")


def _in_8_bits(image):
    """Grey of more than 8 bits as grey of 8; which numbers are white follows from the brightest one."""
    wide = np.asarray(image)
    top = max(1, float(wide.max()))
    white = 65535 if top > 255 else 255 if top > 1 or image.mode != "F" else 1
    grey = np.empty(wide.shape, np.uint8)
    for row in range(0, len(wide), ROWS):
        grey[row:row + ROWS] = (wide[row:row + ROWS].astype(np.float32) * (255 / white)).clip(0, 255)
    return Image.fromarray(grey)
