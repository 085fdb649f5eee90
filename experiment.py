"""One run of a training script, from its options to its exit status: configuration, weights, data, then training or a test."""
import warnings
from functools import partial

from dataset.layouts import read_pairs
from dataset.mixture import TrainingPairs, training_pairs
from evaluation.results import Request, results_folder
from photo.make_clips import make_clips, write_pose_pages
from photo.margins import CROPS, nearest_crops, read_crops, write_crops
from photo.options import EDIT, LIST, PHOTO_OPTIONS, asks_for_photos, photo_request
from photo.timing import TIMING, measure_timing, read_timing, write_timing
from training.batches import training_batches
from training.loop import train
from training.weights import adopt, adopt_pose_module, find_pose_module
from utils import processes
from utils.config import changes, load_config, overridden_keys
from utils.errors import UserError
from utils.options import parse_options
from utils_file import RunFolder


def run_script(description, trainer_class, evaluation, *groups):
    """Run a training script: train or test one module, or make clips of photos.

    Args:
        description: for `--help`.
        trainer_class: subclass of :class:`training.trainer.BaseTrainer`.
        evaluation: of :mod:`evaluation`.
        groups: the script's own options, :class:`utils.options.OptionGroup` s.
    Returns:
        exit status.
    """
    options = parse_options(description, PHOTO_OPTIONS, *groups)
    with processes.job():
        return run_module(options, trainer_class, evaluation)


def run_module(options, trainer_class, evaluation):
    """Do what the options ask for, and unlock the run's folder afterwards."""
    run = RunFolder(options.config, options.name, options.output_path)
    config = load_config(options.config, options.set)
    idle = [key for key in overridden_keys(options.set) if key.partition(".")[0] in trainer_class.unused]
    if idle:
        warnings.warn(f"without effect in this module: {', '.join(f'--set {key}' for key in sorted(idle))}", stacklevel=1)
    work = photo_module if asks_for_photos(options) else test_module if options.test else train_module
    try:
        return work(options, config, run, trainer_class, evaluation)
    finally:
        run.unlock()


def train_module(options, config, run, trainer_class, evaluation):
    """Train from the beginning, from other weights or from where the run stopped.

    Everything is checked before anything is written.
    """
    run.check(options.resume)
    if options.resume:
        run.lock("training")
        config = own_config(options, config, run)
    trainer = make_trainer(options, config, run, trainer_class)
    data = training_pairs(config, trainer.paints, trainer.training_plate)
    held_out = read_pairs(config, images=trainer.paints, test=True)
    trainer.check_targets(data.targets)
    sampler, loader = remaining_batches(trainer, data)
    if trainer.iteration >= sampler.total or 0 < config.train_minutes <= trainer.place.get("minutes", 0):
        limit, unit = ("train_minutes", "minutes") if config.train_minutes else ("train_epoch", "epochs")
        run.create()
        run.log.info("nothing to do: all %g %s are trained; a larger --set %s goes on", getattr(config, limit), unit, limit)
        return 0
    if trainer.paints and config.cache:
        for rows in (data, held_out):
            processes.rank_zero_first(partial(rows.use_cache, config.cache_dir))
    if not trainer.paints:
        vars(config.actvae).update(trainer.pose_module.prepare(data))
    run.lock("training")
    if options.iteration and options.resume:
        run.set_aside(trainer.iteration)
    run.create(config)
    if processes.is_rank_zero():                             # photos are cropped like the training rows
        sets = data.sets if isinstance(data, TrainingPairs) else [data]
        write_crops(run.path / CROPS, nearest_crops(*(part.rows for part in sets)))
        write_timing(run.path / TIMING, learned_timing(options, run, trainer, [part.rows for part in sets]))
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


def learned_timing(options, run, trainer, lists):
    """The :class:`photo.timing.Timing` of a training; a painter's is that of its pose module, where that is known."""
    if trainer.paints:
        known = read_timing(run.path if options.resume else options.vae_path or options.pretrain)
        if known.fps:
            return known
    steps = None if trainer.paints else trainer.pose_module.steps(lists[0].targets)
    return measure_timing(lists, [trainer.config.data_fps] * len(lists), steps)


def remaining_batches(trainer, data):
    """The batch sampler and the loader of the training data, at the place where the trainer stands: (sampler, loader)."""
    draw = trainer.draw_frame_indices and partial(
        trainer.draw_frame_indices, targets=data.targets, steps=trainer.pose_module.steps(data.targets))
    sampler, loader = training_batches(data, trainer.config, trainer.seed, draw)
    sampler.go_on(trainer.iteration, trainer.place.get("per_epoch"), trainer.place.get("ahead", 0))
    trainer.total = None if trainer.config.train_minutes else sampler.total
    trainer.set_learning_rate()
    return sampler, loader


def test_module(options, config, run, trainer_class, evaluation):
    """Evaluate trained weights on the test list."""
    config = own_config(options, config, run)
    trainer = make_trainer(options, config, run, trainer_class)
    size = (options.paint_size if trainer.paints else None) or config.imsize
    if size != config.imsize:
        trainer.check_paint_size(size)
    data = read_pairs(config, images=trainer.paints, test=True, size=size)
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
        adopt(config, weights.networks, weights.origin)
        print(*config.actions, sep="\n")
        return 0
    request = photo_request(options, run.path / "photos")
    if options.pose == EDIT:
        return write_pose_pages(request, run.log)
    trainer = make_trainer(options, config, run, trainer_class)
    weights = options.pretrain or run.checkpoints
    return make_clips(trainer, request, read_crops(weights), run.log, read_timing(weights))


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
    chosen, changed, weights, pose_module = overridden_keys(options.set), [], None, None
    other_pose_module = trainer_class.paints and options.vae_path          # replaces that of the run or the weights
    if (options.resume or options.pretrain) and (trainer_class.paints or not options.motion):      # a motion is only drawn
        weights = trainer_class.find_weights(options.pretrain or run.checkpoints, options.iteration,
                                             not (other_pose_module or options.motion), config)
    if other_pose_module:
        pose_module = find_pose_module(options.vae_path, None if weights else options.iteration)
    elif trainer_class.paints and not weights and options.motion:
        raise UserError("--test needs weights to paint with: either --resume (this run's newest checkpoint) or --pretrain DIR")
    elif trainer_class.paints and not weights:
        raise UserError("--vae_path is needed: the checkpoints folder of a trained train_actvae.py run")
    if weights:
        changed += adopt(config, weights.networks, weights.origin, chosen)
    if pose_module:
        changed += adopt_pose_module(config, pose_module, chosen)
    trainer = trainer_class(config, options.seed, trains=not options.test)
    if weights:
        trainer.restore(weights, optimizers=options.resume and not options.test)
        trainer.iteration = 0 if options.pretrain and not options.test else weights.iteration
    if pose_module:
        trainer.restore(pose_module)
        run.log.info("pose module of %s", options.vae_path)
    if changed:
        run.log.info("as the weights were trained: %s", "; ".join(changed))
    return trainer
