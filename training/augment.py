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

    def part(self, own):
        """The changes of some rows."""
        return Views(*(value[own] for value in self))


def draw_views(rows, settings, generator, dtype=torch.float32):
    """Draw the changes of `rows` rows.

    Args:
        settings: :class:`utils.schema.AugmentConfig`.
        generator: torch.Generator; the settings do not change how many numbers are drawn from it.
    Returns:
        :class:`Views`.
    """
    def draw(*shape):
        """Uniform between -1 and 1."""
        return 2 * torch.rand(rows, *shape, generator=generator, dtype=dtype) - 1

    return Views(draw() < (0 if settings.mirror else -2), torch.randn(rows, generator=generator, dtype=dtype) * settings.rotate,
                 torch.exp(settings.stretch * draw(2)), torch.exp(settings.zoom * draw()), settings.shift * draw(2),
                 torch.exp(settings.speed * draw()))


def recropped(change, extent):
    """The zoom (B,) after which the crop fits a video's whole motion as tightly as before a linear change.

    The motion is assumed to fill the ellipse in its box, because rows are cut out of longer videos.

    Args:
        change: (B, 2, 2) linear map of points.
        extent: (B, 2) half width and half height of the box, normalised; the longer one is 1.
    """
    return 1 / (change * extent[:, None]).norm(dim=-1).amax(-1).clamp(min=1e-3)


def augment(poses, valid_steps, views, extent=None):
    """Change rows of poses; joints may leave the picture.

    Args:
        poses: (B, T + 1, 13, 2), source first.
        valid_steps: (B,) number of targets before a row repeats its last pose.
        views: :class:`Views` of B rows.
        extent: of their crops, see :func:`recropped`. A crop holds a video's whole motion, so its border tells how far people
            will move; with `extent` changed rows keep this property.
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
