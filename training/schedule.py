"""Learning-rate schedules. `lr_policy` in the configuration names one of `POLICIES`, a factor of `lr`.

A new policy is a function here, an entry of `POLICIES` and its name among the choices of `lr_policy` in :mod:`utils.schema`.
"""
import math
import time

from utils import processes

LONGEST_WARMUP = 0.1      # fraction of a training; a short one would otherwise end before its full rate


class TimeBudget:
    """The minutes that a training may take, where `train_minutes` of the configuration takes the place of `train_epoch`.

    Args:
        limit: minutes; 0: the training is not limited in time.
        used: minutes that the run has trained before.
    """

    def __init__(self, limit, used=0.0):
        self.limit, self.used, self.started = limit, used, time.monotonic()

    def minutes(self):
        """The minutes that the run has trained, including everything else that it did meanwhile."""
        return self.used + (time.monotonic() - self.started) / 60

    def fraction(self):
        """The fraction of the time that has passed, the same in all processes; 0 without a limit."""
        return processes.all_reduce_max(round(1e6 * self.minutes() / self.limit)) / 1e6 if self.limit else 0.0


def step(config, iteration, total):
    """Multiply by `gamma` every `step_size` iterations, as published."""
    return config.gamma ** (iteration // config.step_size)


def constant(config, iteration, total):
    return 1.0


def cosine(config, iteration, total):
    """Fall from 1 to 0 along half a cosine; 1 as long as the number of iterations is unknown."""
    return (1 + math.cos(math.pi * min(1, iteration / total))) / 2 if total else 1.0


POLICIES = {"step": step, "constant": constant, "cosine": cosine}


def learning_rate(config, iteration, total=None):
    """The learning rate of an iteration.

    Over the first `warmup_iter` iterations, though no more than `LONGEST_WARMUP` of the training, it rises linearly from 0.

    Args:
        config: :class:`utils.schema.Config`.
        iteration: number of iterations done so far.
        total: number of iterations of the whole training, if it is known.
    """
    rising = min(config.warmup_iter, LONGEST_WARMUP * total) if total else config.warmup_iter
    return config.lr * POLICIES[config.lr_policy](config, iteration, total) * min(1, (iteration + 1) / (rising + 1))
