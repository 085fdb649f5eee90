"""EMA: an exponential moving average of the weights. Networks are tested and saved with it; training goes on with the weights."""
from contextlib import contextmanager

import torch


class EMA:
    """The averages of the weights of several networks.

    Args:
        decay: d of `average <- d average + (1 - d) weight` after each iteration; the first iterations, n, use at most
            n / (n + 9), so that the initial weights are soon forgotten. 0: no averages; then everything here has no effect.
    """

    def __init__(self, decay):
        self.decay = decay
        self.modules, self.averages = {}, {}               # part -> module; parameter -> its average
        self._depth = 0                                    # of nested `applied`

    def add(self, part, module):
        """Average the weights of a network, too."""
        if self.decay:
            self.modules[part] = module
            self.reset(part)

    def reset(self, part):
        """Start the average of a part again from its weights, after they were loaded."""
        if part in self.modules:
            self.averages |= {value: value.detach().clone() for value in self.modules[part].parameters()}

    @torch.no_grad()
    def update(self, iteration):
        """Follow the weights after an iteration, numbered from 1."""
        if self.averages:
            decay = min(self.decay, iteration / (iteration + 9))
            torch._foreach_lerp_(list(self.averages.values()), list(self.averages), 1 - decay)

    @contextmanager
    def applied(self):
        """Put the averages in place of the weights for the time of a `with` block."""
        kept = {}
        if not self._depth:
            for value, average in self.averages.items():
                kept[value], value.data = value.data, average
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            for value, data in kept.items():
                value.data = data

    def trained_weights(self):
        """Copies of the weights with which training goes on: part -> name -> tensor."""
        return {part: {name: value.detach().clone() for name, value in module.named_parameters()}
                for part, module in self.modules.items()}

    @torch.no_grad()
    def load_trained_weights(self, trained):
        """Fill the networks with what :meth:`trained_weights` returned; parts without an entry keep their weights."""
        for part in self.modules.keys() & trained.keys():
            for name, value in self.modules[part].named_parameters():
                value.copy_(trained[part][name])
