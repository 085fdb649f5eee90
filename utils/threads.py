"""Set how torch's threads wait for each other. This module must be imported before torch, which reads the setting only once.

torch computes with OpenMP (libgomp on Linux). Its threads wait in a loop that keeps a core busy, by default for some
milliseconds at every wait. Where another program wants that core, the loop holds up the thread that is waited for, and
training becomes many times slower. `python -m tools.benchmark waiting` measures this.
"""
import os

SPINS = 20_000         # rounds of the loop before a thread sleeps; libgomp itself takes 300,000

if not os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:      # else the user has decided
    os.environ["GOMP_SPINCOUNT"] = str(SPINS)
