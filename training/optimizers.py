"""One step of training: gradients, their checks, and the optimizers."""
import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from utils import processes

SMALLEST_SCALE = 1.0      # of the loss in fp16; if gradients overflow even so, the scale is not to blame


class NotFinite(Exception):
    """A loss or a gradient is infinite or not a number."""


def step(loss, optimizers, parameters, scaler, max_norm=0.0):
    """Back-propagate a loss and step the optimizers, all of them or none.

    In fp16 gradients may overflow. Then no optimizer steps, and the next loss is scaled less.

    Args:
        loss: 0-dim tensor.
        optimizers, parameters: lists of the optimizers and of all parameters that they train.
        scaler: `torch.amp.GradScaler`, enabled in fp16.
        max_norm: gradients of a larger norm are scaled down to it; 0: never.
    Raises:
        NotFinite: in any of the processes; the optimizers have not been stepped.
    """
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()
    for optimizer in optimizers:
        scaler.unscale_(optimizer)                         # does nothing unless in fp16, as the scaler's other methods
    norm = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
    finite_loss, finite_norm = torch.stack([loss.isfinite(), norm.isfinite()]).tolist()
    # the scale, 1 unless in fp16, is on the device: reading it in every step would make the CPU wait again
    overflow = finite_loss and not finite_norm and scaler.get_scale() > SMALLEST_SCALE
    if processes.all_reduce_max(int(not (finite_loss and finite_norm or overflow))):
        scaler.update(scaler.get_scale())
        raise NotFinite("the loss is not finite" if not finite_loss else "a gradient is not finite"
                        + ", however little the loss is scaled" * scaler.is_enabled())
    if overflow:
        scaler.update(scaler.get_scale() * scaler.get_backoff_factor())
        return
    if max_norm:
        clip_grads_with_norm_(parameters, max_norm, norm)
    for optimizer in optimizers:
        scaler.step(optimizer)
    scaler.update()
