"""Random changes of the pose module's training windows: another view of the camera, another speed."""
from typing import NamedTuple

import torch

from pose.skeleton import mirror_pose


class Views(NamedTuple):
    """The changes of B windows."""

    mirrored: torch.Tensor   # (B,) bool
    angle: torch.Tensor      # (B,) radians
    stretch: torch.Tensor    # (B, 2) factors of width and height
    zoom: torch.Tensor       # (B,) factor of both sides
    shift: torch.Tensor      # (B, 2) normalised
    speed: torch.Tensor      # (B,) times as fast


def draw_views(rows, settings, generator, dtype=torch.float32):
    """Draw the :class:`Views` of `rows` windows.

    The settings, a :class:`utils.schema.AugmentConfig`, do not change how many numbers are drawn from the torch.Generator.
    """
    def draw(*shape):                               # uniform between -1 and 1
        return 2 * torch.rand(rows, *shape, generator=generator, dtype=dtype) - 1

    return Views(draw() < (0 if settings.mirror else -2), torch.randn(rows, generator=generator, dtype=dtype) * settings.rotate,
                 torch.exp(settings.stretch * draw(2)), torch.exp(settings.zoom * draw()), settings.shift * draw(2),
                 torch.exp(settings.speed * draw()))


def augment(poses, valid_steps, views, extent=None):
    """Change windows of poses; joints may leave the picture.

    Args:
        poses: (B, T + 1, 13, 2), the source first.
        valid_steps: (B,) number of targets before a window repeats its last pose.
        views: :class:`Views` of B windows.
        extent: (B, 2) half width and half height, normalised, of the box of each video's whole motion; the longer one is 1.
            Pictures are cropped to this box, so its border tells how far people will move; augmented windows still satisfy this.
    Returns:
        (poses, valid_steps), shapes as before: faster windows have fewer valid steps; of slower ones the last poses are cut off.
    """
    targets = poses.shape[1] - 1
    poses = torch.where(views.mirrored[:, None, None, None], mirror_pose(poses), poses)
    cos, sin = views.angle.cos(), views.angle.sin()
    change = torch.stack([cos, -sin, sin, cos], -1).view(-1, 2, 2) * views.stretch[:, :, None]              # (B, 2, 2)
    size = views.zoom                                                                                       # (B,)
    if extent is not None:          # the motion of the whole video is assumed to fill the ellipse in its box
        size = size * (1 / (change * extent[:, None]).norm(dim=-1).amax(-1).clamp(min=1e-3))
    poses = poses @ (change * size[:, None, None]).mT[:, None] + views.shift[:, None, None]
    time = torch.arange(targets + 1, dtype=poses.dtype) * views.speed[:, None]                              # (B, T + 1) in frames
    time = torch.minimum(time, valid_steps[:, None].to(time.dtype))
    earlier = time.floor().clamp(max=targets - 1).long()                                                    # (B, T + 1)
    part, row = (time - earlier)[..., None, None], torch.arange(len(poses))[:, None]
    poses = poses[row, earlier] * (1 - part) + poses[row, earlier + 1] * part
    return poses, (valid_steps / views.speed).floor().clamp(max=targets).long()
