"""Trained weights: where their files are, and the description of their networks.

Weights lie in a run's folder, in its checkpoints folder, or in a folder like the authors' `pretrain/`. The description has the
keys of the configuration that say what the networks are: their kinds and sizes, the action names, the picture size. A snapshot
has it in its `networks` file; otherwise it is the `config.yaml` beside the weights.
"""
import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

from training.checkpoints import NAME, NETWORKS, Snapshot, find_snapshots
from utils.config import assign, flatten, load_config
from utils.errors import UserError
from utils.schema import NETWORK_KINDS
from utils.torch_files import reason

# dotted keys, see `utils.schema.NetworkConfig`
TUNABLE, INFERENCE_KEYS = ({f"{block}.{key}" for block, kinds in NETWORK_KINDS.items() for kind in kinds.values()
                            for key in getattr(kind, what)} for what in ("tunable", "inference"))


class Weights(NamedTuple):
    """Files of trained networks and the description of these networks."""

    files: dict                        # part -> Path
    networks: dict                     # see `describe`; empty where there is no description
    origin: Path                       # the file with the description
    iteration: int = 0                 # 0 where it is not known
    snapshot: Snapshot | None = None


def describe(config, keys):
    """The description of a configuration's networks: these keys of it as plain values."""
    return {key: value for key, value in dataclasses.asdict(config).items() if key in keys}


def adopt(config, description, origin, chosen=()):
    """Change a configuration so that it builds the networks of a description.

    Args:
        config: :class:`utils.schema.Config`, changed in place.
        description: see :func:`describe`.
        origin: Path of the file with the description, for messages.
        chosen: dotted keys that the user set on the command line; they win over the description's `INFERENCE_KEYS`.
    Returns:
        the changes, a list of `key: new value (configuration: old value)`.
    Raises:
        UserError: the description has unknown keys or values, or the user chose another value of a key that it fixes.
    """
    ours = flatten(dataclasses.asdict(config))
    for key, value in description.items():
        if key in NETWORK_KINDS and isinstance(value, dict):             # older descriptions do not name the published kind
            value = {"kind": next(iter(NETWORK_KINDS[key])), **value}
        assign(config, [key], value, f"{origin}")
    kept, changed, adopted = TUNABLE | INFERENCE_KEYS & set(chosen), [], flatten(dataclasses.asdict(config))
    for key, value in flatten(describe(config, description)).items():
        if ours.get(key) != value and key not in kept:
            if key in chosen:
                raise UserError(f"--set {key}={ours[key]}: the weights of {origin.parent} were trained with {key}: {value}")
            changed.append(f"{key}: {value}" + (f" (configuration: {ours[key]})" if key in ours else ""))
    for key in kept & ours.keys() & adopted.keys():
        assign(config, key.split("."), ours[key], f"{origin}")
    return changed


def find_weights(place, keys, iteration=None, optional=(), expected=None):
    """Find the newest complete weights.

    Args:
        place: a checkpoints folder, a run's folder with `checkpoints/`, one with `<part>.pt` for every part, or a file in one of
            them, which stands for its snapshot or its folder.
        keys: the keys of the description that are wanted; all parts of the networks among them are needed.
        iteration: take the snapshot of this iteration instead of the newest.
        optional: parts that may be missing from a folder of `<part>.pt`.
        expected: the description of networks whose files come without one; None: the published networks.
    Returns:
        :class:`Weights`.
    Raises:
        UserError: no such weights, no such iteration, or a description that cannot be read.
    """
    place = Path(place)
    if place.is_file():
        snapshot = NAME.fullmatch(place.name)
        iteration = iteration or (int(snapshot[3]) if snapshot else None)
        place = place.parent
    if not place.is_dir() and place.name != "checkpoints":
        raise UserError(f"{place}: there is no such folder or file with pretrained weights")
    folder = next((folder for folder in (place, place / "checkpoints") if find_snapshots(folder, ())), None)
    if folder is None:
        return _published_weights(place, keys, optional, expected)
    found = []
    for snapshot in find_snapshots(folder, ()):
        networks, origin = _description(snapshot, folder, keys)
        parts = _part_names(networks, keys)
        if set(parts) <= set(snapshot.files):
            found.append(Weights({name: snapshot.files[name] for name in parts}, networks, origin, snapshot.iteration, snapshot))
    if not found:
        raise UserError(f"{folder}: {_no_checkpoint(keys)}")
    chosen = [weights for weights in found if iteration in (None, weights.iteration)]
    if not chosen:
        raise UserError(f"{folder}: no complete checkpoint of iteration {iteration}; there are "
                        + ", ".join(str(weights.iteration) for weights in found))
    return chosen[-1]


def _published_weights(folder, keys, optional, expected):
    """The :class:`Weights` of a folder with `<part>.pt`."""
    networks, origin = _description_beside(folder, keys)
    files = {name: folder / f"{name}.pt" for name in _part_names(networks or expected or {}, keys)}
    if not any(path.is_file() for path in files.values()):
        raise UserError(f"{folder}: {_no_checkpoint(keys)}, and no pretrained {next(iter(files.values())).name}")
    for name, file in files.items():
        if name not in optional and not file.is_file():
            raise UserError(f"{file}: this checkpoint file is missing")
    return Weights({name: file for name, file in files.items() if file.is_file()}, networks, origin)


def _part_names(networks, keys):
    """The checkpoint parts of the networks among `keys`; what the description lacks is taken to be the published network."""
    names = []
    for kinds, network in ((NETWORK_KINDS[key], networks.get(key)) for key in keys if key in NETWORK_KINDS):
        kind = network.get("kind") if isinstance(network, dict) else None
        names += kinds.get(kind, next(iter(kinds.values()))).parts
    return names


def _no_checkpoint(keys):
    return f"no complete checkpoint here (needs <epoch>_<part>_<iteration>.pt for {' and '.join(_part_names({}, keys))})"


def _description_beside(folder, keys):
    """(description, its file) of a folder's `config.yaml`; the description is empty if there is none."""
    path = folder / "config.yaml"
    return describe(load_config(path), keys) if path.is_file() else {}, path


def _description(snapshot, folder, keys):
    """(description, its file) of a snapshot's networks: from the snapshot itself, or else from the configuration of its run."""
    path = snapshot.files.get(NETWORKS)
    if not path:
        return _description_beside(folder.parent, keys) if folder.name == "checkpoints" else ({}, folder / "config.yaml")
    try:
        networks = json.loads(path.read_text(encoding="utf-8"))
        return {key: networks[key] for key in keys if key in networks}, path
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not the description of a snapshot's networks ({reason(error)})") from None


def find_pose_module(place, iteration=None):
    """Find the trained pose module that `--vae_path` names, see :func:`find_weights`: :class:`Weights`."""
    if not Path(place).exists():
        raise UserError(f"--vae_path {place}: there is no such folder")
    try:
        return find_weights(place, ("actions", "actvae"), iteration)
    except UserError as error:
        raise UserError(f"--vae_path {place}: no trained ACT-VAE here; name the checkpoints folder of a train_actvae.py run, or "
                        f"a folder with published weights ({error})") from None
