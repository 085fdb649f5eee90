"""Photo files of any size, orientation and kind of pixels, read as upright RGB pictures."""
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from utils.errors import UserError
from utils.rgb import as_rgb

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")    # only these: Pillow passes some others to external programs
LARGEST = 120_000_000     # pixels; while it is turned upright, memory holds it twice
SMALLEST = 32             # pixels of a side


def read_photo(path):
    """Read a photo as (h, w, 3) uint8 RGB, turned upright as its EXIF data say.

    All kinds of pixels become RGB, see :func:`utils.rgb.as_rgb`. Of a file with several pictures the first is read.

    Raises:
        UserError: the file is missing, damaged or no picture, or the photo is too large or too small.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                  # about many pixels, or about odd EXIF data
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > LARGEST:
                    raise UserError(f"{path}: {image.width} x {image.height} pixels are too many; make it smaller than "
                                     f"{LARGEST // 1_000_000} megapixels")
                if min(image.size) < SMALLEST:
                    raise UserError(f"{path}: {image.width} x {image.height} pixels are too few to paint from")
                return np.asarray(as_rgb(ImageOps.exif_transpose(image)))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such photo") from None
    except IsADirectoryError:
        raise UserError(f"{path}: this is a folder; name photos, like {Path(path) / '*.jpg'}") from None
    except UserError:
        raise
    except Exception as error:             # Pillow's plugins raise errors of many kinds for broken files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path}: not a photo that can be read ({reason}); JPEG, PNG, WebP, TIFF, BMP and GIF can") from None
