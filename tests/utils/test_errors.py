"""Ctrl-C while a command imports its modules, and the setting of torch's threads."""
import os
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

# like numpy and torch, this one turns the KeyboardInterrupt into an error of its own
SLOW = """import time
print("importing", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    raise ImportError("a C extension failed to import")
"""


@pytest.mark.parametrize("command", [["train_actvae.py"], ["-m", "dataset.penn_action"]], ids=" ".join)
def test_ctrl_c_during_imports_is_one_line(command, tmp_path):
    for name in ("numpy", "torch"):
        (tmp_path / f"{name}.py").write_text(SLOW)
    process = subprocess.Popen([sys.executable, *command, "--help"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path)},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


def test_programs_that_import_the_project_keep_their_handler(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import signal, dataset; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)")
    shown = subprocess.run([sys.executable, "-m", "mine"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
                           capture_output=True)
    assert shown.stdout == "True\n", shown.stderr


@pytest.mark.parametrize("chosen, spins", [
    ({}, "20000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")])
def test_torch_s_threads_spin_less_unless_the_user_decides(chosen, spins):
    show = "import os, sys, utils.errors; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    free = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    shown = subprocess.run([sys.executable, "-c", show], cwd=ROOT, env={**free, **chosen}, capture_output=True, text=True)
    assert shown.stdout == f"{spins} False\n", shown.stderr
