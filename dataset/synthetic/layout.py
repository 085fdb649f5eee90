"""Synthetic videos on disk: frames and annotations in Penn Action's layout."""
import json
import os
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
VERSION = 1                                           # to be raised whenever the pictures change


def write_video(out, number, action, train, video):
    """Write the frames of one video and then its label; `video` is the result of `draw_video`."""
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


def own_files(out):
    """All files that earlier runs of this command wrote to `out`, including half-written ones."""
    digits = "[0-9]" * 4
    return [path for dot, random in (("", ""), (".", ".*"))          # complete files, and those that a killed run was writing
            for path in (*out.glob(f"frames/{digits}/{dot}{digits}[0-9][0-9].jpg{random}"),
                         *out.glob(f"masks/{digits}/{dot}{digits}[0-9][0-9].png{random}"),
                         *out.glob(f"labels/{dot}{digits}.mat{random}"))]


def settings_in(path):
    """The settings in a manifest of this command, or None if there is no file or it was not written by this command."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return known if isinstance(known, dict) and known.get("maker") == MAKER else None


def make(out, videos=8, seed=7, frames=(34, 50), people=0, variety=False, masks=False):
    """Write the data set.

    While the folder is being filled its settings are in synthetic.json.part, which is renamed to synthetic.json at the end.

    Args:
        out: folder.
        videos: number of videos of each action.
        seed, frames, people, variety: see :func:`dataset.synthetic.people.draw_video`.
        masks: whether to write the exact masks of the people beside the frames.
    Returns:
        a summary in one line.
    """
    out, tests = Path(out), min(TEST_VIDEOS, videos - 1)
    done, begun = out / MANIFEST, out / (MANIFEST + ".part")
    settings = {"maker": MAKER, "version": VERSION, "videos": videos, "seed": seed, "frames": list(frames),
                "people": people} | ({"variety": True} if variety else {}) | ({"masks": True} if masks else {})
    try:
        known = settings_in(done)
        if known == settings | {"files": len(own_files(out))}:
            return f"{out}: already complete with these settings, nothing done"
        if out.exists() and any(out.iterdir()) and not (known or settings_in(begun)):
            raise UserError(f"{out}: not empty and not made by this command; choose another folder")
        out.mkdir(parents=True, exist_ok=True)
        begun.write_text(json.dumps(settings), encoding="utf-8")
        done.unlink(missing_ok=True)
        for path in own_files(out):
            path.unlink()
        for folder in (*out.glob("frames/*"), *out.glob("masks/*")):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        (out / "labels").mkdir(exist_ok=True)
        jobs = [(action, index) for action in ACTIONS for index in range(videos)]
        for number, (action, index) in enumerate(tqdm(jobs, unit="video", desc="drawing"), 1):
            video = draw_video(seed, action, index, frames, people, variety, masks)
            write_video(out, number, action, index < videos - tests, video)
        begun.write_text(json.dumps(settings | {"files": len(own_files(out))}), encoding="utf-8")
        os.replace(begun, done)
    except OSError as error:
        raise UserError(f"{error.filename or out}: cannot write ({error.strerror})") from None
    return f"{out}: {len(jobs)} videos, {tests * len(ACTIONS)} of them for testing"
