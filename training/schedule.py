"""Learning-rate schedules. `lr_policy` in the configuration names one of `POLICIES`, a factor of `lr`.

A new policy is a function here, an entry of `POLICIES` and its name among the choices of `lr_policy` in :mod:`utils.schema`.
"""
import math


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
            which the rate first rises linearly from 0.
        iteration: number of iterations done so far.
        total: number of iterations of the whole training, if it is known.
    """
    warmup = min(1, (iteration + 1) / (config.warmup_iter + 1))
    return config.lr * POLICIES[config.lr_policy](config, iteration, total) * warmup
