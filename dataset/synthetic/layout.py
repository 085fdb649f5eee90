"""Synthetic videos on disk: frames and annotations in Penn Action's layout."""
import json
import os
import shutil
from pathlib import Path

import cv2
from tqdm import tqdm

from dataset.pair_list import ACTIONS
from dataset.penn_layout import frame_mask, label_bytes, write_frame
from dataset.synthetic.people import draw_video
from utils.errors import UserError
from utils.files import write_bytes

TEST_VIDEOS = 2                                       # of each action, the last ones
MANIFEST, MAKER = "synthetic.json", "dataset.synthetic"
VERSION = 1                                           # raise it whenever the pictures change


def write_video(out, number, action, train, video):
    """Write the frames of a video and then its label; `video` is what :func:`dataset.synthetic.people.draw_video` returns."""
    pictures, joints, size, view = video
    folder = out / "frames" / f"{number:04d}"
    folder.mkdir(parents=True, exist_ok=True)
    for frame, picture in enumerate(pictures, 1):
        write_frame(folder, frame, picture[..., :3])
        if picture.shape[-1] == 4:
            mask = frame_mask(folder / f"{frame:06d}.jpg")
            mask.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(mask, cv2.imencode(".png", picture[..., 3])[1].tobytes())
    write_bytes(out / "labels" / f"{number:04d}.mat", label_bytes(action, view, joints, size, train))


def _settings_in(path):
    """The settings in a manifest, or None if this command did not write it."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return known if isinstance(known, dict) and known.get("maker") == MAKER else None


def make(out, videos=8, seed=7, frames=(34, 50), people=0, masks=False):
    """Write the data set.

    While the folder is being filled, its settings are in `synthetic.json.part`, which is renamed to `synthetic.json` at the end.

    Args:
        out: folder.
        videos: number of videos of each action.
        seed, frames, people: see :func:`dataset.synthetic.people.draw_video`.
        masks: whether to write the exact masks of the people beside the frames.
    Returns:
        a one-line summary.
    Raises:
        UserError: the folder holds something else.
    """
    out, tests = Path(out), min(TEST_VIDEOS, videos - 1)
    done, begun = out / MANIFEST, out / (MANIFEST + ".part")
    settings = {"maker": MAKER, "version": VERSION, "videos": videos, "seed": seed, "frames": list(frames), "people": people,
                "masks": masks}
    jobs = [(action, index) for action in ACTIONS for index in range(videos)]
    known = _settings_in(done)
    if known == settings:
        return f"{out}: already complete with these settings, nothing done"
    if out.exists() and any(out.iterdir()) and not (known or _settings_in(begun)):
        raise UserError(f"{out}: not empty and not made by this command; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    begun.write_text(json.dumps(settings), encoding="utf-8")
    done.unlink(missing_ok=True)
    number = "[0-9]" * 4
    for path in (*out.glob(f"frames/{number}"), *out.glob(f"masks/{number}")):        # of an earlier run
        shutil.rmtree(path)
    for path in out.glob(f"labels/{number}.mat"):
        path.unlink()
    (out / "labels").mkdir(exist_ok=True)
    for number, (action, index) in enumerate(tqdm(jobs, unit="video", desc="drawing"), 1):
        write_video(out, number, action, index < videos - tests, draw_video(seed, action, index, frames, people, masks))
    os.replace(begun, done)
    return f"{out}: {len(jobs)} videos, {tests * len(ACTIONS)} of them for testing"
