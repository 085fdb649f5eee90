"""Train or test ACT-VAE, the pose module.

    python train_actvae.py --config config/Penn_actvae.yaml --name _test
    python train_actvae.py --config config/Penn_actvae.yaml --name _test --test --resume
"""
from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from trainer_actvae import Trainer
from utils.cli import run_script
from utils.engine import Look, train
from utils.errors import command
from utils.pose_test import pose_sheet, quick_metrics, test_poses
from utils.report import write_run_page

LOOK = Look(pose_sheet, quick_metrics,
            ": ADE {ade:.2f} px, best of 5 {ade_best:.2f}, standing still {zero_velocity_ade:.2f}",
            "Each line of a sheet: the source, what really happened in the next four frames, and two sampled futures.")


def train_module(options, config, run):
    run.check(options.resume)
    data, held_out = (PennActionPairs(path, config.data_root, config.imsize, images=False, actions=config.actions)
                      for path in (config.train_data_list, config.test_data_list))
    return train(options, run, Trainer(config, options.seed), data, held_out, LOOK)


def test_module(options, config, run):
    data = PennActionTestPairs(config.test_data_list, config.data_root, config.imsize, images=False,
                               actions=config.actions)
    trainer = Trainer(config, options.seed)
    if options.pretrain:
        trainer.load_pretrained(options.pretrain)
    else:
        trainer.resume(run.checkpoints, weights_only=True)
    run.create()
    test_poses(trainer, data, run.test, run.log, options.samples, options.seed, options.limit,
               options.pretrain or run.checkpoints)
    write_run_page(run, LOOK.legend)
    return 0


def main():
    return run_script("Train or test ACT-VAE, the pose module.", train_module, test_module)


if __name__ == "__main__":
    command(main)
