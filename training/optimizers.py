"""The optimizers of a network, and one step with them."""
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Adam, AdamW

from training.muon import Muon
from utils import processes
from utils.errors import UserError

SMALLEST_SCALE = 1.0      # of the loss in fp16; if gradients overflow even so, the scale is not to blame


class NotFinite(Exception):
    """A loss or a gradient is infinite or not a number."""


def build_optimizers(part, module, config, outer=(), stacked=False):
    """The optimizers of one checkpoint part, as `config.optimizer` says: Adam with the published numbers, AdamW or Muon.

    Muon trains the inner matrices and convolutions, see :mod:`training.muon`; Adam trains the rest.

    Args:
        outer: names of the first and last layers, which Muon leaves to Adam.
        stacked: whether a tensor holds the weights of several networks.
    Returns:
        dict from the name in checkpoints, `part` or `part.muon`, to the optimizer.
    Raises:
        UserError: Muon with stacked weights.
    """
    parameters, inner, optimizers = dict(module.named_parameters()), {}, {}
    if config.optimizer == "muon":
        if stacked:
            raise UserError(f"optimizer: muon takes single matrices, and a tensor of {part} holds those of several networks; "
                            "write adamw")
        outer = tuple(f"{layer}." for layer in outer)
        inner = {name: value for name, value in parameters.items() if value.ndim > 1 and not name.startswith(outer)}
        optimizers[f"{part}.muon"] = Muon(inner.values(), config.lr)
    kind = AdamW if config.optimizer == "adamw" else Adam
    optimizers[part] = kind([value for name, value in parameters.items() if name not in inner], lr=config.lr,
                            betas=(config.beta1, config.beta2), weight_decay=config.weight_decay, fused=True)
    return optimizers


def step(loss, optimizers, parameters, scaler, max_norm=0.0):
    """Back-propagate a loss and step the optimizers.

    Args:
        loss: 0-dim tensor.
        optimizers, parameters: lists of the optimizers and of all parameters that they train.
        scaler: `torch.amp.GradScaler`, enabled in fp16.
        max_norm: length to which longer gradients are shortened; 0 takes them as they are.
    Raises:
        NotFinite: in any of the processes; the optimizers have not been stepped. In fp16 gradients may overflow: then the
            scaler leaves out the step by itself and scales the next loss less.
    """
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()
    if max_norm:
        for optimizer in optimizers:
            scaler.unscale_(optimizer)
    norm = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
    if max_norm:
        clip_grads_with_norm_(parameters, max_norm, norm)
    finite = loss.isfinite() & (norm.isfinite() | scaler.is_enabled())
    if processes.all_reduce_max(int(not finite)):
        raise NotFinite("the loss is not finite" if not loss.isfinite() else "a gradient is not finite")
    for optimizer in optimizers:
        scaler.step(optimizer)
    scale = scaler.get_scale()
    scaler.update()
    if scaler.get_scale() < scale <= SMALLEST_SCALE:
        scaler.update(SMALLEST_SCALE)
        raise NotFinite("gradients overflow however little the loss is scaled")
