"""Measure speed and memory as ratios of candidates that run side by side: `python -m tools.benchmark COMMAND`.

pose: both pose modules against the matrix products they need. p2i: an iteration of P2I against the published way, frames and
painting. processes: training in one process and in two. waiting: training beside a busy process.
"""
import statistics
import time

from tqdm import tqdm


def in_turns(candidates, turns, warm=2, tell=None):
    """Measure candidates in turns, so that other work on the machine slows all of them alike.

    Args:
        candidates: name -> callable.
        turns: how often each is measured.
        warm: how often each is called before that.
        tell: for long measurements: a function that receives lines, first the expected minutes, then the result of each turn.
            Without it there is a progress bar.
    Returns:
        name -> median seconds of a call.
    """
    times = {name: [] for name in candidates}
    for turn in tqdm(range(turns + warm), desc="timing", leave=False, disable=tell is not None):
        seconds = {}
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            seconds[name] = time.perf_counter() - start
        if turn >= warm:
            for name, value in seconds.items():
                times[name].append(value)
        if tell and turn == 0:
            tell(f"about {(turns + warm - 1) * sum(seconds.values()) / 60:.1f} minutes for {turns} turns")
        if tell and turn >= warm:
            tell(f"turn {turn - warm + 1} of {turns}: " + ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items()))
    return {name: statistics.median(values) for name, values in times.items()}
