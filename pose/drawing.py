"""Poses as pictures, and skeletons drawn on photos and frames. Pictures are uint8 RGB arrays (h, w, 3).

A pose picture shows the heatmap of each joint in a colour of its own on black, combined by their maximum (published system,
"Heatmaps"), over faint limbs. Skeletons have the colours of the page on which joints are placed by hand (pose_page.html): orange
is the person's own right side (Penn Action's left), blue the own left side, white the middle; invisible joints are thin.
"""
import colorsys

import cv2
import numpy as np
import torch

from pose.skeleton import JOINTS, LIMBS
from utils.heatmap import gaussian_maps
from utils.transform import to_normalised, to_pixels

# hues are a golden ratio apart, which keeps them well separated
JOINT_COLOURS = np.array([colorsys.hsv_to_rgb(joint * 0.381966 % 1, 0.75, 1.0) for joint in range(len(JOINTS))])
SUBPIXEL = 4              # bits of OpenCV's fixed-point coordinates
OWN_RIGHT, OWN_LEFT, MIDDLE = (255, 138, 61), (76, 195, 255), (242, 242, 242)
TINT, TINT_ALPHA = (255, 60, 200), 0.4    # of a mask


def draw_poses(poses, size):
    """Pose pictures of (..., 13, 2) normalised joints (a tensor or array): uint8 (..., size, size, 3)."""
    poses = torch.as_tensor(poses, dtype=torch.float32).cpu()
    flat = poses.reshape(-1, *poses.shape[-2:])
    pictures = np.zeros((len(flat), size, size, 3), np.uint8)
    for picture, pose in zip(pictures, flat):
        points = _fixed_point(to_pixels(pose.numpy(), size))
        for start, end in LIMBS:
            colour = (140 * (JOINT_COLOURS[start] + JOINT_COLOURS[end]) / 2).tolist()        # faint
            cv2.line(picture, points[start], points[end], colour, max(1, size // 64), cv2.LINE_AA, SUBPIXEL)
        # a colour's brightness is that of the brightest joint blended with it
        maps = gaussian_maps(to_normalised(to_pixels(pose, size), size - 1), size).numpy()      # (13, S, S)
        blobs = np.stack([(maps * JOINT_COLOURS[:, channel, None, None]).max(0) for channel in range(3)], -1)
        np.maximum((255 * blobs).astype(np.uint8), picture, out=picture)
    return pictures.reshape(*poses.shape[:-2], size, size, 3)


def _fixed_point(points):
    return np.round(points * 2 ** SUBPIXEL).astype(int).tolist()


def smooth(poses, between=3):
    """Insert `between` linearly interpolated poses between each two of poses (T, ...)."""
    weights = torch.linspace(0, 1, between + 2)[:-1].view(-1, *[1] * (poses.dim() - 1))
    parts = [torch.lerp(first, second, weights) for first, second in zip(poses[:-1], poses[1:])]
    return torch.cat([*parts, poses[-1:]])


def as_sequence(source, motion):
    """Prepend the source pose (J, 2) to a motion (..., T, J, 2)."""
    return torch.cat([source.expand(*motion.shape[:-3], 1, -1, -1), motion], -3)


def _colour(*joints):
    """The colour of a joint or limb, by its side; limbs between the sides are white."""
    sides = {JOINTS[joint][0] for joint in joints} - {"h"}
    return {"l": OWN_RIGHT, "r": OWN_LEFT}[sides.pop()] if len(sides) == 1 else MIDDLE


def draw_skeleton(picture, joints, visible=None):
    """Draw a skeleton on a copy of a picture: joints (13, 2) in pixels, visible (13,) bool or None for all.

    Line widths follow the size of the person, so that a small person is not hidden.
    """
    picture, visible = np.ascontiguousarray(picture).copy(), np.ones(len(JOINTS), bool) if visible is None else visible
    joints = np.nan_to_num(joints).clip(-1e4, 2e4)           # OpenCV's fixed-point numbers would overflow
    person = np.ptp(joints[visible] if visible.any() else joints, axis=0).max()
    width = min(max(picture.shape[:2]) / 130, person / 70)
    thick, points = max(1, round(width)), _fixed_point(joints)
    for start, end in LIMBS:
        if visible[start] and visible[end] and person >= 140:
            cv2.line(picture, points[start], points[end], (0, 0, 0), thick + 2, cv2.LINE_AA, SUBPIXEL)
        cv2.line(picture, points[start], points[end], _colour(start, end), thick if visible[start] and visible[end] else 1,
                 cv2.LINE_AA, SUBPIXEL)
    for joint, point in enumerate(points):
        radius = round((1.3 * width + 0.5) * 2 ** SUBPIXEL)
        cv2.circle(picture, point, radius, _colour(joint), -1 if visible[joint] else 1, cv2.LINE_AA, SUBPIXEL)
    return picture


def draw_mask(picture, mask):
    """Tint a copy of a picture (h, w, 3) uint8 where the mask (h, w) float32 is 1."""
    alpha = TINT_ALPHA * mask[..., None]
    return np.rint(picture + alpha * (np.array(TINT, np.float32) - picture)).astype(np.uint8)


def number_people(picture, people, ratio):
    """Draw everybody's box, skeleton and number, from 1, on a copy of a picture.

    `ratio` (2,) is the number of the picture's pixels per unit of the people's coordinates, in x and y.
    """
    picture = np.ascontiguousarray(picture).copy()
    side = max(picture.shape[:2])
    for number, person in enumerate(people, 1):
        picture = draw_skeleton(picture, person.joints * ratio, person.visible)
        x1, y1, x2, y2 = np.round(person.box * np.tile(ratio, 2)).astype(int).tolist()
        cv2.rectangle(picture, (x1, y1), (x2, y2), MIDDLE, max(1, side // 400), cv2.LINE_AA)
        place = (max(0, x1) + side // 100, max(0, y1) + side // 20)
        for colour, width in (((0, 0, 0), side // 100 + 2), ((255, 220, 80), side // 300 + 1)):
            cv2.putText(picture, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, side / 600, colour, width, cv2.LINE_AA)
    return picture
