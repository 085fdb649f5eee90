"""Files written whole or not at all."""
import json
import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path, mode="w", sync=True):
    """Open a temporary file beside `path`, `.<name>.<random>`; it takes the name only when everything was written.

    Its rights are those that the umask leaves. `sync` makes sure that the content is on the disk by then, power cut or not;
    files that can be made again do without.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    # not mkstemp: its files are their owner's alone, while a file made by open() has the rights that the umask leaves
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
    """Write a text file whole."""
    with atomic_write(path) as file:
        file.write(text)


def write_bytes(path, data):
    """Write the bytes of a file that can be made again, whole."""
    with atomic_write(path, "wb", sync=False) as file:
        file.write(data)


def write_json(path, value):
    """Write indented JSON whole."""
    write_text(path, json.dumps(value, indent=2) + "\n")


@contextmanager
def replaced_folder(folder):
    """A new folder beside `folder` to fill; it takes the name, and what was there goes, only when the block has ended well."""
    folder = Path(folder)
    part, old = (folder.with_name(f".{folder.name}.{ending}") for ending in ("part", "old"))
    if old.exists() and not folder.exists():                     # a process was killed between the two renames below
        old.rename(folder)
    for leftover in (part, old):
        shutil.rmtree(leftover, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if folder.is_symlink():                                  # what it leads to is somebody's own
            folder.unlink()
        if folder.exists():
            folder.rename(old)
        try:
            part.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)
