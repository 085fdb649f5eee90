"""Writing Penn Action's layout: `frames/NAME/NNNNNN.jpg`, counted from 1, and `labels/NAME.mat`.

Beside them a data set may have `masks/NAME/NNNNNN.png`: grey, white where the annotated person is.
"""
import io

import cv2
import numpy as np
import scipy

from utils.files import write_bytes

JPEG_QUALITY = 90
MAT_HEADER = b"MATLAB 5.0 MAT-file, in Penn Action's layout".ljust(116)     # scipy's header would hold the date


def label_bytes(action, view, joints, size, train, visible=None):
    """Penn Action's annotation of a video as the bytes of a .mat file.

    Args:
        action: its name.
        view: front, left, right or back; Penn Action's key `pose`, which the project does not read.
        joints: (n, 13, 2) pixels.
        size: (w, h) of the frames.
        train: whether the video is for training.
        visible: (n, 13) bool; None: the joints that lie inside the frame.
    """
    last = np.array(size) - 1
    if visible is None:
        visible = ((joints >= 0) & (joints <= last)).all(-1)
    box = np.concatenate([joints.min(1), joints.max(1)], -1).clip(0, np.tile(last, 2))
    content = io.BytesIO()
    scipy.io.savemat(content, {
        "action": action, "pose": view, "x": joints[..., 0], "y": joints[..., 1],
        "visibility": visible.astype(np.uint8), "train": 1 if train else -1, "bbox": box,
        "dimensions": np.array([[size[1], size[0], len(joints)]]), "nframes": len(joints)})
    return MAT_HEADER + content.getvalue()[len(MAT_HEADER):]


def frame_mask(frame):
    """The mask file of a frame: `masks/NAME/NNNNNN.png` for `frames/NAME/NNNNNN.jpg`."""
    return frame.parents[2] / "masks" / frame.parent.name / f"{frame.stem}.png"


def write_frame(folder, number, picture, quality=JPEG_QUALITY):
    """Write frame `number` (from 1) of a video: (h, w, 3) uint8 BGR."""
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
    write_bytes(folder / f"{number:06d}.jpg", data.tobytes())
