"""Reading a configuration: one YAML file, checked key by key against the classes of :mod:`utils.schema`."""
import dataclasses
import difflib
import os
import warnings
from pathlib import Path

import yaml

from utils.config_values import checked_value, is_text
from utils.errors import UserError
from utils.schema import NETWORK_KINDS, Config, TrainDataConfig

PATHS = ("data_root", "train_data_list", "test_data_list", "cache_dir", "vgg_weights")
# Keys of the authors' files that never had an effect, or that would undo what their code really does (defect D12:
# `model.z_dim: 64` and `init: kaiming` while 512 and gaussian run). Of `dis`, two values are checked.
BLOCKS = ("image_encode", "dec_im", "image_vae", "dis", "model")
WITHOUT_EFFECT = (*BLOCKS, "init", "image_display_iter")


def load_config(path, overrides=()):
    """Read a YAML file into a :class:`utils.schema.Config`.

    `base: other.yaml` takes another file (beside this one) as the starting point.

    Args:
        path: the YAML file.
        overrides: `key=value` strings, nested keys with dots (`pose_loss.kl=0.01`).
    Raises:
        UserError: unreadable file, unknown key or wrong value, naming file, line and key.
    """
    config = Config()
    _apply_file(config, Path(path), ())
    for override in overrides:
        keys, value = _parse_override(override)
        assign(config, keys, value, f"--set {override}")
    for name in PATHS:
        setattr(config, name, os.path.expanduser(getattr(config, name)))
    for entry in config.train_data:
        unknown = [name for name in entry.actions if name not in config.actions]
        if unknown:
            raise UserError(f"{path}: train_data, {entry.data_list}: {', '.join(unknown)} is not among the actions of this "
                            f"configuration, {', '.join(config.actions)}")
    return config


def _parse_override(override):
    """`block.key=value` -> (list of keys, value)."""
    key, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--set {override}: write it as key=value")
    try:
        return key.strip().split("."), yaml.safe_load(text)
    except Exception:                    # PyYAML lets many kinds through, as in `_read`
        raise UserError(f"--set {override}: {text!r} is not a value in YAML") from None


def overridden_keys(overrides):
    """The set of dotted keys that overrides set; `actvae={z_dim: 64}` sets the same key as `actvae.z_dim=64`."""
    return {key for names, value in map(_parse_override, overrides) for key in flatten({".".join(names): value})}


def dump_config(config):
    """The resolved configuration as YAML text."""
    return yaml.safe_dump(dataclasses.asdict(config), sort_keys=False, allow_unicode=True)


def flatten(values, prefix=""):
    """Nested dicts as one: `block.key` -> value."""
    return {name: value for key, inner in values.items() for name, value in (
        flatten(inner, f"{prefix}{key}.").items() if isinstance(inner, dict) else [(f"{prefix}{key}", inner)])}


def changes(config, path):
    """The differences between a configuration and an earlier one that :func:`dump_config` wrote: a list of `key: old -> new`."""
    try:
        before = flatten(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError):
        return []
    now = flatten(dataclasses.asdict(config))
    return [f"{key}: {before[key]} -> {value}" for key, value in now.items() if key in before and before[key] != value]


def _apply_file(config, path, seen):
    """Set the keys of a YAML file and, before them, of its `base`; `seen` are the files that lead to this one."""
    if path.resolve() in seen:
        raise UserError(f"{path}: 'base' leads back to this file")
    values, lines = _read(path)
    if "base" in values:
        if not is_text(values["base"]):
            raise UserError(f"{path}:{lines['base']}: 'base' names a YAML file")
        _apply_file(config, path.parent / values.pop("base"), (*seen, path.resolve()))
    idle = [key for key in values if key in WITHOUT_EFFECT]
    if idle:
        warnings.warn(f"{path}: keys without effect: {', '.join(idle)}", stacklevel=4)
    for key, value in values.items():
        if key in idle:
            _check_idle(config, values, key, f"{path}:{lines[key]}")
        else:
            assign(config, [key], value, f"{path}:{lines[key]}")


def _read(path):
    """The keys of a YAML file with their values, and with their lines; raises :class:`UserError` if it holds anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(f"{path}: cannot read this configuration ({reason})") from None
    try:
        values = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except Exception as error:           # PyYAML lets many kinds through: `!!int ""`, `!!bool x`, 2020-99-99
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        reason = str(getattr(error, "problem", None) or error).partition("\n")[0]
        raise UserError(f"{where}: not valid YAML ({reason})") from None
    if values is None:
        return {}, {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{path}: a configuration is a list of `key: value` lines")
    for block in (node, *(value for key, value in node.value if key.value not in BLOCKS)):
        seen = set()
        for key, _ in block.value if isinstance(block, yaml.MappingNode) else ():
            if key.value in seen:
                raise UserError(f"{path}:{key.start_mark.line + 1}: key {key.value!r} stands here a second time")
            seen.add(key.value)
    lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}
    return values, dict.fromkeys(values, 1) | lines          # keys merged with `<<` have no line of their own


def _check_idle(config, values, key, where):
    """The few values of idle blocks that the published code read must agree with what runs here."""
    if key in BLOCKS and not isinstance(values[key], dict):
        raise UserError(f"{where}: {key!r} is a block of keys")
    if key == "dis":
        actions = len(values["actions"] if isinstance(values.get("actions"), list) else config.actions)
        for name, runs in (("n_label", actions), ("input_dim", 3)):
            found = values[key].get(name, runs)
            if found != runs:
                found = found if isinstance(found, int) and abs(found) < 10 ** 9 else "no such number"
                raise UserError(f"{where}: dis.{name} is {found}, but it must be {runs}" + (
                    " (the number of names under 'actions')" if name == "n_label" else ""))


def assign(target, keys, value, where):
    """Set a (nested) field of a config class after checking its name and value."""
    name, *rest = keys
    fields = {entry.name: entry for entry in dataclasses.fields(target)}
    if name not in fields:
        raise UserError(f"{where}: unknown key {name!r}{_instead(target, name, fields)}")
    if dataclasses.is_dataclass(getattr(target, name)):
        if not rest and not isinstance(value, dict):
            raise UserError(f"{where}: {name!r} is a block of keys")
        values = {".".join(rest): value} if rest else {str(key): inner for key, inner in value.items()}
        where = where if rest else f"{where}, in {name!r}"
        if name in NETWORK_KINDS and "kind" in values:
            kind, kinds = values.pop("kind"), NETWORK_KINDS[name]
            if not isinstance(kind, str) or kind not in kinds:
                raise UserError(f"{where}: 'kind' must be one of {', '.join(kinds)}")
            if getattr(target, name).kind != kind:
                setattr(target, name, kinds[kind]())                    # with its defaults
        for key, inner in values.items():
            assign(getattr(target, name), key.split("."), inner, where)
        return None
    if rest:
        raise UserError(f"{where}: {name!r} has no keys below it")
    check = _train_data if name == "train_data" else checked_value
    setattr(target, name, check(fields[name], value, where))


def _instead(target, name, known):
    """How the message about an unknown key goes on: the kinds of networks that have it, the key most like it, or all keys."""
    kinds = [kind for kinds in NETWORK_KINDS.values() if type(target) in kinds.values() for kind, other in kinds.items()
             if name in {entry.name for entry in dataclasses.fields(other)}]
    if kinds:
        return f" of the kind {target.kind}; only {' and '.join(kinds)} {'has' if len(kinds) == 1 else 'have'} it"
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def _train_data(entry, value, where):
    """The value of `train_data`, a list of :class:`TrainDataConfig`."""
    name = entry.name
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise UserError(f"{where}: {name!r} must be a list of blocks with data_list, data_root and share")
    sets = []
    for number, block in enumerate(value, 1):
        here = f"{where}, {name!r}, data set {number}"
        sets.append(TrainDataConfig())
        for key, inner in block.items():
            assign(sets[-1], [str(key)], inner, here)
        for key in ("data_list", "data_root"):
            if not getattr(sets[-1], key):
                raise UserError(f"{here}: {key!r} is missing")
    total = sum(entry.share for entry in sets)
    if sets and abs(total - 1) > 1e-6:
        raise UserError(f"{where}: the shares of {name!r} add up to {total:g}, they must to 1")
    return sets
