"""Train or test a pose module.

    python train_actvae.py --config config/Penn_actvae.yaml --name _test
    python train_actvae.py --config config/Penn_actvae.yaml --name _test --test --resume
"""
import utils.errors  # first: while the others import, Ctrl-C is one line already
from evaluation.poses import PoseEvaluation
from experiment import run_script
from trainer_actvae import Trainer


def main():
    return run_script("Train or test ACT-VAE, the pose module.", Trainer, PoseEvaluation())


if __name__ == "__main__":
    utils.errors.command(main)
