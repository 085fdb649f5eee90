"""What a row of poses would have been had the camera or the speed been another."""
from typing import NamedTuple

import torch

from pose.skeleton import mirror_pose


class Views(NamedTuple):
    """How each of B rows is seen."""

    mirrored: torch.Tensor   # (B,) bool
    angle: torch.Tensor      # (B,) rad
    stretch: torch.Tensor    # (B, 2) of width and height
    zoom: torch.Tensor       # (B,) of both
    shift: torch.Tensor      # (B, 2) normalised
    speed: torch.Tensor      # (B,) times as fast

    def part(self, own):
        """Those of some rows."""
        return Views(*(value[own] for value in self))


def draw_views(rows, settings, generator, dtype=torch.float32):
    """Views of `rows` rows.

    Args:
        settings: :class:`utils.schema.AugmentConfig`.
        generator: all numbers come from it, as many whatever the settings.
    Returns:
        :class:`Views`.
    """
    def draw(*shape):
        """Even between -1 and 1."""
        return 2 * torch.rand(rows, *shape, generator=generator, dtype=dtype) - 1

    return Views(draw() < (0 if settings.mirror else -2), torch.randn(rows, generator=generator, dtype=dtype) * settings.rotate,
                 torch.exp(settings.stretch * draw(2)), torch.exp(settings.zoom * draw()), settings.shift * draw(2),
                 torch.exp(settings.speed * draw()))


def recropped(change, extent):
    """How large a picture becomes whose crop is as tight around all of a video's motion as it was: (B,).

    That motion is taken to fill the ellipse in its box: rows are cut out of longer videos.

    Args:
        change: (B, 2, 2) linear map of points.
        extent: (B, 2) half width and half height of the box, normalised; the longer is 1.
    """
    return 1 / (change * extent[:, None]).norm(dim=-1).amax(-1).clamp(min=1e-3)


def augment(poses, valid_steps, views, extent=None):
    """Rows of poses seen otherwise; joints may leave the picture.

    Args:
        poses: (B, T + 1, 13, 2), source first.
        valid_steps: (B,) targets that a row really holds; after them a row stands still.
        views: :class:`Views` of B rows.
        extent: of their crops, see :func:`recropped`. A crop holds a video's whole motion, so where it ends says how far people
            will go; without it a changed row no longer says so.
    Returns:
        (poses, valid_steps), shapes as before: faster rows have fewer valid steps; of slower ones the last poses fall off.
    """
    length = poses.shape[1]
    poses = torch.where(views.mirrored[:, None, None, None], mirror_pose(poses), poses)
    cos, sin = views.angle.cos(), views.angle.sin()
    change = torch.stack([cos, -sin, sin, cos], -1).view(-1, 2, 2) * views.stretch[:, :, None]              # (B, 2, 2)
    size = views.zoom if extent is None else views.zoom * recropped(change, extent)                         # (B,)
    poses = poses @ (change * size[:, None, None]).mT[:, None] + views.shift[:, None, None]
    time = torch.arange(length, dtype=poses.dtype) * views.speed[:, None]                # (B, T + 1) in frames of the row
    time = torch.minimum(time, valid_steps[:, None].to(time.dtype))
    before = time.floor().clamp(max=length - 2).long()                                   # (B, T + 1)
    part, row = (time - before)[..., None, None], torch.arange(len(poses))[:, None]
    poses = poses[row, before] * (1 - part) + poses[row, before + 1] * part
    return poses, (valid_steps / views.speed).floor().clamp(max=length - 1).long()
