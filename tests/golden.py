"""The rules by which the golden numbers' weights and noise were made (docs/published_system.md, "Golden numbers")."""
import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch

FIXTURES = Path(__file__).parent / "fixtures"
KEYS = json.loads((FIXTURES / "state_dict_keys.json").read_text())


def load(name):
    """The arrays of a golden file as float64 / int64 tensors, and its seed."""
    with np.load(FIXTURES / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    seed = int(arrays.pop("seed", np.zeros(1)).item())
    return {key: torch.from_numpy(np.asarray(array)) for key, array in arrays.items()}, seed


def _value(name, shape, seed, vgg):
    n = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2 ** 32).standard_normal(shape)
    if vgg:
        return n * (math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 0.05)
    if len(shape) == 1 and name.endswith(".weight"):
        return 1 + 0.1 * n
    return (0.5 if "embed" in name else 0.05) * n


def fill_by_rule(module, seed, vgg=False, prefix=""):
    """Fill every entry of a module's state dict but running statistics; `prefix` completes the published name."""
    for name, entry in module.state_dict().items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            entry.copy_(torch.from_numpy(np.asarray(_value(prefix + name, tuple(entry.shape), seed, vgg))))


class Noise:
    """Standard normal noise in the published order of drawing."""

    def __init__(self, seed, k):
        self.random = np.random.RandomState(seed * 1000 + k)

    def rollouts(self, count, batch, steps=4, z_dim=512):
        """(count, steps + 1, batch, z_dim), drawn one (batch, z_dim) after the other."""
        return torch.from_numpy(np.stack([[self.random.standard_normal((batch, z_dim)) for _ in range(steps + 1)]
                                          for _ in range(count)]))


def relative_error(value, golden):
    """Largest error of an array relative to its largest golden value."""
    value, golden = (torch.as_tensor(array, dtype=torch.float64).detach() for array in (value, golden))
    assert value.shape == golden.shape
    return float((value - golden).abs().max() / golden.abs().max().clamp_min(1e-300))
