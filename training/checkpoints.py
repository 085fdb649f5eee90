"""Checkpoint files with the published names and format (published system, "Files"), and two files that these lack.

A snapshot is a set of files `<epoch:04d>_<part>_<iteration:08d>.pt`, each `{'a': state_dict}`, one for every part, and the
published `optimizer.pt` belongs to the newest snapshot. Two more files make resuming exact and describe the networks:
`<epoch:04d>_training_state_<iteration:08d>.pt` holds the optimizers, the seed and the random state of that snapshot, and
`<epoch:04d>_networks_<iteration:08d>.json` the description of its networks, see :mod:`training.weights`.
"""
import re
from pathlib import Path
from typing import NamedTuple

from utils.errors import UserError
from utils.files import write_json
from utils.torch_files import load_weights, reason, save_torch, writing

STATE, NETWORKS = "training_state", "networks"
KEPT_STATES = 2           # older training states are removed; the published files all stay
NAME = re.compile(r"(\d{4,})_(\w+?)_(\d{8,})\.(?:pt|json)")
UNFINISHED = re.compile(r"\..+\.(?:pt|json)\.\w+")     # left behind by a process killed in `atomic_write`


class Snapshot(NamedTuple):
    iteration: int
    epoch: int
    files: dict           # part -> Path; also STATE and NETWORKS if these files exist


def load_part(path, module):
    """Fill `module` from a checkpoint file, strictly, see :func:`utils.torch_files.load_weights`.

    Raises:
        UserError: other names or shapes than the module's, or values that are not finite numbers.
    """
    weights, expected = load_weights(path), module.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            raise UserError(f"{path}: {'lacks' if name in expected else 'has an unknown'} entry {name!r}; "
                            f"is it a checkpoint of another network?")
        if weights[name].shape != expected[name].shape:
            raise UserError(f"{path}: {name} has shape {tuple(weights[name].shape)}, the network of this configuration "
                            f"{tuple(expected[name].shape)}")
        if not weights[name].isfinite().all():
            raise UserError(f"{path}: {name} has values that are not finite numbers")
    module.load_state_dict(weights)


def load_optimizer(path, optimizer, saved):
    """Load the moments of a saved optimizer; the settings (`lr`, `betas`, ...) stay those of `optimizer`.

    Args:
        path: of the file, for messages.
        saved: `state_dict()` of an optimizer of the same kind, from any version of PyTorch.
    Raises:
        UserError: state of other parameters, or no such state.
    """
    groups = optimizer.state_dict()["param_groups"]
    try:
        if [group["params"] for group in groups] != [group["params"] for group in saved["param_groups"]]:
            raise ValueError("it is of other parameters")
        optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UserError(f"{path}: not the optimizer state of this configuration ({reason(error)})") from None


def find_snapshots(folder, parts):
    """The snapshots of a folder that have all of `parts`, a list of :class:`Snapshot` in the order of their iterations."""
    found = {}
    for path in Path(folder).glob("*_*_*.*"):
        match = NAME.fullmatch(path.name)
        if match:
            found.setdefault((int(match[3]), int(match[1])), {})[match[2]] = path
    return [Snapshot(*number, files) for number, files in sorted(found.items()) if set(parts) <= set(files)]


def save_snapshot(folder, iteration, epoch, parts, optimizers, state, networks, keep_last=0, keep_every=0):
    """Write one snapshot, then remove files that are no longer needed, see :func:`remove_old`.

    Args:
        parts: published part name -> module.
        optimizers: published name -> optimizer.
        state: further training state (plain values and tensors).
        networks: the description of the networks, see :func:`training.weights.describe`.
    Raises:
        FailedRun: it could not be written; earlier snapshots are as they were.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    optimizer_states = {name: optimizer.state_dict() for name, optimizer in optimizers.items()}
    description = folder / f"{epoch:04d}_{NETWORKS}_{iteration:08d}.json"
    with writing(description):
        write_json(description, networks)
    # the parts last: a snapshot is complete as soon as it has all of them
    files = {STATE: {**state, "optimizers": optimizer_states}}
    files |= {name: {"a": module.state_dict()} for name, module in parts.items()}
    for name, value in files.items():
        save_torch(folder / f"{epoch:04d}_{name}_{iteration:08d}.pt", value)
    save_torch(folder / "optimizer.pt", optimizer_states)
    remove_old(folder, parts, keep_last, keep_every)


def remove_old(folder, parts, keep_last=0, keep_every=0):
    """Remove the training states of all but the newest `KEPT_STATES` snapshots, and files that killed processes left unfinished.

    With `keep_last`, remove all snapshots but the newest `keep_last`. Snapshots at multiples of `keep_every` stay whole.
    """
    for age, snapshot in enumerate(reversed(find_snapshots(folder, parts)), 1):
        if keep_every and snapshot.iteration % keep_every == 0:
            continue
        outdated = (*parts, NETWORKS, STATE) if 0 < keep_last < age else (STATE,) if age > KEPT_STATES else ()
        for part in outdated:
            if part in snapshot.files:
                snapshot.files[part].unlink(missing_ok=True)
    newest = find_snapshots(folder, parts)[-1].iteration
    for snapshot in find_snapshots(folder, (STATE,)):
        if snapshot.iteration < newest and not {*parts} <= snapshot.files.keys():               # of a process killed while saving
            for part in {*parts, NETWORKS, STATE} & snapshot.files.keys():
                snapshot.files[part].unlink(missing_ok=True)
    for path in Path(folder).iterdir():
        if UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)
