"""One clip of a video -> its frames, masks, annotations and contact sheet in Penn Action's layout."""
import shutil
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from dataset.frames import read_frame
from dataset.from_video.checks import USABLE, check_presence, doubt, first_frames, thumbnail
from dataset.from_video.poses import read_given
from dataset.from_video.reading import read_frames, read_index
from dataset.from_video.report import SHEET_FRAMES, write_sheet
from dataset.from_video.tracking import Track, as_track, clean, main_person
from dataset.penn_action import CLIP
from dataset.penn_layout import frame_mask, label_bytes, write_frame
from pose.detector import Person
from pose.drawing import draw_mask
from pose.masks import mask_of, write_mask
from utils.errors import UserError
from utils.files import write_bytes
from utils.spacing import evenly_spaced

TRACKING = 0.25              # seconds between two detections over which a person can be followed
MOST_BETWEEN = 4             # most detections for each kept frame


class Plan(NamedTuple):
    """Which frames of a clip are needed; frame indices from 0 within the clip."""

    gap: int                 # step between two kept frames
    kept: np.ndarray         # frames that are written
    detected: np.ndarray     # frames in which people are detected; all of `kept` are among them


class Frames(NamedTuple):
    """The N frames of a clip that can be decoded."""

    numbers: list            # frame indices within the clip
    people: list             # lists of :class:`pose.detector.Person`
    thumbnails: list
    cells: dict              # place in these lists -> picture of the contact sheet
    size: tuple              # (h, w)
    ratio: float             # of this size to the video's


def plan(times, clip=CLIP, every_frame=False):
    """The :class:`Plan` for frames at `times` (n,) seconds."""
    nframes = len(times)
    clip = nframes if every_frame else clip
    gap = max(1, nframes // clip)
    step = gap * float(np.median(np.diff(times)))
    kept = np.arange(min(clip, (nframes - 1) // gap + 1)) * gap
    between = int(min(gap, MOST_BETWEEN, max(1, np.ceil(step / TRACKING - 1e-6))))
    return Plan(gap, kept, np.round(np.arange((len(kept) - 1) * between + 1) * gap / between).astype(int))


def convert(out, clip, video, settings, detect, poses=None):
    """Write `sheets/NAME.jpg` and, for each continuous part of a clip, `frames/PART/`, `masks/PART/` and `labels/PART.mat`.

    The parts are called NAME, NAME.2, NAME.3 and so on. They end at cuts and where the person is away; those whose poses are
    doubtful are left out. Frames get a mask where the detector finds one for the main person, not where the person is filled in.

    Args:
        out: empty folder.
        clip: :class:`dataset.from_video.actions.Clip`.
        video: path of the video.
        settings: the command line's `clip`, `every_frame`, `longest_side`, `partial`, `keep_doubtful` and `detector`.
        detect: picture (h, w, 3) uint8 RGB -> list of :class:`pose.detector.Person`; not called if there are `poses`.
        poses: pose file, or None.
    Returns:
        dict of numbers, `parts`, their names, and `notes`, a list of what was dropped.
    Raises:
        UserError: the clip cannot be used.
    """
    place, index = f"{clip.place}: {video}", read_index(video)
    chosen = np.flatnonzero((index.times >= clip.start - 1e-6) & (index.times < clip.end))
    if len(chosen) < USABLE:
        raise UserError(f"{place}: fewer than {USABLE} usable frames: {len(chosen)} from {clip.start:g} s to "
                        f"{min(clip.end, index.times[-1]):g} s")
    times = index.times[chosen]
    todo = plan(times, settings.clip, settings.every_frame)
    for kind in ("unsorted", "frames", "sheets", "labels"):
        (out / kind).mkdir(parents=True)
    wanted = todo.detected if poses is None else todo.kept
    frames = tqdm(read_frames(video, index, chosen[wanted], settings.longest_side), total=len(wanted), desc=clip.name[:30],
                  unit="frame", leave=False)
    seen = _look(place, frames, int(chosen[0]), todo, out / "unsorted", detect if poses is None else lambda picture: [])
    seconds, size = times[seen.numbers], seen.size
    if poses is None:
        starts = first_frames(seen.thumbnails, seen.people, seconds)
        persons, track = _follow(seen.people, seconds, starts)
    else:                                                                    # the user's poses stay as they are
        people = _given_people(poses, len(index.times), chosen[seen.numbers], size, seen.ratio)
        starts = first_frames(seen.thumbnails, people, seconds)
        persons = [found[0] if found else None for found in people]
        track = as_track(persons)
    track = track._replace(visible=track.visible & ((track.joints >= 0) & (track.joints <= np.subtract(size[::-1], 1))).all(-1))
    clock = clip.start + seconds - times[0]
    parts = _parts(seen.numbers, track.present, starts, todo.kept)
    notes = check_presence(place, clock, track.present, max(map(len, parts)), len(todo.kept), settings.partial)
    notes += [f"split at {clock[start]:.1f} s, at a cut or a pause of the recording" for start in starts[1:]]
    names, used = [], []
    for part in (part for part in parts if len(part) >= USABLE):
        reason = poses is None and _doubt(persons, track, part)
        if reason:
            notes.append(f"doubtful from {clock[part[0]]:.1f} s to {clock[part[-1]]:.1f} s: {reason}"
                         + ("" if settings.keep_doubtful else "; left out, unless you give --keep_doubtful"))
        if not reason or settings.keep_doubtful:
            names.append(clip.name + (f".{len(names) + 1}" if names else ""))
            _write_frames(out, names[-1], part, seen, persons)
            label = label_bytes(clip.action, "front", track.joints[part], size[::-1], clip.train is not False,
                                track.visible[part])
            write_bytes(out / "labels" / f"{names[-1]}.mat", label)
            used += part
    shutil.rmtree(out / "unsorted")
    write_sheet(out / "sheets" / f"{clip.name}.jpg", seen.cells, track.joints, track.visible, track.present)
    return {"frames": len(times), "gap": todo.gap, "kept": len(used), "parts": names, "notes": notes,
            "fps": round(1 / float(np.median(np.diff(times[todo.kept]))), 3),
            "poses": settings.detector if poses is None else poses.name,
            "visible": round(float(track.visible[used].mean()), 3) if used else 0,
            "filled": int((track.present & ~track.visible.any(1)).sum())}


def _look(place, frames, first, todo, folder, detect):
    """Write the kept frames into a folder and find the people in all of them: :class:`Frames`."""
    numbers, people, thumbnails, cells, size = [], [], [], {}, None
    on_sheet = todo.kept[evenly_spaced(len(todo.kept), SHEET_FRAMES)]
    for number, picture, scale in frames:
        if size not in (None, picture.shape[:2]):
            raise UserError(f"{place}: the size of its frames changes in the middle")
        number, size, ratio = number - first, picture.shape[:2], scale
        if number in todo.kept:
            write_frame(folder, number, picture[..., ::-1])
        if number in on_sheet:
            cells[len(numbers)] = picture
        numbers.append(number)
        people.append(detect(picture))
        thumbnails.append(thumbnail(picture))
    if size is None:
        raise UserError(f"{place}: none of the frames can be decoded")
    return Frames(numbers, people, thumbnails, cells, size, ratio)


def _follow(people, seconds, starts):
    """The main person of each continuous part: N entries as of :func:`main_person`, and the :class:`Track` of all."""
    persons, tracks = [], []
    for start, stop in zip(starts, [*starts[1:], len(people)]):
        persons += main_person(people[start:stop], seconds[start:stop])
        tracks.append(clean(persons[start:], seconds[start:stop]))
    return persons, Track(*map(np.concatenate, zip(*tracks)))


def _doubt(persons, track, part):
    """The :func:`doubt` about the detected poses of a part; joints that are not visible are taken from the track."""
    return doubt(np.array([np.where(track.visible[at, :, None], persons[at].joints, track.joints[at])
                           for at in range(part[0], part[-1] + 1) if persons[at]]))


def _given_people(path, nframes, chosen, size, ratio):
    """The user's poses of the chosen frames as lists of :class:`Person`; written frames are `ratio` times the video's size."""
    video_size = tuple(round(side / ratio) for side in size)
    joints, visible = (values[chosen] for values in read_given(path, nframes, video_size))
    return [[Person(np.concatenate([pose.min(0), pose.max(0)]), 1.0, pose, seen)] if np.isfinite(pose).all() else []
            for pose, seen in zip(joints * ratio, visible)]


def _parts(numbers, present, starts, kept):
    """The kept frames in lists without gaps, as places in `numbers`, the N decoded frames.

    A new part begins at each of `starts`, and where the person is not `present` (N,). The last part may be empty.
    """
    parts, kept, places = [[]], set(kept.tolist()), dict(zip(numbers, range(len(numbers))))
    for number in range(max(kept) + 1):
        at = places.get(number)
        lost = number in kept if at is None else not present[at]
        if parts[-1] and (lost or at in starts):
            parts.append([])
        if number in kept and not lost:
            parts[-1].append(at)
    return parts


def _write_frames(out, name, part, seen, persons):
    """Move the frames of a part to `frames/NAME/`, counted from 1, and write the masks of the main person."""
    (out / "frames" / name).mkdir()
    for count, at in enumerate(part, 1):
        frame = out / "frames" / name / f"{count:06d}.jpg"
        (out / "unsorted" / f"{seen.numbers[at]:06d}.jpg").rename(frame)
        others = [other for other in seen.people[at] if other is not persons[at]]
        mask = None if persons[at] is None else mask_of(read_frame(frame, name), persons[at], others)
        if mask is not None:
            frame_mask(frame).parent.mkdir(parents=True, exist_ok=True)
            write_mask(frame_mask(frame), mask)
            if at in seen.cells:
                seen.cells[at] = draw_mask(seen.cells[at], mask)
