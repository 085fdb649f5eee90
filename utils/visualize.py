"""Poses as pictures, sheets of pictures and GIFs.

Pictures are uint8 RGB arrays (S, S, 3); a pose picture shows each joint's heatmap in a colour of its own, composited by
maximum on black (SPEC section 4), over faint limbs.
"""
import colorsys

import av
import cv2
import numpy as np
import torch
from PIL import Image

from utils.files import atomic_write
from utils.heatmap import gaussian_maps

GIF_FPS = 2               # published
LIMBS = ((0, 1), (0, 2), (1, 2), (1, 3), (3, 5), (2, 4), (4, 6), (1, 7), (2, 8), (7, 8), (7, 9), (9, 11), (8, 10), (10, 12))
# well separated: hues a golden ratio apart; the person's left side and right side alternate
JOINT_COLOURS = np.array([colorsys.hsv_to_rgb(joint * 0.381966 % 1, 0.75, 1.0) for joint in range(13)])
LIMB_WIDTH = 64           # a limb is this part of the picture's side thick
LIMB_LIGHT = 0.55         # of a limb against its joints
SUBPIXEL = 4              # bits of cv2's fixed-point coordinates


def draw_poses(poses, size):
    """Pose pictures of (..., 13, 2) normalised joints (a tensor or array): uint8 (..., size, size, 3)."""
    poses = torch.as_tensor(poses, dtype=torch.float32).cpu()
    flat = poses.reshape(-1, *poses.shape[-2:])
    pictures = np.empty((len(flat), size, size, 3), np.uint8)
    for picture, pose in zip(pictures, flat):
        # a colour's brightness is that of the brightest joint blended with it
        maps = gaussian_maps(pose, size).numpy()                                          # (13, S, S)
        blobs = np.stack([(maps * JOINT_COLOURS[:, channel, None, None]).max(0) for channel in range(3)], -1)
        np.maximum((255 * blobs).astype(np.uint8), _draw_limbs(pose.numpy(), size), out=picture)
    return pictures.reshape(*poses.shape[:-2], size, size, 3)


def _draw_limbs(pose, size):
    picture = np.zeros((size, size, 3), np.uint8)
    points = np.round((pose + 1) / 2 * (size - 1) * 2 ** SUBPIXEL).astype(int).tolist()
    for start, end in LIMBS:
        colour = (255 * LIMB_LIGHT * (JOINT_COLOURS[start] + JOINT_COLOURS[end]) / 2).tolist()
        cv2.line(picture, points[start], points[end], colour, max(1, size // LIMB_WIDTH), cv2.LINE_AA, SUBPIXEL)
    return picture


def grid(rows, gap=2, background=40):
    """Pictures in rows (lists of (S, S, 3); None leaves a wide gap) as one picture."""
    lines = []
    for row in rows:
        height = next(cell.shape[0] for cell in row if cell is not None)
        cells = [cell if cell is not None else np.full((height, 4 * gap, 3), background, np.uint8) for cell in row]
        lines.append(np.concatenate([np.pad(cell, ((0, gap), (0, gap), (0, 0)), constant_values=background)
                                     for cell in cells], 1))
    return np.concatenate(lines)


def label(picture, text):
    """A copy of a picture with a line of small text in its upper left corner, readable on any ground."""
    picture = picture.copy()
    for light, width in ((0, 3), (235, 1)):
        cv2.putText(picture, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (light,) * 3, width, cv2.LINE_AA)
    return picture


def smooth(poses, between=3):
    """Poses (T, ...) with `between` more of them in line between each two."""
    weights = torch.linspace(0, 1, between + 2)[:-1].view(-1, *[1] * (poses.dim() - 1))
    parts = [torch.lerp(first, second, weights) for first, second in zip(poses[:-1], poses[1:])]
    return torch.cat([*parts, poses[-1:]])


def write_image(path, picture):
    """Save one RGB picture; the format follows the file's ending."""
    with atomic_write(path, "wb", sync=False) as file:
        Image.fromarray(picture).save(file, format=Image.registered_extensions()[path.suffix], quality=92)


def write_gif(path, pictures, fps=GIF_FPS, photo=False):
    """Save pictures (T, S, S, 3) as an endless GIF of T frames; `photo` takes the slower, finer choice of colours."""
    pictures = np.asarray(pictures)
    count, height, width, _ = pictures.shape
    colours = 256 - count // 2
    strip = Image.fromarray(pictures.reshape(count * height, width, 3)).quantize(
        colours, method=Image.Quantize.MEDIANCUT if photo else Image.Quantize.FASTOCTREE,
        dither=Image.Dither.FLOYDSTEINBERG if photo else Image.Dither.NONE)
    palette = strip.getpalette()[:3 * colours]
    palette += [0] * (3 * colours - len(palette))
    for twin, top in enumerate(range(height, count * height, 2 * height), colours):
        # Pillow drops a frame that equals the one before: every second frame's first pixel gets an index of its own
        colour = 3 * strip.getpixel((0, top))
        strip.putpixel((0, top), twin)
        palette += palette[colour:colour + 3]
    strip.putpalette(palette)
    first, *others = (strip.crop((0, top, width, top + height)) for top in range(0, count * height, height))
    with atomic_write(path, "wb", sync=False) as file:
        first.save(file, format="GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0, optimize=False)


def write_mp4(path, pictures, fps=GIF_FPS):
    """Save pictures (T, S, S, 3), S even, as H.264 video that browsers play."""
    _, height, width, _ = pictures.shape
    with atomic_write(path, "wb", sync=False) as file, av.open(file, "w", format="mp4") as video:
        stream = video.add_stream("libx264", rate=fps, options={"crf": "18"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for picture in pictures:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        video.mux(stream.encode())


def as_pictures(images):
    """Image tensors (..., 3, S, S) in [-1, 1] -> uint8 (..., S, S, 3)."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).movedim(-3, -1).cpu().numpy()
