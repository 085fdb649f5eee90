"""Layers and numerics that several networks share."""
from contextlib import contextmanager

import torch
from torch import nn


def reflect_conv(inputs, outputs, kernel, bias=True):
    """A convolution that keeps the side, with reflection padding: a list of two layers."""
    return [nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, bias=bias)]


def norm_relu(width):
    """Batch norm and ReLU: a list of two layers. The ReLU works in place, because a norm's backward does not need its output."""
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
    """A tensor in float32, or in float64 if it is that already: losses are not computed in half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


@contextmanager
def evaluating(network):
    """A context in which a network is in eval mode, with the bias of its batch norms' running statistics removed.

    Running statistics start at mean 0 and variance 1, and after n batches these still have the weight (1 - momentum)^n. With the
    published momentum of 0.001 they would dominate in a run of a few hundred iterations. They are removed as in Adam (Kingma and
    Ba 2015, section 3), so what is left is the average over the run. Training and saved weights are not affected.
    """
    training, kept = network.training, []
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.track_running_stats:
            start = (1 - layer.momentum) ** int(layer.num_batches_tracked)         # weight of the initial values
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
