"""One run of a training script, from its options to its exit status: configuration, weights, data, then training or a test."""
import warnings
from functools import partial
from pathlib import Path

from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from dataset.mixture import training_pairs
from evaluation.results import Request, results_folder
from photo.margins import MARGINS, action_margins, read_margins
from photo.photos import photo_clips
from training.batches import training_batches
from training.loop import train
from utils import processes
from utils.config import adopt, changes, load_config
from utils.errors import UserError
from utils.files import write_json
from utils.options import parse_options
from utils_file import RunFolder


def run_script(description, trainer_class, evaluation, extend=None):
    """A training script: train or test one module; returns the exit status.

    Args:
        description: for `--help`.
        trainer_class: subclass of :class:`training.trainer.BaseTrainer`.
        evaluation: of :mod:`evaluation`.
        extend: adds options of the script's own to a parser.
    """
    options = parse_options(description, extend)
    with processes.job():
        return run_module(options, trainer_class, evaluation)


def run_module(options, trainer_class, evaluation):
    """Train or test, as the options say, with the run's folder locked for others."""
    run = RunFolder(options.config, options.name, options.output_path)
    config = load_config(options.config, options.set)
    idle = [key for key in chosen_keys(options) if key.partition(".")[0] in trainer_class.unused]
    if idle:
        warnings.warn(f"without effect in this module: {', '.join(f'--set {key}' for key in sorted(idle))}", stacklevel=1)
    work = photo_module if options.photos else test_module if options.test else train_module
    try:
        return work(options, config, run, trainer_class, evaluation)
    finally:
        run.unlock()


def train_module(options, config, run, trainer_class, evaluation):
    """Train, from the beginning, from other weights or from where the run stopped; all is checked before anything is written."""
    run.check(options.resume)
    if options.resume:
        run.lock("training")
    trainer = make_trainer(options, config, run, trainer_class)
    data = training_pairs(config, trainer.paints, trainer.plate)
    held_out = read_pairs(config, config.test_data_list, trainer.paints)
    trainer.check_targets(data.targets)
    draw_frame_indices = trainer.draw_frame_indices and partial(trainer.draw_frame_indices, targets=data.targets,
                                                steps=trainer.pose_module.steps(data.targets))
    sampler, loader = training_batches(data, config, trainer.seed, draw_frame_indices)
    sampler.go_on(trainer.iteration, trainer.place.get("per_epoch"), trainer.place.get("ahead", 0))
    trainer.total = sampler.total
    trainer.set_learning_rate()
    if trainer.iteration >= sampler.total:
        run.create()
        run.log.info("nothing to do: all %d epochs are trained; raise train_epoch to go on", config.train_epoch)
        return 0
    for rows in (data, held_out):
        if trainer.paints and config.cache:
            processes.rank_zero_first(lambda rows=rows: rows.use_cache(config.cache_dir))
    run.lock("training")
    if options.iteration and options.resume:
        run.set_aside(trainer.iteration)
    run.create(config)
    if processes.is_rank_zero():                             # photos are cropped like the training rows, see photo_module
        write_json(run.path / MARGINS, action_margins(*(part.rows for part in getattr(data, "sets", [data]))))
    if trainer.seed != options.seed:
        run.log.info("going on with the run's own seed %d", trainer.seed)
    if trainer.place.get("sha256", data.rows.sha256) != data.rows.sha256:
        run.log.warning("%s has changed since this run last trained (%d rows then, %d now)", data.rows.path,
                        trainer.place["rows"], len(data))
    trainer.place = {"per_epoch": sampler.per_epoch, "ahead": sampler.ahead, "rows": len(data), "sha256": data.rows.sha256}
    run.log.info("%d training rows, %d test rows, %d iterations an epoch, %s%s", len(data), len(held_out), sampler.per_epoch,
                 trainer.device, f", {processes.world_size()} processes" if processes.world_size() > 1 else "")
    try:
        return train(trainer, sampler, loader, run, evaluation, data, held_out)
    finally:
        run.write_page(evaluation.legend)


def test_module(options, config, run, trainer_class, evaluation):
    """Evaluate trained weights on the test list."""
    config = tested_config(options, config, run)
    trainer = make_trainer(options, config, run, trainer_class)
    size = getattr(options, "paint_size", None) or config.imsize
    if size != config.imsize:
        trainer.check_paint_size(size)
    data = read_pairs(config, config.test_data_list, trainer.paints, PennActionTestPairs, size)
    if options.steps and options.steps > data.targets:
        raise UserError(f"--steps {options.steps}: the rows of {data.rows.path} hold {data.targets} targets; write longer ones "
                        f"with `python -m dataset.penn_action --horizon {options.steps}`")
    trainer.check_targets(data.targets)
    run.lock("testing")
    run.create()
    if trainer.paints and config.cache and not options.limit:        # a quick look is not worth building one
        data.use_cache(config.cache_dir)
    folder = results_folder(run, evaluation.module, options.limit)
    request = Request(folder, options.pretrain or run.checkpoints, options.samples or 20, options.steps, options.seed,
                      options.limit, options.gifs or "gallery",
                      lambda: read_pairs(config, config.train_data_list, images=False))
    evaluation.test(trainer, data, request, run.log)
    run.write_page(evaluation.legend)
    return 0


def read_pairs(config, path, images, kind=PennActionPairs, size=None):
    """A list's data, prepared as the configuration says."""
    return kind(path, config.data_root, size or config.imsize, images, config.actions, config.actions_by == "name")


def photo_module(options, config, run, trainer_class, evaluation):
    """Turn photos into clips, or print the actions that the weights know."""
    config = tested_config(options, config, run)
    if options.action == "list":
        weights = trainer_class.find_weights(options.pretrain or run.checkpoints, options.iteration)
        adopt(config, weights.networks, weights.origin)
        print(*config.actions, sep="\n")
        return 0
    trainer = None if options.pose == "edit" else make_trainer(options, config, run, trainer_class)
    return photo_clips(trainer, config, options, Path(options.out or run.path / "photos"),
                       read_margins(options.pretrain or run.checkpoints), run.log)


def tested_config(options, config, run):
    """The configuration to test with: of a resumed run its own."""
    if options.resume and run.config.is_file():
        told = changes(config, run.config)
        config = load_config(run.config, options.set)
        told = [line for line in told if line.partition(":")[0] not in chosen_keys(options)]
        if told:
            run.log.info("the configuration of the run is used; %s differs: %s", options.config, ", ".join(told))
    config.image_loss.vgg = 0                                # a test has no use for it
    return config


def make_trainer(options, config, run, trainer_class):
    """A trainer with the weights that the options name; what those weights mean goes into `config`."""
    chosen = chosen_keys(options)
    weights = None
    if options.resume or options.pretrain:
        weights = trainer_class.find_weights(options.pretrain or run.checkpoints, options.iteration)
    pose_module = trainer_class.find_pose_module(options)
    if pose_module and weights:
        weights = weights.without(pose_module.files)
    told = adopt(config, weights.networks, weights.origin, chosen) if weights else []
    if pose_module:
        told += trainer_class.adopt_pose_module(config, pose_module, chosen)
    trainer = trainer_class(config, options.seed, trains=not options.test)
    if weights:
        trainer.restore(weights, optimizers=options.resume and not options.test)
        trainer.iteration = 0 if options.pretrain and not options.test else weights.iteration
    if pose_module:
        trainer.restore(pose_module)
        run.log.info("pose module of %s", options.vae_path)
    if told:
        run.log.info("as the weights were trained: %s", "; ".join(told))
    return trainer


def chosen_keys(options):
    """The keys that the user set on the command line, with dots."""
    return {entry.partition("=")[0].strip() for entry in options.set}
