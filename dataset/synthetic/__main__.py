"""`python -m dataset.synthetic`: see :mod:`dataset.synthetic`."""
import argparse

import cv2

from dataset.pair_list import ACTIONS
from dataset.synthetic.layout import TEST_VIDEOS, make
from utils.errors import UserError, command


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UserError(message)                               # one line, without argparse's usage text


def main():
    parser = Parser(prog="python -m dataset.synthetic", description="Draw a small data set in Penn Action's layout.")
    parser.add_argument("--out", required=True, help="folder to write, e.g. data/demo")
    parser.add_argument("--videos", type=int, default=8,
                        help=f"videos of each action, the last {TEST_VIDEOS} for testing (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="each seed draws other people (default: %(default)s)")
    parser.add_argument("--frames", type=int, nargs=2, default=(34, 50), metavar=("MIN", "MAX"),
                        help="frames of a video (default: 34 50)")
    parser.add_argument("--people", type=int, default=0,
                        help="number of different people, who take turns (default: a new person for every video)")
    parser.add_argument("--variety", action="store_true",
                        help="textured scenes, patterned clothes, light and grain, for weights that are used on real pictures")
    parser.add_argument("--masks", action="store_true", help="also write exact masks of the people, masks/NNNN/NNNNNN.png, which "
                                                             "the generator cutout learns from")
    options = parser.parse_args()
    most = 9999 // len(ACTIONS)                                # four-digit video numbers
    if not 1 <= options.videos <= most:
        raise UserError(f"--videos must be 1 to {most}, got {options.videos}")
    if options.people < 0:
        raise UserError(f"--people must not be negative, got {options.people}")
    if options.seed < 0:
        raise UserError(f"--seed must not be negative, got {options.seed}")
    if not 6 <= options.frames[0] <= options.frames[1]:
        raise UserError(f"--frames needs 6 <= MIN <= MAX, got {options.frames[0]} {options.frames[1]}")
    cv2.setNumThreads(1)                                       # the pictures are too small for several threads
    print(make(options.out, options.videos, options.seed, tuple(options.frames), options.people, options.variety,
               options.masks))


if __name__ == "__main__":
    command(main)
