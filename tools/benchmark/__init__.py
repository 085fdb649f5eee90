"""Measure the speed of this machine: `python -m tools.benchmark COMMAND`.

pose: an update and the samples of both pose modules. p2i: an update of P2I, frames and rendering. processes: an update of the
pose module in one process and in two.
"""
import statistics
import time

import torch


def seconds(run, turns, warm=2):
    """Median seconds of a call of `run`, after `warm` calls; waits for a GPU to finish."""
    times = []
    for _ in range(turns + warm):
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[warm:])
