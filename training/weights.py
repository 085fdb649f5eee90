"""Trained weights: where their files are, and which configuration they need.

Weights lie in a run's folder, in its checkpoints folder, or in a folder like the authors' `pretrain/`; a single file is enough
where its folder has what else is needed. With them comes a description: the keys of the configuration that say what the
networks are (their kinds and sizes, the action names, the picture size). A snapshot has it in its `networks` file; otherwise it
is the `config.yaml` beside the weights.
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

    files: dict              # part -> Path
    networks: dict           # see `describe`; empty where there is no description
    origin: Path             # the file with the description
    iteration: int           # 0 where it is not known
    snapshot: Snapshot | None


def describe(config, keys):
    """The description of a configuration's networks: these keys of it as plain values."""
    return {key: value for key, value in dataclasses.asdict(config).items() if key in keys}


def adopt(config, description, origin, chosen=()):
    """Change a configuration so that it builds the networks of a description.

    Args:
        config: :class:`utils.schema.Config`, changed in place.
        description: see :func:`describe`.
        origin: Path of the file with the description, for messages.
        chosen: dotted keys that the user set on the command line; see `INFERENCE_KEYS`.
    Returns:
        the changes, a list of `key: new value (configuration: old value)`.
    Raises:
        UserError: the description has unknown keys or values, or the user chose another value of a key that it fixes.
    """
    before = flatten(dataclasses.asdict(config))
    for key, value in description.items():
        if key in NETWORK_KINDS and isinstance(value, dict):             # older descriptions do not name the published kind
            value = {"kind": next(iter(NETWORK_KINDS[key])), **value}
        assign(config, [key], value, f"{origin}")
    kept, changed, after = TUNABLE | INFERENCE_KEYS & set(chosen), [], flatten(dataclasses.asdict(config))
    for key, value in flatten(describe(config, description)).items():
        if before.get(key) != value and key not in kept:
            if key in chosen:
                raise UserError(f"--set {key}={before[key]}: the weights of {origin.parent} were trained with {key}: {value}")
            changed.append(f"{key}: {value}" + (f" (configuration: {before[key]})" if key in before else ""))
    for key in kept & before.keys() & after.keys():
        assign(config, key.split("."), before[key], f"{origin}")
    return changed


def _part_names(networks, keys):
    """The checkpoint parts of the networks among `keys`; what the description lacks is taken to be the published network."""
    names = []
    for kinds, network in ((NETWORK_KINDS[key], networks.get(key)) for key in keys if key in NETWORK_KINDS):
        kind = network.get("kind") if isinstance(network, dict) else None
        names += kinds.get(kind, next(iter(kinds.values()))).parts
    return names


def find_weights(folder, keys, iteration=None, optional=(), expected=None):
    """Find the newest complete weights in a folder, or those that a file belongs to.

    Args:
        folder: a checkpoints folder, a run's folder with `checkpoints/`, or one with `<part>.pt` for every part; or a file, see
            :func:`_weights_of_file`.
        keys: the keys of the description that are wanted; all parts of the networks among them are needed.
        iteration: take the snapshot of this iteration instead of the newest.
        optional: parts that may be missing from a folder of `<part>.pt`.
        expected: the description of networks whose files come without one; None: the published networks.
    Returns:
        :class:`Weights`.
    Raises:
        UserError: no such weights, no such iteration, or a description that cannot be read.
    """
    folder = Path(folder)
    if folder.is_file():
        return _weights_of_file(folder, keys, iteration, optional, expected)
    if not folder.is_dir() and folder.name != "checkpoints":
        raise UserError(f"{folder}: there is no such folder or file with pretrained weights")
    place = next((place for place in (folder, folder / "checkpoints") if find_snapshots(place, ())), None)
    if not place:
        return _published_weights(folder, keys, optional, expected)
    found = []
    for snapshot in find_snapshots(place, ()):
        networks, origin = _description(snapshot, place, keys)
        parts = _part_names(networks, keys)
        if set(parts) <= set(snapshot.files):
            found.append(Weights({name: snapshot.files[name] for name in parts}, networks, origin, snapshot.iteration, snapshot))
    if not found:
        raise UserError(f"{place}: {_no_checkpoint(keys)}")
    chosen = [weights for weights in found if iteration in (None, weights.iteration)]
    if not chosen:
        raise UserError(f"{place}: no complete checkpoint of iteration {iteration}; there are "
                        + ", ".join(str(weights.iteration) for weights in found))
    return chosen[-1]


def _weights_of_file(file, keys, iteration, optional, expected):
    """The :class:`Weights` that one file stands for: its snapshot, or `<part>.pt` with the other parts of its folder. A file of
    any other name is taken where the networks have one part only."""
    snapshot = NAME.fullmatch(file.name)
    if snapshot:
        return find_weights(file.parent, keys, iteration or int(snapshot[3]), optional)
    networks, origin = _description_beside(file.parent, keys)
    needed = [name for name in _part_names(networks or expected or {}, keys) if name not in optional]
    if file.stem in needed:
        return _published_weights(file.parent, keys, optional, expected)
    if len(needed) == 1:
        return Weights({needed[0]: file}, networks, origin, 0, None)
    raise UserError(f"{file}: one file does not hold all networks; give the folder that holds "
                    f"{' and '.join(f'{name}.pt' for name in needed)}, or a run's folder")


def _description_beside(folder, keys):
    """(description, its file) of a folder's `config.yaml`; the description is empty if there is none."""
    path = folder / "config.yaml"
    return describe(load_config(path), keys) if path.is_file() else {}, path


def _published_weights(folder, keys, optional, expected):
    """The :class:`Weights` of a folder with `<part>.pt`."""
    networks, path = _description_beside(folder, keys)
    files = {name: folder / f"{name}.pt" for name in _part_names(networks or expected or {}, keys)}
    if not any(path.is_file() for path in files.values()):
        raise UserError(f"{folder}: {_no_checkpoint(keys)}, and no pretrained {next(iter(files.values())).name}")
    for name, file in files.items():
        if name not in optional and not file.is_file():
            raise UserError(f"{file}: this checkpoint file is missing")
    return Weights({name: file for name, file in files.items() if file.is_file()}, networks, path, 0, None)


def _no_checkpoint(keys):
    return f"no complete checkpoint here (needs <epoch>_<part>_<iteration>.pt for {' and '.join(_part_names({}, keys))})"


def _description(snapshot, folder, keys):
    """(description, its file) of a snapshot's networks: from the snapshot itself, or else from the configuration of its run."""
    path = snapshot.files.get(NETWORKS)
    if not path:
        return _description_beside(folder.parent, keys) if folder.name == "checkpoints" else ({}, folder / "config.yaml")
    try:
        networks = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(networks, dict):
            raise ValueError("it is no table of keys")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not the description of a snapshot's networks ({reason(error)})") from None
    return {key: networks[key] for key in keys if key in networks}, path


def find_pose_module(folder, iteration=None):
    """Find the trained pose module that `--vae_path` names, see :func:`find_weights`: :class:`Weights`."""
    if not Path(folder).exists():
        raise UserError(f"--vae_path {folder}: there is no such folder")
    try:
        return find_weights(folder, ("actions", "actvae"), iteration)
    except UserError as error:
        raise UserError(f"--vae_path {folder}: no trained ACT-VAE here; name the checkpoints folder of a train_actvae.py run, or "
                        f"a folder with published weights ({error})") from None


def adopt_pose_module(config, weights, chosen=()):
    """Change a configuration so that it builds the pose module of :class:`Weights`; as :func:`adopt`, whose result it returns.

    Raises:
        UserError: the pose module knows other actions than the configuration, or the user chose another pose module.
    """
    known = weights.networks.get("actions", config.actions)
    if list(known) != list(config.actions):
        raise UserError(f"{weights.origin}: this pose module was trained with the actions {', '.join(map(str, known))}, in this "
                        f"order; the configuration has {', '.join(config.actions)}")
    return adopt(config, {key: value for key, value in weights.networks.items() if key == "actvae"}, weights.origin, chosen)
