"""Pictures of any kind of pixels as 8-bit RGB: one rule for photos and frames."""
import numpy as np
from PIL import Image

BACKGROUND = (255, 255, 255)      # behind transparent pixels
ROWS = 256                        # that are scaled at once, which limits memory


def as_rgb(image):
    """Pillow's picture of any mode as one of mode RGB that looks the same.

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
    """Grey of more than 8 bits as grey of 8. Which value is white follows from the mode, or else from the brightest pixel."""
    wide = np.asarray(image)
    top = float(wide.max())
    white = 65535 if top > 255 or image.mode.startswith("I;16") else 255 if top > 1 or image.mode != "F" else 1
    grey = np.empty(wide.shape, np.uint8)
    for row in range(0, len(wide), ROWS):
        grey[row:row + ROWS] = np.rint((wide[row:row + ROWS].astype(np.float32) * (255 / white)).clip(0, 255))
    return Image.fromarray(grey)
