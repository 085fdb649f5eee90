"""Layers and numerics shared by several networks."""
from contextlib import contextmanager
from functools import cache

import torch
from torch import nn


def reflect_conv(inputs, outputs, kernel, bias=True):
    """A list of two layers: reflection padding and a convolution, which keep the side."""
    return [nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, bias=bias)]


def norm_relu(width):
    """A list of two layers: batch norm and ReLU, in place because the norm's backward does not need its output."""
    return [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]


def init_published(module):
    """Draw the published initial weights, for `nn.Module.apply`."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1, 0.02)
        nn.init.zeros_(module.bias)


def at_least_float32(x):
    """`x` in float32, or in float64 if it is that already: losses are not computed in half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


@cache
def constant(values, device, dtype=None):
    """A tuple of numbers as a tensor that is made once for each device; copying it there anew would wait for the device."""
    return torch.tensor(values, device=device, dtype=dtype)


@contextmanager
def evaluating(network):
    """A context in which a network is in eval mode, without the bias of its batch norms' initial running statistics.

    The initial mean 0 and variance 1 have the weight (1 - momentum)^n after n batches. With the published momentum of 0.001 they
    would dominate in a run of a few hundred iterations. They are removed as in Adam (Kingma and Ba 2015, section 3), and put back
    afterwards.
    """
    training, kept = network.training, []
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.track_running_stats:
            kept.append((layer, layer.running_mean.clone(), layer.running_var.clone()))
            start = (1 - layer.momentum) ** layer.num_batches_tracked.to(layer.running_mean)   # weight of the initial values
            start = start * (start < 1)                                            # before the first batch there is nothing else
            layer.running_mean.div_(1 - start)
            layer.running_var.sub_(start).div_(1 - start)
    network.eval()
    try:
        yield network
    finally:
        network.train(training)
        for layer, mean, variance in kept:
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(variance)


@contextmanager
def without_gradient(module):
    """Freeze the weights of a module within a `with` block; gradients still flow through it."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
