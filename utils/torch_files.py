"""Write checkpoint files completely or not at all, read them without running code, and download torchvision's weights."""
import zipfile
from contextlib import contextmanager

import torch

from utils.errors import FailedRun, UserError
from utils.files import atomic_write


def save_torch(path, value):
    """Save with `torch.save`, completely or not at all. Raises :class:`FailedRun`."""
    with writing(path), atomic_write(path, "wb") as file:
        torch.save(value, file)


@contextmanager
def writing(path):
    """Turn an error while a checkpoint file is written into a :class:`FailedRun`, for a `with` block."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error.__context__, OSError):     # torch turns a full disk into a RuntimeError
            error = error.__context__
        raise FailedRun(f"{path}: this checkpoint could not be written ({reason(error)}); earlier ones are as they were, "
                        "and --resume goes on from them") from None


def load_torch(path):
    """Read the tensors and plain values of a file. Nothing in it can run code, and its check sums are compared.

    Raises:
        UserError: the file is missing, damaged, unsafe or no checkpoint.
    """
    try:
        if zipfile.is_zipfile(path):                   # the format before PyTorch 1.6 is no zip file and has no check sums
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged:
                raise ValueError(f"{damaged} is damaged")
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: this checkpoint file is missing") from None
    except Exception as error:             # broken, foreign and unsafe files raise many kinds of errors
        raise UserError(f"{path}: not a checkpoint that can be read safely ({reason(error)})") from None


def download_weights(weights, what, ways_out):
    """Return the state dict of torchvision's weights, downloading them at the first use.

    Args:
        weights: member of a torchvision weights enum.
        what: what the weights are for, for the message.
        ways_out: what the user can do instead, for the message.
    Raises:
        UserError: they could not be downloaded.
    """
    try:
        return weights.get_state_dict(progress=True, check_hash=True, map_location="cpu", weights_only=True)
    except Exception as error:                 # no network, no room and a broken file in the cache raise different errors
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(f"{what} weights could not be downloaded ({reason}); {ways_out}") from None


def reason(error):
    """Return an error's kind and the first line of its message."""
    return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"
