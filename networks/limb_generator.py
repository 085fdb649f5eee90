"""The generator `limb_warp`, which blends the source picture, its moved limbs, a background plate and painted colours.

    picture = sum_k w_k layer_k,     w = softmax_k (logit_k + prior_k)

over the layers source, plate, colours and the K limbs (limb_warp). The prior of a limb is `sharpness_k * -(distance / radius)^2`,
with the distance of a pixel from the limb in the target pose. A U-Net gives the logits, small shifts of each limb's pixels and
the colours. So it is learned which limb is in front. The U-Net works at `size` pixels, whatever the size of the picture. Layers
are warped at the picture's own resolution, and the logits, which are smooth, are scaled up to it: details come from the source.

    gate = 1 - exp(-(largest distance that a joint moves / STILL)^2)

scales the shifts and the unnormalised weights of plate and colours. If no joint moves, the result is the source, up to rounding.

Sources: Balakrishnan et al., Synthesizing Images of Humans in Unseen Poses, CVPR 2018 (limb layers, background plate, soft
masks); Siarohin et al., Deformable GANs for Pose-based Human Image Generation, CVPR 2018 (similarities of limbs);
Ronneberger et al., U-Net, 2015; Telea, An Image Inpainting Technique Based on the Fast Marching Method, 2004 (plate).

Axes: as in limb_warp; L = 3 + K layers, s = `size`.
"""
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from networks.body_parts import picture_points
from networks.cutout_parts import resize
from networks.interfaces import Generator
from networks.limb_warp import PARTS, nearness, similarities, torso_length, warp
from networks.unet import UNetBlock, norm
from utils.errors import UserError

K = len(PARTS)
PLATE, COLOURS, LIMBS = 1, 2, 3  # the layers before the limbs are source, plate and colours
ENDS, BEFORE_ENDS = [5, 6, 11, 12], [3, 4, 9, 10]             # wrists and ankles; elbows and knees
STILL = 0.02                   # normalised; joints that move less count as not moving
SHIFT = 0.25                   # how far a limb's pixels may be shifted, normalised
FAINTEST = 1e-12               # is added to the gate before its logarithm is taken
PLATE_SIZE = 128               # pixels of the picture that is inpainted
PLATE_REACH = 0.9              # distance from a part, in its radii, up to which the plate is filled in
BEYOND = 0.35                  # share by which the plate lengthens forearms and shins: hands and feet have no joints
PLATE_RADIUS = 3               # radius of Telea's method in pixels
OUT_OF_REACH = -3.0            # lower bound of a limb's prior, before the sharpness
FAINT = 1 / 4096               # limbs of smaller weight are not painted
ABSENT = -100.0                # logit of a layer that is switched off; finite, so that it can be interpolated


class Prepared(NamedTuple):
    """What is computed once per source, for all its target poses."""

    source: torch.Tensor       # (B, 3, P, P)
    plate: torch.Tensor        # (B, 3, P, P)
    small: torch.Tensor        # (B, 3, s, s) the source at the network's size
    small_plate: torch.Tensor  # (B, 3, s, s)
    pose: torch.Tensor         # (B, J, 2)


def background_plate(source, pose):
    """The source picture without its person: what is near a part is filled in from its surroundings (Telea's inpainting).

    Args:
        source: (B, 3, P, P) in [-1, 1].
        pose: (B, J, 2).
    Returns:
        (B, 3, P, P), equal to the source away from the person. Without gradient.
    """
    with torch.no_grad():
        side, whole = min(PLATE_SIZE, source.shape[-1]), pose.clone()
        whole[:, ENDS] += BEYOND * (pose[:, ENDS] - pose[:, BEFORE_ENDS])
        person = nearness(whole, torso_length(pose), (side, side)).amax(1) > -PLATE_REACH ** 2           # (B, side, side)
        small = ((resize(source, (side, side)) + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1)  # (B, side, side, 3)
        filled = np.stack([cv2.inpaint(picture, hole, PLATE_RADIUS, cv2.INPAINT_TELEA) if not hole.all() else picture
                           for picture, hole in zip(small.cpu().contiguous().numpy(), person.byte().cpu().numpy())])
        filled = torch.from_numpy(filled).movedim(-1, 1).to(source) / 127.5 - 1                           # (B, 3, side, side)
        hole = resize(person[:, None].to(source), source.shape[-2:])                                      # (B, 1, P, P)
        return torch.lerp(source, resize(filled, source.shape[-2:]), hole)


def blend(still, moved, weights):
    """The sum (B, 3, H, W) of layers (B, 3, LIMBS, H, W) and (B, 3, K, H, W) with weights (B, L, H, W)."""
    still_weights, limb_weights = weights[:, None].split((LIMBS, K), 2)
    return (still * still_weights).sum(2) + (moved * limb_weights).sum(2)


class LimbWarpGenerator(Generator):
    """Moves the limbs of a source picture to a target pose.

    Args:
        num_actions: C; the action scales and shifts the U-Net's innermost features.
        size: s, side of the U-Net's input in pixels, divisible by 8.
        widths: of the U-Net at s, s/2, s/4 and s/8, multiples of 8.
        plate, colours, limbs: whether these layers are used.
    Raises:
        UserError: a size or widths that are not such multiples.
    """

    any_size = tells_colours = True
    outer = ("stem", "action", "shift", "blend")
    plate = staticmethod(background_plate)

    def __init__(self, num_actions=9, size=64, widths=(32, 64, 128, 160), plate=True, colours=True, limbs=True):
        super().__init__()
        if size % 8 or size < 16:
            raise UserError(f"generator.size {size} must be a multiple of 8 from 16 on: the generator halves it three times")
        if len(widths) != 4 or any(width % 8 or width < 8 for width in widths):
            raise UserError(f"generator.widths {list(widths)} must be four multiples of 8")
        self.size = size
        self.register_buffer("used", torch.tensor([True, plate, colours] + [limbs] * K), persistent=False)
        inputs = 3 + 3 + K * 3 + K + K + 1                    # source, plate, limbs, places of parts in both poses, gate
        levels = list(zip(widths, widths[1:]))
        self.stem = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Sequential(nn.Conv2d(narrow, wide, 3, stride=2, padding=1), UNetBlock(wide))
                                  for narrow, wide in levels)
        self.middle = UNetBlock(widths[-1])
        self.action = nn.Embedding(num_actions, 2 * widths[-1])                # gains - 1, then shifts
        self.lift = nn.ModuleList(nn.Conv2d(wide, narrow, 1) for narrow, wide in levels)
        self.up = nn.ModuleList(UNetBlock(narrow) for narrow, _ in levels)
        self.shift = nn.Sequential(norm(widths[1]), nn.SiLU(), nn.Conv2d(widths[1], 2 * K, 3, padding=1))
        self.blend = nn.Sequential(norm(widths[0]), nn.SiLU(), nn.Conv2d(widths[0], LIMBS + K + 3, 3, padding=1))
        self.sharpness = nn.Parameter(torch.ones(K))
        self.bias = nn.Parameter(torch.tensor([0.0, -1, -1] + [1.5] * K))
        nn.init.zeros_(self.action.weight)
        for head in (self.shift[-1], self.blend[-1]):
            nn.init.normal_(head.weight, 0, 1e-3)
            nn.init.zeros_(head.bias)

    def unet(self, x, action):
        """x (B, inputs, s, s), action (B,) -> logits (B, L, s, s), colours (B, 3, s, s) and shifts (B, 2K, s/2, s/2)."""
        dtype, x = x.dtype, self.stem(x.contiguous(memory_format=torch.channels_last))
        skips = [x]
        for down in self.down:
            x = down(x)
            skips.append(x)
        gain, shift = self.action(action).to(x.dtype)[:, :, None, None].chunk(2, 1)          # (B, widths[-1], 1, 1) each
        x = self.middle(x * (1 + gain) + shift)                                              # (B, widths[-1], s/8, s/8)
        for level in range(len(self.up) - 1, -1, -1):
            x = self.up[level](skips[level] + F.interpolate(self.lift[level](x), scale_factor=2.0, mode="nearest"))
            if level == 1:
                shifts = self.shift(x)                                                       # (B, 2K, s/2, s/2)
        logits, colours = self.blend(x).to(dtype).split((LIMBS + K, 3), 1)                   # (B, L | 3, s, s)
        return logits, colours, shifts.to(dtype)

    def prepare(self, source, pose, plate=None):
        """See :class:`networks.interfaces.Generator`; `plate` (B, 3, P, P) is the result of :func:`background_plate`, or None to
        compute it."""
        if plate is None:
            plate = background_plate(source, pose) if self.used[1] else source
        size = (self.size, self.size)
        return Prepared(source, plate, resize(source, size), resize(plate, size), pose)

    def blend_weights(self, prepared, target_pose, action):
        """Run the U-Net, at its own size.

        Returns:
            logits (B, L, s, s), which include the priors, colours (B, 3, s, s), shifts (B, 2K, s, s) and the parts'
            transforms (B, K, 2, 3).
        """
        pose, size = prepared.pose, (self.size, self.size)
        transforms, scale = similarities(pose, target_pose), torso_length(pose, target_pose)
        way = torch.where((pose + target_pose).isfinite(), target_pose - pose, 0).square().sum(-1).amax(1)      # (B,)
        gate = (1 - torch.exp(-way / STILL ** 2))[:, None, None, None]                                          # (B, 1, 1, 1)
        layers = warp(prepared.small, transforms, size)                                                         # (B, 3, K, s, s)
        if not self.used[LIMBS]:
            layers = torch.zeros_like(layers)
        here, there = (nearness(which, scale, size) for which in (pose, target_pose))                           # (B, K, s, s)
        told = torch.cat([prepared.small, prepared.small_plate, layers.flatten(1, 2), here.exp(), there.exp(),
                          gate.expand(-1, 1, *size)], 1)                                                        # (B, inputs, ..)
        logits, colours, shifts = self.unet(told, action)
        still, limbs = (logits + self.bias[:, None, None]).split((LIMBS, K), 1)                                 # (B, 3 | K, s, s)
        moving = torch.cat([torch.ones_like(gate), gate, gate], 1)                                              # (B, 3, 1, 1)
        limbs = limbs + F.softplus(self.sharpness)[:, None, None] * there.clamp(min=OUT_OF_REACH)               # (B, K, s, s)
        logits = torch.cat([still + torch.log(moving + FAINTEST), limbs], 1)                                    # (B, L, s, s)
        logits = logits.masked_fill(~self.used[:, None, None], ABSENT)
        return logits, torch.tanh(colours), resize(SHIFT * gate * torch.tanh(shifts), size), transforms

    def layers(self, prepared, target_pose, action, size=None):
        """All layers and their weights.

        Returns:
            source, plate and colours (B, 3, 3, size, size), the moved limbs (B, 3, K, size, size), and the weights of all
            (B, L, size, size), whose sum over L is 1.
        """
        size = (size or prepared.source.shape[-1],) * 2
        logits, colours, shifts, transforms = self.blend_weights(prepared, target_pose, action)
        shifts = resize(shifts, size).unflatten(1, (K, 2)).movedim(2, -1)                                       # (B, K, H, W, 2)
        still = torch.stack([resize(layer, size) for layer in (prepared.source, prepared.plate, colours)], 2)   # (B, 3, 3, H, W)
        return still, warp(prepared.source, transforms, size, shifts), resize(logits, size).softmax(1)

    @torch.no_grad()
    def paint(self, prepared, target_pose, action, size=None):
        """See :class:`networks.interfaces.Generator`. The weighted sum of :meth:`layers`, but each limb is warped only where its
        weight is above `FAINT`. The difference is less than one level of 8-bit pictures."""
        size = (size or prepared.source.shape[-1],) * 2
        logits, colours, shifts, transforms = self.blend_weights(prepared, target_pose, action)
        weights, shifts = resize(logits, size).softmax(1), resize(shifts, size)                  # (B, L | 2K, H, W)
        source = resize(prepared.source, size)
        painted = source.clone()
        for number, layer in ((PLATE, prepared.plate), (COLOURS, colours)):
            painted += weights[:, number:number + 1] * (resize(layer, size) - source)
        points = F.pad(picture_points(size, source), (0, 1), value=1)                            # (H, W, 3) x, y, 1
        seen = weights[:, LIMBS:].amax(0) > FAINT                                                # (K, H, W)
        for part in range(K):
            rows, columns = (seen[part].any(axis).nonzero().flatten() for axis in (1, 0))
            if not len(rows):
                continue
            box = ..., slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
            grid = points[box[1:]] @ transforms[:, None, part].mT + shifts[:, 2 * part:2 * part + 2][box].movedim(1, -1)
            limb = F.grid_sample(prepared.source, grid, padding_mode="border", align_corners=False)           # (B, 3, h, w)
            painted[box] += weights[:, LIMBS + part:LIMBS + part + 1][box] * (limb - source[box])
        return painted

    def forward(self, source, source_pose, target_pose, action, plate=None, tell_colours=False):
        """See :class:`networks.interfaces.Generator`.

        Args:
            plate: (B, 3, P, P), the result of :func:`background_plate` for these sources, or None to compute it.
            tell_colours: whether the weight of the colours (B, 1, P, P) is returned as well.
        """
        still, moved, weights = self.layers(self.prepare(source, source_pose, plate), target_pose, action)
        painted = blend(still, moved, weights)
        return (painted, weights[:, COLOURS:COLOURS + 1]) if tell_colours else painted
