"""Poses as pictures, and skeletons drawn on photos and frames. Pictures are uint8 RGB arrays (h, w, 3).

A pose picture shows the heatmap of each joint in a colour of its own on black, combined by their maximum (published system,
"Heatmaps"), over faint limbs. Skeletons have the colours of the page on which joints are placed by hand (pose_page.html): orange
is the person's own right side (Penn Action's left), blue the own left side, white the middle; joints that are not visible are
drawn thin.
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
LIMB_WIDTH = 64           # the picture's side divided by a limb's thickness
LIMB_LIGHT = 0.55         # brightness of a limb, as a share of its joints' brightness
SUBPIXEL = 4              # bits of cv2's fixed-point coordinates
OWN_RIGHT, OWN_LEFT, MIDDLE = (255, 138, 61), (76, 195, 255), (242, 242, 242)
TINT, TINT_SHARE = (255, 60, 200), 0.4    # of a mask
# the thickness of a skeleton's limb: a share of the picture's longer side, or of the person's if that is less
THICKNESS, SLENDER = 1 / 130, 1 / 70


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
    """Poses (T, ...) with `between` linearly interpolated ones between every two of them."""
    weights = torch.linspace(0, 1, between + 2)[:-1].view(-1, *[1] * (poses.dim() - 1))
    parts = [torch.lerp(first, second, weights) for first, second in zip(poses[:-1], poses[1:])]
    return torch.cat([*parts, poses[-1:]])


def as_sequence(source, motion):
    """The source pose (J, 2) put before a motion (..., T, J, 2)."""
    return torch.cat([source.expand(*motion.shape[:-3], 1, -1, -1), motion], -3)


def _side(joint):
    return {"l": OWN_RIGHT, "r": OWN_LEFT}.get(JOINTS[joint][0], MIDDLE)


def _limb_colour(start, end):
    return _side(end) if _side(start) in (_side(end), MIDDLE) else MIDDLE


def draw_skeleton(picture, joints, visible=None):
    """A copy of a picture with a skeleton: joints (13, 2) in pixels, visible (13,) bool or None for all.

    Its lines suit the size of the person, so that they do not hide a small one.
    """
    picture, visible = np.ascontiguousarray(picture).copy(), np.ones(len(JOINTS), bool) if visible is None else visible
    joints = np.nan_to_num(joints).clip(-1e4, 2e4)           # farther outside cv2's fixed-point numbers would overflow
    person = np.ptp(joints[visible] if visible.any() else joints, axis=0).max()
    thick = max(1, round(min(THICKNESS * max(picture.shape[:2]), SLENDER * person)))
    outline = thick + 2 if SLENDER * person >= 2 else thick
    points = np.round(joints * 2 ** SUBPIXEL).astype(int).tolist()
    for start, end in LIMBS:
        seen = visible[start] and visible[end]
        for colour, width in (((0, 0, 0), outline), (_limb_colour(start, end), thick)) if seen else (
                (_limb_colour(start, end), 1),):
            cv2.line(picture, points[start], points[end], colour, width, cv2.LINE_AA, SUBPIXEL)
    for joint, point in enumerate(points):
        radius = round((1.3 * min(thick, SLENDER * person) + 0.5) * 2 ** SUBPIXEL)
        cv2.circle(picture, point, radius, _side(joint), -1 if visible[joint] else 1, cv2.LINE_AA, SUBPIXEL)
    return picture


def draw_mask(picture, mask):
    """A copy of a picture (h, w, 3) uint8, tinted where the mask (h, w) float32 is 1."""
    share = TINT_SHARE * mask[..., None]
    return np.rint(picture + share * (np.array(TINT, np.float32) - picture)).astype(np.uint8)


def number_people(picture, people, ratio):
    """A copy of a picture with everybody's box, skeleton and number, from 1.

    Args:
        picture: (h, w, 3) uint8.
        people: list of :class:`pose.detector.Person`.
        ratio: (2,) pixels of the picture per unit of the people's coordinates, in x and y.
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
