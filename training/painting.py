"""Painting predicted poses with a generator."""
import torch

PAINT_BATCH = 32                             # pictures that are painted at once
LEAST_BATCH = 4                              # poses of a source, however large it is
PAINT_PIXELS = PAINT_BATCH * 64 ** 2         # the limit of their pixels; fewer larger pictures are painted at once


def paint(generator, source, source_pose, poses, action, size, mask=None, prepared=None, alone=False):
    """Paint the person of source pictures in other poses, with a generator in eval mode.

    Args:
        generator: :class:`networks.interfaces.Generator`.
        source: (B, 3, P, P) pictures in [-1, 1].
        source_pose: (B, J, 2) normalised.
        poses: (B, T, J, 2) normalised.
        action: (B,) int64 ids.
        size: side of the result; P unless the generator paints pictures of any side.
        mask: None or (B, 1, P, P) in [0, 1], 1 where the source shows its person; only for generators that use it.
        prepared: what `generator.prepare` returned for all sources, if it is at hand.
        alone: whether people are painted without a background, by a generator that has `paint_person`.
    Returns:
        (B, T, 3, size, size) pictures in [-1, 1]; (B, T, 4, size, size) of people alone, see `paint_person`.
    """
    if generator.any_size:
        return _paint_prepared(generator, source, source_pose, poses, action, size, mask, prepared, alone)
    rows = torch.arange(len(poses), device=poses.device).repeat_interleave(poses.shape[1])           # (B * T,)
    painted = [generator(source[row], source_pose[row], pose, action[row])
               for row, pose in zip(rows.split(PAINT_BATCH), poses.flatten(0, 1).split(PAINT_BATCH))]
    return torch.cat(painted).unflatten(0, poses.shape[:2])


def _paint_prepared(generator, source, source_pose, poses, action, size, mask, ready, alone):
    """As :func:`paint`; each source is prepared once for all its poses."""
    most = max(1, min(PAINT_BATCH, PAINT_PIXELS // size ** 2))           # sources of one batch
    painted = source.new_empty(*poses.shape[:2], 4 if alone else 3, size, size)
    for rows in torch.arange(len(poses), device=poses.device).split(most):
        masked = {} if mask is None else {"mask": mask[rows]}
        prepared = (generator.prepare(source[rows], source_pose[rows], **masked) if ready is None else
                    type(ready)(*(value[rows] for value in ready)))
        pairs = torch.cartesian_prod(torch.arange(len(rows)), torch.arange(poses.shape[1]))          # (b * T, 2)
        for row, step in (some.to(poses.device).unbind(1) for some in pairs.split(max(most, LEAST_BATCH))):
            of_rows = type(prepared)(*(value.expand(len(row), *value.shape[1:]) if len(rows) == 1 else value[row]
                                       for value in prepared))
            pose = poses[rows[row], step]
            painted[rows[row], step] = (generator.paint_person(of_rows, pose, size) if alone else
                                        generator.paint(of_rows, pose, action[rows[row]], size)).to(painted.dtype)
    return painted
