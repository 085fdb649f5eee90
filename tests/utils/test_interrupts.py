"""Ctrl-C while a command imports its modules."""
import os
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

# as numpy and torch do, this one turns the KeyboardInterrupt into an error of its own
SLOW = """import time
print("importing", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    raise ImportError("a C extension failed to import")
"""


@pytest.mark.parametrize("command", [
    ["train_actvae.py"], ["train_actvae_p2inetwork.py"],
    *(["-m", name] for name in ("dataset.from_video", "dataset.inspect", "dataset.penn_action", "evaluation.registry",
                                "photo.margins", "pose.blazepose_weights", "tools.ablation", "tools.benchmark"))], ids=" ".join)
def test_ctrl_c_while_modules_are_imported_is_one_line(command, tmp_path):
    for name in ("numpy", "torch"):
        (tmp_path / f"{name}.py").write_text(SLOW)
    process = subprocess.Popen([sys.executable, *command, "--help"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path)},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


@pytest.mark.parametrize("start", [["-c", "import dataset"], ["-m", "mine"], ["mine/__init__.py"]], ids=" ".join)
def test_programs_that_import_the_project_keep_their_handler(start, tmp_path):
    (tmp_path / "mine").mkdir()
    show = "; import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    (tmp_path / "mine/__init__.py").write_text("import dataset" + show)
    (tmp_path / "mine/__main__.py").touch()
    start = [start[0], start[1] + show] if start[0] == "-c" else start
    shown = subprocess.run([sys.executable, *start], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
                           capture_output=True)
    assert shown.stdout == "True\n", shown.stderr
