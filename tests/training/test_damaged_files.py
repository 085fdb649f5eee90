"""Damaged files: every damage of a checkpoint is noticed, that of annotations and frames is reported or harmless."""
import re
import shutil
import warnings

import numpy as np
import pytest
import torch
from helpers import values_of
from hypothesis import given
from hypothesis import strategies as st

from dataset.frames import read_frame
from dataset.penn_action import read_annotation
from trainer_actvae import Trainer
from utils.config import load_config
from utils.errors import UserError
from utils.torch_files import load_torch, load_weights

CONFIG = "config/Penn_actvae.yaml"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A trained module and its snapshot's folder."""
    trainer = Trainer(load_config(CONFIG, ["actvae.z_dim=8", "device=cpu"]))
    trainer.update({"poses": torch.rand(2, 6, 13, 2), "action": torch.tensor([0, 1])})
    folder = tmp_path_factory.mktemp("saved")
    trainer.save(folder, 1, 0)
    return trainer, folder


PLACES = st.floats(0, 1, exclude_max=True)
DAMAGE = st.tuples(PLACES, st.sampled_from(["cut", *range(8)])) | st.tuples(PLACES, PLACES).map(sorted)


def damaged(data, damage):
    """`data` without its end, with one bit flipped, or without a piece."""
    place, how = damage
    position = int(place * len(data))
    if how == "cut":
        return data[:position]
    if isinstance(how, float):
        return data[:position] + data[int(how * len(data)):]
    return data[:position] + bytes([data[position] ^ 1 << how]) + data[position + 1:]


def read_damaged(folder, source, damage, read):
    """What `read(path)` makes of a damaged copy of a file, or None after one clear error."""
    path = folder / f"damaged{source.suffix}"
    path.write_bytes(damaged(source.read_bytes(), damage))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(path)
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    return None


@given(st.sampled_from(["im_encode_vae", "im_encode_content", "training_state"]), DAMAGE)
def test_any_damage_of_a_checkpoint_is_noticed(saved, tmp_path_factory, part, damage):
    trainer, folder = saved
    source = folder / f"0000_{part}_00000001.pt"
    found = read_damaged(tmp_path_factory.getbasetemp(), source, damage, load_torch)
    if found is not None:                              # what was hit means nothing
        assert values_of(found) == values_of(load_torch(source))


@pytest.mark.parametrize("content, message", [
    (b"", "the file is empty; copy or download it again"), (b"<html>Not found</html>", "it is a text file, not a checkpoint"),
    (b"\0" * 99, "it is damaged, cut short or of another program"),
    ({"a": torch.nn.Linear(1, 1)}, r"it holds a torch.nn.modules.linear.Linear; save only tensors .*state_dict\(\)")])
def test_what_is_no_checkpoint_is_named(tmp_path, content, message):
    path = tmp_path / "weights.pt"
    torch.save(content, path) if isinstance(content, dict) else path.write_bytes(content)
    with pytest.raises(UserError, match=rf"weights.pt: not a checkpoint that can be read safely \({message}") as caught:
        load_torch(path)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), np.int64(3), np.bool_(True)])
def test_numpy_numbers_may_lie_beside_weights(tmp_path, number):
    torch.save({"model": {"module.weight": torch.ones(1)}, "best": number}, tmp_path / "weights.pt")
    assert load_torch(tmp_path / "weights.pt")["best"] == number
    assert load_weights(tmp_path / "weights.pt") == {"weight": torch.ones(1)}


@given(DAMAGE)
def test_any_damage_of_an_annotation_is_reported_or_harmless(penn_root, tmp_path_factory, damage):
    found = read_damaged(tmp_path_factory.getbasetemp(), penn_root / "labels/0001.mat", damage, read_annotation)
    if found is not None:
        assert found.joints.shape == (*found.visibility.shape, 2) and np.isfinite(found.joints).all()


@given(DAMAGE)
def test_any_damage_of_a_frame_is_reported_or_shown(penn_root, tmp_path_factory, damage):
    found = read_damaged(tmp_path_factory.getbasetemp(), penn_root / "frames/0001/000001.jpg", damage,
                         lambda path: read_frame(path, "row"))
    if found is not None:
        assert found.ndim == 3 and found.dtype == np.uint8


@pytest.mark.parametrize("change, message", [
    (lambda state: state["optimizers"].pop("im_encode_vae"), "not the optimizer state"),
    (lambda state: state["optimizers"]["im_encode_vae"]["param_groups"][0].update(params=[0]), "not the optimizer state"),
    (lambda state: state["optimizers"].update(im_encode_vae=[]), "not the optimizer state"),
    (lambda state: state.update(optimizers=7), "not the training state"),
    (lambda state: state.update(random=torch.zeros(4)), "not the training state")])
def test_training_state_of_something_else(saved, tmp_path, change, message):
    trainer, folder = saved
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "0000_training_state_00000001.pt"
    state = load_torch(path)
    change(state)
    torch.save(state, path)
    with pytest.raises(UserError, match=f"{re.escape(str(path))}: {re.escape(message)}"):
        Trainer(trainer.config).resume(tmp_path)
