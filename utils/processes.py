"""Distributed training in several processes that `torchrun` started. A single process uses none of it.

All processes hold the same weights and the same random state, and each works on its part of every batch. DistributedDataParallel
(DDP) averages the gradients. Everything else on which the processes must agree is exchanged on the CPU, with gloo.
"""
import atexit
import os
import signal
import sys
import time
import warnings
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from utils import errors
from utils.errors import FailedRun, UserError

PATIENCE = timedelta(hours=1)                    # the others wait while rank zero measures, draws and saves
PATIENCE_AFTER_ERROR = timedelta(seconds=10)     # rank zero may not know of the error and may itself wait for this process
WRITTEN = "rank zero has written everything"     # key in the store


@contextmanager
def job():
    """Join the process group that `torchrun` started, for a `with` block. A single process does nothing here.

    In a job, :func:`utils.errors.command` ends the process with :func:`_leave`.

    Raises:
        UserError: the environment names several processes, but there is no group to join.
        FailedRun: another process of the job is gone.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    try:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"WORLD_SIZE is set, but there is no job to join ({_first_line(error)}); start with torchrun") from None
    store, signals = distributed.distributed_c10d._get_default_store(), []
    errors.leave = partial(_leave, store, rank(), signals, PATIENCE_AFTER_ERROR)
    try:
        yield
        errors.leave = partial(_leave, store, rank(), signals, PATIENCE)
        distributed.destroy_process_group()
    except UserError as error:
        with suppress(RuntimeError):             # the store is gone: reporting twice is better than never
            error.reported = store.add(f"reported {error}", 1) > 1
        raise
    except RuntimeError as error:                # gloo raises this, mostly because another process has closed its connection
        if not isinstance(error, distributed.DistError) and "gloo" not in str(error):
            raise
        raise FailedRun("another process of this job is gone; --resume goes on from the newest snapshot "
                        f"({_first_line(error)})") from None
    finally:                                     # from here on, a signal must not change the exit status
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, _: signals.append(number))


def _leave(store, own_rank, signals, patience, status):
    """End this process of a job, once rank zero has written everything.

    `torchrun` ends all processes as soon as one of them fails, so rank zero goes first. The interpreter's own end is left out
    after the exit functions, because torch's libraries may abort in it while one of their threads runs.

    Args:
        signals: a list to which the signal handler appends. A signal ends the waiting.
        patience: how long to wait for rank zero, a timedelta.
    """
    atexit._run_exitfuncs()                      # closes log files and ends the processes that load data
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):          # a stream that cannot be written, or there is none
            stream.flush()
    with suppress(RuntimeError):                 # the store is gone, and rank zero with it
        if own_rank == 0:
            store.set(WRITTEN, "")
        end = time.monotonic() + patience.total_seconds()
        while not signals and time.monotonic() < end and not store.check([WRITTEN]):
            time.sleep(0.02)
    os._exit(status or 0)


def _first_line(error):
    return str(error).strip().partition("\n")[0]


def world_size():
    """The number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank():
    """The number of this process, counted from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_rank_zero():
    """Whether this process is rank zero, the only one that writes files, draws and prints."""
    return rank() == 0


def local_device():
    """The CUDA device of this process: the one of its local rank, or the only one that CUDA_VISIBLE_DEVICES shows it."""
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) if torch.cuda.device_count() != 1 else 0)


def shard(batch_size):
    """The slice of a batch on which this process works."""
    own = batch_size // world_size()
    return slice(rank() * own, (rank() + 1) * own)


def all_reduce_max(number):
    """The largest of the integers that the processes pass in."""
    if world_size() == 1:
        return number
    value = torch.tensor(number)
    distributed.all_reduce(value, distributed.ReduceOp.MAX)
    return int(value)


def all_reduce_mean(values):
    """The means of a list of 0-dim tensors over the processes, a list of floats."""
    total = torch.stack([value.detach().float() for value in values]).cpu()
    if world_size() > 1:
        distributed.all_reduce(total)
    return (total / world_size()).tolist()


def ddp(module):
    """Wrap `module`, so that a backward pass through its call averages the gradients of all processes."""
    if world_size() == 1:
        return module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")          # torch 2.14 deprecates broadcast_buffers, older versions know no other name
        # The buffers are the batch norms' running statistics. Training does not read them, and rank zero's are saved.
        return DistributedDataParallel(module, broadcast_buffers=False, gradient_as_bucket_view=True)


def rank_zero_first(work):
    """Call `work()` in rank zero, then in the other processes, which find what rank zero has made."""
    for turn in (True, False):
        if is_rank_zero() == turn:
            work()
        if world_size() > 1:
            distributed.barrier()
