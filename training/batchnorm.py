"""Batch norm over the batches of all processes."""
import torch
from torch import nn
from torch.distributed.nn.functional import all_reduce

from utils import processes


class SyncBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with the training statistics of the examples of all processes; torch's own version needs GPUs."""

    def forward(self, x):
        if not self.training or processes.world_size() == 1:
            return super().forward(x)
        shape = (1, -1, 1, 1)
        count = x.numel() // x.shape[1] * processes.world_size()
        with torch.autocast(x.device.type, enabled=False):
            wide = x.to(torch.promote_types(x.dtype, torch.float32))
            mean = all_reduce(wide.sum((0, 2, 3))) / count                                      # (width,)
            centred = wide - mean.view(shape)
            variance = all_reduce(centred.square().sum((0, 2, 3))) / count
            y = centred * (variance + self.eps).rsqrt().view(shape)
            if self.affine:
                y = y * self.weight.view(shape) + self.bias.view(shape)
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
                self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), self.momentum)
        return y.to(x.dtype)


def synchronise(module):
    """Turn every batch norm of `module` into one over all processes, in place."""
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = SyncBatchNorm2d                  # the same parameters and buffers under the same names
