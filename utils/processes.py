"""Distributed training: several processes started by `torchrun`; one alone gets by without any of it.

Every process holds the same weights, the same random state and its share of each batch. Gradients are averaged by
DistributedDataParallel (DDP); what the processes have to agree on besides goes over gloo, on the CPU.
"""
import os
import warnings
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from utils.errors import FailedRun, UserError

PATIENCE = timedelta(hours=1)         # the others wait while the first process measures, draws and saves


@contextmanager
def job():
    """Join the process group that `torchrun` started, if it did, for the time of a `with` block.

    Raises:
        FailedRun: another process of the job is gone.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    try:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"WORLD_SIZE is set, but there is no job to join ({_first_line(error)}); start with torchrun") from None
    try:
        yield
    except UserError as error:
        error.told = _told_elsewhere(str(error))
        raise
    except RuntimeError as error:                   # whatever the transport says, mostly that the other end has closed
        if not isinstance(error, distributed.DistError) and "gloo" not in str(error):
            raise
        raise FailedRun("another process of this job is gone; --resume goes on from the newest snapshot "
                        f"({_first_line(error)})") from None
    distributed.destroy_process_group()


def _told_elsewhere(message):
    """Whether another process of this job came first with this message."""
    try:
        return distributed.distributed_c10d._get_default_store().add(f"told {message}", 1) > 1
    except Exception:                               # whatever the transport says; better twice than never
        return False


def _first_line(error):
    return str(error).strip().partition("\n")[0]


def world_size():
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank():
    """Number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_rank_zero():
    """Whether this is rank zero, which writes, draws and talks."""
    return rank() == 0


def local_device():
    """This process's own CUDA device."""
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))


def shard(batch_size):
    """The slice of a batch that this process works on."""
    own = batch_size // world_size()
    return slice(rank() * own, (rank() + 1) * own)


def all_reduce_max(number):
    """The greatest of the processes' integers, at every process."""
    if world_size() == 1:
        return number
    value = torch.tensor(number)
    distributed.all_reduce(value, distributed.ReduceOp.MAX)
    return int(value)


def all_reduce_mean(values):
    """The mean over the processes of a list of 0-dim tensors; a list of floats."""
    total = torch.stack([value.detach().float() for value in values]).cpu()
    if world_size() > 1:
        distributed.all_reduce(total)
    return (total / world_size()).tolist()


def ddp(module):
    """`module` so that a backward pass through its call averages the gradients of all processes."""
    if world_size() == 1:
        return module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")             # torch 2.14 deprecates broadcast_buffers; older ones know no other name
        # buffers are the batch norms' running statistics, which training does not read: those of rank zero count
        return DistributedDataParallel(module, broadcast_buffers=False, gradient_as_bucket_view=True)


def rank_zero_first(work):
    """Do `work()` in rank zero and then in the others: what the first one made, they find."""
    for turn in (True, False):
        if is_rank_zero() == turn:
            work()
        if world_size() > 1:
            distributed.barrier()
