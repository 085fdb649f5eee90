"""Speed and memory, as ratios measured side by side in one process: `python -m utils.benchmark pose`, `p2i` or
`processes`."""
import statistics
import time

from tqdm import tqdm


def in_turns(candidates, turns, warm=2):
    """Median seconds of each callable over `turns` calls after `warm` others; they take turns, so that a busy machine
    burdens all alike."""
    times = {name: [] for name in candidates}
    for turn in tqdm(range(turns + warm), desc="timing", leave=False):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            if turn >= warm:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}
