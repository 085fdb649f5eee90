"""Read photo files of any size, orientation and pixel format as upright RGB pictures; of a video, its last frame."""
import warnings
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dataset.from_video.actions import ENDINGS
from dataset.from_video.reading import read_frames, read_index
from pose.masks import alpha_mask
from utils.errors import UserError
from utils.media import as_rgb

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"]    # only these: Pillow passes some others to external programs
ANIMATED = ("GIF", "PNG", "WEBP")    # the others hold pages, or a photo and its thumbnail
MAX_PIXELS = 120_000_000  # while a photo is turned upright, memory holds it twice
MIN_SIDE = 32             # pixels
LAST = 10                 # frames of a video, one of which must be readable
with suppress(ImportError):                              # environments that were made before it was required
    from pillow_heif import register_heif_opener
    register_heif_opener()
    FORMATS.append("HEIF")


def read_photo(path):
    """Read a photo as (h, w, 3) uint8 RGB, turned upright by its EXIF data; of an animation the last picture.

    Raises:
        UserError: the file is missing, damaged or no picture, or the photo is too large or too small.
    """
    with _opened(path) as image:
        return np.asarray(as_rgb(ImageOps.exif_transpose(image)))


def read_alpha(path):
    """Read the alpha channel of a photo as a mask (h, w) float32, turned upright; None if it cannot be a person's mask."""
    with _opened(path) as image:
        if not image.has_transparency_data:
            return None
        return alpha_mask(np.asarray(ImageOps.exif_transpose(image).convert("RGBA").getchannel("A")))


def is_video(path):
    """Whether a file is a video, by the ending of its name."""
    return Path(path).suffix.lower() in ENDINGS


def read_last_frame(path):
    """Read the last frame of a video that can be decoded as (h, w, 3) uint8 RGB. Raises :class:`UserError`."""
    index = read_index(path)
    count = len(index.times)
    frames = deque(read_frames(path, index, range(max(0, count - LAST), count)), maxlen=1)
    if not frames:
        raise UserError(f"{path}: the last frames of this video cannot be decoded")
    return frames[0][1]


@contextmanager
def _opened(path):
    """Open a photo with Pillow without decoding it; everything that is wrong with it becomes a :class:`UserError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                  # about many pixels, or odd EXIF data
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise UserError(f"{path}: {image.width} x {image.height} pixels are too many; make it smaller than "
                                    f"{MAX_PIXELS // 1_000_000} megapixels")
                if min(image.size) < MIN_SIDE:
                    raise UserError(f"{path}: {image.width} x {image.height} pixels are too few to render from")
                if image.format in ANIMATED:
                    image.seek(getattr(image, "n_frames", 1) - 1)
                yield image
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such photo") from None
    except IsADirectoryError:
        raise UserError(f"{path}: this is a folder; name photos, like {Path(path) / '*.jpg'}") from None
    except Exception as error:             # Pillow's plugins raise errors of many kinds for broken files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path}: not a photo that can be read ({reason}); JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF "
                        "and HEIC can") from None
