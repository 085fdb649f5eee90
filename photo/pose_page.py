"""A web page on which the user places the joints in a photo: one HTML file that needs nothing else and saves a pose file."""
import base64
import io

import cv2
import numpy as np
from PIL import Image

from pose.drawing import TINT
from pose.pose_file import pose_list
from pose.skeleton import JOINTS, LIMBS, STANDING
from utils.pages import write_page
from utils.transform import limited

MAX_SIDE, MAX_MASK = 1600, 800        # pixels of the embedded photo, enough to see where a joint is, and of the mask
QUALITY = 88                          # of the JPEG data


def standing_pose(size):
    """A standing figure (13, 2) in pixels, in the middle of a photo of size (h, w)."""
    h, w = size
    height = 0.8 * min(h, w / (2 * np.abs(STANDING[:, 0]).max()))
    return STANDING * height + (w / 2, (h - height) / 2)


def write_pose_page(folder, given, person=None, mask=None):
    """Write `STEM_pose.html` for a photo; returns a sentence that says how to continue.

    Args:
        folder: pathlib.Path.
        given: :class:`photo.inputs.PhotoInput`, or anything with its `photo` and `pixels`.
        person: :class:`pose.detector.Person` with whose pose the page begins; None: a standing figure.
        mask: (h, w) float32 in [0, 1], shown as a tint; None: no mask.
    """
    photo, (h, w) = given.photo, given.pixels.shape[:2]
    page, saved = folder / f"{photo.stem}_pose.html", f"{photo.path.stem}.json"
    pose = pose_list(standing_pose((h, w))) if person is None else pose_list(person.joints, person.visible)
    settings = {"width": w, "height": h, "saved": saved, "joints": JOINTS, "limbs": LIMBS, "pose": pose,
                "photo": _photo_uri(given.pixels), "mask": None if mask is None else _mask_uri(mask)}
    write_page(page, "pose_page.html", title=photo.path.name, settings=settings)
    return f"open {page} in a browser, save {saved} there and give that file with --pose"


def _photo_uri(pixels):
    image = Image.fromarray(pixels)
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _data_uri(image, "jpeg", quality=QUALITY)


def _mask_uri(mask):
    """A mask as a picture of one colour that is opaque where the person is."""
    alpha = Image.fromarray(cv2.convertScaleAbs(limited(mask, MAX_MASK), alpha=255))
    image = Image.new("RGB", alpha.size, TINT)
    image.putalpha(alpha)
    return _data_uri(image, "png")


def _data_uri(image, kind, **settings):
    data = io.BytesIO()
    image.save(data, format=kind, **settings)
    return f"data:image/{kind};base64," + base64.b64encode(data.getvalue()).decode("ascii")
