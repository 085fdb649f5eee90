"""A discriminator that judges patches of a cut-out person, given the source's person and the silhouette.

Sources: Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017 (patches and
condition); Miyato, Kataoka, Koyama, Yoshida: Spectral Normalization for Generative Adversarial Networks, ICLR 2018 (and the
hinge loss).
"""
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from networks.interfaces import Discriminator
from networks.layers import at_least_float32
from utils.errors import UserError

HALVINGS = 3


class PatchDiscriminator(Discriminator):
    """Four convolutions with spectral norm, three of which halve the side; each value of the map judges 30 x 30 pixels.

    Args:
        width: after the first convolution; doubled by each of the next two.
        start_iter, ramp_iter: see :meth:`weight`.
        lr_factor, beta1: of its optimizer, see :class:`networks.interfaces.Discriminator`.
    """

    judges_person = True

    def __init__(self, width=32, start_iter=0, ramp_iter=150, lr_factor=0.3, beta1=0.5):
        super().__init__()
        self.start_iter, self.ramp_iter, self.lr_factor, self.beta1 = start_iter, ramp_iter, lr_factor, beta1
        widths = (3 + 3 + 1, width, 2 * width, 4 * width)                          # picture, source's person, silhouette
        self.body = nn.ModuleList(spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1))
                                  for inputs, outputs in zip(widths, widths[1:]))
        self.head = spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def check_size(self, size):
        if size < 2 ** HALVINGS:
            raise UserError(f"imsize {size} is too small for the discriminator, which halves it {HALVINGS} times; "
                            f"use {2 ** HALVINGS} or more")

    def weight(self, iteration):
        """Factor of its losses for the generator: 0 before `start_iter`, then it rises to 1 within `ramp_iter` iterations."""
        if iteration < self.start_iter:
            return 0.0
        return min(1.0, (iteration + 1 - self.start_iter) / (self.ramp_iter + 1))

    def forward(self, image, condition, judge=True):
        """Judge pictures, see :class:`networks.interfaces.Discriminator`.

        Returns:
            the map (B, 1, S/8, S/8), above 0 for real pictures; and the list of features
            [(B, width, S/2, S/2), (B, 2 width, S/4, S/4), (B, 4 width, S/8, S/8)].
        """
        x, features = torch.cat([image, condition], 1), []
        for layer in self.body:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return (self.head(x) if judge else None), features

    @staticmethod
    def loss(judged_fake, judged_real):
        """Hinge loss."""
        return F.relu(1 + at_least_float32(judged_fake)).mean() + F.relu(1 - at_least_float32(judged_real)).mean()

    @staticmethod
    def generator_loss(judged_fake):
        """The generator's adversarial loss; it may be negative."""
        return -at_least_float32(judged_fake).mean()
