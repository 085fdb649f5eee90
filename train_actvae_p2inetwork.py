"""Train or test P2I, the pose-to-image module, with a trained ACT-VAE.

    python train_actvae_p2inetwork.py --config config/Penn_actvae_p2inetwork.yaml --name _generate \\
        --vae_path outputs/Penn_actvae_test/checkpoints
    python train_actvae_p2inetwork.py --config config/Penn_actvae_p2inetwork.yaml --name _generate --test --resume
"""
from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from trainer_actvae_p2inetwork import Trainer, draw_picks, find_actvae
from utils.cli import run_script
from utils.engine import Look, train
from utils.errors import UserError, command
from utils.image_test import image_sheet, quick_metrics, test_images
from utils.report import write_run_page

LOOK = Look(image_sheet, quick_metrics,
            ", true poses: PSNR {psnr_true_poses:.2f} dB, SSIM {ssim_true_poses:.3f}; "
            "copying the source: {psnr_copy_source:.2f} dB, {ssim_copy_source:.3f}",
            "Each line of a sheet: the source, what really happened, painted with the true poses, painted with sampled poses, "
            "and those poses.")


def train_module(options, config, run):
    if not (options.vae_path or options.resume):
        raise UserError("--vae_path is needed: the checkpoints folder of a trained train_actvae.py run")
    if options.vae_path:
        find_actvae(options.vae_path)                        # before the long download that VGG may need
    run.check(options.resume)
    data, held_out = (PennActionPairs(path, config.data_root, config.imsize, actions=config.actions)
                      for path in (config.train_data_list, config.test_data_list))
    trainer = Trainer(config, options.seed)
    if config.image_loss.vgg:
        run.log.debug("perceptual loss with %s VGG weights", config.vgg_weights)
    if options.vae_path:
        trainer.load_actvae(options.vae_path)
    return train(options, run, trainer, data, held_out, LOOK, draw_picks)


def test_module(options, config, run):
    data = PennActionTestPairs(config.test_data_list, config.data_root, config.imsize, actions=config.actions)
    config.image_loss.vgg = 0                                # a test has no use for it
    trainer = Trainer(config, options.seed)
    if options.pretrain:
        trainer.load_pretrained(options.pretrain)
    else:
        trainer.resume(run.checkpoints, weights_only=True)
    run.create()
    if config.cache and not options.limit:                   # a quick look is not worth building one
        data.use_cache(config.cache_dir)
    test_images(trainer, data, run.test, run.log, options.samples, options.seed, options.limit,
                options.pretrain or run.checkpoints)
    write_run_page(run, LOOK.legend)
    return 0


def add_options(parser):
    parser.add_argument("--vae_path", metavar="DIR", help="trained ACT-VAE: a checkpoints folder, a run folder or pretrain/")


def main():
    return run_script("Train or test P2I, the pose-to-image module.", train_module, test_module, add_options)


if __name__ == "__main__":
    command(main)
