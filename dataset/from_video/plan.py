"""Which frames of a clip are written, and in which ones people are detected."""
from typing import NamedTuple

import numpy as np

from dataset.penn_action import CLIP

TRACKING = 0.25              # seconds between two detections over which a person can be followed
MOST_BETWEEN = 4             # most detections for one frame of the clip


class Plan(NamedTuple):
    """Which frames of a clip are needed; frame indices from 0 within the clip."""

    nframes: int             # of this part of the video
    gap: int                 # step between two kept frames, as dataset.penn_action takes them
    kept: np.ndarray         # indices of the frames that are written
    looked: np.ndarray       # indices of the frames in which people are detected; all of `kept` are among them
    apart: float             # seconds between two kept frames


def plan(times, clip=CLIP, every_frame=False):
    """The :class:`Plan` for frames at `times` (n,) seconds."""
    nframes = len(times)
    clip = nframes if every_frame else clip
    gap = max(1, nframes // clip)
    step = gap * float(np.median(np.diff(times))) if nframes > 1 else 0.0
    kept = np.arange(min(clip, (nframes - 1) // gap + 1)) * gap
    between = int(min(gap, MOST_BETWEEN, max(1, np.ceil(step / TRACKING - 1e-6))))
    looked = np.round(np.arange((len(kept) - 1) * between + 1) * gap / between).astype(int)
    return Plan(nframes, gap, kept, looked, step)
