"""A script for test_processes: a job that ends as the first argument says, while rank zero still writes the second's file.

In every process a library aborts at the end of the interpreter, as a library of torch does now and then.
"""
import atexit
import ctypes
import sys
import time
from pathlib import Path

from utils import processes
from utils.errors import FailedRun, UserError

ERRORS = {"interrupt": KeyboardInterrupt(), "mistake": UserError("a mistake"), "failure": FailedRun("no room"),
          "bug": ValueError("a bug")}


def write_late(path):
    time.sleep(0.5)
    path.write_text("whole")


def main():
    ending, path = sys.argv[1], Path(sys.argv[2])
    library = ctypes.CDLL(None)
    library.__cxa_atexit(ctypes.cast(library.abort, ctypes.c_void_p), None, None)
    processes.PATIENCE_AFTER_ERROR /= 5
    with processes.job():
        assert processes.all_reduce_max(processes.rank()) == 1
        if processes.is_rank_zero():
            atexit.register(write_late, path)
        if ending == "mistake of one":
            ending = "mistake" if processes.rank() == 1 else str(processes.all_reduce_max(0))
        if ending in ERRORS:
            raise ERRORS[ending]
        return int(ending)
