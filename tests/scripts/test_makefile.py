"""What `make` does beside the project's own commands."""
import os
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="there is no make")


def make(folder, *arguments):
    """Run make with the programs of `folder` in front, as from a shell: `make test` tells its programs that make runs them."""
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")}
    return subprocess.run(["make", "--no-print-directory", "-s", *arguments], capture_output=True, text=True,
                          env={**outside, "PATH": f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"})


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_logs_starts_tensorboard_where_it_is_installed(tmp_path):
    python = program(tmp_path / "python", 'test "$1" = -c || echo ran "$@"')             # of an environment that has it
    assert make(tmp_path, "logs", f"PY={python}").stdout == "ran -m tensorboard.main --logdir logs\n"
    bare = program(tmp_path / "bare", "exit 1")
    program(tmp_path / "tensorboard", "echo started $@")
    assert make(tmp_path, "logs", f"PY={bare}").stdout == "started --logdir logs\n"


@pytest.mark.skipif(bool(shutil.which("tensorboard", path="/usr/bin:/bin")), reason="the system has TensorBoard")
def test_logs_says_how_to_get_tensorboard(tmp_path):
    found = make(tmp_path, "logs", f"PY={program(tmp_path / 'bare', 'exit 1')}")
    lines = found.stderr.splitlines()
    assert found.returncode == 2 and not found.stdout
    assert lines[0] == f"TensorBoard is not installed: {tmp_path}/bare -m pip install tensorboard, then make logs again"
    assert len(lines) == 2 and lines[1].startswith("make: ***")


def test_photo_hands_its_words_on(tmp_path):
    python = program(tmp_path / "python", 'for word; do echo "$word"; done')
    always = ("-o", ".venv/installed", "photo", f"PY={python}")                              # no environment is made
    words = make(tmp_path, *always, "IMAGE=a.jpg b.jpg", "MOTION=dance.mp4", "OPTIONS=--smooth --loop close").stdout.split()
    assert words[-8:] == ["--image", "a.jpg", "b.jpg", "--motion", "dance.mp4", "--smooth", "--loop", "close"]
    assert make(tmp_path, *always, "ACTION=list").stdout.split()[-2:] == ["--action", "list"]
    found = make(tmp_path, *always)
    assert found.returncode == 2 and not found.stdout
    assert found.stderr.splitlines()[0] == "no photo is given: make photo IMAGE=me.jpg ACTION=golf_swing"
