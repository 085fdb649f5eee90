"""The main person's poses through time: people are tracked from frame to frame, gaps are filled, noise is smoothed.

Axes: N frames in which people were detected, J = 13 joints. Coordinates are in pixels, times in seconds.
"""
from typing import NamedTuple

import numpy as np
import scipy

# a person continues a track if the boxes' IoU is at least MIN_IOU or the joints' median shift at most MAX_SHIFT person sizes;
# this limit grows with the time without a detection, up to MAX_LOST_SHIFT
MIN_IOU, MAX_SHIFT, MAX_LOST_SHIFT = 0.2, 0.35, 1.0
MAX_GROWTH = 2.5             # largest ratio of a person's sizes in consecutive detections
MAX_GAP = 0.5                # seconds without a detection that are filled
SMOOTHING = 0.2              # seconds of the smoothing window; longer ones would flatten a swing
ORDER = 2                    # of the smoothing polynomial
# a joint is a spike if its neighbours in time are within AGREE person sizes, and it is SPIKE away from their mean
SPIKE, AGREE = 0.35, 0.15


class Track(NamedTuple):
    """The main person's poses in N frames."""

    joints: np.ndarray       # (N, 13, 2) pixels; valid in frames that are `present`
    visible: np.ndarray      # (N, 13) bool: detected, not filled
    present: np.ndarray      # (N,) bool: the person was detected, or is in a gap that was filled


def main_person(people, times, number=1):
    """Track all people and choose the most prominent: the largest sum of sizes, weighted by scores and by their order in each
    frame; or another, in this order.

    Args:
        people: N lists of :class:`pose.detector.Person`, the most prominent first.
        times: (N,) seconds.
        number: of the person, from 1.
    Returns:
        N entries: the main person in that frame, or None.
    """
    place = {id(person): place for found in people for place, person in enumerate(found, 1)}
    tracks = sorted(follow(people), reverse=True, key=lambda track: sum(
        person.score * person.size ** 0.5 / place[id(person)] for person in track.values()))
    best = tracks[number - 1] if number <= len(tracks) else {}
    return [best.get(frame) for frame in range(len(times))]


def follow(people):
    """Track all people through N frames, see :func:`main_person`. Returns a dict from frame to person for each track."""
    tracks = []
    for frame, found in enumerate(people):
        if tracks and found:
            score = np.array([[_likeness(track, person, frame) for person in found] for track in tracks])
            matched = zip(*scipy.optimize.linear_sum_assignment(-score))
            pairs = [(track, person) for track, person in matched if score[track, person] > 0]
        else:
            pairs = []
        for track, person in pairs:
            tracks[track][frame] = found[person]
        tracks += [{frame: person} for number, person in enumerate(found) if number not in {person for _, person in pairs}]
    return tracks


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


def as_track(persons):
    """N entries of :func:`main_person` as a :class:`Track`, unchanged."""
    seen = np.array([person is not None for person in persons])
    joints, visible = np.zeros((len(persons), 13, 2)), np.zeros((len(persons), 13), bool)
    for frame in np.flatnonzero(seen):
        joints[frame], visible[frame] = persons[frame].joints, persons[frame].visible
    return Track(joints, visible, seen)


def clean(persons, times):
    """Remove spikes, interpolate short gaps and smooth noise: N entries of :func:`main_person` -> :class:`Track`."""
    joints, visible, seen = as_track(persons)
    size = np.median([max(1.0, person.size) ** 0.5 for person in persons if person is not None]) if seen.any() else 1.0
    visible &= ~spikes(joints, visible, size)
    joints, present, trusted = fill(joints, visible, seen, times)
    return Track(smooth(joints, trusted, times), visible, present)


def spikes(joints, visible, size):
    """(N, 13) bool: visible joints that jump away for one frame; `size` is the person's in pixels."""
    wrong = np.zeros(visible.shape, bool)
    before, here, after = joints[:-2], joints[1:-1], joints[2:]
    agree = np.linalg.norm(after - before, axis=-1) < AGREE * size
    away = np.linalg.norm(here - (before + after) / 2, axis=-1) > SPIKE * size
    wrong[1:-1] = agree & away & visible[:-2] & visible[2:]
    return wrong & visible


def fill(joints, visible, seen, times):
    """Fill gaps of at most MAX_GAP.

    A joint that is hidden for longer keeps the detector's guess. Before its first and after its last visible frame, it stays
    where it was seen for MAX_GAP. A person who is not detected for longer than MAX_GAP is not filled.

    Returns:
        joints (N, 13, 2), present (N,) bool, and trusted (N, 13) bool: visible or filled.
    """
    filled, present, trusted = joints.copy(), seen.copy(), visible.copy()
    for start, stop in _short_gaps(seen, times):
        present[start:stop] = True
    for joint in range(joints.shape[1]):
        known = visible[:, joint]
        for start, stop in _short_gaps(known, times):
            filled[start:stop, joint] = interpolate(times[start:stop], times[known], joints[known, joint])
            trusted[start:stop, joint] = True
        for run, edge in _short_ends(known, seen, times):                    # better than a guess at a hidden joint
            filled[run, joint] = joints[edge, joint]
        guessed = present & ~seen & ~trusted[:, joint]                       # hidden beside a gap: between the guesses
        if guessed.any():
            filled[guessed, joint] = interpolate(times[guessed], times[seen], joints[seen, joint])
    return filled, present, trusted


def interpolate(wanted, known, points):
    """Interpolate points (n, d) at n known times linearly at the wanted times; constant before the first and after the last."""
    return np.stack([np.interp(wanted, known, values) for values in points.T], -1)


def _short_gaps(known, times):
    """[start, stop) of each run of False between two True that are at most MAX_GAP apart in time."""
    places = np.flatnonzero(known)
    return [(first + 1, second) for first, second in zip(places[:-1], places[1:])
            if second > first + 1 and times[second] - times[first] <= MAX_GAP]


def _short_ends(known, seen, times):
    """Frames of `seen` within MAX_GAP before the first and after the last `known` one, each with that known frame."""
    places, order = np.flatnonzero(known), np.arange(len(known))
    if len(places):
        for edge, beyond in ((places[0], order < places[0]), (places[-1], order > places[-1])):
            run = np.flatnonzero(beyond & seen & (np.abs(times - times[edge]) <= MAX_GAP))
            if len(run):
                yield run, edge


def smooth(joints, trusted, times):
    """Savitzky-Golay filter for each joint, never across a gap in trusted (N, 13) bool."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    window = int(SMOOTHING / max(step, 1e-6) + 1e-6) // 2 * 2 + 1
    if window <= ORDER + 2:
        return joints                                                        # frames too far apart to tell noise from motion
    smoothed = joints.copy()
    for joint in range(joints.shape[1]):
        for start, stop in runs(trusted[:, joint]):
            if stop - start >= window:
                smoothed[start:stop, joint] = scipy.signal.savgol_filter(joints[start:stop, joint], window, ORDER, axis=0)
    return smoothed


def runs(mask):
    """[start, stop) of each run of True in a (N,) mask."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask).astype(int), [0]])))
    return [tuple(pair) for pair in edges.reshape(-1, 2).tolist()]
