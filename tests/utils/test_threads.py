"""Waiting threads spin less, unless the user decides otherwise, and this is set before torch is imported."""
import ast
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from utils.threads import SPINS

SHOW = "import os, sys, utils.errors; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"


@pytest.mark.parametrize("chosen, spins", [
    ({}, str(SPINS)), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")])
def test_spins(chosen, spins):
    free = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    shown = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env={**free, **chosen}, capture_output=True, text=True)
    assert shown.stdout == f"{spins} False\n", shown.stderr


@pytest.mark.parametrize("script", ["train_actvae.py", "train_actvae_p2inetwork.py"])
def test_the_scripts_import_it_first(script):
    imports = [node for node in ast.parse((ROOT / script).read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports]
    assert next(name for name in modules if name not in sys.stdlib_module_names) == "utils.errors"
