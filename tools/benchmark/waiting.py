"""Training speed on an idle machine and beside a busy process, with torch's own waiting and with that of `utils.threads`."""
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from trainer_actvae_p2inetwork import Trainer
from utils.config import load_config
from utils.threads import SPINS

TURNS, SECONDS = 10, 3
SETTINGS = {"torch's own": 300_000, "ours": SPINS}             # GOMP_SPINCOUNT


def worker():
    """For every line of standard input, a number of seconds, train the demo's P2I for that long and print iterations a second."""
    config = load_config(Path(__file__).parents[2] / "config/demo_p2i.yaml", ["device=cpu"])
    trainer, rows, size = Trainer(config), config.batch_size, config.imsize
    batch = {"poses": torch.rand(rows, 6, 13, 2) * 2 - 1, "action": torch.arange(rows) % 9,
             "images": torch.rand(rows, 6, 3, size, size) * 2 - 1, "masks": torch.ones(rows, 5, 1, size, size)}
    for line in sys.stdin:
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < float(line):
            trainer.update(batch)
            count += 1
        print(count / (time.perf_counter() - start), flush=True)


@contextmanager
def running(*command, **options):
    """Run a Python process for the time of a `with` block."""
    process = subprocess.Popen([sys.executable, *command], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def speed(process, seconds):
    """Return the iterations a second of a worker over some seconds."""
    print(seconds, file=process.stdin, flush=True)
    return float(process.stdout.readline())


def measure(settings, turns, seconds, busy=1):
    """Measure training with each setting in short windows that take turns, first idle, then beside busy processes.

    Args:
        settings: name -> GOMP_SPINCOUNT, the rounds for which a thread waits in a loop before it sleeps.
        turns: windows for each setting, idle and busy.
        seconds: length of a window.
        busy: number of busy processes.
    Returns:
        name -> (iterations a second of each idle window, of each busy window).
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
    found = {name: ([], []) for name in settings}
    with ExitStack() as workers:
        processes = {name: workers.enter_context(running("-m", __name__, env={**environment, "GOMP_SPINCOUNT": str(spins)}))
                     for name, spins in settings.items()}
        for process in processes.values():
            speed(process, seconds)                            # the first iterations are slower
        for turn in range(turns):
            order = list(processes)[::1 - turn % 2 * 2]        # each setting is first in every second turn
            for place, count in enumerate((0, busy)):
                with ExitStack() as others:
                    for _ in range(count):
                        others.enter_context(running("-c", "while True: pass"))
                    for name in order:
                        found[name][place].append(speed(processes[name], seconds))
            print(f"turn {turn + 1} of {turns}, iterations a second: " + "; ".join(
                f"{name} {idle[-1]:.2f} idle, {beside[-1]:.2f} busy" for name, (idle, beside) in found.items()), flush=True)
    return found


def main():
    """Print the speeds, the share that remains beside a busy process, and what our setting costs on an idle machine."""
    print(f"{os.cpu_count()} cores, load of the last minute {os.getloadavg()[0]:.1f} (near 0 on an idle machine)")
    found = measure(SETTINGS, TURNS, SECONDS)
    for name, values in found.items():
        idle, busy = map(statistics.median, values)
        print(f"{name:<12}{idle:8.2f} it/s idle{busy:8.2f} it/s beside a busy process, {busy / idle:.2f} of the idle speed")
    (own, _), (ours, _) = found.values()
    print(f"idle, ours is {statistics.median(one / other for one, other in zip(ours, own)):.3f} times as fast as torch's own")


if __name__ == "__main__":
    worker()
