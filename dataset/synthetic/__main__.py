"""`python -m dataset.synthetic`: see :mod:`dataset.synthetic`."""
import argparse

import cv2

from dataset.pair_list import ACTIONS
from dataset.synthetic.layout import TEST_VIDEOS, make
from utils.errors import command


def main():
    parser = argparse.ArgumentParser(prog="python -m dataset.synthetic",
                                     description="Draw a small data set in Penn Action's layout.")
    parser.add_argument("--out", required=True, help="folder to write, e.g. data/demo")
    parser.add_argument("--videos", type=int, default=8,
                        help=f"videos of each action, the last {TEST_VIDEOS} for testing (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="each seed draws other people (default: %(default)s)")
    parser.add_argument("--frames", type=int, nargs=2, default=(34, 50), metavar=("MIN", "MAX"),
                        help="frames of a video (default: 34 50)")
    parser.add_argument("--people", type=int, default=0,
                        help="number of different people, who take turns (default: a new person for every video)")
    parser.add_argument("--masks", action="store_true",
                        help="also write exact masks of the people, masks/NNNN/NNNNNN.png, for the generator cutout")
    options = parser.parse_args()
    most = 9999 // len(ACTIONS)                                # four-digit video numbers
    if not 1 <= options.videos <= most:
        parser.error(f"--videos must be 1 to {most}, got {options.videos}")
    if min(options.people, options.seed) < 0 or not 6 <= options.frames[0] <= options.frames[1]:
        parser.error("--people and --seed must not be negative, and --frames needs 6 <= MIN <= MAX")
    cv2.setNumThreads(1)                                       # the pictures are too small for several threads
    print(make(options.out, options.videos, options.seed, tuple(options.frames), options.people, options.masks))


if __name__ == "__main__":
    command(main)
