"""Train or test P2I, the pose-to-image module, with a trained pose module.

    python train_actvae_p2inetwork.py --config config/Penn_actvae_p2inetwork.yaml --name _generate \\
        --vae_path outputs/Penn_actvae_test/checkpoints
    python train_actvae_p2inetwork.py --config config/Penn_actvae_p2inetwork.yaml --name _generate --test --resume
"""
import warnings

import utils.errors  # first: while the others import, Ctrl-C is one line already
from evaluation.images import ImageEvaluation
from experiment import run_script
from trainer_actvae_p2inetwork import Trainer
from utils.options import OptionGroup, at_home


def add_options(parser):
    parser.add_argument("--vae_path", metavar="DIR", type=at_home,
                        help="trained pose module: a checkpoints folder, a run folder or pretrain/")
    parser.add_argument("--paint_size", type=int, metavar="N", help="with --test, of the generators cutout and "
                        "limb_warp: paint and measure pictures of N pixels (default: imsize)")


def check_options(parser, options):
    if options.paint_size is not None and not 16 <= options.paint_size <= 4096:
        parser.error("--paint_size must lie in 16..4096")
    if options.paint_size and not options.test:
        warnings.warn("without effect in training: --paint_size", stacklevel=2)


def main():
    return run_script("Train or test P2I, the pose-to-image module.", Trainer, ImageEvaluation(),
                      OptionGroup(add_options, check_options))


if __name__ == "__main__":
    utils.errors.command(main)
