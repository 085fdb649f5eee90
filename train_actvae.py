"""Train or test ACT-VAE, the pose module.

    python train_actvae.py --config config/Penn_actvae.yaml --name _test
    python train_actvae.py --config config/Penn_actvae.yaml --name _test --test --resume
"""
from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from trainer_actvae import Trainer
from utils.cli import run_script
from utils.engine import train
from utils.errors import command
from utils.pose_test import pose_sheet, quick_metrics, test_poses
from utils.report import write_run_page

LEGEND = "Each line of a sheet: the source, what really happened in the next four frames, and two sampled futures."


def train_module(options, config, run):
    run.check(options.resume)
    data, held_out = (PennActionPairs(path, config.data_root, config.imsize, images=False, actions=config.actions)
                      for path in (config.train_data_list, config.test_data_list))
    trainer = Trainer(config, options.seed)

    def show(iteration, writer):
        for part, rows in (("train", data), ("test", held_out)):
            run.add_sheet(part, pose_sheet(trainer, rows, config.display_size), iteration, writer)
        metrics = quick_metrics(trainer, held_out)
        for name, value in metrics.items():
            writer.add_scalar(f"test_pixels/{name}", value, iteration)
        run.log.info("iteration %d, test rows: ADE %.2f px, best of 5 %.2f, standing still %.2f", iteration,
                     metrics["ade"], metrics["ade_best"], metrics["zero_velocity_ade"])
        write_run_page(run, LEGEND)

    return train(options, run, trainer, data, held_out, show)


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
    write_run_page(run, LEGEND)
    return 0


def main():
    return run_script("Train or test ACT-VAE, the pose module.", train_module, test_module)


if __name__ == "__main__":
    command(main)
