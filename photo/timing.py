"""Time in clips: interpolated poses, and clips that repeat without a jump. Motions are arrays (T, J, 2)."""
import numpy as np
import scipy

FPS = 8                   # poses a second of actions and motions whose frame rate is not known
STEPS = 16                # of an action, where the user asks for no length
SMOOTH_FPS = 25           # frames a second at which motion looks smooth
BACK, CLOSE = LOOPS = ("back", "close")      # as --loop: play backwards, too, or end at a pose like the first
FAR = 0.1                 # of the person's size: poses with a larger mean distance of the joints are not alike


def at_times(motion, times):
    """The poses (n, J, 2) of a motion at these times, in frames, interpolated linearly; frames may be NaN."""
    known = np.flatnonzero(np.isfinite(motion).all((1, 2)))
    flat = motion[known].reshape(len(known), -1)
    return np.stack([np.interp(times, known, values) for values in flat.T], -1).reshape(-1, *motion.shape[1:])


def interpolated(motion, fps):
    """Insert k - 1 poses after each one, on monotone cubic curves, so that there are about SMOOTH_FPS poses a second.

    Returns:
        ((T - 1) * k + 1, J, 2) and k * fps.
    """
    times = max(1, round(SMOOTH_FPS / fps))
    wanted = np.arange((len(motion) - 1) * times + 1) / times
    return scipy.interpolate.PchipInterpolator(np.arange(len(motion)), motion)(wanted), times * fps


def there_and_back(count):
    """The indices of `count` pictures forwards and then backwards, without repeating the first and the last one."""
    return np.concatenate([np.arange(count), np.arange(count - 2, 0, -1)])


def closed(motion):
    """The part of a motion that ends just before the pose nearest to the first one, after a third of the motion at least.

    The difference between these two poses is spread over the part.

    Returns:
        (n, J, 2), and the mean distance of the joints between the two poses, as a fraction of the person's size.
    """
    if len(motion) < 3:
        return motion, 0.0
    distance = np.linalg.norm(motion - motion[0], axis=-1).mean(1)                             # (T,)
    least = max(2, len(motion) // 3)
    end = least + int(distance[least:].argmin())
    passed = np.arange(end)[:, None, None] / end
    return motion[:end] + passed * (motion[0] - motion[end]), distance[end] / max(np.ptp(motion[0], 0).max(), 1e-6)
