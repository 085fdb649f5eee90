"""Train or test P2I, the pose-to-image module, with a trained pose module.

    python train_actvae_p2inetwork.py --config config/Penn_actvae_p2inetwork.yaml --name _generate \\
        --vae_path outputs/Penn_actvae_test/checkpoints
    python train_actvae_p2inetwork.py --config config/Penn_actvae_p2inetwork.yaml --name _generate --test --resume
"""
import utils.errors  # first: while the others import, Ctrl-C is one line already
from evaluation.images import ImageEvaluation
from experiment import run_script
from trainer_actvae_p2inetwork import Trainer
from utils.options import LISTED, TEST, at_home, number


def add_options(parser):
    parser.add_argument("--vae_path", metavar="DIR", type=at_home,
                        help="trained pose module: a checkpoints folder, a run folder or pretrain/")
    parser.adder("testing P2I", TEST, LISTED)("--paint_size", type=number(int, 16, 4096), metavar="N", help="with the generator "
                                              "cutout: render and measure pictures of N pixels (default: imsize)")


def main():
    return run_script("Train or test P2I, the pose-to-image module.", Trainer, ImageEvaluation(), add_options)


if __name__ == "__main__":
    utils.errors.command(main)
