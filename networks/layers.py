"""Layers and numerics that several networks share."""
from contextlib import contextmanager

import torch
from torch import nn


def reflect_conv(inputs, outputs, kernel, bias=True):
    """Convolution that keeps the side, its border reflected: a list of two layers."""
    return [nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, bias=bias)]


def norm_relu(width):
    """Batch norm and ReLU: a list of two layers. In place: a norm's backward does not read its output."""
    return [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]


def init_published(module):
    """Published initial weights (published system, "P2I"), for `nn.Module.apply`."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1, 0.02)
        nn.init.zeros_(module.bias)


def at_least_float32(x):
    """Losses add up many small numbers: never in half precision, but in float64 where the networks run in it."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


@contextmanager
def evaluating(network):
    """A network in eval mode, its batch norms' running statistics without their bias, for the time of a `with` block.

    Running statistics start at mean 0 and variance 1, of which (1 - momentum)^n is left after n batches: with the published
    momentum of 0.001 a run of a few hundred iterations would be painted with statistics that it never had. Taken out as Adam
    does it (Kingma and Ba 2015, section 3), they are the average over the run so far; training and files are as they were.
    """
    training, kept = network.training, []
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.track_running_stats:
            start = (1 - layer.momentum) ** int(layer.num_batches_tracked)         # what is left of the initial values
            if 1e-6 < start < 1:
                kept.append((layer, layer.running_mean.clone(), layer.running_var.clone()))
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
