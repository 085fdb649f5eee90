"""Speed and memory, as ratios measured side by side in one process: `python -m tools.benchmark pose`, `p2i` or
`processes`."""
import statistics
import time

from tqdm import tqdm


def in_turns(candidates, turns, warm=2, tell=None):
    """Median seconds of each callable over `turns` calls after `warm` others; they take turns, so that a busy machine
    burdens all alike. `tell`, for what takes long, is given lines: how long it will take, then each turn when it is over."""
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
