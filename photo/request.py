"""What a user asks for when photos become clips."""
from pathlib import Path
from typing import NamedTuple

from pose import DEFAULT_DETECTOR


class PhotoRequest(NamedTuple):
    """The photos, where the person is in them, what the person shall do, and where the clips go."""

    photos: list                          # paths of the photo files
    folder: Path                          # for everything that is written
    actions: str = "all"                  # names of actions with commas between them, or "all"
    pose: Path | None = None              # a pose file, or a folder with one for each photo; None: a detector finds the person
    person: int | None = None             # of several people the one with this number, from 1; None: the largest
    detector: str = DEFAULT_DETECTOR      # a name in pose.DETECTORS
    detector_weights: str | None = None   # where the detector's weights are; None: where it finds them by itself
    samples: int = 4                      # n, sampled motions of each action
    steps: int = 16                       # T, predicted steps of each motion
    seed: int = 7                         # of the noise, which follows from seed, action and sample alone
