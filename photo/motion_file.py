"""Motions that the user brings instead of an action: of a video, of pose files, of an annotation, or of a test's poses.

Axes: T poses, J = 13 joints.
"""
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dataset.from_video.actions import ENDINGS
from dataset.penn_action import read_annotation
from evaluation.row_files import read_saved_poses
from photo.motion_video import read_video
from photo.timing import FPS, steps_of
from pose.pose_file import read_about, read_pose, read_poses
from utils.errors import UserError
from utils.files import file_stem, unused_name


class Motion(NamedTuple):
    """A motion of somebody."""

    name: str                # in headings and names of files
    joints: np.ndarray       # (T, J, 2) float64 finite, T > 1
    fps: float | None        # poses a second; None: the file does not tell
    size: tuple | None       # (h, w) of the pictures in whose pixels the joints are; None: not known
    action: str | None = None    # what it shows, where that is known


def read_motions(request, finder):
    """The motions that a request brings, at its frame rate and no longer than it asks for: a list of :class:`Motion`.

    Args:
        request: :class:`photo.options.PhotoRequest`.
        finder: :class:`photo.find_person.PersonFinder`, whose detector looks at videos.
    Raises:
        UserError: no motion there, or one that cannot be read.
    """
    motions = {}
    for motion in _read(Path(request.motion), request, finder):
        if len(motion.joints) < 2:
            raise UserError(f"{request.motion}: {motion.name}: a motion needs two poses at least")
        name = unused_name(file_stem(motion.name, "motion"), motions)
        motions[name] = in_time(motion, request)._replace(name=name)
    return list(motions.values())


def in_time(motion, request):
    """A motion at the frame rate that a request asks for, and no longer than it asks for."""
    joints, fps = motion.joints, motion.fps
    if request.fps and fps and request.fps != fps:
        count = int((len(joints) - 1) * request.fps / fps + 1e-6) + 1
        joints, fps = at_times(joints, np.arange(count) * fps / request.fps), request.fps
    fps = fps or request.fps or FPS
    steps = steps_of(request, fps, len(joints) - 1)
    return motion._replace(joints=joints[:steps + 1], fps=fps)


def at_times(joints, times):
    """Poses (T, J, 2), one for each unit of time, interpolated linearly at times (n,): (n, J, 2)."""
    known = np.flatnonzero(np.isfinite(joints).all((1, 2)))
    flat = joints[known].reshape(len(known), -1)
    return np.stack([np.interp(times, known, values) for values in flat.T], -1).reshape(-1, *joints.shape[1:])


def _read(path, request, finder):
    if path.is_dir():
        return _read_folder(path, request, finder)
    if not path.exists():
        raise UserError(f"--motion {path}: there is no such file")
    ending = path.suffix.lower()
    if ending == ".npz":
        return [Motion(name, joints, None, None, action) for name, joints, action in read_saved_poses(path)]
    if ending == ".mat":
        annotation = read_annotation(path)
        return [Motion(annotation.video, annotation.joints, None, annotation.size, annotation.action)]
    if ending == ".json":
        return [_read_json(path)]
    if ending in ENDINGS:
        return [Motion(path.stem, *read_video(path, request, finder.tracker()))]
    raise UserError(f"--motion {path}: expected a video ({' '.join(sorted(ENDINGS))}), poses (.json), an annotation (.mat), "
                    "poses saved by a test (.npz), or a folder of them")


def _read_json(path):
    joints, about = read_poses(path)[0], read_about(path)
    known = np.flatnonzero(np.isfinite(joints).all((1, 2)))
    if not len(known):
        raise UserError(f"{path}: not a single pose in it")
    fps, photo = about.get("fps"), about.get("photo")
    if fps is not None and not (isinstance(fps, (int, float)) and 0 < fps < 1000):
        raise UserError(f"{path}: fps is {fps!r}, expected frames a second")
    try:
        size = (int(photo["height"]), int(photo["width"]))
    except (TypeError, KeyError, ValueError):
        size = None
    return Motion(path.stem, at_times(joints, np.arange(known[0], known[-1] + 1)), fps, size)


def _read_folder(folder, request, finder):
    """The motion of each file in a folder. Files of one pose each make one motion, in the order of their names, if there are no
    others; beside motions they are the poses of photos."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".json", ".npz", ".mat", *ENDINGS})
    single = [path for path in files if path.suffix.lower() == ".json" and _holds_one(path)]
    motions = [motion for path in files if path not in single for motion in _read(path, request, finder)]
    if not motions and len(single) > 1:
        motions = [Motion(folder.name, np.stack([read_pose(path)[0] for path in single]), None, None)]
    if not motions:
        raise UserError(f"--motion {folder}: neither motions nor several poses in this folder")
    return motions


def _holds_one(path):
    try:
        read_pose(path)
    except UserError:
        return False
    return True
