"""Random changes of the pose module's training rows: another view of the camera, another speed."""
from typing import NamedTuple

import torch

from pose.skeleton import mirror_pose


class Views(NamedTuple):
    """The changes of B rows."""

    mirrored: torch.Tensor   # (B,) bool
    angle: torch.Tensor      # (B,) radians
    stretch: torch.Tensor    # (B, 2) of width and height
    zoom: torch.Tensor       # (B,) of both sides
    shift: torch.Tensor      # (B, 2) normalised
    speed: torch.Tensor      # (B,) times as fast


def draw_views(rows, settings, generator, dtype=torch.float32):
    """Draw the changes of `rows` rows: :class:`Views`.

    The settings, a :class:`utils.schema.AugmentConfig`, do not change how many numbers are drawn from the torch.Generator.
    """
    def draw(*shape):                               # uniform between -1 and 1
        return 2 * torch.rand(rows, *shape, generator=generator, dtype=dtype) - 1

    return Views(draw() < (0 if settings.mirror else -2), torch.randn(rows, generator=generator, dtype=dtype) * settings.rotate,
                 torch.exp(settings.stretch * draw(2)), torch.exp(settings.zoom * draw()), settings.shift * draw(2),
                 torch.exp(settings.speed * draw()))


def augment(poses, valid_steps, views, extent=None, history=1):
    """Change rows of poses; joints may leave the picture.

    Args:
        poses: (B, history + T, 13, 2): the source and its T targets; with a history of 2 before them the pose one step before the
            source.
        valid_steps: (B,) number of targets before a row repeats its last pose.
        views: :class:`Views` of B rows.
        extent: (B, 2) half width and half height, normalised, of the box of each video's whole motion; the longer one is 1. A
            crop holds this box, so its border tells how far people will move. With `extent` changed rows keep this property.
        history: 1 or 2. Where the pose before the source lies outside the row, because it is faster, it is extrapolated.
    Returns:
        (poses, valid_steps), shapes as before: faster rows have fewer valid steps; of slower ones the last poses fall off.
    """
    length, source = poses.shape[1], history - 1
    poses = torch.where(views.mirrored[:, None, None, None], mirror_pose(poses), poses)
    cos, sin = views.angle.cos(), views.angle.sin()
    change = torch.stack([cos, -sin, sin, cos], -1).view(-1, 2, 2) * views.stretch[:, :, None]              # (B, 2, 2)
    size = views.zoom                                                                                       # (B,)
    if extent is not None:          # rows are cut out of longer videos, whose motion is assumed to fill the ellipse in its box
        size = size * (1 / (change * extent[:, None]).norm(dim=-1).amax(-1).clamp(min=1e-3))
    poses = poses @ (change * size[:, None, None]).mT[:, None] + views.shift[:, None, None]
    time = (torch.arange(length, dtype=poses.dtype) - source) * views.speed[:, None]     # (B, history + T) in frames, source: 0
    time = torch.minimum(time, valid_steps[:, None].to(time.dtype)) + source             # the same, counted from the first pose
    before = time.floor().clamp(0, length - 2).long()                                    # (B, history + T)
    part, row = (time - before)[..., None, None], torch.arange(len(poses))[:, None]
    poses = poses[row, before] * (1 - part) + poses[row, before + 1] * part
    return poses, (valid_steps / views.speed).floor().clamp(max=length - 1 - source).long()
