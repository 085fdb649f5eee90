"""Time in clips: frame rates, numbers of steps, poses in between, clips that repeat without a jump.

Beside trained weights lies `timing.json`: how fast the poses of the training data follow each other for each action, and how many
steps ahead were learned. Training writes it; for lists it is made with

    python -m photo.timing data_lists/training_pair_penn5.txt --out timing.json
"""
import json
from typing import NamedTuple

import numpy as np
import scipy

import utils.errors
from photo.list_options import list_parser, read_lists
from utils.errors import UserError
from utils.files import beside_weights, write_json
from utils.schema import Config

TIMING = "timing.json"    # beside a run's or a pretrained folder's config.yaml
FPS = 8                   # frames a second of clips whose action's or motion's frame rate is not known
STEPS = 16                # of an action, where the user asks for no length
SMOOTH_FPS = 25           # frames a second from which on motion does not stutter
DIGITS = 2                # of the frame rates that are written
BACK, CLOSE = LOOPS = ("back", "close")      # as --loop: clips go there and back, or end where they are like their beginning
FAR = 0.1                 # of the person's size: poses whose joints lie farther apart, in the mean, are not alike


class Timing(NamedTuple):
    """What trained weights know of time."""

    fps: dict = {}           # action -> poses a second in the training data
    steps: int | None = None    # learned ahead; None: not known

    def learned(self, action):
        """Poses a second of an action in the training data, FPS where that is not known."""
        return self.fps.get(action, FPS)

    def of(self, action, request):
        """Poses a second of an action's clips: those that the request asks for, or those of the data."""
        return request.fps or self.learned(action)


def steps_of(request, fps, default=STEPS):
    """The number of steps that a request asks for, of poses that follow at `fps` a second."""
    return request.steps or (default if request.seconds is None else max(1, round(request.seconds * fps)))


def with_between(motion, fps):
    """A motion with poses in between, so that there are about SMOOTH_FPS a second, or more if there were.

    Each joint follows a smooth curve through its places (monotone cubic interpolation), so it goes no further than they do.

    Args:
        motion: (T, J, 2).
        fps: poses a second.
    Returns:
        ((T - 1) * k + 1, J, 2) and k * fps.
    """
    times = max(1, round(SMOOTH_FPS / fps))
    wanted = np.arange((len(motion) - 1) * times + 1) / times
    return scipy.interpolate.PchipInterpolator(np.arange(len(motion)), motion)(wanted), times * fps


def there_and_back(count):
    """The indices of `count` pictures forwards and then backwards; at the end the first one follows again."""
    return np.concatenate([np.arange(count), np.arange(count - 2, 0, -1)])


def closed(motion):
    """The part of a motion after which it can begin anew: it ends before the pose that is nearest to the first one.

    That pose is looked for after a third of the motion. Its difference from the first one is spread over the whole part.

    Args:
        motion: (T, J, 2).
    Returns:
        (n, J, 2) with n < T, or the motion itself if it has less than three poses; and how far that pose is from the first one:
        the mean distance of the joints, as a share of the person's size.
    """
    if len(motion) < 3:
        return motion, 0.0
    apart = np.linalg.norm(motion - motion[0], axis=-1).mean(1)                                # (T,)
    least = max(2, len(motion) // 3)
    end = least + int(apart[least:].argmin())
    passed = np.arange(end)[:, None, None] / end
    return motion[:end] + passed * (motion[0] - motion[end]), apart[end] / max(np.ptp(motion[0], 0).max(), 1e-6)


def measure_timing(lists, data_fps, steps=None):
    """The :class:`Timing` of training lists.

    Args:
        lists: :class:`dataset.pair_list.PairList` s with the same action names. Gaps between frames follow from their numbers.
        data_fps: for each list, frames a second of its videos.
        steps: see :class:`Timing`.
    """
    seconds = {}                                             # between two poses, of all rows of an action
    for rows, fps in zip(lists, data_fps):
        for gap, action in zip(rows.frame_numbers()[:, 2], rows.action):
            if gap > 0:
                seconds.setdefault(rows.actions[action], []).append(gap / fps)
    return Timing({action: round(float(1 / np.mean(values)), DIGITS) for action, values in seconds.items()}, steps)


def write_timing(path, timing):
    """Write a :class:`Timing`; :func:`read_timing` reads it."""
    write_json(path, timing._asdict())


def read_timing(weights):
    """The :class:`Timing` beside trained weights, see :func:`utils.files.beside_weights`; an empty one if there is no file.

    Raises:
        UserError: the file does not hold it.
    """
    path = beside_weights(weights, TIMING)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        timing = Timing({str(action): float(fps) for action, fps in content["fps"].items()}, content["steps"])
        if not all(0 < fps < 1000 for fps in timing.fps.values()) or not (timing.steps is None or int(timing.steps) > 0):
            raise ValueError("out of range")
    except FileNotFoundError:
        return Timing()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{path}: not the timing of training data, as training writes it") from None
    return timing


def main():
    parser = list_parser("Measure how fast the poses of lists follow each other.", TIMING)
    parser.add_argument("--data_fps", type=float, nargs="+", default=[Config.data_fps], metavar="F",
                        help="frames a second of each list's videos, or of all (default: %(default)s)")
    options = parser.parse_args()
    lists = read_lists(options)
    rates = options.data_fps * len(lists) if len(options.data_fps) == 1 else options.data_fps
    if len(rates) != len(lists):
        parser.error(f"--data_fps: {len(rates)} numbers for {len(lists)} lists")
    timing = measure_timing(lists, rates, min(rows.targets for rows in lists))
    write_timing(options.out, timing)
    print("\n".join(f"{action:20}{fps:g} a second" for action, fps in timing.fps.items()))
    return 0


if __name__ == "__main__":
    utils.errors.command(main)
