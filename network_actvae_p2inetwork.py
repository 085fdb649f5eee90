"""The registry of discriminators, the published one, and the losses of the pose-to-image module (published system, "P2I").

`config.discriminator.kind` names one of `DISCRIMINATORS`. A kind is added as a generator is, see :mod:`model_variants`. A loss is
added here as a function; it gets a weight in `ImageLossConfig` (utils/schema.py) and a line in
`trainer_actvae_p2inetwork.Trainer`.

Axes: B batch, J = 13 joints, S picture side.
"""
import torch
import torch.nn.functional as F
from torch import nn

from networks.body_parts import ARMS, distances, torso_length
from networks.interfaces import Discriminator
from networks.layers import at_least_float32, init_published, norm_relu, reflect_conv
from networks.patch_discriminator import PatchDiscriminator
from utils.errors import UserError

MISSED = 0.2                   # weight, in the person's loss, of pixels of the mask outside the rendered silhouette
CROSS_ENTROPY = 0.15           # weight of the silhouette's cross entropy beside its L1 distance


class ResidualBlock(nn.Module):
    """Residual block of two convolutions: (B, width, s, s) -> (B, width, s, s)."""

    def __init__(self, width):
        super().__init__()
        self.conv_block = nn.Sequential(*reflect_conv(width, width, 3, bias=False), *norm_relu(width),
                                        *reflect_conv(width, width, 3, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        return x + self.conv_block(x)


class PoseDiscriminator(Discriminator):
    """The published discriminator: judges whether a picture shows a real person in a given pose.

    It always runs in train mode, so its batch norms use the statistics of the batch and their running statistics have no effect.
    These cover fewer passes than in the published system, which made more for the same losses (defect D6).

    Args:
        num_joints: J.
        ndf: width after the first convolution; doubled by every downsampling.
        n_blocks: residual blocks.
        n_downsampling: halvings of the side, and features.
    """

    def __init__(self, num_joints=13, ndf=64, n_blocks=3, n_downsampling=3):
        super().__init__()
        self.model1 = nn.Sequential(*reflect_conv(3 + num_joints, ndf, 7, bias=False), *norm_relu(ndf))
        for level in range(n_downsampling):
            inputs, outputs = ndf * 2 ** level, ndf * 2 ** (level + 1)
            setattr(self, f"model{level + 2}", nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), *norm_relu(outputs)))
        self.model_res = nn.Sequential(*(ResidualBlock(ndf * 2 ** n_downsampling) for _ in range(n_blocks)))
        self.n_downsampling = n_downsampling
        self.apply(init_published)

    def check_size(self, size):
        smallest = 2 ** (self.n_downsampling + 1)
        if size < smallest:
            raise UserError(f"imsize {size} is too small for the discriminator, which halves it {self.n_downsampling} times; "
                            f"use {smallest} or more")

    def forward(self, image, pose_maps, judge=True):
        """Judge pictures (B, 3, S, S) with heatmaps (B, J, S, S), see :class:`networks.interfaces.Discriminator`.

        Returns:
            the map (B, 512, S/8, S/8), near 1 for real pictures, or None without `judge`; and the list of features
            [(B, 128, S/2, S/2), (B, 256, S/4, S/4), (B, 512, S/8, S/8)].
        """
        x = self.model1(torch.cat([image, pose_maps], 1))
        features = []
        for level in range(self.n_downsampling):
            x = getattr(self, f"model{level + 2}")(x)
            features.append(x)
        return (self.model_res(x) if judge else None), features

    @staticmethod
    def loss(judged_fake, judged_real):
        """Least-squares loss: mean squared distance of the map from 0 for rendered and from 1 for real pictures."""
        return at_least_float32(judged_fake).square().mean() + (at_least_float32(judged_real) - 1).square().mean()

    @staticmethod
    def generator_loss(judged_fake):
        """The generator's adversarial loss."""
        return (at_least_float32(judged_fake) - 1).square().mean()


DISCRIMINATORS = {"pose": PoseDiscriminator, "patch": PatchDiscriminator}


def build_discriminator(settings):
    """The discriminator that the block `discriminator` of a configuration describes."""
    return DISCRIMINATORS[settings.kind](**settings.network())


# ---- losses: of rendered and real pictures (B, 3, S, S), 0-dim ----

def weighted_l1(fake, real, weights=1):
    """Mean L1 distance with weights (B, 1, S, S) of the pixels."""
    return (weights * (at_least_float32(fake) - real).abs()).mean()


def gradient_loss(fake, real):
    """L1 distance of the horizontal and vertical differences of neighbouring pixels."""
    fake = at_least_float32(fake)
    return sum((fake.diff(dim=axis) - real.diff(dim=axis)).abs().mean() for axis in (-1, -2))


def ssim_loss(fake, real):
    """1 - SSIM over all windows of 7 x 7 pixels (Wang et al., 2004); pictures in [-1, 1]."""
    def mean(x):
        return F.avg_pool2d(F.avg_pool2d(x, (7, 1), 1), (1, 7), 1)                       # (B, 3, S - 6, S - 6)

    fake, real = at_least_float32(fake), at_least_float32(real)
    mean_fake, mean_real = mean(fake), mean(real)
    var_fake, var_real = mean(fake * fake) - mean_fake ** 2, mean(real * real) - mean_real ** 2
    covariance = mean(fake * real) - mean_fake * mean_real
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2                                             # of a range of 2
    similar = ((2 * mean_fake * mean_real + c1) * (2 * covariance + c2)
               / ((mean_fake ** 2 + mean_real ** 2 + c1) * (var_fake + var_real + c2)))
    return 1 - similar.mean()


def energy_loss(fake, real):
    """L1 distance of the local gradient energies (9 x 9 pixels): penalises blur, but not detail that is slightly off."""
    def energy(x):
        squares = F.pad(x.diff(dim=-1).square(), (0, 1)) + F.pad(x.diff(dim=-2).square(), (0, 0, 0, 1))
        return (F.avg_pool2d(squares.mean(1, keepdim=True), 9, 1, 4) + 1e-4).sqrt()      # no infinite derivative in flat areas

    return (energy(at_least_float32(fake)) - energy(at_least_float32(real))).abs().mean()


def feature_loss(fake_features, real_features):
    """Sum of the mean L1 distances of the discriminator's features."""
    return sum((at_least_float32(fake) - real).abs().mean() for fake, real in zip(fake_features, real_features))


def person_loss(person, real, mask, silhouette):
    """L1 distance of a cut-out person's colours from a picture, inside the person's mask.

    Pixels outside the silhouette hardly count. The silhouette must be detached: otherwise a network that is unsure of a colour
    would make the person transparent.

    Args:
        person, real: (B, 3, S, S).
        mask: (B, 1, S, S) in [0, 1] of the person in `real`.
        silhouette: (B, 1, S, S), detached.
    """
    weights = mask * (MISSED + (1 - MISSED) * at_least_float32(silhouette))
    return (weights * (at_least_float32(person) - real).abs()).sum() / (3 * weights.sum()).clamp(min=1)


def silhouette_loss(silhouette, mask, weights):
    """Distance of a silhouette from the person's mask: L1, relative to the mask's area, and cross entropy near either of them.

    Args:
        silhouette, mask: (B, 1, S, S) in [0, 1].
        weights: (B, 1, S, S) of the pixels, see :func:`arm_weights`.
    """
    silhouette = at_least_float32(silhouette)
    near = F.max_pool2d(torch.maximum(mask, silhouette.detach()), 9, 1, 4)
    entropy = F.binary_cross_entropy(silhouette.clamp(1e-3, 1 - 1e-3), mask, reduction="none")
    return ((weights * (silhouette - mask).abs()).sum() / (weights * mask).sum().clamp(min=1)
            + CROSS_ENTROPY * (weights * near * entropy).sum() / near.sum().clamp(min=1))


@torch.no_grad()
def arm_weights(pose, size, extra):
    """Weights (B, 1, size, size) of pixels, from `1 + extra` on the arms of poses (B, J, 2) to 1 away from them."""
    near = distances(pose, torso_length(pose), (size, size))[:, ARMS].amin(1, keepdim=True)            # squared radii
    return 1 + extra * torch.exp(-near)
