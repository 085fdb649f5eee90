"""Write checkpoint files completely or not at all, read them without running code, and download torchvision's weights."""
import re
import zipfile
from contextlib import contextmanager

import numpy as np
import torch

from utils.errors import FailedRun, UserError
from utils.files import atomic_write

# what numpy's numbers, such as a best score beside the weights, are pickled with; the names of numpy 1 and 2
NUMPY_NUMBERS = [*((np._core.multiarray.scalar if hasattr(np, "_core") else np.core.multiarray.scalar,
                    f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
                 np.dtype, *{type(np.dtype(code)) for code in np.typecodes["AllInteger"] + np.typecodes["Float"] + "?"}]
WRAPPERS = ("a", "state_dict", "model")      # keys under which files hold a state dict; "a" is the published one


def save_torch(path, value):
    """Save completely or not at all. Raises :class:`FailedRun`."""
    with writing(path), atomic_write(path, "wb") as file:
        torch.save(value, file)


@contextmanager
def writing(path):
    """Turn an error of a `with` block that writes a checkpoint into a :class:`FailedRun`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error.__context__, OSError):     # torch turns a full disk into a RuntimeError
            error = error.__context__
        raise FailedRun(f"{path}: this checkpoint could not be written ({reason(error)}); earlier ones are as they were, "
                        "and --resume goes on from them") from None


def load_torch(path):
    """Read the tensors and plain values of a file. Nothing in it can run code, and its check sums are verified.

    Raises:
        UserError: the file is missing, damaged, unsafe or no checkpoint.
    """
    try:
        if zipfile.is_zipfile(path):                   # the format before PyTorch 1.6 is no zip file and has no check sums
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged:
                raise ValueError
        with torch.serialization.safe_globals(NUMPY_NUMBERS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: this checkpoint file is missing") from None
    except Exception as error:             # broken, foreign and unsafe files raise many kinds of errors
        raise UserError(f"{path}: not a checkpoint that can be read safely ({_fault(path, error)})") from None


def _fault(path, error):
    """What is wrong with a file that cannot be read as a checkpoint, and what to do."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    with open(path, "rb") as file:
        start = file.read(1024)
    unsafe = re.search(r"(?:GLOBAL|class|function) `?([\w.]+\.\w+)", str(error))
    if not start:
        return "the file is empty; copy or download it again"
    if re.fullmatch(rb"[\t\n\r\x20-\x7e\x80-\xff]+", start) and not start.startswith(b"\x80"):
        return "it is a text file, not a checkpoint"
    if unsafe:
        return f"it holds a {unsafe[1]}; save only tensors and plain values, such as module.state_dict()"
    return "it is damaged, cut short or of another program; copy or download it again"


def load_weights(path):
    """Read a state dict, {name: tensor}, bare or in a dict under one of `WRAPPERS`; without DistributedDataParallel's `module.`.

    Raises:
        UserError: as :func:`load_torch`, or the file holds something else.
    """
    value = load_torch(path)
    for wrapper in WRAPPERS:
        if isinstance(value, dict) and isinstance(value.get(wrapper), dict):
            value = value[wrapper]
    if not isinstance(value, dict) or not value or not all(isinstance(name, str) and isinstance(tensor, torch.Tensor)
                                                           for name, tensor in value.items()):
        raise UserError(f"{path}: expected a state dict of names and tensors, bare or as {{'a': state_dict}}, "
                        "{'state_dict': ...} or {'model': ...}")
    if all(name.startswith("module.") for name in value):
        value = {name.removeprefix("module."): tensor for name, tensor in value.items()}
    return value


def download_weights(weights, what, ways_out):
    """The state dict of torchvision's weights (a member of a weights enum), downloaded at the first use.

    Raises:
        UserError: "`what` weights could not be downloaded (reason); `ways_out`".
    """
    try:
        return weights.get_state_dict(progress=True, check_hash=True, map_location="cpu", weights_only=True)
    except Exception as error:                 # no network, no room and a broken file in the cache raise different errors
        raise UserError(f"{what} weights could not be downloaded ({reason(error)}); {ways_out}") from None


def reason(error):
    """An error's kind and the first line of its message."""
    return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"
