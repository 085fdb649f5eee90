"""Convert pictures of any pixel format to 8-bit RGB, in the same way for photos and frames."""
import numpy as np
from PIL import Image

BACKGROUND = (255, 255, 255)      # behind transparent pixels
ROWS = 256                        # that are scaled at once, which limits memory


def as_rgb(image):
    """Convert a Pillow picture of any mode to mode RGB, so that it looks the same.

    Grey of more than 8 bits is scaled, because `convert` would clip it at 255. Transparent pixels become white, because `convert`
    would show the colours that they hide.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _in_8_bits(image)
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        opaque = Image.new("RGB", image.size, BACKGROUND)
        opaque.paste(image, mask=image.getchannel("A"))
        return opaque
    return image if image.mode == "RGB" else image.convert("RGB")


def _in_8_bits(image):
    """Scale grey of more than 8 bits to 8 bits. The mode says which value is white, or else the brightest pixel does."""
    wide = np.asarray(image)
    top = float(wide.max())
    white = 65535 if top > 255 or image.mode.startswith("I;16") else 255 if top > 1 or image.mode != "F" else 1
    grey = np.empty(wide.shape, np.uint8)
    for row in range(0, len(wide), ROWS):
        grey[row:row + ROWS] = np.rint((wide[row:row + ROWS].astype(np.float32) * (255 / white)).clip(0, 255))
    return Image.fromarray(grey)
