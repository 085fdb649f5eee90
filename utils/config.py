"""Reads a configuration: one YAML file, checked key by key against the classes of :mod:`utils.schema`."""
import dataclasses
import difflib
import math
import operator
import os
import re
import warnings
from contextlib import suppress
from pathlib import Path

import yaml

from utils.errors import UserError
from utils.schema import NETWORK_KINDS, Config, TrainDataConfig

PATHS = ("data_root", "train_data_list", "test_data_list", "cache_dir", "vgg_weights")
# Keys of the authors' files that never had an effect, or that would undo what their code really does (defect D12:
# `model.z_dim: 64` and `init: kaiming` while 512 and gaussian run)
WITHOUT_EFFECT = ("image_encode", "dec_im", "image_vae", "dis", "model", "init", "image_display_iter")
REMOVED = {"image_loss": ("near", "colours")}            # keys that the config.yaml of older runs still has


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
    _apply_file(config, Path(path))
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
        earlier = flatten(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError):
        return []
    now = flatten(dataclasses.asdict(config))
    return [f"{key}: {earlier[key]} -> {value}" for key, value in now.items() if key in earlier and earlier[key] != value]


def _apply_file(config, path, above=()):
    """Set the keys of a YAML file after those of its `base`; `above` are the files whose base it is."""
    if path.resolve() in above:
        raise UserError(f"{path}: 'base' leads back to this file")
    values, lines = _read(path)
    if "base" in values:
        if not _is_text(values["base"]):
            raise UserError(f"{path}:{lines['base']}: 'base' names a YAML file")
        _apply_file(config, path.parent / values.pop("base"), (*above, path.resolve()))
    idle = [key for key in values if key in WITHOUT_EFFECT]
    if idle:
        warnings.warn(f"{path}: keys without effect: {', '.join(idle)}", stacklevel=4)
    for key, value in values.items():
        if key in REMOVED and isinstance(value, dict):
            value = {name: inner for name, inner in value.items() if name not in REMOVED[key]}
        if key not in idle:
            assign(config, [key], value, f"{path}:{lines[key]}")


def _read(path):
    """The values and the line numbers of the keys of a YAML file."""
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
        raise UserError(f"{path}: a configuration consists of `key: value` lines")
    for block in (node, *(value for _, value in node.value if isinstance(value, yaml.MappingNode))):
        names = [key.value for key, _ in block.value]
        for number, (key, _) in enumerate(block.value):
            if key.value in names[:number]:
                raise UserError(f"{path}:{key.start_mark.line + 1}: key {key.value!r} is set a second time here")
    lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}
    return values, dict.fromkeys(values, 1) | lines          # keys merged with `<<` have no line of their own


def assign(target, keys, value, where):
    """Set a (nested) field of a config class after checking its name and value."""
    name, *rest = keys
    fields = {entry.name: entry for entry in dataclasses.fields(target)}
    if name not in fields:
        close = difflib.get_close_matches(name, fields, n=1)
        kind = f" of the kind {target.kind}" if "kind" in fields else ""
        raise UserError(f"{where}: unknown key {name!r}"
                        + (f"; did you mean {close[0]!r}?" if close else f"{kind}; known are {', '.join(fields)}"))
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
        return
    if rest:
        raise UserError(f"{where}: {name!r} has no keys below it")
    check = _train_data if name == "train_data" else _checked_value
    setattr(target, name, check(fields[name], value, where))


def _train_data(_, value, where):
    """The value of `train_data`, a list of :class:`TrainDataConfig`."""
    if not isinstance(value, list) or not all(isinstance(block, dict) for block in value):
        raise UserError(f"{where}: 'train_data' must be a list of blocks with data_list, data_root and share")
    sets = []
    for number, block in enumerate(value, 1):
        here = f"{where}, 'train_data', data set {number}"
        sets.append(TrainDataConfig())
        for key, inner in block.items():
            assign(sets[-1], [str(key)], inner, here)
        for key in ("data_list", "data_root"):
            if not getattr(sets[-1], key):
                raise UserError(f"{here}: {key!r} is missing")
    total = sum(entry.share for entry in sets)
    if sets and abs(total - 1) > 1e-6:
        raise UserError(f"{where}: the shares of 'train_data' add up to {total:g}, they must add up to 1")
    return sets


def _is_text(value):
    """Whether a value is text that can be part of a path (neither NUL nor half a surrogate pair)."""
    return isinstance(value, str) and value != "" and not re.search("[\0\ud800-\udfff]", value)


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)       # Python counts true and false among the integers


# type or limit of a key -> the check of a value, and its name in messages
TYPES = {float: (lambda value: isinstance(value, float) and math.isfinite(value), "a number"),
         int: (_is_integer, "an integer"),
         bool: (lambda value: isinstance(value, bool), "true or false"),
         str: (_is_text, "text"),
         list[int]: (lambda value: isinstance(value, list) and all(map(_is_integer, value)), "a list of integers"),
         list: (lambda value: isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value),
                "a list of different names")}
LIMITS = {"low": (operator.ge, "at least"), "above": (operator.gt, "more than"), "high": (operator.le, "at most"),
          "below": (operator.lt, "under"), "choices": (lambda value, choices: value in choices, "one of")}


def _checked_value(entry, value, where):
    """The value of a key, a `dataclasses.Field`, after its type and limits were checked; a float where the key is one."""
    if entry.type is float and not isinstance(value, bool):
        with suppress(TypeError, ValueError, OverflowError):            # YAML reads 1e-4, without a dot, as text
            value = float(value)
    fits, words = TYPES[entry.type]
    if not fits(value) or value == [] and not entry.metadata.get("may_be_empty"):
        raise UserError(f"{where}: {entry.name!r} must be {words}")
    for kind, (fits, words) in LIMITS.items():
        limit = entry.metadata.get(kind)
        if limit is not None and not all(fits(one, limit) for one in (value if isinstance(value, list) else [value])):
            raise UserError(f"{where}: {entry.name!r} must be {words} {', '.join(limit) if kind == 'choices' else limit}")
    return value
