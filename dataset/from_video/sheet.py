"""The contact sheet of a clip: some of its frames, with poses and masks, in which also a small person can be seen."""
import numpy as np

from pose.drawing import draw_skeleton
from utils.drawing import contact_sheet
from utils.media import write_image
from utils.transform import resized

FRAMES = 12                  # on a sheet
CELL = 320                   # longer side of a frame on it, pixels


def write_sheet(path, pictures, joints, visible, usable):
    """Write the contact sheet of a clip with n frames. It shows the part of the frames in which the person is.

    Args:
        path: JPEG file.
        pictures: frame index -> (h, w, 3) uint8 RGB.
        joints: (n, 13, 2) in pixels.
        visible: (n, 13) bool.
        usable: (n,) bool, whether the person is in a frame; at least once. The others are darkened.
    """
    part = surroundings(joints[usable], next(iter(pictures.values())).shape[:2])
    write_image(path, contact_sheet([_cell(picture, part, joints[number], visible[number]) if usable[number]
                                     else _cell(picture, part) // 3 for number, picture in sorted(pictures.items())], cell=CELL))


def surroundings(joints, size):
    """The part of frames of size (h, w) that reaches half a body's size beyond all poses (n, 13, 2): int `x1, y1, x2, y2`."""
    reach = np.ptp(joints, axis=1).max() / 2
    box = np.concatenate([joints.min((0, 1)) - reach, joints.max((0, 1)) + reach + 1])
    return box.clip(0, np.tile(size[::-1], 2)).astype(int)


def _cell(picture, part, joints=None, visible=None):
    """The part `x1, y1, x2, y2` of a frame, its longer side CELL pixels, with the skeleton of a pose if there is one."""
    x1, y1, x2, y2 = part
    ratio = CELL / max(x2 - x1, y2 - y1)
    cell = resized(picture[y1:y2, x1:x2], [max(1, round(side * ratio)) for side in (y2 - y1, x2 - x1)])
    return cell if joints is None else draw_skeleton(cell, (joints - (x1, y1)) * ratio, visible)
