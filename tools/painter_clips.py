"""The clips that :mod:`tools.painter_ablation` paints: videos of a data set, and drawn people.

Axes: T pictures of a video, S their side.
"""
import csv
from typing import NamedTuple

import numpy as np
import torch

from dataset.frames import frame_files, frame_names, read_frame
from dataset.penn_action import find_labels, read_annotation, read_test_videos
from dataset.penn_layout import frame_mask
from dataset.synthetic.people import draw_video
from pose.masks import read_mask
from utils.errors import UserError
from utils.spacing import evenly_spaced
from utils.transform import as_image, letterboxed, picture_from_frame, pose_to_picture

EVERY, FIRST = 10, 4                   # of the persons in clips.csv: every tenth, from the fifth on
DRAWN = (("golf_swing", 1), ("jumping_jacks", 1), ("squat", 2))      # people of the strip: action and index
DRAWN_SEED, DRAWN_TARGETS, DRAWN_MARGIN, SIDE = 101, 3, 1.3, 128


class Clip(NamedTuple):
    """Some frames of a video, the source first."""

    name: str
    pictures: torch.Tensor             # (T + 1, 3, S, S) in [-1, 1]
    masks: torch.Tensor                # (T + 1, 1, S, S) in [0, 1]
    poses: torch.Tensor                # (T + 1, J, 2) normalised


def kept_videos(root, path):
    """The names of the videos to paint, see :mod:`tools.painter_ablation`. `path` is a file with one name a line, or None."""
    try:
        if path is not None:
            return list(read_test_videos(path))
        if (root / "clips.csv").is_file():
            with open(root / "clips.csv", encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            persons = sorted({row["person"] for row in rows})[FIRST::EVERY]
            return [row["number"] for row in rows if row["person"] in persons]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path or root / 'clips.csv'}: not the names of videos ({error})") from None
    return [label.stem for label in find_labels(root) if not read_annotation(label).train]


def read_clip(root, name, size, count):
    """The :class:`Clip` of a video: its first frame, and `count` of the later ones."""
    annotation = read_annotation(root / "labels" / f"{name}.mat")
    files = frame_files(frame_names(root / "frames" / name), len(annotation.joints))
    numbers = [1, *(2 + evenly_spaced(len(annotation.joints) - 1, count))]
    h, w = annotation.size
    pictures, masks, box = [], [], np.array([0, 0, w, h])
    for number in numbers:
        frame = root / "frames" / name / files[number]
        pictures.append(picture_from_frame(read_frame(frame, frame), box, size))
        mask = read_mask(frame_mask(frame), annotation.size)
        masks.append(letterboxed(np.uint8(255 * mask)[..., None], box, size))
    return clip_of(name, pictures, masks, annotation.joints[np.array(numbers) - 1], box, size)


def clip_of(name, pictures, masks, joints, box, size):
    """A :class:`Clip` of pictures (S, S, 3) and masks (S, S, 1), all uint8, and joints in pixels of the frame."""
    poses = torch.from_numpy(pose_to_picture(joints, box, size).astype(np.float32))
    return Clip(name, as_image(np.stack(pictures)), torch.from_numpy(np.stack(masks)).movedim(-1, 1) / 255, poses)


def drawn_clips():
    """Clips of drawn people, for pictures that anybody may see."""
    for action, index in DRAWN:
        frames, joints, (w, h), _ = draw_video(DRAWN_SEED, action, index, (24, 24), masks=True)
        frames = list(frames)
        numbers = [0, *(1 + evenly_spaced(len(frames) - 1, DRAWN_TARGETS))]
        shown = joints[numbers].reshape(-1, 2)
        half = DRAWN_MARGIN * np.ptp(shown, axis=0).max() / 2
        middle = (shown.min(0) + shown.max(0)) / 2
        box = np.concatenate([middle - half, middle + half]).round().astype(int).clip(0, (w, h, w, h))
        yield clip_of(action, [picture_from_frame(frames[number][..., 2::-1], box, SIDE) for number in numbers],
                      [letterboxed(frames[number][..., 3:], box, SIDE) for number in numbers], joints[numbers], box, SIDE)
