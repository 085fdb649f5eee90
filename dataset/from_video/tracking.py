"""The main person's poses through time: who is who from frame to frame, gaps filled, noise smoothed.

Axes: N looked-at frames, J = 13 joints. Coordinates in pixels, times in seconds.
"""
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.signal import savgol_filter

MIN_IOU = 0.2                # of boxes that follow each other, or else
MAX_SHIFT = 0.35             # the median shift of the joints, in sizes of the person; grows while nobody sees him, at most to
MAX_LOST_SHIFT = 1.0
MAX_GROWTH = 2.5             # of a person's size
MAX_GAP = 0.5                # seconds without a detection that are filled in
SMOOTHING = 0.2              # seconds that the smoothing window may span: longer ones would flatten a swing
ORDER = 2                    # of its polynomial
SPIKE = 0.35                 # in sizes of the person: a joint this far from where its two neighbours in time agree is wrong
AGREE = 0.15


class Track(NamedTuple):
    """The main person's poses in the N frames that were looked at."""

    joints: np.ndarray       # (N, 13, 2) pixels, where `present`
    visible: np.ndarray      # (N, 13) bool: seen, not filled in
    present: np.ndarray      # (N,) bool: seen, or in a gap that was filled


def main_person(people, times):
    """Follow everybody and choose who is large for long.

    Args:
        people: N lists of persons with `box`, `score`, `joints`, `visible`, `size` (pose.keypoint_rcnn.Person).
        times: (N,) seconds.
    Returns:
        N entries: the main person there, or None.
    """
    tracks = []
    for frame, found in enumerate(people):
        if tracks and found:
            score = np.array([[_likeness(track, person, frame) for person in found] for track in tracks])
            pairs = [(track, person) for track, person in zip(*linear_sum_assignment(-score)) if score[track, person] > 0]
        else:
            pairs = []
        for track, person in pairs:
            tracks[track][frame] = found[person]
        tracks += [{frame: person} for number, person in enumerate(found) if number not in {person for _, person in pairs}]
    if not tracks:
        return [None] * len(times)
    best = max(tracks, key=lambda track: sum(person.score * person.size ** 0.5 for person in track.values()))
    return [best.get(frame) for frame in range(len(times))]


def _likeness(track, person, frame):
    """How well a person continues a track; 0: not at all."""
    at = max(track)
    last, lost = track[at], frame - at
    sizes = sorted(max(1.0, one.size) ** 0.5 for one in (last, person))
    overlap = np.minimum(last.box[2:], person.box[2:]) - np.maximum(last.box[:2], person.box[:2])
    shared = float(np.prod(overlap.clip(0)))
    iou = shared / max(1e-9, last.size + person.size - shared)
    shift = float(np.median(np.linalg.norm(last.joints - person.joints, axis=-1))) / sizes[1]
    if sizes[1] > MAX_GROWTH * sizes[0] or (iou < MIN_IOU and shift > min(MAX_LOST_SHIFT, MAX_SHIFT * (1 + lost) / 2)):
        return 0.0
    return iou + 1 / (1 + shift / MAX_SHIFT)


def clean(persons, times):
    """The poses of one person: spikes taken out, short gaps filled in line, noise smoothed.

    Args:
        persons: N persons or None, see :func:`main_person`.
        times: (N,) seconds.
    Returns:
        :class:`Track`.
    """
    seen = np.array([person is not None for person in persons])
    joints, visible = np.zeros((len(persons), 13, 2)), np.zeros((len(persons), 13), bool)
    for frame in np.flatnonzero(seen):
        joints[frame], visible[frame] = persons[frame].joints, persons[frame].visible
    size = np.median([max(1.0, person.size) ** 0.5 for person in persons if person is not None]) if seen.any() else 1.0
    visible &= ~spikes(joints, visible, size)
    joints, present, trusted = fill(joints, visible, seen, times)
    return Track(smooth(joints, trusted, times), visible, present)


def spikes(joints, visible, size):
    """(N, 13) bool: visible joints that jump away for one frame and come back; size of the person in pixels."""
    wrong = np.zeros(visible.shape, bool)
    before, here, after = joints[:-2], joints[1:-1], joints[2:]
    agree = np.linalg.norm(after - before, axis=-1) < AGREE * size
    away = np.linalg.norm(here - (before + after) / 2, axis=-1) > SPIKE * size
    wrong[1:-1] = agree & away & visible[:-2] & visible[2:]
    return wrong & visible


def fill(joints, visible, seen, times):
    """Fill what is missing for no more than MAX_GAP.

    A joint that is hidden longer keeps the detector's guess; at both ends its place is held so long. Nobody is made up
    where nobody is seen for longer.

    Returns:
        joints (N, 13, 2), present (N,) bool and trusted (N, 13) bool: visible or filled.
    """
    filled, present, trusted = joints.copy(), seen.copy(), visible.copy()
    for start, stop in _short_gaps(seen, times):
        present[start:stop] = True
    for joint in range(joints.shape[1]):
        known = visible[:, joint]
        gaps = _short_gaps(known, times)
        for axis in range(2):
            if gaps:
                line = np.interp(times, times[known], joints[known, joint, axis])
                for start, stop in gaps:
                    filled[start:stop, joint, axis] = line[start:stop]
        for start, stop in gaps:
            trusted[start:stop, joint] = True
        for run, edge in _short_ends(known, seen, times):                    # held: nearer than a guess about what is hidden
            filled[run, joint] = joints[edge, joint]
        guessed = present & ~seen & ~trusted[:, joint]                       # hidden before or after a gap: from guess to guess
        if guessed.any():
            for axis in range(2):
                filled[guessed, joint, axis] = np.interp(times[guessed], times[seen], joints[seen, joint, axis])
    return filled, present, trusted


def _short_gaps(known, times):
    """[start, stop) of the runs of False between two True that are no further than MAX_GAP apart."""
    places = np.flatnonzero(known)
    return [(first + 1, second) for first, second in zip(places[:-1], places[1:])
            if second > first + 1 and times[second] - times[first] <= MAX_GAP]


def _short_ends(known, seen, times):
    """(frames seen, first or last known frame) of what is seen before the first and after the last True, for MAX_GAP."""
    places, order = np.flatnonzero(known), np.arange(len(known))
    if len(places):
        for edge, beyond in ((places[0], order < places[0]), (places[-1], order > places[-1])):
            run = np.flatnonzero(beyond & seen & (np.abs(times - times[edge]) <= MAX_GAP))
            if len(run):
                yield run, edge


def smooth(joints, trusted, times):
    """Savitzky-Golay, joint by joint and never across a gap: trusted (N, 13) bool says where a joint is known."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    window = int(SMOOTHING / max(step, 1e-6) + 1e-6) // 2 * 2 + 1
    if window <= ORDER + 2:
        return joints                                                        # frames too far apart to say what is noise
    smoothed = joints.copy()
    for joint in range(joints.shape[1]):
        for start, stop in runs(trusted[:, joint]):
            if stop - start >= window:
                smoothed[start:stop, joint] = savgol_filter(joints[start:stop, joint], window, ORDER, axis=0)
    return smoothed


def runs(mask):
    """[start, stop) of the runs of True in a (N,) mask."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask).astype(int), [0]])))
    return [tuple(pair) for pair in edges.reshape(-1, 2).tolist()]
