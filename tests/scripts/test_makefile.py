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


@pytest.mark.skipif(bool(shutil.which("tensorboard", path="/usr/bin:/bin")), reason="the system has TensorBoard")
def test_logs_starts_tensorboard_or_says_how_to_get_it(tmp_path):
    python = program(tmp_path / "python", 'test "$1" = -c || echo ran "$@"')             # of an environment that has it
    assert make(tmp_path, "logs", f"PY={python}").stdout == "ran -m tensorboard.main --logdir logs\n"
    found = make(tmp_path, "logs", f"PY={program(tmp_path / 'bare', 'exit 1')}")
    assert found.returncode == 2 and not found.stdout
    assert found.stderr.startswith(f"TensorBoard is not installed: {tmp_path}/bare -m pip install tensorboard")


def test_photo_passes_its_options_on(tmp_path):
    python = program(tmp_path / "python", 'for word; do echo "$word"; done')
    always = ("-o", ".venv/installed", "photo", f"PY={python}")                              # no environment is made
    words = make(tmp_path, *always, "IMAGE=it's me.jpg", "MOTION=dance.mp4", "OPTIONS=--smooth --loop close").stdout.splitlines()
    assert words[-7:] == ["--image", "it's me.jpg", "--motion", "dance.mp4", "--smooth", "--loop", "close"]
    words = make(tmp_path, *always, "IMAGE=me.jpg", "MOTION=dance.mp4", "ACTION=squat").stdout.split()
    assert words[-4:] == ["--motion", "dance.mp4", "--action", "squat"]
    assert make(tmp_path, *always, "IMAGE=me.jpg").stdout.split()[-2:] == ["--action", "all"]
    assert make(tmp_path, *always, "ACTION=list").stdout.split()[-2:] == ["--action", "list"]
    found = make(tmp_path, *always)
    assert found.returncode == 2 and found.stderr.startswith("no photo is given: make photo IMAGE=me.jpg ACTION=golf_swing\n")
