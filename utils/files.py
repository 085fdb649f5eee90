"""Write files and folders completely or not at all, and name them."""
import io
import json
import os
import re
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np

NAME_LENGTH = 80          # characters of a name that becomes a part of other files' names


@contextmanager
def atomic_write(path, mode="w", sync=True):
    """Open a temporary file for a `with` block, and rename it to `path` when everything is written.

    Args:
        path: the file's final path.
        mode: "w" or "wb".
        sync: wait until the content is on the disk, so that it survives a power cut.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    # mkstemp would let only the owner read the file, while open() gives it the usual rights (umask)
    file = open(part, mode.replace("w", "x"), encoding=None if "b" in mode else "utf-8")  # noqa: SIM115
    try:
        with file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(path, text):
    """Write a text file completely or not at all."""
    with atomic_write(path) as file:
        file.write(text)


def write_bytes(path, data):
    """Write a file of bytes that can be made again, completely or not at all."""
    with atomic_write(path, "wb", sync=False) as file:
        file.write(data)


def write_json(path, value):
    """Write indented JSON completely or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_npz(path, **arrays):
    """Write arrays as one compressed file, completely or not at all."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_bytes(path, content.getvalue())


def file_stem(text, default):
    """A text as the stem of file names and links; `default` if no usable character is left."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:NAME_LENGTH] or default


def unused_name(name, taken):
    """The name, or else `NAME_2`, `NAME_3` and so on, so that it is not in `taken`."""
    taken, number, free = {other.lower() for other in taken}, 1, name      # some disks do not distinguish A and a
    while free.lower() in taken:
        number += 1
        free = f"{name}_{number}"
    return free


@contextmanager
def replaced_folder(folder):
    """Make an empty folder for a `with` block to fill. If the block ends without error, it replaces `folder`."""
    folder = Path(folder)
    part, old = (folder.with_name(f".{folder.name}.{ending}") for ending in ("part", "old"))
    if old.exists() and not folder.exists():                     # a process was killed between the two renames below
        old.rename(folder)
    for leftover in (part, old):
        shutil.rmtree(leftover, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if folder.is_symlink():                                  # the folder it points to is not ours to remove
            folder.unlink()
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def beside_weights(weights, name):
    """The path of a file beside trained weights: a run's folder, a checkpoints folder, a pretrained folder, or a file in one."""
    weights = Path(weights)
    folder = weights.parent if weights.is_file() else weights
    return (folder.resolve().parent if folder.name == "checkpoints" else folder) / name
