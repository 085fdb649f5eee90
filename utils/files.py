"""Files written whole or not at all."""
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path, mode="w"):
    """Open a temporary file beside `path`; it takes the name only when everything was written."""
    path = Path(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path, text):
    """Write a text file whole."""
    with atomic_write(path) as file:
        file.write(text)


def write_json(path, value):
    """Write indented JSON whole."""
    write_text(path, json.dumps(value, indent=2) + "\n")
