"""Learning-rate schedules. `lr_policy` in the configuration names one of `POLICIES`, a factor of `lr`.

A new policy is a function here, an entry of `POLICIES` and its name among the choices of `lr_policy` in :mod:`utils.schema`.
"""
import math
import time

from utils import processes

WARMUP_SHARE = 0.1        # largest share of a training in which the rate may rise: a short one would end before its full rate


class TimeBudget:
    """The minutes that a training may take, where `train_minutes` of the configuration takes the place of `train_epoch`.

    Args:
        limit: minutes; 0: the training is not limited in time.
        used: minutes that the run has trained before.
    """

    def __init__(self, limit, used=0.0):
        self.limit, self.used, self.started = limit, used, time.monotonic()

    def minutes(self):
        """The minutes that the run has trained, with everything that it did meanwhile."""
        return self.used + (time.monotonic() - self.started) / 60

    def spent(self):
        """Whether the time is over, in any of the processes."""
        return bool(self.limit) and self._share() >= 1

    def iterations(self, done):
        """The number of iterations that fit into the time, as fast as `done` ones went; None after none."""
        share = self._share()
        return done / share if done and share else None

    def _share(self):
        """The share of the time that has passed, the same in all processes."""
        return processes.all_reduce_max(round(1e6 * self.minutes() / self.limit)) / 1e6


def step(config, iteration, total):
    """Multiply by `gamma` every `step_size` iterations, as published."""
    return config.gamma ** (iteration // config.step_size)


def constant(config, iteration, total):
    """Always 1."""
    return 1.0


def cosine(config, iteration, total):
    """Fall from 1 to 0 along half a cosine; 1 as long as the number of iterations is unknown."""
    return (1 + math.cos(math.pi * min(1, iteration / total))) / 2 if total else 1.0


POLICIES = {"step": step, "constant": constant, "cosine": cosine}


def learning_rate(config, iteration, total=None):
    """The learning rate of an iteration.

    Args:
        config: :class:`utils.schema.Config`: `lr`, `lr_policy` with its keys, and `warmup_iter`, the number of iterations over
            which the rate first rises linearly from 0, though for no more than `WARMUP_SHARE` of the training.
        iteration: number of iterations done so far.
        total: number of iterations of the whole training, if it is known.
    """
    rising = min(config.warmup_iter, WARMUP_SHARE * total) if total else config.warmup_iter
    return config.lr * POLICIES[config.lr_policy](config, iteration, total) * min(1, (iteration + 1) / (rising + 1))
