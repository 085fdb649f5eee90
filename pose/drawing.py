"""Poses as pictures, and sheets of pictures.

Pictures are uint8 RGB arrays (S, S, 3); a pose picture shows each joint's heatmap in a colour of its own, composited by
maximum on black (published system, "Heatmaps"), over faint limbs.
"""
import colorsys

import cv2
import numpy as np
import torch

from pose.skeleton import JOINTS, LIMBS
from utils.heatmap import gaussian_maps
from utils.transform import to_normalised, to_pixels

# well separated: hues a golden ratio apart; the person's left side and right side alternate
JOINT_COLOURS = np.array([colorsys.hsv_to_rgb(joint * 0.381966 % 1, 0.75, 1.0) for joint in range(len(JOINTS))])
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
        maps = gaussian_maps(to_normalised(to_pixels(pose, size), size - 1), size).numpy()      # (13, S, S)
        blobs = np.stack([(maps * JOINT_COLOURS[:, channel, None, None]).max(0) for channel in range(3)], -1)
        np.maximum((255 * blobs).astype(np.uint8), _draw_limbs(pose.numpy(), size), out=picture)
    return pictures.reshape(*poses.shape[:-2], size, size, 3)


def _draw_limbs(pose, size):
    picture = np.zeros((size, size, 3), np.uint8)
    points = np.round(to_pixels(pose, size) * 2 ** SUBPIXEL).astype(int).tolist()
    for start, end in LIMBS:
        colour = (255 * LIMB_LIGHT * (JOINT_COLOURS[start] + JOINT_COLOURS[end]) / 2).tolist()
        cv2.line(picture, points[start], points[end], colour, max(1, size // LIMB_WIDTH), cv2.LINE_AA, SUBPIXEL)
    return picture


def smooth(poses, between=3):
    """Poses (T, ...) with `between` more of them in line between each two."""
    weights = torch.linspace(0, 1, between + 2)[:-1].view(-1, *[1] * (poses.dim() - 1))
    parts = [torch.lerp(first, second, weights) for first, second in zip(poses[:-1], poses[1:])]
    return torch.cat([*parts, poses[-1:]])


def as_sequence(source, motion):
    """The source pose (J, 2) put before a motion (..., T, J, 2)."""
    return torch.cat([source.expand(*motion.shape[:-3], 1, -1, -1), motion], -3)
