"""Crop and letterbox of frames, person masks and joints (published system, "Data"); sizes and formats of pictures.

Sizes are `(h, w)`, boxes `x1, y1, x2, y2`, both in pixels.
"""
from typing import NamedTuple

import cv2
import numpy as np

PAD_RGB = (123.7, 116.3, 103.5)


class Letterbox(NamedTuple):
    """Where a crop lies in the `size x size` picture. Fields are scalars, or arrays of the same shape."""

    size: int
    ratio: np.ndarray        # picture pixels per crop pixel
    width: np.ndarray        # of the resized crop, picture pixels
    height: np.ndarray
    dw: np.ndarray           # exact margin left (and right), picture pixels
    dh: np.ndarray           # exact margin above (and below)

    @property
    def left(self):
        return np.round(self.dw - 0.1).astype(int)

    @property
    def top(self):
        return np.round(self.dh - 0.1).astype(int)


def letterbox(height, width, size):
    """The :class:`Letterbox` of crops of `height x width` pixels (scalars or arrays)."""
    height, width = np.asarray(height, np.float64), np.asarray(width, np.float64)
    ratio = size / np.maximum(height, width)
    # at least one pixel: a very flat crop must stay a picture
    new_w, new_h = (np.maximum(1, np.round(side * ratio)).astype(int) for side in (width, height))
    return Letterbox(size, ratio, new_w, new_h, (size - new_w) / 2, (size - new_h) / 2)


def clamp_box(box, image_size):
    """Boxes (..., 4) clamped to `[0, w-1] x [0, h-1]` of images (..., 2) of size `(h, w)`."""
    box, image_size = np.asarray(box), np.asarray(image_size)
    limit = (image_size - 1)[..., [1, 0, 1, 0]]
    return np.clip(box, 0, limit)


def pose_to_picture(pose, crop, size, clip=True):
    """Joints in frame pixels -> normalised picture coordinates.

    Args:
        pose: (..., T, J, 2) x, y in pixels of the frame.
        crop: (..., 4) clamped crop boxes.
        size: side of the picture.
        clip: whether joints outside the picture move to its border, as published.
    Returns:
        (..., T, J, 2) float64; clipped, in [-1, 1 - 2/size].
    """
    crop = np.asarray(crop)
    box = letterbox(crop[..., 3] - crop[..., 1], crop[..., 2] - crop[..., 0], size)
    margin = np.stack([box.dw, box.dh], -1)[..., None, None, :]
    pixels = (pose - crop[..., None, None, :2]) * box.ratio[..., None, None, None] + margin
    return to_normalised(np.clip(pixels, 0, size - 1) if clip else pixels, size)


def picture_from_frame(frame, crop, size):
    """Crop, resize and pad a frame (h, w, 3) uint8 RGB with a clamped crop box: (size, size, 3) uint8."""
    return letterboxed(frame, crop, size, np.round(PAD_RGB))


def letterboxed(frame, crop, size, fill=0, interpolation=cv2.INTER_AREA):
    """As :func:`picture_from_frame`, for any number of channels, padded with `fill`."""
    x1, y1, x2, y2 = crop
    box = letterbox(y2 - y1, x2 - x1, size)
    picture = np.full((size, size, frame.shape[2]), fill, np.uint8)
    picture[box.top:box.top + box.height, box.left:box.left + box.width] = cv2.resize(
        frame[y1:y2, x1:x2], (int(box.width), int(box.height)), interpolation=interpolation).reshape(box.height, box.width, -1)
    return picture


def resized(picture, size):
    """Resize a picture (h, w, ...) to another (h, w), by area interpolation if a side shrinks, otherwise bicubic."""
    if picture.shape[:2] == tuple(size):
        return picture
    smaller = size[0] < picture.shape[0] or size[1] < picture.shape[1]
    return cv2.resize(picture, (int(size[1]), int(size[0])), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def limited(picture, longest_side):
    """Shrink a picture (h, w, ...) whose longer side has more than `longest_side` pixels."""
    ratio = min(1, longest_side / max(picture.shape[:2]))
    return resized(picture, [max(2, round(side * ratio)) for side in picture.shape[:2]]) if ratio < 1 else picture


def person_masks(persons, crop, image_size, size):
    """Masks that are 1 inside the person boxes; cropped, resized (nearest neighbour) and padded with 0 like the frames.

    Args:
        persons: (T, 4) person boxes in frame pixels.
        crop: (4,) clamped crop box.
        image_size: (h, w) of the frame.
    Returns:
        (T, size, size) uint8 of 0 and 1.
    """
    inside = np.zeros((len(persons), *image_size), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(inside, clamp_box(persons, image_size)):
        mask[y1:y2, x1:x2] = 1
    return np.stack([letterboxed(mask[..., None], crop, size, interpolation=cv2.INTER_NEAREST)[..., 0] for mask in inside])


def to_pixels(pose, size):
    """Normalised coordinates -> pixels of a picture of side `size`."""
    return (pose + 1) / 2 * size


def to_normalised(pixels, size):
    """Pixels of a picture of side `size` -> normalised coordinates."""
    return 2 * pixels / size - 1


def as_image(pictures):
    """uint8 pictures (..., S, S, 3) -> float32 images (..., 3, S, S) in [-1, 1]."""
    import torch  # slow to import, and only needed here
    return torch.from_numpy(pictures).movedim(-1, -3).float().div_(127.5).sub_(1)


def as_pictures(images):
    """Images (..., 3, S, S) in [-1, 1] -> uint8 pictures (..., S, S, 3)."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte().movedim(-3, -1).cpu().numpy()
