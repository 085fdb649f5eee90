import argparse

import torch

from tools import benchmark
from tools.benchmark import p2i, pose, processes

parser = argparse.ArgumentParser(prog="python -m tools.benchmark", description=benchmark.__doc__)
parser.add_argument("what", choices=("pose", "p2i", "processes"))
what = parser.parse_args().what
print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
{"pose": pose, "p2i": p2i, "processes": processes}[what].main()
