"""Penn Action's layout on disk: `frames/NAME/NNNNNN.jpg`, counted from 1, and `labels/NAME.mat`.

Beside them a data set may have `masks/NAME/NNNNNN.png`: grey, white where the annotated person is.
"""
import io
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import scipy
from tqdm import tqdm

from dataset.matlab import read_mat
from pose.skeleton import JOINTS
from utils.errors import UserError
from utils.files import write_bytes

JPEG_QUALITY = 90
RATES = "rates.json"      # beside labels/: frames a second of each video, {name: number}; Penn Action has no such file
MAT_HEADER = b"MATLAB 5.0 MAT-file, in Penn Action's layout".ljust(116)     # scipy's header would hold the date


class Annotation(NamedTuple):
    """The annotation of a video. Joints are in pixels of the frame."""

    video: str               # name of its folder of frames, four digits in Penn Action
    action: str              # as spelt in the file
    train: bool
    joints: np.ndarray       # (nframes, 13, 2) float64
    visibility: np.ndarray   # (nframes, 13) bool
    size: tuple              # (h, w)


def read_annotation(path):
    """Read `labels/NAME.mat`. Raises :class:`UserError`, which names file and key."""
    path = Path(path)
    try:
        mat = read_mat(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable MATLAB file ({error})") from None

    def value(key, shape=None):
        if key not in mat:
            raise UserError(f"{path}: key {key!r} is missing")
        array = mat[key]
        if isinstance(array, str) or not np.isfinite(array).all():
            raise UserError(f"{path}: key {key!r} holds something else than finite numbers")
        if not array.size or (shape and array.shape != shape):
            raise UserError(f"{path}: key {key!r} has shape {array.shape}" + (f", expected {shape}" if shape else ""))
        return array

    shape = (value("x").shape[0], len(JOINTS))
    joints = np.stack([value("x", shape), value("y", shape)], -1)
    dimensions = value("dimensions").ravel()
    if len(dimensions) < 2:
        raise UserError(f"{path}: key 'dimensions' holds one number, expected height and width")
    if not isinstance(mat.get("action"), str):
        raise UserError(f"{path}: key 'action' " + ("holds something else than text" if "action" in mat else "is missing"))
    return Annotation(path.stem, mat["action"], value("train").ravel()[0] == 1, joints,
                      value("visibility", shape).astype(bool), tuple(map(int, dimensions[:2])))


def find_labels(root):
    """The annotation files under `root/labels`, sorted. Raises :class:`UserError` if there are none."""
    folder = root / "labels"
    try:
        # macOS leaves files `._NAME.mat` beside files that it copies; these are no annotations
        labels = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".mat" and not path.name.startswith("."))
    except FileNotFoundError:
        labels = []
    if not labels:
        raise UserError(f"{folder} holds no .mat annotation; --root is the folder that holds labels/ (and frames/)")
    return labels


def read_annotations(root):
    """All annotations under `root/labels`, sorted by name. Raises :class:`UserError`, which names all that are damaged."""
    found, problems = [], []
    for label in tqdm(find_labels(root), desc="annotations", unit="video"):
        try:
            found.append(read_annotation(label))
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n".join([f"{len(problems)} of {len(found) + len(problems)} annotations are damaged; unpack the archive "
                                   "again, or remove them:", *problems]))
    return found


def label_bytes(action, view, joints, size, train, visible=None):
    """Penn Action's annotation of a video as the bytes of a .mat file.

    Args:
        action: its name.
        view: front, left, right or back; Penn Action's key `pose`, which the project does not read.
        joints: (n, 13, 2) pixels.
        size: (w, h) of the frames.
        train: whether the video is for training.
        visible: (n, 13) bool; None: the joints inside the frame.
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
