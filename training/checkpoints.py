"""Checkpoint files with the published names and format (published system, "Files"), and two files that these lack.

A snapshot is a set of files `<epoch:04d>_<part>_<iteration:08d>.pt`, each `{'a': state_dict}`, one for every part, and the
published `optimizer.pt` belongs to the newest snapshot. Two more files make resuming exact and tell which networks these are:
`<epoch:04d>_training_state_<iteration:08d>.pt` holds the optimizers, the seed and the random state of that snapshot, and
`<epoch:04d>_networks_<iteration:08d>.json` the description of its networks, see :mod:`training.weights`.
"""
import re
from pathlib import Path
from typing import NamedTuple

import torch

from training.muon import Muon
from utils.errors import UserError
from utils.files import write_json
from utils.torch_files import load_torch, reason, save_torch, writing

STATE, NETWORKS = "training_state", "networks"
KEPT_STATES = 2           # older training states are removed; the published files all stay
NAME = re.compile(r"(\d{4,})_(\w+?)_(\d{8,})\.(?:pt|json)")
UNFINISHED = re.compile(r"\..+\.(?:pt|json)\.\w+")     # left behind by a process killed in `atomic_write`


class Snapshot(NamedTuple):
    iteration: int
    epoch: int
    files: dict           # part -> Path; also STATE and NETWORKS if these files exist


def load_part(path, module):
    """Fill `module` from a checkpoint file, strictly: the published `{'a': state_dict}`, `{'state_dict': ...}` or a bare one.

    Raises:
        UserError: other names, shapes or kinds of values than the module's.
    """
    value = load_torch(path)
    weights = value.get("a", value.get("state_dict", value)) if isinstance(value, dict) else None
    if not isinstance(weights, dict) or not weights or not all(isinstance(name, str) and isinstance(tensor, torch.Tensor)
                                                               for name, tensor in weights.items()):
        raise UserError(f"{path}: expected the published format {{'a': state_dict}}")
    if all(name.startswith("module.") for name in weights):           # DistributedDataParallel puts it before every name
        weights = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    expected = module.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            raise UserError(f"{path}: {'lacks' if name in expected else 'has an unknown'} entry {name!r}; "
                            f"is it a checkpoint of another network?")
        if weights[name].shape != expected[name].shape:
            raise UserError(f"{path}: {name} has shape {tuple(weights[name].shape)}, the network of this configuration "
                            f"{tuple(expected[name].shape)}")
        if not _is_plain(weights[name], expected[name]):
            raise UserError(f"{path}: {name} holds something else than finite numbers")
    module.load_state_dict(weights)


def _is_plain(tensor, like):
    """Whether a tensor is dense, of the same kind of numbers as `like`, and all of them are finite."""
    return (tensor.layout == torch.strided and not (tensor.is_quantized or tensor.is_meta)
            and tensor.is_floating_point() == like.is_floating_point() and not tensor.is_complex()
            and bool(tensor.isfinite().all()))


def load_optimizer(path, optimizer, saved):
    """Load the saved moments of Adam, AdamW or Muon; the optimizer's settings (`lr`, `betas`, ...) stay as they are.

    Args:
        path: of the file, for messages.
        saved: `state_dict()` of an optimizer for the same parameters, from any version of PyTorch.
    Raises:
        UserError: state of other parameters, or no such state.
    """
    names = {"momentum"} if isinstance(optimizer, Muon) else {"step", "exp_avg", "exp_avg_sq"}
    expected = optimizer.state_dict()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    try:
        groups = [[group["params"] for group in state["param_groups"]] for state in (expected, saved)]
        if groups[0] != groups[1] or not saved["state"].keys() <= set(range(len(parameters))):
            raise ValueError("it is of other parameters")
        for number, entry in saved["state"].items():
            if "step" in names:
                entry["step"] = torch.as_tensor(entry["step"], dtype=torch.float32)    # an int in files of old versions
            if entry.keys() != names:
                raise ValueError(f"parameter {number} lacks a moment or has one too many")
            for name, value in entry.items():
                like = torch.zeros(()) if name == "step" else parameters[number]
                if value.shape != like.shape or not _is_plain(value, like):
                    raise ValueError(f"{name} of parameter {number} has another shape or kind")
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UserError(f"{path}: not the optimizer state of this configuration ({reason(error)})") from None
    optimizer.load_state_dict({"state": saved["state"], "param_groups": expected["param_groups"]})


def _numbered_files(folder):
    """All snapshots in a folder, complete or not, oldest first: (iteration, epoch) -> {part: Path}."""
    found = {}
    for path in Path(folder).glob("*_*_*.*"):
        match = NAME.fullmatch(path.name)
        if match:
            found.setdefault((int(match[3]), int(match[1])), {})[match[2]] = path
    return dict(sorted(found.items()))


def find_snapshots(folder, parts):
    """The complete snapshots of a folder, a list of :class:`Snapshot` in the order of their iterations."""
    return [Snapshot(*number, files) for number, files in _numbered_files(folder).items() if set(parts) <= set(files)]


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
    """Remove files of snapshots that are no longer needed.

    These are the training states of all but the newest `KEPT_STATES` snapshots, files that killed processes left unfinished and,
    with `keep_last`, all snapshots but the newest `keep_last`. Snapshots at multiples of `keep_every` stay whole.
    """
    folder = Path(folder)
    complete = [snapshot[:2] for snapshot in find_snapshots(folder, parts)]
    first_kept = complete[-keep_last] if 0 < keep_last < len(complete) else (0, 0)
    first_state = max(complete[-KEPT_STATES:][0], first_kept)
    for number, files in _numbered_files(folder).items():
        milestone = number in complete and keep_every and number[0] % keep_every == 0
        unfinished = number not in complete and number < complete[-1] and STATE in files          # our own, interrupted
        for part in (*parts, NETWORKS, STATE):
            outdated = number < (first_state if part == STATE else first_kept) and not milestone
            if part in files and (outdated or unfinished):
                files[part].unlink(missing_ok=True)
    for path in folder.iterdir():
        if UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)
