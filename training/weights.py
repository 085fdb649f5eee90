"""Where trained weights are: in a run's folder, its checkpoints, or a folder like the authors' `pretrain/`."""
from pathlib import Path
from typing import NamedTuple

from training.checkpoints import NETWORKS, Snapshot, find_snapshots, read_networks
from utils.config import NETWORK_KINDS, DiscriminatorConfig, describe, load_config
from utils.errors import UserError


class Weights(NamedTuple):
    """Files of trained networks, and what those mean as far as it is known."""

    files: dict              # part -> Path
    networks: dict           # see `utils.config.describe`; empty where nothing says it
    origin: Path             # the file that says it
    iteration: int           # 0 where it is not known
    snapshot: Snapshot | None

    def without(self, parts):
        """The same but for these parts, which come from elsewhere, and what is said of them."""
        return self._replace(files={name: path for name, path in self.files.items() if name not in parts},
                             networks={key: value for key, value in self.networks.items() if key != "actvae"})


def part_names(networks, blocks):
    """The published part names of some blocks of a configuration or of a description."""
    names = []
    for block in blocks:
        kinds = NETWORK_KINDS.get(block, {None: DiscriminatorConfig})
        kind = networks[block].get("kind") if isinstance(networks.get(block), dict) else None
        names += kinds[kind if kind in kinds else next(iter(kinds))].parts
    return names


def find_weights(folder, keys, parts_of, iteration=None, optional=()):
    """The newest complete weights under a folder.

    Args:
        folder: a checkpoints folder, a run's folder with `checkpoints/`, or one with `<part>.pt` for every part.
        keys: of the description that are of interest.
        parts_of: description -> the parts that are needed.
        iteration: choose the snapshot of this iteration.
        optional: parts that a folder of `<part>.pt` may lack.
    Returns:
        :class:`Weights`.
    Raises:
        UserError: nothing of the kind there, no such iteration, or a description that cannot be read.
    """
    folder = Path(folder)
    names = " and ".join(parts_of({}))
    if not folder.is_dir() and folder.name != "checkpoints":
        raise UserError(f"{folder}: there is no such folder with pretrained weights")
    places = [place for place in (folder, folder / "checkpoints") if find_snapshots(place, ())]
    if not places:
        path = folder / "config.yaml"
        networks = describe(load_config(path), keys) if path.is_file() else {}
        files = {name: folder / f"{name}.pt" for name in parts_of(networks)}
        if not any(path.is_file() for path in files.values()):
            raise UserError(f"{folder}: no complete checkpoint here (needs <epoch>_<part>_<iteration>.pt for {names}), and no "
                            f"pretrained {next(iter(files.values())).name}")
        for name, file in files.items():
            if name not in optional and not file.is_file():
                raise UserError(f"{file}: this checkpoint file is missing")
        return Weights({name: file for name, file in files.items() if file.is_file()}, networks, path, 0, None)
    found = []
    for snapshot in find_snapshots(places[0], ()):
        networks, origin = _description(snapshot, places[0], keys)
        parts = parts_of(networks)
        if set(parts) <= set(snapshot.files):
            found.append(Weights({name: snapshot.files[name] for name in parts}, networks, origin, snapshot.iteration, snapshot))
    if not found:
        raise UserError(f"{places[0]}: no complete checkpoint here (needs <epoch>_<part>_<iteration>.pt for {names})")
    chosen = [weights for weights in found if iteration in (None, weights.iteration)]
    if not chosen:
        raise UserError(f"{places[0]}: no complete checkpoint of iteration {iteration}; there are "
                        + ", ".join(str(weights.iteration) for weights in found))
    return chosen[-1]


def _description(snapshot, folder, keys):
    """What a snapshot's networks mean, and the file that says so: its own, or else the configuration of its run."""
    path, config = snapshot.files.get(NETWORKS), folder.parent / "config.yaml"
    if path:
        networks = read_networks(path)
        return {key: networks[key] for key in keys if key in networks}, path
    if folder.name == "checkpoints" and config.is_file():
        return describe(load_config(config), keys), config
    return {}, folder / "config.yaml"
