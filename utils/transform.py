"""Crop and letterbox of frames, person masks and joints (published system, "Data"); other changes of a picture's size and form.

Sizes are `(h, w)`, boxes `x1, y1, x2, y2`, both in pixels; functions of boxes take one or many.
"""
from typing import NamedTuple

import cv2
import numpy as np

PAD_RGB = (123.7, 116.3, 103.5)


class Letterbox(NamedTuple):
    """Where a crop of `h x w` pixels lies in the `size x size` picture. Fields are scalars, or arrays of the same shape."""

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
    """The :class:`Letterbox` of crops of `height x width` pixels (scalars or arrays) in a picture of `size` pixels."""
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


def pose_to_picture(pose, crop, size):
    """Joints in frame pixels -> normalised picture coordinates.

    Args:
        pose: (..., T, J, 2) x, y in pixels of the frame.
        crop: (..., 4) clamped crop boxes.
        size: side of the picture.
    Returns:
        (..., T, J, 2) float64 in [-1, 1 - 2/size]: `p*ratio + (dw, dh)`, clipped to [0, size-1], then `2p/size - 1`.
    """
    crop = np.asarray(crop)
    box = letterbox(crop[..., 3] - crop[..., 1], crop[..., 2] - crop[..., 0], size)
    margin = np.stack([box.dw, box.dh], -1)[..., None, None, :]
    pixels = (pose - crop[..., None, None, :2]) * box.ratio[..., None, None, None] + margin
    return to_normalised(np.clip(pixels, 0, size - 1), size)


def picture_from_frame(frame, crop, size):
    """Crop, resize (area interpolation) and pad a frame.

    Args:
        frame: (h, w, 3) uint8 RGB.
        crop: (4,) clamped crop box.
        size: S, side of the picture.
    Returns:
        (S, S, 3) uint8.
    """
    return letterboxed(frame, crop, size, np.round(PAD_RGB))


def letterboxed(frame, crop, size, fill=0):
    """As :func:`picture_from_frame`, of a frame (h, w, C) with any number of channels, padded with `fill`."""
    x1, y1, x2, y2 = crop
    box = letterbox(y2 - y1, x2 - x1, size)
    picture = np.full((size, size, frame.shape[2]), fill, np.uint8)
    picture[box.top:box.top + box.height, box.left:box.left + box.width] = cv2.resize(
        frame[y1:y2, x1:x2], (int(box.width), int(box.height)), interpolation=cv2.INTER_AREA).reshape(box.height, box.width, -1)
    return picture


def resized(picture, size):
    """A picture (h, w, ...) in another size (h, w): area interpolation if a side shrinks, otherwise bicubic."""
    if picture.shape[:2] == tuple(size):
        return picture
    smaller = size[0] < picture.shape[0] or size[1] < picture.shape[1]
    return cv2.resize(picture, (int(size[1]), int(size[0])), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def limited(picture, longest_side):
    """A picture (h, w, ...) made smaller if its longer side has more than `longest_side` pixels."""
    ratio = min(1, longest_side / max(picture.shape[:2]))
    return resized(picture, [max(2, round(side * ratio)) for side in picture.shape[:2]]) if ratio < 1 else picture


def person_masks(persons, crop, image_size, size):
    """Masks that are 1 inside the person boxes; cropped, resized (nearest neighbour) and padded with 0 like the frames.

    A mask is a rectangle, that is the outer product of a column and a row profile, so that only the profiles are resized.

    Args:
        persons: (T, 4) person boxes in frame pixels.
        crop: (4,) clamped crop box.
        image_size: (h, w) of the frame.
    Returns:
        (T, size, size) uint8 of 0 and 1.
    """
    x1, y1, x2, y2 = crop
    box = letterbox(y2 - y1, x2 - x1, size)
    persons = clamp_box(persons, image_size)
    profiles = []
    for start, stop, length, pad, low, high in ((y1, y2, box.height, box.top, persons[:, 1], persons[:, 3]),
                                                (x1, x2, box.width, box.left, persons[:, 0], persons[:, 2])):
        # as OpenCV's nearest neighbour: pixel i of the result takes source pixel floor(i * source / result), with its rounding
        scale = 1 / (length / (stop - start))
        pixel = start + np.minimum((np.arange(length) * scale).astype(int), stop - start - 1)
        profile = np.zeros((len(persons), size), np.uint8)
        profile[:, pad:pad + length] = (pixel >= low[:, None]) & (pixel < high[:, None])
        profiles.append(profile)
    return profiles[0][:, :, None] * profiles[1][:, None, :]


def to_pixels(pose, size):
    """Normalised coordinates -> pixels of a picture of side `size`: -1 becomes 0, and 1 would become `size`."""
    return (pose + 1) / 2 * size


def to_normalised(pixels, size):
    """Pixels of a picture of side `size` -> normalised coordinates, `2p/size - 1` (published system, "Data")."""
    return 2 * pixels / size - 1


def as_image(pictures):
    """uint8 pictures (..., S, S, 3) -> float32 images (..., 3, S, S) in [-1, 1] (mean and deviation 0.5)."""
    import torch  # slow to import, and only needed here
    return torch.from_numpy(pictures).movedim(-1, -3).float().div_(127.5).sub_(1)


def as_pictures(images):
    """Images (..., 3, S, S) in [-1, 1] -> uint8 pictures (..., S, S, 3)."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte().movedim(-3, -1).cpu().numpy()
