"""EMA: an exponential moving average of the weights. Networks are tested and saved with it; training goes on with the weights.

`torch.optim.swa_utils.AveragedModel` keeps a copy of the whole network instead, with its buffers (the motion library among them).
"""
from contextlib import contextmanager

import torch


class EMA:
    """The averages of the weights of several networks.

    Args:
        decay: d of `average <- d average + (1 - d) weight` after each iteration; the first iterations, n, use at most
            n / (n + 9), so that the initial weights are soon forgotten. 0: no averages; then everything here has no effect.
    """

    def __init__(self, decay):
        self.decay, self.averages = decay, {}              # parameter -> its average

    def reset(self, module):
        """Start the averages of a network from its present weights."""
        if self.decay:
            self.averages |= {value: value.detach().clone() for value in module.parameters()}

    @torch.no_grad()
    def update(self, iteration):
        """Follow the weights after an iteration, numbered from 1."""
        if self.averages:
            decay = min(self.decay, iteration / (iteration + 9))
            torch._foreach_lerp_(list(self.averages.values()), list(self.averages), 1 - decay)

    def swap(self):
        """Exchange the weights and their averages."""
        for value, average in self.averages.items():
            value.data, self.averages[value] = average, value.data

    @contextmanager
    def applied(self):
        """Use the averages in place of the weights within a `with` block; these blocks cannot be nested."""
        self.swap()
        try:
            yield
        finally:
            self.swap()
