"""A web page on which the user places the joints in a photo: one HTML file that needs nothing else and saves a pose file."""
import base64
import io
import json
from html import escape
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pose.drawing import TINT
from pose.pose_file import pose_list
from pose.skeleton import JOINTS, LIMBS, STANDING
from utils.files import write_text
from utils.transform import limited

LARGEST_SIDE = 1600                   # pixels of the embedded photo: enough to see where a joint is
LARGEST_MASK = 800                    # pixels of the embedded mask
QUALITY = 88                          # of its JPEG data
TEMPLATE, SCRIPT = (Path(__file__).with_suffix(ending) for ending in (".html", ".js"))
STANDING_SHARE = 0.8                  # the part of the photo's height that it fills, if the photo is wide enough


def standing_pose(size):
    """A standing figure (13, 2) in pixels, in the middle of a photo of size (h, w)."""
    h, w = size
    height = STANDING_SHARE * min(h, w / (2 * np.abs(STANDING[:, 0]).max()))
    return STANDING * height + (w / 2, (h - height) / 2)


def write_pose_page(folder, pixels, photo, person=None, mask=None):
    """Write the page for a photo into a folder; returns a sentence that says how to continue.

    Args:
        folder: pathlib.Path.
        pixels: (h, w, 3) uint8 RGB, upright.
        photo: with its `path` and the `stem` of the page's name, see :class:`photo.photo_list.Photo`.
        person: :class:`pose.detector.Person` whose pose is the start, or None: a standing figure.
        mask: (h, w) float32 of the person, or None.
    """
    page, saved = folder / f"{photo.stem}_pose.html", f"{photo.path.stem}.json"
    joints, visible = (None, None) if person is None else (person.joints, person.visible)
    write_page(page, pixels, joints, visible, mask, title=photo.path.name, saved=saved)
    return f"open {page} in a browser, save {saved} there and give that file with --pose"


def write_page(path, photo, joints=None, visible=None, mask=None, title="photo", saved="pose.json"):
    """Write the page.

    Args:
        path: HTML file.
        photo: (h, w, 3) uint8 RGB, upright. It is embedded with sides of at most LARGEST_SIDE pixels; coordinates on the page are
            pixels of the photo given here.
        joints: (13, 2) pose to start with, pixels of the photo; None: a standing figure.
        visible: (13,) bool, None for all.
        mask: (h, w) float32 in [0, 1], shown as a tint; None: no mask.
        title: what the page calls the photo.
        saved: name of the file that the page's button saves.
    """
    h, w = photo.shape[:2]
    joints = standing_pose((h, w)) if joints is None else joints
    settings = {"width": w, "height": h, "saved": saved, "joints": JOINTS, "limbs": LIMBS, "photo": _data_uri(photo),
                "mask": None if mask is None else _mask_uri(mask), "pose": pose_list(joints, visible)}
    # the text stands in a script element, which "</" would end: write no "<"
    text = json.dumps(settings).replace("<", "\\u003c")
    template, script = (part.read_text(encoding="utf-8") for part in (TEMPLATE, SCRIPT))
    write_text(path, template.replace("{{script}}", script).replace("{{settings}}", text).replace("{{title}}", escape(title)))


def _data_uri(photo):
    image = Image.fromarray(photo)
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _encoded(image, "jpeg", quality=QUALITY)


def _mask_uri(mask):
    """A mask as a picture of one colour that is opaque where the person is."""
    alpha = Image.fromarray(cv2.convertScaleAbs(limited(mask, LARGEST_MASK), alpha=255))
    image = Image.new("RGB", alpha.size, TINT)
    image.putalpha(alpha)
    return _encoded(image, "png")


def _encoded(image, kind, **settings):
    data = io.BytesIO()
    image.save(data, format=kind, **settings)
    return f"data:image/{kind};base64," + base64.b64encode(data.getvalue()).decode("ascii")
