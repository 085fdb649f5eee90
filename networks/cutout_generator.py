"""A generator that cuts the person out and moves ten body parts in front of an inpainted background.

Once per photo, the network `part_segmentation` sees picture, mask and pose and predicts which part each pixel of the person
belongs to. Where a part is hidden, its colours are filled in from its own visible pixels. The core of an arm is always opaque,
even where the network does not recognise it, for example over a shirt of the same colour. For each target pose the parts are
moved (networks.body_parts). The network `compositing` sees the moved parts and predicts their depth order, small shifts of their
pixels, a limited correction of the colours, and a correction of the silhouette S near its edge:

    picture = S * person + (1 - S) * background
    person = sum_k w_k colour_k / sum_k w_k,     w_k = (alpha_k^4 + floor_k) * exp(order_k)

Nothing shines through inside the silhouette, and outside of it the photo's person is never visible. The result is blended with
the photo by

    gate = max_k near_k * (1 - exp(-(d_k / STILL)^2)),     d_k = largest displacement of a joint of part k,

where near_k is 1 in and around part k in either pose. So the photo stays where nothing moves, and its own pose returns it
exactly.

The networks work at `size` pixels; layers, mask and background keep the photo's resolution. Training and inference render alike;
only inference sharpens the person.

Sources: Balakrishnan et al., Synthesizing Images of Humans in Unseen Poses, CVPR 2018 (moved layers, background, masks);
Ronneberger et al., U-Net, 2015.

Axes: as in networks.body_parts; s = `size`.
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from networks.background import inpaint_background, pose_mask
from networks.body_parts import NAMES, K, column, distances, move_parts, movement, part_maps, torso_length
from networks.cutout_parts import BODY, NOTHING, assign_far_pixels, assign_held, box_blur, part_colours, part_weight, resize
from networks.fast_compositing import FastCompositor
from networks.interfaces import Generator
from networks.unet import UNet
from utils.errors import UserError

STILL = 0.02                   # normalised; a person whose joints move less does not move
POSE_ERROR = 0.03              # normalised; shorter displacements are reduced, because they are mostly errors of the pose
THIN = 0.3                     # a part that covers this fraction of a low-resolution cell marks the whole cell as changed
AROUND = 2                     # low-resolution cells; the photo changes this far around a moving part
SHIFT = 0.15                   # normalised; limit of the predicted shifts
RESIDUAL = 0.4                 # limit of the predicted colour correction, of [-1, 1]
BAND = 0.24                    # of the torso's length; the silhouette may be corrected this far from its edge
CORE = 0.4                     # squared radii; an arm is opaque this far from its middle
FLOOR = 1e-3                   # weight of a part where it has no pixels, so that every pixel of the silhouette has a colour
SURE = 4.0                     # logit of the silhouette where the moved mask is 1; -SURE where it is 0


class Prepared(NamedTuple):
    """What is computed once per source."""

    source: torch.Tensor       # (B, 3, P, P)
    background: torch.Tensor   # (B, 3, P, P)
    layers: torch.Tensor       # (B, K, 4, P, P) completed colours and alpha of each part
    small: torch.Tensor        # (B, K, 4, s, s) the same at the networks' resolution
    pose: torch.Tensor         # (B, J, 2)


class Composition(NamedTuple):
    """What `compositing` predicts for a target pose, at the networks' resolution."""

    order: torch.Tensor        # (B, K, s, s) logarithmic depth order; higher is in front
    colours: torch.Tensor      # (B, 3, s, s) added to the person's colours
    edge: torch.Tensor         # (B, 1, s, s) added to the silhouette's logit
    band: torch.Tensor         # (B, 1, s, s) 1 where the silhouette may be corrected
    shifts: torch.Tensor       # (B, K, 2, s, s) of each part's pixels, normalised
    floor: torch.Tensor        # (B, K, s, s) weight of each part where it has no pixels
    maps: torch.Tensor         # (B, K, 2, 3) of the parts
    gate: torch.Tensor         # (B, 1, s, s) 0 where the photo stays


def shared(prepared, target_pose):
    """A single source, prepared once, for all target poses (T, J, 2); several sources are returned as they are."""
    return Prepared(*(value.expand(len(target_pose), *value.shape[1:]) if len(value) == 1 else value for value in prepared))


def sharpen(picture, silhouette, amount):
    """Unsharp masking of a person's colours (B, 3, h, w) inside the silhouette (B, 1, h, w), with means of 3 x 3 pixels."""
    coarse = box_blur(picture * silhouette, 1) / box_blur(silhouette, 1).clamp(min=FLOOR)
    return torch.where(silhouette > FLOOR, picture + amount * (picture - coarse), picture).clamp(-1, 1)


def reduce_small_motion(pose, target):
    """The target pose (B, J, 2), in which joints that move about as little as poses are wrong stay closer to `pose`."""
    displacement = target - pose
    weight = 1 - torch.exp(-displacement.square().sum(-1, keepdim=True) / POSE_ERROR ** 2)
    return torch.where(weight.isfinite(), pose + weight * displacement, target)


def correct_edge(mask, edge, band):
    """A mask (B, 1, h, w) in [0, 1] with `edge` (B, 1, s, s) added to its logit where `band` (B, 1, s, s) is 1.

    A pixel of 0 or 1 has the logit -SURE or SURE. The change is relative, so that pixels of 0 and 1 keep their exact value.
    """
    size = mask.shape[-2:]
    logit, edge = (2 * mask - 1) * SURE, resize(edge, size)
    less = mask * torch.sigmoid(logit + edge) / torch.sigmoid(logit)
    more = 1 - (1 - mask) * torch.sigmoid(-logit - edge) / torch.sigmoid(-logit)
    return torch.lerp(mask, torch.where(edge < 0, less, more), resize(band, size)).clamp(0, 1)


class CutoutGenerator(Generator):
    """Moves the parts of a cut-out person to a target pose, in front of a background.

    Args:
        num_actions: unused; the picture depends on the poses alone.
        size: s, resolution of the networks, divisible by 8.
        segmentation_widths, compositing_widths: of the two U-Nets at s, s/2, s/4 and s/8, multiples of 8.
        sharpening: strength of the unsharp mask in inference; resampling and blending the parts loses detail.
    Raises:
        UserError: another size or other widths.
    """

    any_size = True
    uses_mask = True
    parts = tuple(NAMES)
    background = staticmethod(inpaint_background)

    def __init__(self, num_actions=9, size=64, segmentation_widths=(16, 32, 64, 96), compositing_widths=(24, 48, 96, 128),
                 sharpening=0.8):
        super().__init__()
        if size % 8 or size < 16:
            raise UserError(f"generator.size {size} must be a multiple of 8 from 16 on: the generator halves it three times")
        for name, widths in (("segmentation_widths", segmentation_widths), ("compositing_widths", compositing_widths)):
            if len(widths) != 4 or any(width % 8 or width < 8 for width in widths):
                raise UserError(f"generator.{name} {list(widths)} must be four multiples of 8")
        self.size, self.sharpening = size, sharpening
        # picture, mask, proximity of each part -> logits and coverage of each part, edge
        self.part_segmentation = UNet(3 + 1 + K, K + K + 1, segmentation_widths)
        # person, silhouette, alphas, proximity in both poses, motion -> order, colours, edge, shifts
        self.compositing = UNet(3 + 1 + K + K + K + 1, K + 3 + 1 + 2 * K, compositing_widths)
        self.sharpness = nn.Parameter(torch.full((K,), 3.0))            # of the border between two parts
        self.order = nn.Parameter(column(torch.zeros(1), "order"))

    def prepare(self, source, pose, background=None, mask=None, held=None):
        """Cut the person out and separate the parts.

        Args:
            source: (B, 3, P, P) pictures.
            pose: (B, J, 2).
            background: (B, 3, P, P); None: :func:`networks.background.inpaint_background` computes it.
            mask: (B, 1, P, P) in [0, 1], 1 where the person is; None: the area around the pose's parts.
            held: (B, 1, P, P) in [0, 1], 1 where the mask shows a held object; None: unknown.
        Returns:
            :class:`Prepared`.
        """
        mask = pose_mask(pose, source) if mask is None else mask.to(source).nan_to_num(0).clamp(0, 1)
        background = inpaint_background(source, pose, mask) if background is None else background
        ownership, coverage, mask = self.segment_parts(source, pose, mask, held)
        alpha = mask * (ownership + (1 - ownership) * coverage)                            # (B, K, P, P)
        layers = torch.cat([part_colours(source, pose, mask.detach(), ownership, self.size), alpha[:, :, None]], 2)
        return Prepared(source, background, layers, resize(layers.detach(), (self.size,) * 2), pose)

    def segment_parts(self, source, pose, mask, held=None):
        """Per-pixel part probabilities; arguments as for :meth:`prepare`.

        Returns:
            (B, K, P, P) probabilities relative to that of the likeliest part; (B, K, P, P) coverage: alpha of a part where it
            does not own the person's pixels, being behind others or beside them at a bent joint; and the mask (B, 1, P, P),
            corrected near its edge.
        """
        size, side, scale = (self.size,) * 2, source.shape[-2:], torso_length(pose)
        proximity = torch.exp(-distances(pose, scale, size))                               # (B, K, s, s)
        inputs = torch.cat([resize(source, size), resize(mask, size), proximity], 1)
        logits, coverage, edge = self.part_segmentation(inputs).split((K, K, 1), 1)
        given, mask = mask, correct_edge(mask, edge, self.edge_band(resize(mask, size)))
        logits, coverage = resize(logits, side), resize(coverage, side)                    # (B, K, P, P) each
        near = distances(pose, scale, side)
        logits = logits - F.softplus(self.sharpness)[:, None, None] * near + assign_far_pixels(pose, near)
        core = torch.sigmoid(8 * (CORE - near)) * column(near, "solid")[:, None, None]     # (B, K, P, P)
        coverage = torch.maximum(torch.sigmoid(coverage + 5 * (torch.exp(-near) - 1)), core)
        if held is not None:
            held = held.to(source)
            mask = torch.where(held > 0.1, given, mask)                                    # training masks show no held objects
            logits, coverage = assign_held(pose, held, logits), torch.where(held > 0.1, 0, coverage)
        ownership = logits.softmax(1)
        return ownership / ownership.amax(1, keepdim=True), coverage, mask

    def edge_band(self, mask):
        """1 near the edge of a mask (B, 1, s, s), where it may be corrected."""
        soft = box_blur(mask, max(1, round(BAND * self.size / 4)))
        return (8 * soft * (1 - soft)).clamp(0, 1)

    def compose(self, prepared, target_pose):
        """Run `compositing` on the moved parts; returns a :class:`Composition`."""
        target_pose = reduce_small_motion(prepared.pose, target_pose)
        size, scale = (self.size,) * 2, torso_length(prepared.pose, target_pose)
        maps = part_maps(prepared.pose, target_pose)                                                 # (B, K, 2, 3)
        moving = 1 - torch.exp(-(movement(prepared.pose, target_pose) / STILL).square())             # (B, K)
        most = moving.amax(1)[:, None, None, None]                                                   # (B, 1, 1, 1)
        colours, alphas = move_parts(prepared.small, maps, size)
        silhouette = alphas.amax(1, keepdim=True)
        before, after = (distances(pose, scale, size) for pose in (prepared.pose, target_pose))      # (B, K, s, s)
        floor = FLOOR * torch.exp(-after) + NOTHING
        person = self.blend(colours, alphas, floor, self.order[:, None, None])
        inputs = torch.cat([person * silhouette, silhouette, alphas, torch.exp(-after), torch.exp(-before),
                            most.expand(-1, 1, *size)], 1)
        order, residual, edge, shifts = self.compositing(inputs).split((K, 3, 1, 2 * K), 1)
        shifts = SHIFT * torch.tanh(shifts.unflatten(1, (K, 2))) * moving[..., None, None, None]
        return Composition(
            order=self.order[:, None, None] + order.clamp(-8, 8),
            colours=RESIDUAL * most * torch.tanh(residual),
            edge=most * edge,
            band=self.edge_band(silhouette) * (after.amin(1, keepdim=True) < BODY),
            shifts=shifts, floor=floor, maps=maps, gate=self.gate(moving, prepared.small[:, :, 3], alphas))

    @staticmethod
    def gate(moving, before, after):
        """1 where the photo changes (B, 1, s, s), for parts with alphas `before` and `after` (B, K, s, s) and motion (B, K)."""
        covered = torch.maximum(before, after)                                             # (B, K, s, s)
        covered = torch.maximum(covered, (2 * covered / THIN - 1).clamp(0, 1))
        changed = (moving[..., None, None] * covered).amax(1, keepdim=True)
        return box_blur(F.max_pool2d(changed, 2 * AROUND + 1, 1, AROUND), 1)

    @staticmethod
    def blend(colours, alphas, floor, order):
        """The person's colours (B, 3, h, w): the weighted mean of the parts' colours (B, K, 3, h, w)."""
        weights = part_weight(alphas, floor, order)                                        # (B, K, h, w)
        return (colours * weights[:, :, None]).sum(1) / weights.sum(1, keepdim=True)

    def cut_out(self, prepared, target_pose, size=None):
        """The person in the target pose, without a background.

        Returns:
            colours (B, 3, size, size) in [-1, 1], the silhouette (B, 1, size, size) and the gate (B, 1, s, s).
        """
        size = (size or prepared.source.shape[-1],) * 2
        seen = self.compose(prepared, target_pose)
        colours, alphas = move_parts(prepared.layers, seen.maps, size, resize(seen.shifts, size))
        person = self.blend(colours, alphas, resize(seen.floor, size), resize(seen.order, size))
        person = (person + resize(seen.colours, size)).clamp(-1, 1)
        return person, correct_edge(alphas.amax(1, keepdim=True), seen.edge, seen.band), seen.gate

    @staticmethod
    def composite(prepared, person, silhouette, gate):
        """The picture (B, 3, size, size) of what :meth:`cut_out` returned."""
        size = person.shape[-2:]
        rendered = torch.lerp(resize(prepared.background, size), person, silhouette)
        return torch.lerp(resize(prepared.source, size), rendered, resize(gate, size))

    def forward(self, source, source_pose, target_pose, action, background=None, mask=None, return_person=False):
        """See :class:`networks.interfaces.Generator`; `background` and `mask` as for :meth:`prepare`."""
        prepared = self.prepare(source, source_pose, background, mask)
        person, silhouette, gate = self.cut_out(prepared, target_pose)
        rendered = self.composite(prepared, person, silhouette, gate)
        return (rendered, person, silhouette) if return_person else rendered

    @torch.no_grad()
    def render(self, prepared, target_pose, action, size=None):
        """Render prepared pictures in target poses, see :class:`networks.interfaces.Generator`."""
        if self.renders_fast(prepared, size):
            return self.render_fast(prepared, target_pose, size, alone=False)
        person, silhouette, gate = self.cut_out(shared(prepared, target_pose), target_pose, size)
        return self.composite(prepared, sharpen(person, silhouette, self.sharpening), silhouette, gate)

    @torch.no_grad()
    def render_person(self, prepared, target_pose, size=None):
        """As :meth:`render` without a background: (B, 4, size, size) in [-1, 1], colours and silhouette, -1 outside.

        Where nothing moves, pixels inside the mask are the photo's.
        """
        if self.renders_fast(prepared, size):
            return self.render_fast(prepared, target_pose, size, alone=True)
        person, silhouette, gate = self.cut_out(shared(prepared, target_pose), target_pose, size)
        person, size = sharpen(person, silhouette, self.sharpening), person.shape[-2:]
        mask, gate = resize(prepared.layers[:, :, 3].amax(1, keepdim=True), size), resize(gate, size)     # (B, 1, h, w) each
        inside = (2 * mask - 1).clamp(min=0)
        person = torch.lerp(person, resize(prepared.source, size), (1 - gate) * inside)
        return torch.cat([person, 2 * torch.lerp(mask, silhouette, gate) - 1], 1)

    def renders_fast(self, prepared, size):
        """Whether :mod:`networks.fast_compositing` can render: one source on the CPU, not below the networks' resolution."""
        source = prepared.source
        return (len(source) == 1 and source.device.type == "cpu" and source.dtype == torch.float32
                and (size or source.shape[-1]) >= self.size)

    def render_fast(self, prepared, target_pose, size, alone):
        """As :meth:`render`, or :meth:`render_person` with `alone`, see :mod:`networks.fast_compositing`."""
        many = shared(prepared, target_pose)
        seen = self.compose(many, target_pose)
        alphas = move_parts(many.small, seen.maps, (self.size,) * 2, seen.shifts)[1]
        compositor = FastCompositor(prepared, self.sharpening, SURE, FLOOR, size or prepared.source.shape[-1])
        return compositor.render(seen, alphas, alone)

    def part_layers(self, prepared):
        """The parts of prepared people: (B, len(parts), 4, P, P) in [-1, 1], colours and alpha, -1 where the part is not."""
        return torch.cat([prepared.layers[:, :, :3], 2 * prepared.layers[:, :, 3:] - 1], 2)
