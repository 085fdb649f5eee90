"""Rendering of predicted poses with a generator."""
import torch

RENDER_PIXELS = 32 * 64 ** 2                   # rendered at once, to limit memory
POSES_AT_ONCE = 8                              # target poses of a source, for which the networks run together


def render(generator, source, source_pose, poses, action, size, mask=None, prepared=None, alone=False):
    """Render the people of source pictures in other poses, with a generator in eval mode.

    Args:
        generator: :class:`networks.interfaces.Generator`.
        source: (B, 3, P, P) pictures in [-1, 1].
        source_pose: (B, J, 2) normalised.
        poses: (B, T, J, 2) normalised.
        action: (B,) int64 ids.
        size: side of the result; P unless the generator renders pictures of any side.
        mask: None or (B, 1, P, P) in [0, 1], 1 where the source shows its person; only for generators that use it.
        prepared: what `generator.prepare` returned for all sources; None: they are prepared here.
        alone: whether to render people without a background, by `generator.render_person`.
    Returns:
        (B, T, 3, size, size) pictures in [-1, 1]; with `alone` (B, T, 4, size, size).
    """
    at_once, steps = max(1, RENDER_PIXELS // size ** 2), poses.shape[1]
    rendered = source.new_empty(*poses.shape[:2], 4 if alone else 3, size, size)
    if generator.any_size:
        for row in range(len(poses)):
            one = slice(row, row + 1)
            ready = (type(prepared)(*(value[one] for value in prepared)) if prepared else
                     generator.prepare(source[one], source_pose[one], **({} if mask is None else {"mask": mask[one]})))
            for some in torch.arange(steps).split(max(at_once, POSES_AT_ONCE)):
                rendered[row, some] = (generator.render_person(ready, poses[row, some], size) if alone else
                                       generator.render(ready, poses[row, some], action[one], size)).to(rendered.dtype)
        return rendered
    for pair in torch.arange(len(poses) * steps, device=poses.device).split(at_once):
        row, step = pair // steps, pair % steps
        rendered[row, step] = generator(source[row], source_pose[row], poses[row, step], action[row]).to(rendered.dtype)
    return rendered
