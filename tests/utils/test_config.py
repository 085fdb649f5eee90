"""Configuration files: the published numbers, good and bad values, and their messages."""
import dataclasses
import re
import warnings

import pytest
import yaml
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from dataset.pair_list import ACTIONS
from trainer_actvae import Trainer
from utils.config import WITHOUT_EFFECT, dump_config, overridden_keys
from utils.errors import UserError
from utils.schema import Config
from utils_file import load_config

POSE_YAML = ROOT / "config/Penn_actvae.yaml"
PUBLISHED = {"imsize": 128, "batch_size": 24, "train_epoch": 100, "lr": 2e-4, "beta1": 0.5, "beta2": 0.999,
             "weight_decay": 1e-4, "lr_policy": "step", "step_size": 100000, "gamma": 0.5, "workers": 8,
             "image_save_iter": 1000, "snapshot_save_iter": 1000, "log_iter": 10, "display_size": 8,
             "actions": list(ACTIONS), "actvae.z_dim": 512, "pose_loss.reconstruction": 200, "pose_loss.kl": 0.002}
AUTHORS = """
# logger options
image_save_iter: 1000         # How often do you want to save output images during training
image_display_iter: 10
display_size: 8
snapshot_save_iter: 1000
log_iter: 10

# optimization options
train_epoch: 100
batch_size: 24
weight_decay: 0.0001
beta1: 0.5
beta2: 0.999
init: kaiming
lr: 0.0002
lr_policy: step
step_size: 100000
gamma: 0.5

model:
  z_dim: 64
image_encode:
  dim: 64
  activ: relu
dec_im: {n_res: 4, n_upsample: 3}
image_vae:
  dim: 64
dis:
  dim: 64
  n_label: 9
  input_dim: 3

workers: 8
imsize: 128
data_root: /mnt/data/Penn_Action
train_data_list: ./data_lists/training_pair_penn5.txt
test_data_list: ./data_lists/testing_pair_penn5.txt
"""


def flat(config):
    """{dotted key: value} of a config object or of a mapping."""
    values = dataclasses.asdict(config) if dataclasses.is_dataclass(config) else config
    return {**{key: value for key, value in values.items() if not isinstance(value, dict)},
            **{f"{key}.{inner}": value for key, block in values.items() if isinstance(block, dict)
               for inner, value in block.items()}}


@pytest.fixture
def load(tmp_path):
    """`load(text, *overrides)` reads this text as `c.yaml`."""
    def load_text(text, *overrides):
        path = tmp_path / "c.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(path, overrides)
    return load_text


def refused(load, text, message, *overrides):
    with pytest.raises(UserError, match=message) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load(text, *overrides)
    assert "\n" not in str(caught.value)


# ---- the files of the project ----

def test_defaults_are_the_published_numbers(load):
    assert flat(Config()).items() >= PUBLISHED.items()
    assert load("") == load("# nothing\n") == Config()


def test_pose_yaml_is_the_defaults_written_out():
    assert load_config(POSE_YAML) == Config()
    written = yaml.safe_load(POSE_YAML.read_text())
    assert flat(written).keys() <= flat(Config()).keys()
    assert set(written) | set(Trainer.unused) | {"workers"} == set(dataclasses.asdict(Config()))


@pytest.mark.parametrize("alias, name", [("Penn_pose_pred_time_2", "Penn_actvae"),
                                         ("Penn_pose_pred_time128_2", "Penn_actvae_p2inetwork")])
def test_names_of_the_published_release(alias, name):
    assert load_config(ROOT / f"config/{alias}.yaml") == load_config(ROOT / f"config/{name}.yaml")


def test_config_of_an_older_run_loads(load):
    assert load("image_loss: {near: 0.0, colours: 0.0, vgg: 1}\n").image_loss.vgg == 1


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_project_files_load_without_a_warning_and_survive_a_dump(path, load):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = load_config(path)
        assert load(dump_config(config)) == config


# ---- the authors' files ----

def test_authors_file_runs_as_it_is_with_one_warning(load, tmp_path):
    with pytest.warns(UserWarning) as caught:
        config = load(AUTHORS)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith(str(tmp_path / "c.yaml")) and "without effect" in message
    assert set(message.partition("effect: ")[2].split(", ")) == set(WITHOUT_EFFECT) == {
        "image_display_iter", "init", "model", "image_encode", "dec_im", "image_vae", "dis"}
    assert config.actvae.z_dim == 512, "the code of the authors never read model.z_dim (defect D12)"
    assert flat(config).items() >= PUBLISHED.items() and config.data_root == "/mnt/data/Penn_Action"


# ---- base ----

def test_base_is_the_starting_point(load, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.yaml").write_text("lr: 0.5\nactvae:\n  z_dim: 7\nbatch_size: 3\n")
    (tmp_path / "b.yaml").write_text("batch_size: 4\nbase: sub/a.yaml\n")
    config = load("base: b.yaml\npose_loss:\n  kl: 1\n")
    assert (config.lr, config.actvae.z_dim, config.batch_size) == (0.5, 7, 4)
    assert (config.pose_loss.kl, config.pose_loss.reconstruction) == (1, 200), "the rest of a block stays"


@pytest.mark.parametrize("text, message", [
    ("lr: 1\nbase: none.yaml\n", r"none\.yaml: cannot read this configuration \(No such file"),
    ("base: 3\n", r"c\.yaml:1: 'base' names a YAML file"), ("base: bad.yaml\n", r"bad\.yaml:2: unknown key 'x'")])
def test_base_that_cannot_be_read(load, tmp_path, text, message):
    (tmp_path / "bad.yaml").write_text("lr: 1\nx: 1\n")
    refused(load, text, message)


# ---- values ----

@pytest.mark.parametrize("text, key, value", [
    ("lr: 1e-4", "lr", 1e-4), ("lr: 1", "lr", 1.0), ("beta1: 0", "beta1", 0.0),
    ("weight_decay: 1.e-3", "weight_decay", 1e-3),
    ("lr_policy: constant", "lr_policy", "constant"), ("precision: bf16", "precision", "bf16"),
    ("actions: [walk, run]", "actions", ["walk", "run"]), ("actvae: {z_dim: 64}", "actvae.z_dim", 64),
    ("<<: {lr: 0.5}", "lr", 0.5), ("\ufefflr: 0.5", "lr", 0.5), ("data_root: Größe/数据", "data_root", "Größe/数据")])
def test_good_values(load, text, key, value):
    found = flat(load(text))[key]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("line, message", [
    ("batch_size: true", "'batch_size' must be an integer"), ("batch_size: 2.0", "'batch_size' must be an integer"),
    ("batch_size: 0", "'batch_size' must be at least 1"), ("batch_size:", "'batch_size' must be an integer"),
    ("lr: fast", "'lr' must be a number"), ("lr: true", "'lr' must be a number"), ("lr: .nan", "'lr' must be a number"),
    ("lr: [1]", "'lr' must be a number"), ("lr: 0", "'lr' must be more than 0"), ("beta2: 1", "'beta2' must be under 1"),
    ("generator: {norm_momentum: 1.5}", "in 'generator': 'norm_momentum' must be at most 1"),
    ("lr_policy: linear", "'lr_policy' must be one of step, constant, cosine"), ("precision: 16", "'precision' must be text"),
    ("data_root: ''", "'data_root' must be text"), ('data_root: "a\\0b"', "'data_root' must be text"),
    ("actions: squat", "'actions' must be a list"), ("actions: []", "'actions' must be a list"),
    ("actions: [a, a]", "'actions' must be a list of different names"),
    ("actvae: 64", "'actvae' is a block of keys"), ("actvae: {z_dim: 0}", "in 'actvae': 'z_dim' must be at least 1"),
    ("actvae: {zdim: 3}", "in 'actvae': unknown key 'zdim'; did you mean 'z_dim'"),
    ("pose_loss: {1: 3}", "in 'pose_loss': unknown key '1'; known are reconstruction, kl"),
    ("batchsize: 4", "unknown key 'batchsize'; did you mean 'batch_size'")])
def test_bad_value_is_reported_with_file_line_and_key(load, line, message):
    refused(load, f"# a comment\n\n{line}\n", rf"c\.yaml:3(: |, ){message}")


@pytest.mark.parametrize("text, line", [("lr: 1\nimsize: 64\nlr: 2\n", 3), ("actvae:\n  z_dim: 3\n  z_dim: 4\n", 3)])
def test_duplicate_key(load, text, line):
    refused(load, text, rf"c\.yaml:{line}: key '\w+' is set a second time here")


@pytest.mark.parametrize("text, message", [
    ("lr: [1\n", r"c\.yaml:\d: not valid YAML"), ("lr: 1\n\tx: 2\n", r"c\.yaml:2: not valid YAML"),
    ("lr: !!python/object/apply:os.system ['false']", "not valid YAML"), ("lr: !!int ''", "not valid YAML"),
    ("- lr\n", "`key: value` lines"), ("1: 2\n", "`key: value` lines"), (b"lr: \xff", "not UTF-8")])
def test_file_that_is_not_a_configuration(load, text, message):
    refused(load, text, message)


def test_missing_file(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UserError, match=re.escape(f"{path}: cannot read this configuration")):
            load_config(path)


# ---- --set ----

def test_overrides_win_over_the_file_and_later_ones_over_earlier(load):
    config = load("lr: 1\nactvae: {z_dim: 5}\n", "lr=1e-4", "pose_loss.kl=0.01", "actvae.z_dim=6", "actvae.z_dim=7",
                  "actions=[walk, run]", "data_root=a=b", "pose_loss={reconstruction: 3}")
    assert (config.lr, config.actvae.z_dim, config.actions, config.data_root) == (1e-4, 7, ["walk", "run"], "a=b")
    assert (config.pose_loss.kl, config.pose_loss.reconstruction) == (0.01, 3)


def test_a_block_sets_the_same_keys_as_dots():
    assert overridden_keys(["lr=1", "actvae={z_dim: 64, kind: lstm_vae}", "pose_loss.kl=2", " batch_size =3", "augment={}"]) == {
        "lr", "actvae.z_dim", "actvae.kind", "pose_loss.kl", "batch_size"}


@pytest.mark.parametrize("override, message", [
    ("lr", "--set lr: write it as key=value"), ("lr=fast", "--set lr=fast: 'lr' must be a number"),
    ("lr=", "'lr' must be a number"), ("lr=[", "is not a value in YAML"), ("lr=2020-99-99", "is not a value in YAML"),
    ("batchsize=3", "unknown key 'batchsize'; did you mean 'batch_size'"), ("lr.x=3", "'lr' has no keys below it"),
    ("actvae=3", "'actvae' is a block"), ("actvae.=3", "unknown key ''"), ("=3", "unknown key ''"),
    ("model.z_dim=64", "unknown key 'model'"), ("base=other.yaml", "unknown key 'base'")])
def test_bad_override_is_reported(load, override, message):
    refused(load, "", re.escape(message), override)


# ---- whatever stands in a file ----

VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner,
                                                                                  max_size=3))
KEYS = st.sampled_from([*(field.name for field in dataclasses.fields(Config)), *WITHOUT_EFFECT, "base", "<<"])
SNIPPETS = st.lists(st.sampled_from([": ", "- ", "\n", "  ", "&a ", "*a", "<<", "!!int ", "!!float ", "!!bool ", "!!set ",
                                     "!!timestamp ", "!!binary ", "{", "}", "[", "]", "? ", "'", '"\\ud800"', "lr", "actvae",
                                     "z_dim", "actions", "0", "1_0", "1:2", "|", ">", "#", "%", "\t", "~", "@"])
                    | st.text(max_size=3), max_size=12).map("".join)


@given(st.dictionaries(KEYS, VALUES, max_size=3).map(yaml.safe_dump) | SNIPPETS, st.lists(SNIPPETS, max_size=1))
def test_any_yaml_is_a_configuration_or_one_clear_error(tmp_path_factory, text, overrides):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = load_config(path, [override.replace("\n", " ") for override in overrides])
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(config, Config) and dump_config(config)
