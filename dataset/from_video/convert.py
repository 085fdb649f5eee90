"""One clip of a video -> its frames, annotation and contact sheet in Penn Action's layout."""
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from dataset.frames import read_frame
from dataset.from_video.plan import plan
from dataset.from_video.poses import read_given
from dataset.from_video.reading import read_frames, read_index
from dataset.from_video.sheet import FRAMES, write_sheet
from dataset.from_video.tracking import MAX_GAP, Track, clean, interpolate, main_person, runs
from dataset.penn_action import CLIP, HORIZON
from dataset.penn_layout import frame_mask, label_bytes, write_frame
from pose.drawing import draw_mask
from pose.masks import mask_of, write_mask
from utils.errors import UserError
from utils.files import write_bytes
from utils.spacing import evenly_spaced

USABLE = HORIZON + 1         # frames in a row that make one window
LONG = 0.5                   # seconds between the frames of a clip from which on a note is written


class Settings(NamedTuple):
    """Options of the command line that hold for all clips."""

    clip: int = CLIP
    every_frame: bool = False
    longest_side: int = 1280
    partial: bool = False


def convert(clip, video, out, settings, detect, poses=None):
    """Write `frames/NAME/`, `masks/NAME/`, `sheets/NAME.jpg` and finally `labels/NAME.mat` of a clip.

    Frames get masks where the detector has found one for the main person, not where the person is filled in.

    Args:
        clip: :class:`dataset.from_video.actions.Clip`.
        video: path of the video.
        out: folder of the data set.
        settings: :class:`Settings`.
        detect: (frame index in the clip, picture (h, w, 3) uint8 RGB) -> list of :class:`pose.detector.Person`; not called if
            there are `poses`.
        poses: pose file, or None.
    Returns:
        list of notes about what was dropped, dict of numbers.
    Raises:
        UserError: the clip cannot be used.
    """
    index = read_index(video)
    chosen = _frames_of(clip, video, index)
    times = index.times[chosen]
    todo = plan(times, settings.clip, settings.every_frame)
    given = None if poses is None else [values[chosen] for values in read_given(poses, len(index.times))]
    folder = out / "frames" / clip.name
    folder.mkdir(parents=True, exist_ok=True)
    found, cells = {}, {}
    on_sheet = todo.kept[evenly_spaced(len(todo.kept), FRAMES)]
    wanted = todo.looked if given is None else todo.kept
    for number, picture, ratio in _pictures(clip, video, index, chosen[wanted], settings.longest_side):
        number -= int(chosen[0])
        size = picture.shape[:2]
        if not found and given is not None:                                   # the size is known now: check the poses again
            read_given(poses, len(index.times), tuple(round(side / ratio) for side in size))
        found[number] = detect(number, picture) if given is None else []
        if number in todo.kept:
            write_frame(folder, number + 1, picture[..., ::-1])
        if number in on_sheet:
            cells[number] = picture
    if given is None:
        looked = wanted
        persons = main_person([found.get(number, []) for number in looked], times[looked])
        track = clean(persons, times[looked])
    else:
        looked, persons, track = np.arange(todo.nframes), [], _given_track(given, ratio)
    joints, visible, usable = _at_all_frames(track, looked, todo, set(found))
    notes = _check(clip, video, track.present, times[looked], todo, usable, settings)
    for path in folder.glob("[0-9]*.jpg"):
        if not usable[int(path.stem) - 1]:
            path.unlink()
    masked = _write_masks(folder, {number: person for number, person in zip(looked, persons) if usable[number]}, found, cells)
    h, w = size
    visible &= ((joints >= 0) & (joints <= (w - 1, h - 1))).all(-1)
    (out / "sheets").mkdir(exist_ok=True)
    write_sheet(out / "sheets" / f"{clip.name}.jpg", cells, joints, visible, usable)
    (out / "labels").mkdir(exist_ok=True)
    write_bytes(out / "labels" / f"{clip.name}.mat", label_bytes(clip.action, "front", joints, (w, h), clip.train, visible))
    return notes, {"frames": todo.nframes, "gap": todo.gap, "looked": len(wanted), "kept": int(usable[todo.kept].sum()),
                   "masks": masked, "filled": int((track.present & ~track.visible.any(1)).sum()),
                   "visible": round(float(visible[usable].mean()), 3)}


def _frames_of(clip, video, index):
    """The numbers (n,) of a clip's frames in its video. Raises :class:`UserError` if they are too few."""
    chosen = np.flatnonzero((index.times >= clip.start - 1e-6) & (index.times < clip.end))
    if len(chosen) < USABLE:
        raise UserError(f"{clip.place}: {video}: fewer than {USABLE} usable frames: {len(chosen)} from {clip.start:g} s to "
                        f"{min(clip.end, index.times[-1]):g} s")
    return chosen


def _pictures(clip, video, index, wanted, longest_side):
    """The wanted frames of a video as :func:`dataset.from_video.reading.read_frames` yields them, with a progress bar.

    Raises:
        UserError: they have different sizes, or none can be decoded.
    """
    size = None
    with tqdm(total=len(wanted), desc=clip.name[:30], unit="frame", leave=False) as bar:
        for number, picture, ratio in read_frames(video, index, wanted, longest_side):
            if size not in (None, picture.shape[:2]):
                raise UserError(f"{clip.place}: {video}: the size of its frames changes in the middle")
            size = picture.shape[:2]
            yield number, picture, ratio
            bar.update()
    if size is None:
        raise UserError(f"{clip.place}: {video}: not one of the frames needed can be decoded")


def _write_masks(folder, persons, found, cells):
    """Write the masks of a clip's frames, and tint the frames of the contact sheet; returns how many masks there are.

    Args:
        folder: of the frames, which are there.
        persons: frame index -> main person, or None.
        found: frame index -> everybody who was found.
        cells: frame index -> picture of the contact sheet.
    """
    number = 0
    for index, person in persons.items():
        if person is None:
            continue
        frame = folder / f"{index + 1:06d}.jpg"
        mask = mask_of(read_frame(frame, folder.name), person, [other for other in found[index] if other is not person])
        if mask is None:
            continue
        frame_mask(frame).parent.mkdir(parents=True, exist_ok=True)
        write_mask(frame_mask(frame), mask)
        if index in cells:
            cells[index] = draw_mask(cells[index], mask)
        number += 1
    return number


def _given_track(given, ratio):
    """Given poses are not cleaned; `ratio` is the size of the written frames against the video's."""
    joints, visible = given
    present = np.isfinite(joints).all((1, 2))
    return Track(np.where(present[:, None, None], joints * ratio, 0), visible & present[:, None], present)


def _at_all_frames(track, looked, todo, decoded):
    """The track in all n frames of the clip: interpolated linearly in frames without detection, where no joint is visible.

    Returns:
        joints (n, 13, 2), visible (n, 13) bool, and usable (n,) bool: the frames to write.
    """
    joints, visible = np.zeros((todo.nframes, 13, 2)), np.zeros((todo.nframes, 13), bool)
    if track.present.any():
        for joint in range(13):
            joints[:, joint] = interpolate(np.arange(todo.nframes), looked[track.present], track.joints[track.present, joint])
    visible[looked] = track.visible & track.present[:, None]
    usable = np.zeros(todo.nframes, bool)
    usable[looked[track.present]] = True
    wanted = np.zeros(todo.nframes, bool)
    wanted[[number for number in todo.kept if number in decoded]] = True
    return joints, visible, usable & wanted


def _check(clip, video, present, times, todo, usable, settings):
    """Notes about what is missing. Raises :class:`UserError` if too few frames are left or the person leaves the picture."""
    place, there = f"{clip.place}: {video}", runs(present)
    if not there:
        raise UserError(f"{place}: nobody is found in it")
    shown = times - times[0] + clip.start                                     # seconds of the video
    first, last = there[0][0], there[-1][1] - 1
    away = [text for text, gone in (
        (f"the person comes into the picture only at {shown[first]:.1f} s", times[first] - times[0]),
        (f"the person leaves the picture after {shown[last]:.1f} s", times[-1] - times[last])) if gone > MAX_GAP]
    most, missing = max((stop - start for start, stop in runs(usable[todo.kept])), default=0), int((~usable[todo.kept]).sum())
    if most < USABLE:
        raise UserError(f"{place}: fewer than {USABLE} usable frames in a row ({most} of {len(todo.kept)})"
                        + (f": {' and '.join(away)}" if away else ""))
    if away and not settings.partial:
        raise UserError(f"{place}: {' and '.join(away)}; give start and end in the CSV, or --partial to keep what there is")
    return [*away, *(f"nobody from {shown[stop - 1]:.1f} s to {shown[start]:.1f} s"
                     for (_, stop), (start, _) in zip(there[:-1], there[1:])),
            *([f"{missing} of {len(todo.kept)} frames dropped"] if missing else []),
            *([f"its frames lie {todo.apart:.1f} s apart; start and end in the CSV make them follow closer"]
              if todo.apart > LONG else [])]
