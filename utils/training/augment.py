"""What a row of poses would have been had the camera or the speed been another."""
from typing import NamedTuple

import torch

from utils.skeleton import MIRROR


class Views(NamedTuple):
    """How each of B rows is seen."""

    mirrored: torch.Tensor   # (B,) bool
    angle: torch.Tensor      # (B,) rad
    stretch: torch.Tensor    # (B, 2) of width and height
    shift: torch.Tensor      # (B, 2) normalised
    speed: torch.Tensor      # (B,) times as fast

    def part(self, own):
        """Those of some rows."""
        return Views(*(value[own] for value in self))


def draw_views(rows, settings, generator, dtype=torch.float32):
    """Views of `rows` rows.

    Args:
        settings: :class:`utils.config.AugmentConfig`.
        generator: all numbers come from it, as many whatever the settings.
    Returns:
        :class:`Views`.
    """
    def draw(*shape):
        """Even between -1 and 1."""
        return 2 * torch.rand(rows, *shape, generator=generator, dtype=dtype) - 1

    return Views(draw() < (0 if settings.mirror else -2), torch.randn(rows, generator=generator, dtype=dtype) * settings.rotate,
                 torch.exp(settings.stretch * draw(2)), settings.shift * draw(2), torch.exp(settings.speed * draw()))


def augment(poses, held, views):
    """Rows of poses seen otherwise; joints may leave the picture.

    Args:
        poses: (B, T + 1, 13, 2), source first.
        held: (B,) targets that a row really holds; after them a row stands still.
        views: :class:`Views` of B rows.
    Returns:
        (poses, held), shapes as before: faster rows hold fewer steps, of slower ones those past the last pose are not known.
    """
    length, mirrored = poses.shape[1], poses[:, :, list(MIRROR)] * poses.new_tensor([-1, 1])
    poses = torch.where(views.mirrored[:, None, None, None], mirrored, poses)
    (x, y), cos, sin = poses.unbind(-1), views.angle.cos()[:, None, None], views.angle.sin()[:, None, None]
    poses = torch.stack([cos * x - sin * y, sin * x + cos * y], -1)
    poses = poses * views.stretch[:, None, None] + views.shift[:, None, None]
    time = torch.arange(length, dtype=poses.dtype) * views.speed[:, None]                # (B, T + 1) in frames of the row
    time = torch.minimum(time, held[:, None].to(time.dtype))
    before = time.floor().clamp(max=length - 2).long()                                   # (B, T + 1)
    part, row = (time - before)[..., None, None], torch.arange(len(poses))[:, None]
    poses = poses[row, before] * (1 - part) + poses[row, before + 1] * part
    return poses, (held / views.speed).floor().clamp(max=length - 1).long()
