"""Skeletons drawn on photos and frames, in the colours of the page on which joints are placed by hand (pose_page.html).

Pictures are uint8 RGB arrays (h, w, 3), joints in their pixels. Orange is the person's own right side (Penn Action's left), blue
the own left one, white the middle; what is not visible is drawn thin.
"""
import cv2
import numpy as np

from pose.skeleton import JOINTS, LIMBS

OWN_RIGHT, OWN_LEFT, MIDDLE = (255, 138, 61), (76, 195, 255), (242, 242, 242)
SUBPIXEL = 4              # bits of cv2's fixed-point coordinates
THICKNESS = 1 / 130       # of a limb, against the picture's longer side


def _side(joint):
    return {"l": OWN_RIGHT, "r": OWN_LEFT}.get(JOINTS[joint][0], MIDDLE)


def _limb_colour(start, end):
    return _side(end) if _side(start) in (_side(end), MIDDLE) else MIDDLE


def draw_skeleton(picture, joints, visible=None):
    """A copy of a picture with a skeleton: joints (13, 2) in pixels, visible (13,) bool or None for all."""
    picture, visible = np.ascontiguousarray(picture).copy(), np.ones(len(JOINTS), bool) if visible is None else visible
    thick = max(1, round(THICKNESS * max(picture.shape[:2])))
    # far outside the picture cv2's fixed-point numbers would overflow
    points = np.round(np.nan_to_num(joints).clip(-1e4, 2e4) * 2 ** SUBPIXEL).astype(int).tolist()
    for start, end in LIMBS:
        seen = visible[start] and visible[end]
        for colour, width in (((0, 0, 0), thick + 2), (_limb_colour(start, end), thick)) if seen else (
                (_limb_colour(start, end), 1),):
            cv2.line(picture, points[start], points[end], colour, width, cv2.LINE_AA, SUBPIXEL)
    for joint, point in enumerate(points):
        radius = round((1.3 * thick + 0.5) * 2 ** SUBPIXEL)
        cv2.circle(picture, point, radius, _side(joint), -1 if visible[joint] else 1, cv2.LINE_AA, SUBPIXEL)
    return picture


def number_people(picture, people):
    """A copy of a picture with everybody's box, skeleton and number from 1; `people` as pose.keypoint_rcnn finds them."""
    picture = np.ascontiguousarray(picture).copy()
    side = max(picture.shape[:2])
    for number, person in enumerate(people, 1):
        picture = draw_skeleton(picture, person.joints, person.visible)
        x1, y1, x2, y2 = np.round(person.box).astype(int).tolist()
        cv2.rectangle(picture, (x1, y1), (x2, y2), MIDDLE, max(1, side // 400), cv2.LINE_AA)
        place = (max(0, x1) + side // 100, max(0, y1) + side // 20)
        for colour, width in (((0, 0, 0), side // 100 + 2), ((255, 220, 80), side // 300 + 1)):
            cv2.putText(picture, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, side / 600, colour, width, cv2.LINE_AA)
    return picture
