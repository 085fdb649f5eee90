"""The training loop of both modules; :mod:`training.guards` handles what can go wrong."""
import signal
from contextlib import closing

from tqdm import tqdm

from training.guards import Guard, StopSignals
from training.schedule import TimeBudget
from training.tensorboard import EventFile
from utils import processes
from utils.media import write_image


def train(trainer, sampler, loader, run, evaluation, data, held_out):
    """Train until `config.train_epoch` epochs are done or `config.train_minutes` are over.

    Args:
        trainer: a :class:`training.trainer.BaseTrainer`.
        sampler, loader: from :func:`training.batches.training_batches`.
        run: :class:`utils_file.RunFolder`, created.
        evaluation: of :mod:`evaluation`, draws sample sheets and measures.
        data, held_out: data sets of the training and the test list.
    Returns:
        exit status: 0, or 128 + the signal that stopped the run (after a snapshot).
    Raises:
        FailedRun: a loss or gradient is not finite, or a snapshot cannot be written.
    """
    config, writer = trainer.config, EventFile(run.logs if processes.is_rank_zero() else None)
    budget, stopped, last = TimeBudget(config.train_minutes, trainer.place.get("minutes", 0.0)), 0, False
    bar = tqdm(total=None if budget.limit else sampler.total, initial=sampler.iteration, unit="it", dynamic_ncols=True,
               disable=not processes.is_rank_zero())
    with StopSignals() as stop, bar:
        guard = Guard(trainer, sampler, data.rows, run, stop)
        with guard.nothing_lost(), closing(guard.batches(loader)) as batches:
            for batch in batches:
                fraction = budget.fraction()
                if trainer.iteration and fraction:                    # the number of iterations that fit into the time
                    trainer.total = trainer.iteration / fraction
                    trainer.set_learning_rate()
                    bar.total = round(trainer.total)
                losses = guard.update(batch)
                last = trainer.iteration == sampler.total or budget.fraction() >= 1
                if budget.limit:
                    trainer.place["minutes"] = budget.minutes()
                epoch = sampler.epoch(trainer.iteration - 1)[0] + 1
                bar.set_description(f"minute {budget.minutes():.1f}/{budget.limit:g}" if budget.limit else
                                    f"epoch {epoch}/{config.train_epoch}", False)
                bar.update()
                if losses and trainer.iteration % config.log_iter == 0:
                    log_losses(losses, trainer, run, writer, bar)
                stopped = processes.all_reduce_max(stop.received)     # read once: a later signal stops the next iteration
                if stopped or last or trainer.iteration % config.snapshot_save_iter == 0:
                    guard.save()
                if processes.is_rank_zero() and (last or trainer.iteration % config.image_save_iter == 0):
                    show(trainer, run, writer, evaluation, data, held_out)
                if stopped or last:
                    break
        stopped = stopped or stop.received * (not last)
        processes.all_reduce_max(0)                     # no process may leave before rank zero has saved: torchrun would kill it
    writer.close()
    if stopped:
        run.log.info("stopped by %s at iteration %d; --resume goes on from here", signal.Signals(stopped).name, trainer.iteration)
    return 128 + stopped if stopped else 0


def log_losses(losses, trainer, run, writer, bar):
    """Write the losses, averaged over the processes, to the log file, TensorBoard and the progress bar."""
    values = dict(zip(losses, processes.all_reduce_mean(list(losses.values()))))
    rate = next(iter(trainer.optimizers.values())).param_groups[0]["lr"]
    text = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
    bar.set_postfix_str(text)
    run.log.debug("iteration %d  %s  lr %.3g", trainer.iteration, text, rate)
    for name, value in values.items():
        writer.add_scalar(f"loss/{name}", value, trainer.iteration)
    writer.add_scalar("learning_rate", rate, trainer.iteration)


def show(trainer, run, writer, evaluation, data, held_out):
    """Draw the sample sheets and measure some test windows."""
    for part, rows in (("train", data), ("test", held_out)):
        sheet = evaluation.sheet(trainer, rows, trainer.config.display_size)
        write_image(run.images / f"{part}_{trainer.iteration:08d}.jpg", sheet)
        writer.add_image(part, sheet, trainer.iteration)
    metrics = evaluation.quick_metrics(trainer, held_out)
    for name, value in metrics.items():
        writer.add_scalar(f"test/{name}", value, trainer.iteration)
    run.log.info("iteration %d, test rows%s", trainer.iteration, evaluation.progress_message.format(**metrics))
    run.write_page(evaluation.sheet_caption)
