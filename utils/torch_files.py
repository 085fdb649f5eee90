"""Files of tensors: written whole, read without running code; weights that torchvision offers."""
import zipfile
from contextlib import contextmanager

import torch

from utils.errors import FailedRun, UserError
from utils.files import atomic_write


def save_torch(path, value):
    """`torch.save`, whole or not at all."""
    with writing(path), atomic_write(path, "wb") as file:
        torch.save(value, file)


@contextmanager
def writing(path):
    """What goes wrong while a checkpoint file is written, in one line."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error.__context__, OSError):     # a full disk, of which torch makes a RuntimeError
            error = error.__context__
        raise FailedRun(f"{path}: this checkpoint could not be written ({reason(error)}); earlier ones are as they were, "
                        "and --resume goes on from them") from None


def load_torch(path):
    """Tensors and plain values of a file; nothing in it can run code, and damage is noticed (torch itself checks no sums).

    Raises:
        UserError: missing, damaged, foreign or unsafe file.
    """
    try:
        if zipfile.is_zipfile(path):                   # not so the format before PyTorch 1.6, which has no check sums
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged:
                raise ValueError(f"{damaged} is damaged")
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: this checkpoint file is missing") from None
    except Exception as error:             # many kinds for broken, foreign and unsafe files
        raise UserError(f"{path}: not a checkpoint that can be read safely ({reason(error)})") from None


def download_weights(weights, what, ways_out):
    """The state dict of one of torchvision's weights, downloaded once. Raises :class:`UserError` with the ways out."""
    try:
        return weights.get_state_dict(progress=True, check_hash=True, map_location="cpu", weights_only=True)
    except Exception as error:                 # no network, no room, a broken file in the cache: each its own kind
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(f"{what} weights could not be downloaded ({reason}); {ways_out}") from None


def reason(error):
    return f"{type(error).__name__}: {(str(error).strip() or 'no more is known').splitlines()[0]}"
