import argparse

import torch

from tools import benchmark
from tools.benchmark import p2i, pose, processes
from utils.errors import command

COMMANDS = {"pose": pose, "p2i": p2i, "processes": processes}


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.benchmark", description=benchmark.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    name = parser.parse_args().command
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}", flush=True)
    COMMANDS[name].main()


command(main)
