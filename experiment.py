"""One run of a training script, from its options to its exit status: configuration, weights, data, then training or a test."""
import warnings
from contextlib import closing
from functools import partial

import numpy as np

from dataset.layouts import read_pairs
from dataset.mixture import TrainingPairs, training_pairs
from evaluation.results import Request, results_folder
from photo.inputs import read_inputs
from photo.make_clips import make_clips, write_pose_pages
from photo.options import EDIT, LIST, add_photo_options, asks_for_photos, photo_request
from photo.statistics import STATISTICS, measure, read_statistics, write_statistics
from training.batches import training_batches
from training.loop import train
from training.weights import adopt, find_pose_module
from utils import processes
from utils.config import changes, load_config, overridden_keys
from utils.errors import UserError
from utils.options import parse_options
from utils_file import RunFolder


def run_script(description, trainer_class, evaluation, *groups):
    """Run a training script: train or test one module, or make clips of photos; returns the exit status.

    Args:
        description: for `--help`.
        trainer_class: subclass of :class:`training.trainer.BaseTrainer`.
        evaluation: of :mod:`evaluation`.
        groups: functions that add the script's own options to a :class:`utils.options.Parser`.
    """
    options = parse_options(description, add_photo_options, *groups)
    with processes.job():
        return run_module(options, trainer_class, evaluation)


def run_module(options, trainer_class, evaluation):
    """Do what the options ask for, and unlock the run's folder afterwards."""
    config = load_config(options.config, options.set)
    idle = [key for key in overridden_keys(options.set) if key.partition(".")[0] in trainer_class.unused]
    if idle:
        warnings.warn(f"without effect in this module: {', '.join(f'--set {key}' for key in sorted(idle))}", stacklevel=1)
    work = photo_module if asks_for_photos(options) else test_module if options.test else train_module
    with closing(RunFolder(options.config, options.name, options.output_path)) as run:
        return work(options, config, run, trainer_class, evaluation)


def train_module(options, config, run, trainer_class, evaluation):
    """Train from the beginning, from other weights or from where the run stopped.

    Everything is checked before anything is written.
    """
    run.check(options.resume)
    if options.resume:
        run.lock("training")
        config = own_config(options, config, run)
    trainer = make_trainer(options, config, run, trainer_class)
    data = training_pairs(config, trainer.renders)
    held_out = read_pairs(config, images=trainer.renders, test=True)
    trainer.check_targets(data.targets)
    sampler, loader = remaining_batches(trainer, data)
    if trainer.iteration >= sampler.total or 0 < config.train_minutes <= trainer.place.get("minutes", 0):
        limit, unit = ("train_minutes", "minutes") if config.train_minutes else ("train_epoch", "epochs")
        run.create()
        run.log.info("nothing to do: all %g %s are trained; a larger --set %s goes on", getattr(config, limit), unit, limit)
        return 0
    if trainer.renders and config.cache:
        for rows in (data, held_out):
            processes.rank_zero_first(partial(rows.use_cache, config.cache_dir))
    if not trainer.renders:
        vars(config.actvae).update(trainer.pose_module.prepare(data))
    run.lock("training")
    if options.iteration and options.resume:
        run.set_aside(trainer.iteration)
    run.create(config)
    if processes.is_rank_zero():                             # photos are cropped and timed like the training windows
        sets = data.sets if isinstance(data, TrainingPairs) else [data]
        write_statistics(run.path / STATISTICS, training_statistics(options, run, trainer, sets))
    if trainer.seed != options.seed:
        run.log.info("going on with the run's own seed %d", trainer.seed)
    if trainer.place.get("sha256", data.rows.sha256) != data.rows.sha256:
        run.log.warning("%s has changed since this run last trained (%d rows then, %d now)", data.rows.path,
                        trainer.place["rows"], len(data))
    trainer.place |= {"per_epoch": sampler.per_epoch, "ahead": sampler.ahead, "rows": len(data), "sha256": data.rows.sha256}
    run.log.info("%d training rows, %d test rows, %d iterations an epoch, %s%s", len(data), len(held_out), sampler.per_epoch,
                 trainer.device, f", {processes.world_size()} processes" if processes.world_size() > 1 else "")
    try:
        return train(trainer, sampler, loader, run, evaluation, data, held_out)
    finally:
        run.write_page(evaluation.sheet_caption)


def training_statistics(options, run, trainer, sets):
    """The :class:`photo.statistics.Statistics` of training data; of a generator, with the timing of its pose module if known."""
    steps = 0 if trainer.renders else trainer.pose_module.steps(sets[0].targets)
    rates = np.concatenate([part.frame_rates(trainer.config.data_fps) for part in sets])
    found = measure([part.rows for part in sets], rates, steps)
    if trainer.renders:
        known = read_statistics(run.path if options.resume else options.vae_path or options.pretrain)
        if known.steps and known.actions == found.actions:
            return found._replace(fps=known.fps, steps=known.steps)
    return found


def remaining_batches(trainer, data):
    """The batch sampler and the loader of the training data, at the place where the trainer stands: (sampler, loader)."""
    draw = trainer.draw_frame_indices and partial(
        trainer.draw_frame_indices, targets=data.targets, steps=trainer.pose_module.steps(data.targets))
    sampler, loader = training_batches(data, trainer.config, trainer.seed, draw, trainer.device.type == "cuda")
    sampler.go_on(trainer.iteration, trainer.place.get("per_epoch"), trainer.place.get("ahead", 0))
    trainer.total = None if trainer.config.train_minutes else sampler.total
    trainer.set_learning_rate()
    return sampler, loader


def test_module(options, config, run, trainer_class, evaluation):
    """Evaluate trained weights on the test list."""
    config = own_config(options, config, run)
    trainer = make_trainer(options, config, run, trainer_class)
    size = (options.paint_size if trainer.renders else None) or config.imsize
    if size != config.imsize:
        trainer.check_render_size(size)
    data = read_pairs(config, images=trainer.renders, test=True, size=size)
    if options.steps and options.steps > data.targets:
        raise UserError(f"--steps {options.steps}: the rows of {data.rows.path} hold {data.targets} targets; write longer ones "
                        f"with `python -m dataset.penn_action --horizon {options.steps}`")
    trainer.check_targets(data.targets)
    run.lock("testing")
    run.create()
    if trainer.renders and config.cache and not options.limit:        # a quick look is not worth building one
        data.use_cache(config.cache_dir)
    folder = results_folder(run, evaluation.module, options.limit)
    request = Request(folder, options.pretrain or run.checkpoints, options.samples or 20, options.steps, options.seed,
                      options.limit, options.gifs or "gallery", partial(read_pairs, config, images=False), options.choose,
                      options.save_poses)
    evaluation.test(trainer, data, request, run.log)
    run.write_page(evaluation.sheet_caption)
    return 0


def photo_module(options, config, run, trainer_class, evaluation):
    """Make clips of photos, write pages for placing joints by hand, or print the actions that the weights know."""
    config = own_config(options, config, run)
    if options.action == LIST:
        weights = trainer_class.find_weights(options.pretrain or run.checkpoints, options.iteration)
        print(*weights.networks.get("actions", config.actions), sep="\n")
        return 0
    request = photo_request(options, run.path / "photos")
    if options.pose == EDIT:
        return write_pose_pages(read_inputs(request), run.log)
    trainer = make_trainer(options, config, run, trainer_class)
    inputs = read_inputs(request, trainer, read_statistics(options.pretrain or run.checkpoints))
    return make_clips(trainer, inputs, run.log)


def own_config(options, config, run):
    """The configuration to go on with: for a resumed run the run's own, with the overrides of the command line."""
    if options.resume and run.config.is_file():
        chosen = overridden_keys(options.set)
        differing = [line for line in changes(config, run.config) if line.partition(":")[0] not in chosen]
        config = load_config(run.config, options.set)
        if differing:
            run.log.info("the configuration of the run is used; %s differs: %s", options.config, ", ".join(differing))
    if options.test:
        config.image_loss.vgg = 0                            # a test does not compute this loss
    return config


def make_trainer(options, config, run, trainer_class):
    """A trainer with the weights that the options name; `config` is changed to build the networks of these weights."""
    weights = pose_module = None
    replaced = trainer_class.renders and options.vae_path    # the pose module of the run or the weights
    if (options.resume or options.pretrain) and (trainer_class.renders or not options.motion):   # a motion needs no pose module
        weights = trainer_class.find_weights(options.pretrain or run.checkpoints, options.iteration,
                                             not (replaced or options.motion), config)
    if replaced:
        pose_module = find_pose_module(options.vae_path, None if weights else options.iteration)
    elif trainer_class.renders and not weights:
        raise UserError("--test needs weights to render with: either --resume (this run's newest checkpoint) or --pretrain DIR"
                        if options.motion else "--vae_path is needed: the checkpoints folder of a trained train_actvae.py run")
    changed = []
    for found in filter(None, (weights, pose_module)):
        known = found.networks.get("actions", config.actions)
        if found is pose_module and known != config.actions:
            raise UserError(f"{found.origin}: this pose module was trained with the actions {', '.join(map(str, known))}, in "
                            f"this order; the configuration has {', '.join(config.actions)}")
        changed += adopt(config, found.networks, found.origin, overridden_keys(options.set))
    trainer = trainer_class(config, options.seed, trains=not options.test)
    if weights:
        trainer.restore(weights, optimizers=options.resume and not options.test)
        trainer.iteration = 0 if options.pretrain and not options.test else weights.iteration
        if options.resume and weights.snapshot:
            run.log.info("%s iteration %d, epoch %d, of %s", "weights of" if options.test else "going on from", weights.iteration,
                         weights.snapshot.epoch + 1, weights.files[min(weights.files)])
    if pose_module:
        trainer.restore(pose_module)
        run.log.info("pose module of %s", options.vae_path)
    if changed:
        run.log.info("as the weights were trained: %s", "; ".join(changed))
    return trainer
