"""Checkpoint files in the published names and format (SPEC section 6), and one more for what those leave out.

A snapshot is a set of files `<epoch:04d>_<part>_<iteration:08d>.pt`, each `{'a': state_dict}`, one for every part. Beside
them lie `optimizer.pt` (of the newest snapshot) and `<epoch:04d>_training_state_<iteration:08d>.pt`, which makes resuming
exact: optimizers, schedulers and random state of that very snapshot.
"""
import re
from pathlib import Path
from typing import NamedTuple

import torch

from utils.errors import UserError
from utils.files import atomic_write

STATE = "training_state"
KEPT_STATES = 2           # older training states are of no use; the published files all stay
NAME = re.compile(r"(\d{4,})_(\w+?)_(\d{8,})\.pt")


class Snapshot(NamedTuple):
    iteration: int
    epoch: int
    files: dict           # part -> Path


def save_torch(path, value):
    """`torch.save`, whole or not at all."""
    try:
        with atomic_write(path, "wb") as file:
            torch.save(value, file)
    except (OSError, RuntimeError) as error:           # torch turns a full disk into a RuntimeError
        raise UserError(f"{path}: this checkpoint could not be written ({str(error).splitlines()[0]}); earlier ones are "
                        "as they were") from None


def load_torch(path):
    """Tensors and plain values of a file; nothing in it can run code. Raises :class:`UserError`."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: this checkpoint file is missing") from None
    except Exception as error:             # torch raises many kinds for broken, foreign and unsafe files
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no more is known'}"
        raise UserError(f"{path}: not a checkpoint that can be read safely ({reason})") from None


def load_part(path, module):
    """Fill `module` from a published checkpoint file, strictly. Raises :class:`UserError` on other names or shapes."""
    value = load_torch(path)
    weights = value.get("a") if isinstance(value, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in weights.values()):
        raise UserError(f"{path}: expected the published format {{'a': state_dict}}")
    expected = module.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            raise UserError(f"{path}: {'lacks' if name in expected else 'has an unknown'} entry {name!r}; "
                            f"is it a checkpoint of another network?")
        if weights[name].shape != expected[name].shape:
            raise UserError(f"{path}: {name} has shape {tuple(weights[name].shape)}, the network of this configuration "
                            f"{tuple(expected[name].shape)}")
    module.load_state_dict(weights)


def find_snapshots(folder, parts):
    """The complete snapshots of a folder, a list of :class:`Snapshot` in the order of their iterations."""
    found = {}
    for path in Path(folder).glob("*.pt"):
        match = NAME.fullmatch(path.name)
        if match:
            found.setdefault((int(match[3]), int(match[1])), {})[match[2]] = path
    return [Snapshot(*number, files) for number, files in sorted(found.items()) if set(parts) <= set(files)]


def newest_snapshot(folder, parts):
    """The newest complete :class:`Snapshot`; raises :class:`UserError` where there is none."""
    snapshots = find_snapshots(folder, parts)
    if not snapshots:
        raise UserError(f"{folder}: no complete checkpoint here (needs <epoch>_<part>_<iteration>.pt for "
                        f"{' and '.join(parts)})")
    return snapshots[-1]


def save_snapshot(folder, iteration, epoch, parts, optimizers, state):
    """Write one snapshot.

    Args:
        folder: the run's checkpoints folder.
        parts: published part name -> module.
        optimizers: published name -> optimizer.
        state: further training state (plain values and tensors).
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    optimizer_states = {name: optimizer.state_dict() for name, optimizer in optimizers.items()}

    def path(part):
        return folder / f"{epoch:04d}_{part}_{iteration:08d}.pt"

    save_torch(path(STATE), {**state, "optimizers": optimizer_states})
    for name, module in parts.items():
        save_torch(path(name), {"a": module.state_dict()})
    save_torch(folder / "optimizer.pt", optimizer_states)
    for old in [snapshot.files[STATE] for snapshot in find_snapshots(folder, parts)
                if STATE in snapshot.files][:-KEPT_STATES]:
        old.unlink()
