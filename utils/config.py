"""Configuration: one YAML file, checked key by key against the classes below, with the published defaults.

The blocks `actvae` and `generator` belong to what `kind` in them names: each kind has keys of its own.
"""
import dataclasses
import difflib
import math
import os
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from utils.errors import UserError

ACTIONS = ("tennis_serve", "pullup", "clean_and_jerk", "tennis_forehand", "baseball_pitch", "jumping_jacks",
           "golf_swing", "squat", "baseball_swing")

def _number(default, low=None, above=None, high=None, choices=None):
    """A field with a default and limits: `low <= value <= high`, `above < value`, or one of `choices`."""
    return field(default=default, metadata={"low": low, "above": above, "high": high, "choices": choices})


class NetworkConfig:
    """The keys of one kind of network; `parts` are the names of its checkpoint files."""

    parts = ()

    def network(self):
        """What its constructor takes besides the number of actions."""
        return {name: value for name, value in vars(self).items() if name != "kind"}


@dataclass
class LSTMVAEConfig(NetworkConfig):
    """The published pose module."""

    parts = ("im_encode_content", "im_encode_vae")
    kind: str = "lstm_vae"
    z_dim: int = _number(512, low=1)                 # latent size; the encoder is twice as wide


@dataclass
class ResidualMotionConfig(NetworkConfig):
    """The pose module of networks/residual_motion.py."""

    parts = ("motion",)
    kind: str = "residual"
    networks: int = _number(4, low=1)                # of which each pass of a sample asks one
    horizon: int = _number(32, low=1)                # steps of one pass; longer roll-outs go on from its last pose
    noise_dim: int = _number(4, low=1)               # numbers of noise of a pass
    terms: int = _number(32, low=1)                  # of the basis over time
    trunk: int = _number(256, low=1)                 # width of the part that sees pose and action
    head: int = _number(128, low=1)                  # width of the part that sees the noise as well
    trunk_blocks: int = _number(2, low=0)
    head_blocks: int = _number(1, low=0)
    samples: int = _number(4, low=2)                 # of a row and a network in training
    dropout: float = _number(0.2, low=0, high=0.99)
    jitter: float = _number(0.03, low=0)             # noise on the pose that the network sees in training
    path_weight: float = _number(0.3, low=0)         # of whole motions' root mean square distance; the mean distance has 1
    speed_weight: float = _number(0.7, low=0)        # of the score of the changes of the first steps; that of poses has 1
    decay: float = _number(0.8, low=0)               # a step t counts t^-decay
    temperature: float = _number(1.0, low=0)         # how much wider the noise of predictions is than training's


@dataclass
class AugmentConfig:
    """How much rows of poses change from one training iteration to the next; all off by default, as published."""

    mirror: bool = False                             # every second row
    rotate: float = _number(0.0, low=0)              # deviation, rad
    stretch: float = _number(0.0, low=0)             # width and height, each up to exp(+-stretch) times
    recrop: bool = False                             # then cropped around the video's whole motion again
    zoom: float = _number(0.0, low=0)                # up to exp(+-zoom) times as large
    shift: float = _number(0.0, low=0)               # up to +-shift, normalised
    speed: float = _number(0.0, low=0)               # up to exp(+-speed) times as fast


@dataclass
class PoseLossConfig:
    """Weights of the pose module's losses."""

    reconstruction: float = _number(200.0, low=0)    # L1 on the predicted poses
    kl: float = _number(0.002, low=0)                # divergence of the first roll-out, a sum over the batch


@dataclass
class PoseAttentionConfig(NetworkConfig):
    """The published generator."""

    parts = ("generator",)
    kind: str = "pose_attention"
    ngf: int = _number(64, low=1)                    # width after its first convolution
    n_blocks: int = _number(9, low=1)                # attention blocks
    n_downsampling: int = _number(2, low=1)          # halvings of the side
    norm_momentum: float = _number(0.001, above=0, high=1)   # how fast the class-conditional batch norm learns its statistics


@dataclass
class LimbWarpConfig(NetworkConfig):
    """The generator that moves the limbs of the source picture."""

    parts = ("generator",)
    kind: str = "limb_warp"
    size: int = _number(64, low=16)                  # side of the pictures that the network looks at; it paints any
    widths: list[int] = field(default_factory=lambda: [32, 64, 128, 160], metadata={"low": 8})   # of its U-Net's four levels
    plate: bool = True                               # whether there is a background without the person
    colours: bool = True                             # whether it paints colours of its own
    limbs: bool = True                               # whether it moves the source's limbs


NETWORK_KINDS = {"actvae": {"lstm_vae": LSTMVAEConfig, "residual": ResidualMotionConfig},
         "generator": {"pose_attention": PoseAttentionConfig, "limb_warp": LimbWarpConfig}}


@dataclass
class DiscriminatorConfig(NetworkConfig):
    """Size of the pose-to-image discriminator."""

    parts = ("classifier",)

    ndf: int = _number(64, low=1)                    # width after its first convolution
    n_blocks: int = _number(3, low=0)                # residual blocks
    n_downsampling: int = _number(3, low=1)          # halvings of the side, and features


@dataclass
class ImageLossConfig:
    """Weights of the pose-to-image module's losses."""

    adversarial: float = _number(5.0, low=0)         # least squares, of the discriminator and of the generator
    reconstruction: float = _number(30.0, low=0)     # L1 on the picture
    mask: float = _number(10.0, low=0)               # how many times more it counts inside the person box
    near: float = _number(0.0, low=0)                # instead, how many times more near the person's parts in both poses; 0: box
    gradient: float = _number(0.0, low=0)            # L1 on differences of neighbouring pixels
    ssim: float = _number(0.0, low=0)                # 1 - SSIM
    colours: float = _number(0.0, low=0)             # share of own colours in the pictures, of a generator that tells it
    vgg: float = _number(5.0, low=0)                 # perceptual; 0: no VGG is needed
    features: float = _number(1.0, low=0)            # L1 on the discriminator's features


@dataclass
class TrainDataConfig:
    """One of several data sets that training mixes."""

    data_list: str = ""                              # its training list
    data_root: str = ""                              # the folder that this speaks of
    share: float = _number(1.0, above=0, high=1)     # of the rows of an iteration
    # names by the list's own ids, where those are not the configuration's
    actions: list = field(default_factory=list, metadata={"may_be_empty": True})


@dataclass
class Config:
    """Every key of a configuration with its published default; the files in config/ explain each."""

    data_root: str = "data/Penn_Action"
    train_data_list: str = "data_lists/training_pair_penn5.txt"
    test_data_list: str = "data_lists/testing_pair_penn5.txt"
    train_data: list[TrainDataConfig] = field(default_factory=list)  # instead of train_data_list and data_root in training
    pairs: str = _number("windows", choices=("windows", "anywhere"))
    pairs_near: float = _number(0.5, low=0, high=1)  # of pairs from anywhere in a video, the share at most eight frames apart
    augment_pictures: bool = False                   # mirror, recolour and move pictures and poses in training
    actions: list = field(default_factory=lambda: list(ACTIONS))
    actions_by: str = _number("id", choices=("id", "name"))  # how lists say a row's action; id: by both, which must agree
    imsize: int = _number(128, low=16)
    steps: int = _number(4, low=1)                   # predicted where no list says how far

    actvae: NetworkConfig = field(default_factory=LSTMVAEConfig)
    pose_loss: PoseLossConfig = field(default_factory=PoseLossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    generator: NetworkConfig = field(default_factory=PoseAttentionConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    image_loss: ImageLossConfig = field(default_factory=ImageLossConfig)
    vgg_weights: str = "imagenet"

    batch_size: int = _number(24, low=1)
    train_epoch: int = _number(100, low=1)
    workers: int = _number(8, low=0)
    cache: bool = True
    cache_dir: str = "data/cache"
    lr: float = _number(0.0002, above=0)
    beta1: float = _number(0.5, low=0)
    beta2: float = _number(0.999, low=0)
    weight_decay: float = _number(0.0001, low=0)
    optimizer: str = _number("adam", choices=("adam", "adamw", "muon"))
    lr_policy: str = _number("step", choices=("step", "constant", "cosine"))
    warmup_iter: int = _number(0, low=0)             # over which the learning rate rises from 0
    max_norm: float = _number(0.0, low=0)            # of the gradients; 0: they are taken as they are
    ema: float = _number(0.0, low=0, high=0.99999)   # decay of the mean of the weights that is tested and kept; 0: none
    step_size: int = _number(100000, low=1)
    gamma: float = _number(0.5, above=0)

    device: str = "auto"
    precision: str = _number("fp32", choices=("fp32", "bf16", "fp16"))
    channels_last: bool = False
    compile: bool = False

    log_iter: int = _number(10, low=1)
    image_save_iter: int = _number(1000, low=1)
    display_size: int = _number(8, low=1)
    snapshot_save_iter: int = _number(1000, low=1)
    keep_last: int = _number(0, low=0)               # snapshots; 0: all
    keep_every: int = _number(0, low=0)              # iterations; 0: none
    on_nan: str = _number("stop", choices=("stop", "skip"))
    sync_batchnorm: bool = False


PATHS = ("data_root", "train_data_list", "test_data_list", "cache_dir", "vgg_weights")
# Keys of the authors' files that never had an effect, or that would undo what their code really does (defect D12:
# `model.z_dim: 64` and `init: kaiming` while 512 and gaussian run). Of `dis`, two values are checked.
WITHOUT_EFFECT = ("image_encode", "dec_im", "image_vae", "dis", "model", "init", "image_display_iter")
# Of the networks' blocks, what may change from one training to the next.
TUNABLE = {"generator.norm_momentum",
           *(f"actvae.{key}" for key in ("samples", "dropout", "jitter", "path_weight", "speed_weight", "decay"))}
# How trained networks are used: as their weights say, unless the user chose otherwise.
INFERENCE_KEYS = {"actvae.temperature"}
BLOCKS = ("image_encode", "dec_im", "image_vae", "dis", "model")


def load_config(path, overrides=()):
    """Read a YAML file into a :class:`Config`.

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
        key, equals, text = override.partition("=")
        if not equals:
            raise UserError(f"--set {override}: write it as key=value")
        try:
            value = yaml.safe_load(text)
        except Exception:                # as for files, below
            raise UserError(f"--set {override}: {text!r} is not a value in YAML") from None
        _assign(config, key.strip().split("."), value, f"--set {override}")
    for name in PATHS:
        setattr(config, name, os.path.expanduser(getattr(config, name)))
    for entry in config.train_data:
        unknown = [name for name in entry.actions if name not in config.actions]
        if unknown:
            raise UserError(f"{path}: train_data, {entry.data_list}: {', '.join(unknown)} is not among the actions of this "
                            f"configuration, {', '.join(config.actions)}")
    for name in ("beta1", "beta2"):
        if getattr(config, name) >= 1:
            raise UserError(f"{path}: {name} must be under 1, it is {getattr(config, name)}")
    return config


def dump_config(config):
    """The resolved configuration as YAML text."""
    return yaml.safe_dump(dataclasses.asdict(config), sort_keys=False, allow_unicode=True)


def flatten(values, prefix=""):
    """Nested dicts as one, `block.key` -> value."""
    return {name: value for key, inner in values.items() for name, value in (
        flatten(inner, f"{prefix}{key}.").items() if isinstance(inner, dict) else [(prefix + key, inner)])}


def changes(config, path):
    """What differs between a configuration and an earlier one that :func:`dump_config` wrote: a list of `key: old -> new`."""
    try:
        before = flatten(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError):
        return []
    now = flatten(dataclasses.asdict(config))
    return [f"{key}: {before[key]} -> {value}" for key, value in now.items() if key in before and before[key] != value]


def describe(config, keys):
    """The part of a configuration that says what trained networks mean, as plain values: these keys of it."""
    return {key: value for key, value in dataclasses.asdict(config).items() if key in keys}


def adopt(config, description, origin, chosen=()):
    """Give a configuration the networks that were trained, see :func:`describe`.

    Args:
        config: changed in place.
        description: read from a file.
        origin: that file, for messages.
        chosen: dotted keys that the user set on the command line; of those in `INFERENCE_KEYS` the user's value stays.
    Returns:
        what it changed, a list of `key: value trained (value of the configuration)`.
    Raises:
        UserError: the description is none, or the user chose another value of a key that belongs to the weights.
    """
    before = flatten(dataclasses.asdict(config))
    for key, value in description.items():
        _assign(config, [key], value, f"{origin}")
    told, after = [], flatten(dataclasses.asdict(config))
    own = TUNABLE | INFERENCE_KEYS & set(chosen)
    for key, value in flatten(describe(config, description)).items():
        if before.get(key) != value and key not in own:
            if key in chosen:
                raise UserError(f"--set {key}={before[key]}: the weights of {origin.parent} were trained with {key}: {value}")
            told.append(f"{key}: {value}" + (f" (configuration: {before[key]})" if key in before else ""))
    for key in own & before.keys() & after.keys():
        _assign(config, key.split("."), before[key], f"{origin}")
    return told


def _apply_file(config, path, seen):
    if path.resolve() in seen:
        raise UserError(f"{path}: 'base' leads back to this file")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot read this configuration ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: this configuration is not UTF-8 text") from None
    try:
        values = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except Exception as error:           # PyYAML lets many kinds through: `!!int ""`, `!!bool x`, 2020-99-99
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        reason = str(getattr(error, "problem", None) or error).partition("\n")[0]
        raise UserError(f"{where}: not valid YAML ({reason})") from None
    if values is None:
        return
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{path}: a configuration is a list of `key: value` lines")
    lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}
    lines = dict.fromkeys(values, 1) | lines                  # keys merged with `<<` have no line of their own
    for block in (node, *(value for key, value in node.value if key.value not in BLOCKS)):
        seen_keys = set()
        for key, _ in block.value if isinstance(block, yaml.MappingNode) else ():
            if key.value in seen_keys:
                raise UserError(f"{path}:{key.start_mark.line + 1}: key {key.value!r} stands here a second time")
            seen_keys.add(key.value)
    if "base" in values:
        if not _is_text(values["base"]):
            raise UserError(f"{path}:{lines['base']}: 'base' names a YAML file")
        _apply_file(config, path.parent / values.pop("base"), (*seen, path.resolve()))
    idle = [key for key in values if key in WITHOUT_EFFECT]
    for key in idle:
        _check_idle(config, values, key, f"{path}:{lines[key]}")
    if idle:
        warnings.warn(f"{path}: keys without effect: {', '.join(idle)}", stacklevel=4)
    for key in values:
        if key not in idle:
            _assign(config, [key], values[key], f"{path}:{lines[key]}")


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


def _assign(target, keys, value, where):
    """Set a (nested) field of a config class after checking its name and value."""
    name, *rest = keys
    fields = {entry.name: entry for entry in dataclasses.fields(target)}
    if name not in fields:
        close = difflib.get_close_matches(name, fields, n=1)
        raise UserError(f"{where}: unknown key {name!r}" + (f"; did you mean {close[0]!r}?" if close else
                                                            f"; known are {', '.join(fields)}"))
    if dataclasses.is_dataclass(getattr(target, name)):
        if not rest and not isinstance(value, dict):
            raise UserError(f"{where}: {name!r} is a block of keys")
        values = {".".join(rest): value} if rest else {str(key): inner for key, inner in value.items()}
        where = where if rest else f"{where}, in {name!r}"
        if name in NETWORK_KINDS and "kind" in values:
            _choose_kind(target, name, values.pop("kind"), where)
        for key, inner in values.items():
            _assign(getattr(target, name), key.split("."), inner, where)
        return None
    if rest:
        raise UserError(f"{where}: {name!r} has no keys below it")
    setattr(target, name, _checked(fields[name], value, where))


def _choose_kind(config, name, kind, where):
    """Give a block the keys of another kind, with their defaults; of the same kind it stays as it is."""
    kinds = NETWORK_KINDS[name]
    if not isinstance(kind, str) or kind not in kinds:
        raise UserError(f"{where}: 'kind' must be one of {', '.join(kinds)}")
    if getattr(config, name).kind != kind:
        setattr(config, name, kinds[kind]())


def _is_text(value):
    """Whether a value is text that can stand in a path (neither NUL nor half a surrogate pair)."""
    return isinstance(value, str) and value != "" and not re.search("[\0\ud800-\udfff]", value)


def _checked(entry, value, where):
    name, limits = entry.name, entry.metadata
    if entry.type is float:
        try:                                     # YAML reads 1e-4, without a dot, as text
            value = float(value) if not isinstance(value, bool) else None
        except (TypeError, ValueError, OverflowError):
            value = None
        if value is None or not math.isfinite(value):
            raise UserError(f"{where}: {name!r} must be a number")
    elif entry.type is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise UserError(f"{where}: {name!r} must be an integer")
    elif entry.type is bool and not isinstance(value, bool):
        raise UserError(f"{where}: {name!r} must be true or false")
    elif entry.type is str and not _is_text(value):
        raise UserError(f"{where}: {name!r} must be text")
    elif entry.type == list[int]:
        if not isinstance(value, list) or not value or any(isinstance(one, bool) or not isinstance(one, int) for one in value):
            raise UserError(f"{where}: {name!r} must be a list of integers")
        for one in value:
            _check_limits(name, limits, one, where)
        return value
    elif entry.type == list[TrainDataConfig]:
        return _train_data(name, value, where)
    elif entry.type is list and not (isinstance(value, list) and (value or limits.get("may_be_empty"))
                                     and all(map(_is_text, value)) and len(set(value)) == len(value)):
        raise UserError(f"{where}: {name!r} must be a list of different names")
    _check_limits(name, limits, value, where)
    return value


def _train_data(name, value, where):
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise UserError(f"{where}: {name!r} must be a list of blocks with data_list, data_root and share")
    sets = []
    for number, block in enumerate(value, 1):
        here = f"{where}, {name!r}, data set {number}"
        sets.append(TrainDataConfig())
        for key, inner in block.items():
            _assign(sets[-1], [str(key)], inner, here)
        for key in ("data_list", "data_root"):
            if not getattr(sets[-1], key):
                raise UserError(f"{here}: {key!r} is missing")
    total = sum(entry.share for entry in sets)
    if sets and abs(total - 1) > 1e-6:
        raise UserError(f"{where}: the shares of {name!r} add up to {total:g}, they must to 1")
    return sets


def _check_limits(name, limits, value, where):
    if limits.get("choices") and value not in limits["choices"]:
        raise UserError(f"{where}: {name!r} must be one of {', '.join(limits['choices'])}")
    if limits.get("low") is not None and value < limits["low"]:
        raise UserError(f"{where}: {name!r} must be at least {limits['low']}")
    if limits.get("above") is not None and value <= limits["above"]:
        raise UserError(f"{where}: {name!r} must be more than {limits['above']}")
    if limits.get("high") is not None and value > limits["high"]:
        raise UserError(f"{where}: {name!r} must be at most {limits['high']}")
