"""The generator that cuts the person out: whole limbs in front of a clean background.

Once for each photo, the network `own` looks at picture, mask and pose, and says for every pixel of the person which of ten
parts it belongs to. What a part hides of another is filled from that part's own colours. Arms are whole even where it sees none
of them, as when they are folded in front of a shirt of their colour. The plate is the picture without the person. For each target
pose the parts move to their places (networks.body_parts). The network `join` sees them there, decides which is in front, corrects
the silhouette near its edge, shifts pixels a little, and adds a limited correction of colours:

    picture = S * person + (1 - S) * plate,     person = sum_k w_k colour_k / sum_k w_k,     w_k = alpha_k * exp(order_k)

Inside the silhouette S nothing shines through, and outside it the photo is never shown where the person was. Finally

    gate = max_k near_k * (1 - exp(-(farthest way of a joint of part k / STILL)^2))

mixes this picture with the photo, near_k being 1 where part k is in either pose and around it. So the photo stays where nothing
moves, and the pose of the photo gives the photo back exactly.

The networks look at `size` pixels; parts, masks and plate keep the photo's resolution.

Sources: Balakrishnan et al., Synthesizing Images of Humans in Unseen Poses, CVPR 2018 (moved layers, plate, masks);
Ronneberger et al., U-Net, 2015.

Axes: as in networks.body_parts; s = `size`.
"""
import itertools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from networks.body_parts import (
    NAMES,
    K,
    column,
    distances,
    full_precision,
    moved_grid,
    movement,
    part_maps,
    picture_points,
    sample_parts,
    sample_points,
    torso_length,
)
from networks.cutout_parts import BODY, NOTHING, blurred, held_by, held_to_forearm, part_colours, part_weight, resize
from networks.interfaces import Generator
from networks.plate import background_plate, pose_mask
from networks.unet import UNet
from utils.errors import UserError

STILL = 0.02                   # normalised; a person whose joints move less does not move
STEADY = 0.03                  # normalised; shorter ways of a joint are shortened, because they are mostly errors of the pose
THIN = 0.3                     # of a pixel of the network's: a part that fills so much of it, like a thin club, changes it wholly
AROUND = 2                     # pixels of the network's: so far around a moving part the photo changes
SHIFT = 0.15                   # how far the network may shift a part's pixels, normalised
RESIDUAL = 0.4                 # how far it may change a colour, of [-1, 1]
BAND = 0.24                    # of the torso's length: how far from its edge the silhouette may be corrected
SOLID = 0.4                    # squared radii around a solid part's middle: so far it is whole
FAINT = 1e-3                   # weight of a part where it has no pixels, so that every pixel of the silhouette has a colour
UNSEEN = 2e-3                  # share of a pixel's colour, or of its silhouette, that hardly changes a grey level of 8 bits
FOG = 1 / 6                    # a silhouette of less is painted as nothing, and of more than 1 - FOG as all
SURE = 4.0                     # logits of the silhouette where the moved mask is 0 or 1


class Prepared(NamedTuple):
    """What is the same for all target poses of a source."""

    source: torch.Tensor       # (B, 3, P, P)
    plate: torch.Tensor        # (B, 3, P, P)
    layers: torch.Tensor       # (B, K, 4, P, P) completed colours of each part, and its alpha
    small: torch.Tensor        # (B, K, 4, s, s) the same at the network's size
    pose: torch.Tensor         # (B, J, 2)


class Joined(NamedTuple):
    """What the network says of a target pose, all at its own size."""

    order: torch.Tensor        # (B, K, s, s) logarithms; parts with higher numbers lie in front
    colours: torch.Tensor      # (B, 3, s, s) added to the person's colours
    edge: torch.Tensor         # (B, 1, s, s) added to the logit of the silhouette
    band: torch.Tensor         # (B, 1, s, s) 1 where the silhouette may be corrected
    shifts: torch.Tensor       # (B, K, 2, s, s) of each part's pixels, normalised
    faint: torch.Tensor        # (B, K, s, s) each part's weight where it has no pixels
    shown: torch.Tensor        # (B, K, s, s) bool, where a part shows enough to change a grey level
    maps: torch.Tensor         # (B, K, 2, 3) of the parts
    gate: torch.Tensor         # (B, 1, s, s) 0 where nothing moves


def sharpened(picture, silhouette, share):
    """A person's colours (B, 3, h, w) plus a share of what differs from the mean of 3 x 3 pixels (unsharp masking)."""
    coarse = blurred(picture * silhouette, 1) / blurred(silhouette, 1).clamp(min=FAINT)
    return torch.where(silhouette > FAINT, picture + share * (picture - coarse), picture)


def steadied(pose, target):
    """The target pose (B, J, 2) with shorter ways from `pose` for joints that move about as little as poses are wrong."""
    way = target - pose
    share = 1 - torch.exp(-way.square().sum(-1, keepdim=True) / STEADY ** 2)
    return torch.where(share.isfinite(), pose + share * way, target)


def corrected(mask, edge, band):
    """A mask (B, 1, h, w) in [0, 1] to whose logit `edge` (B, 1, s, s) is added where `band` (B, 1, s, s) is 1.

    Pixels that are sure have the logits SURE and -SURE. A faint pixel loses or gains the same share as that pixel between them,
    so that no ring of faint pixels stays around what is taken away.
    """
    size = mask.shape[-2:]
    plain, edge = (2 * mask - 1) * SURE, resize(edge, size)
    less = mask * torch.sigmoid(plain + edge) / torch.sigmoid(plain)
    more = 1 - (1 - mask) * torch.sigmoid(-plain - edge) / torch.sigmoid(-plain)
    return torch.lerp(mask, torch.where(edge < 0, less, more), resize(band, size)).clamp(0, 1)


def without_fog(silhouette):
    """A silhouette in [0, 1], steeper: what is half seen looks like fog."""
    return ((silhouette - 0.5) / (1 - 2 * FOG) + 0.5).clamp(0, 1)


class CutoutGenerator(Generator):
    """Moves the parts of a cut-out person to a target pose, in front of a plate.

    Args:
        num_actions: accepted as for every generator; what is painted depends on the poses alone.
        size: s, side of the pictures that the networks look at, divisible by 8.
        own_widths, widths: of the U-Nets `own` and `join` at s, s/2, s/4 and s/8, multiples of 8.
        sharpening: how much sharper the person is painted, outside training: looking pixels up and joining parts takes detail.
    Raises:
        UserError: another size or other widths.
    """

    any_size = True
    uses_mask = True
    parts = tuple(NAMES)
    outer = ("own.stem", "own.head", "join.stem", "join.head")
    plate = staticmethod(background_plate)

    def __init__(self, num_actions=9, size=64, own_widths=(16, 32, 64, 96), widths=(24, 48, 96, 128), sharpening=0.27):
        super().__init__()
        if size % 8 or size < 16:
            raise UserError(f"generator.size {size} must be a multiple of 8 from 16 on: the generator halves it three times")
        for name, given in (("own_widths", own_widths), ("widths", widths)):
            if len(given) != 4 or any(width % 8 or width < 8 for width in given):
                raise UserError(f"generator.{name} {list(given)} must be four multiples of 8")
        self.size, self.sharpening = size, sharpening
        self.own = UNet(3 + 1 + K, K + K + 1, own_widths)                   # picture, mask, places of parts
        self.join = UNet(3 + 1 + K + K + K + 1, K + 3 + 1 + 2 * K, widths)   # picture, silhouette, alphas, places twice, gate
        self.sharpness = nn.Parameter(torch.full((K,), 3.0))            # of the border between two parts
        self.order = nn.Parameter(column(torch.zeros(1), "order"))

    def prepare(self, source, pose, plate=None, mask=None, held=None):
        """Cut the person out and take the parts apart.

        Args:
            source: (B, 3, P, P) pictures.
            pose: (B, J, 2).
            plate: (B, 3, P, P) of :func:`networks.plate.background_plate`, where it is at hand.
            mask: (B, 1, P, P) in [0, 1], 1 where the person is; None: the surroundings of the pose's parts.
            held: (B, 1, P, P) in [0, 1], 1 where the mask is a thing that the hands hold; None: nowhere that is known.
        Returns:
            :class:`Prepared`.
        """
        mask = pose_mask(pose, source) if mask is None else mask.to(source).nan_to_num(0).clamp(0, 1)
        plate = background_plate(source, pose, mask) if plate is None else plate
        share, reach, mask = self.ownership(source, pose, mask, held)
        alpha = mask * (share + (1 - share) * reach)                                       # (B, K, P, P)
        layers = torch.cat([part_colours(source, pose, mask.detach(), share, self.size), alpha[:, :, None]], 2)
        return Prepared(source, plate, layers, resize(layers.detach(), (self.size,) * 2), pose)

    def ownership(self, source, pose, mask, held=None):
        """Whose each pixel is.

        Returns:
            (B, K, P, P) ownership of the pixel as a share of its first owner's; (B, K, P, P), how much else of the person a
            part may cover: behind others, and beside them where a joint bends; and the mask (B, 1, P, P), corrected near its
            edge.
        """
        size, side, scale = (self.size,) * 2, source.shape[-2:], torso_length(pose)
        near = distances(pose, scale, size)                                                # (B, K, s, s)
        told = torch.cat([resize(source, size), resize(mask, size), torch.exp(-near)], 1)
        logits, reach, edge = self.own(told).split((K, K, 1), 1)                           # at the network's size
        given, mask = mask, corrected(mask, edge, self.band(resize(mask, size)))
        logits, reach = resize(logits, side), resize(reach, side)                          # (B, K, P, P) each
        near = distances(pose, scale, side)
        logits = logits - F.softplus(self.sharpness)[:, None, None] * near + held_by(pose, near)
        solid = torch.sigmoid(8 * (SOLID - near)) * column(near, "solid")[:, None, None]   # (B, K, P, P)
        reach = torch.maximum(torch.sigmoid(reach + 5 * (torch.exp(-near) - 1)), solid)
        if held is not None:
            held = held.to(source)
            mask = torch.where(held > 0.1, given, mask)                                    # masks in training held nothing
            logits, reach = held_to_forearm(pose, held, logits), torch.where(held > 0.1, 0, reach)
        share = logits.softmax(1)
        return share / share.amax(1, keepdim=True), reach, mask

    def band(self, mask):
        """1 where a mask (B, 1, s, s) may be corrected: near its edge."""
        soft = blurred(mask, max(1, round(BAND * self.size / 4)))
        return (8 * soft * (1 - soft)).clamp(0, 1)

    def join_parts(self, prepared, target_pose):
        """Look at the moved parts; returns :class:`Joined`."""
        target_pose = steadied(prepared.pose, target_pose)
        size, scale = (self.size,) * 2, torso_length(prepared.pose, target_pose)
        maps, way = part_maps(prepared.pose, target_pose), movement(prepared.pose, target_pose)      # (B, K, 2, 3), (B, K)
        gate = 1 - torch.exp(-(way / STILL).square())                                                # (B, K)
        most = gate.amax(1)[:, None, None, None]                                                     # (B, 1, 1, 1)
        grid = moved_grid(maps, size)
        colours, alphas = self.moved(prepared.small, grid)
        here, there = (distances(pose, scale, size) for pose in (prepared.pose, target_pose))        # (B, K, s, s)
        silhouette = alphas.amax(1, keepdim=True)
        faint = FAINT * torch.exp(-there) + NOTHING
        person = self.person(colours, alphas, faint, self.order[:, None, None])
        told = torch.cat([person * silhouette, silhouette, alphas, torch.exp(-there), torch.exp(-here),
                          most.expand(-1, 1, *size)], 1)
        order, residual, edge, shifts = self.join(told).split((K, 3, 1, 2 * K), 1)
        shifts = SHIFT * torch.tanh(shifts.unflatten(1, (K, 2))) * gate[..., None, None, None]
        band = self.band(silhouette) * (there.amin(1, keepdim=True) < BODY)
        order = self.order[:, None, None] + order.clamp(-8, 8)
        weights = part_weight(alphas, faint, order)                                                  # (B, K, s, s)
        shown = (weights > UNSEEN * weights.sum(1, keepdim=True)) & (corrected(silhouette, most * edge, band) > UNSEEN)
        return Joined(order, RESIDUAL * most * torch.tanh(residual), most * edge, band, shifts, faint, shown, maps,
                      self.gate(gate, prepared.small[:, :, 3], alphas))

    @staticmethod
    def gate(moving, here, there):
        """Where the photo changes, (B, 1, s, s), if the parts with alphas (B, K, s, s) in either pose move as `moving` (B, K)."""
        shown = torch.maximum(here, there)                                                 # (B, K, s, s)
        shown = torch.maximum(shown, (2 * shown / THIN - 1).clamp(0, 1))
        changed = (moving[..., None, None] * shown).amax(1, keepdim=True)
        return blurred(F.max_pool2d(changed, 2 * AROUND + 1, 1, AROUND), 1)

    @staticmethod
    def moved(layers, grid):
        """Colours (B, K, 3, h, w) and alphas (B, K, h, w) of the parts in their places."""
        layers = sample_parts(layers, grid)
        inside = (grid.abs() <= 1).all(-1)
        return layers[:, :, :3], layers[:, :, 3].clamp(0, 1) * inside

    @staticmethod
    def person(colours, alphas, faint, order):
        """The colours (B, 3, h, w) of the parts, those in front first, without any background."""
        weights = part_weight(alphas, faint, order)                                        # (B, K, h, w)
        return (colours * weights[:, :, None]).sum(1) / weights.sum(1, keepdim=True)

    def cut_out(self, prepared, target_pose, size=None):
        """The person in the target pose, without a background.

        Returns:
            colours (B, 3, size, size) in [-1, 1], the silhouette (B, 1, size, size) and the gate (B, 1, s, s).
        """
        size = (size or prepared.source.shape[-1],) * 2
        joined = self.join_parts(prepared, target_pose)
        shifts = resize(joined.shifts, size)
        colours, alphas = self.moved(prepared.layers, moved_grid(joined.maps, size, shifts))
        person = self.person(colours, alphas, resize(joined.faint, size), resize(joined.order, size))
        person = (person + resize(joined.colours, size)).clamp(-1, 1)
        return person, corrected(alphas.amax(1, keepdim=True), joined.edge, joined.band), joined.gate

    def forward(self, source, source_pose, target_pose, action, plate=None, mask=None, tell_person=False):
        """Paint the source person in the target pose.

        Args:
            source: (B, 3, P, P) pictures in [-1, 1].
            source_pose, target_pose: (B, J, 2) normalised.
            action: (B,) int64 ids; nothing depends on them.
            plate, mask: as for :meth:`prepare`.
            tell_person: whether the person's colours (B, 3, P, P) and silhouette (B, 1, P, P) are returned as well.
        Returns:
            (B, 3, P, P) pictures in [-1, 1] of the source's dtype.
        """
        prepared = self.prepare(source, source_pose, plate, mask)
        person, silhouette, gate = self.cut_out(prepared, target_pose)
        painted = self.composite(prepared, person, silhouette, gate)
        return (painted, person, silhouette) if tell_person else painted

    @staticmethod
    def composite(prepared, person, silhouette, gate):
        """The picture (B, 3, size, size) of what :meth:`cut_out` returned."""
        size = person.shape[-2:]
        painted = torch.lerp(resize(prepared.plate, size), person, silhouette)
        return torch.lerp(resize(prepared.source, size), painted, resize(gate, size))

    @torch.no_grad()
    def paint(self, prepared, target_pose, action, size=None):
        """Paint prepared pictures in target poses, see :class:`networks.interfaces.Generator`."""
        return self.composite(prepared, *self.cut_out_finely(prepared, target_pose, size))

    @torch.no_grad()
    def paint_person(self, prepared, target_pose, size=None):
        """Paint prepared people without a background, see :class:`networks.interfaces.Generator`.

        Where nothing moves, and the mask is sure of the person, the pixels are the photo's.
        """
        person, silhouette, gate = self.cut_out_finely(prepared, target_pose, size)
        size = person.shape[-2:]
        mask, gate = resize(prepared.layers[:, :, 3].amax(1, keepdim=True), size), resize(gate, size)     # (B, 1, h, w) each
        sure = (2 * mask - 1).clamp(min=0)
        person = torch.lerp(person, resize(prepared.source, size), (1 - gate) * sure)
        return torch.cat([person, 2 * torch.lerp(without_fog(mask), silhouette, gate) - 1], 1)

    def take_apart(self, prepared):
        """The parts as pictures, see :class:`networks.interfaces.Generator`."""
        return torch.cat([prepared.layers[:, :, :3], 2 * prepared.layers[:, :, 3:] - 1], 2)

    def cut_out_finely(self, prepared, target_pose, size=None):
        """As :meth:`cut_out`, but the parts' pixels are looked up by bicubic interpolation, which loses less detail, and only
        where a part shows. What is left out is faint: one pixel of ten thousand changes by more than a grey level of 8 bits. The
        person is sharpened, and the silhouette is steeper.
        """
        size = (size or prepared.source.shape[-1],) * 2
        joined = self.join_parts(prepared, target_pose)
        with full_precision(prepared.source):
            told = torch.cat([joined.shifts, joined.faint[:, :, None], joined.order[:, :, None]], 2)     # (B, K, 4, s, s)
            shown = F.interpolate(F.max_pool2d(joined.shown.float(), 5, 1, 2), size).flatten(2) > 0      # (B, K, h w)
            points = picture_points(size, joined.maps).flatten(0, 1)                                           # (h w, 2)
            total = prepared.source.new_zeros(len(target_pose), 3, len(points))
            weights, moved = torch.full_like(total[:, :1], NOTHING), torch.zeros_like(total[:, :1])      # (B, 1, h w) each
            for row, part in itertools.product(range(len(target_pose)), range(K)):
                here = shown[row, part].nonzero()[:, 0]                                        # (n,)
                shift, faint, order = sample_points(told[row, part], points[here]).split((2, 1, 1))      # (., n)
                matrix = joined.maps[row, part]                                                # (2, 3)
                moved_from = points[here] @ matrix[:, :2].mT + matrix[:, 2] + shift.mT         # (n, 2)
                layer = sample_points(prepared.layers[row, part], moved_from, "bicubic")       # (4, n)
                alpha = layer[3:].clamp(0, 1) * (moved_from.abs() <= 1).all(-1)                # (1, n)
                weight = part_weight(alpha, faint, order)
                total[row, :, here] += weight * layer[:3]
                weights[row, :, here] += weight
                moved[row, :, here] = torch.maximum(moved[row, :, here], alpha)
        total, weights, moved = (values.unflatten(2, size) for values in (total, weights, moved))
        silhouette = without_fog(corrected(moved, joined.edge, joined.band))
        person = sharpened(total / weights + resize(joined.colours, size), silhouette, self.sharpening)
        return person.clamp(-1, 1), silhouette, joined.gate
