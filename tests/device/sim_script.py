"""A script for test_device: runs the `main()` of a module with the simulated device, and reports what that showed.

Its arguments are the file for the report, the module and the module's own arguments. The report, JSON, holds the mismatches and
the waits of a trainer's last update, [times, operator, place] each. With TEST_DEVICE=cuda it is empty.
"""
import atexit
import importlib
import json
import os
import sys
from collections import Counter
from pathlib import Path

from trainer_actvae import Trainer as PoseTrainer
from trainer_actvae_p2inetwork import Trainer as PictureTrainer
from utils import errors

if os.environ.get("TEST_DEVICE", "sim") == "sim":
    from device.sim_device import MISMATCHES, WAITS
else:
    MISMATCHES, WAITS = [], Counter()


def leave(status):
    """End this process without the end of the interpreter, which takes over a second with PyTorch."""
    atexit._run_exitfuncs()
    os._exit(status or 0)


def main():
    report, module, *sys.argv[1:] = sys.argv[1:]
    found = {"mismatches": MISMATCHES, "waits": []}

    def counted(update):
        def run(*arguments, **options):
            WAITS.clear()
            losses = update(*arguments, **options)
            found["waits"] = [[times, *where] for where, times in WAITS.most_common()]
            return losses
        return run

    for trainer in (PoseTrainer, PictureTrainer):
        trainer.update = counted(trainer.update)
    errors.leave = leave
    try:
        return importlib.import_module(module).main()
    finally:
        Path(report).write_text(json.dumps(found))
