"""The energy score of sampled motions as a loss.

Its unbiased estimate from m samples x^i of one window and its true motion y is

    ES = mean_i d(x^i, y) - 1/2 mean_{i != j} d(x^i, x^j).

The distance d of two motions is the mean over joints and steps of the Euclidean distance between joints, plus `rms` times the
root mean square of that distance. With the mean alone ES is a proper score of each joint's own distribution at each step. With
the root mean square it is also a proper score of the distribution of whole motions, so joints and steps must fit together.

Sources: Gneiting and Raftery, Strictly proper scoring rules, prediction, and estimation, JASA 2007; as a loss: Bouchacourt et
al., DISCO nets, NeurIPS 2016.
"""
import torch
from torch.autograd.function import once_differentiable


class EnergyScore(torch.autograd.Function):
    """Energy score of each of the N members of an ensemble, summed over the members.

    The gradient is computed analytically in forward, to save memory: autograd would keep several copies of each of the
    m (m + 1) / 2 differences.

    samples (N, m, B, 2, T, J), m >= 2, truth (B, 2, T, J), weight w (B, T) -> 0-dim. With e = |x_btj - y_btj|,
    d(x, y) = sum_bt w_bt mean_j e + rms sum_b sqrt(sum_t w_bt * sum_t w_bt mean_j e^2).
    """

    @staticmethod
    def forward(ctx, samples, truth, weight, rms):
        weight = (weight / samples.shape[-1])[..., None]                             # (B, T, 1)
        row = rms * (weight.sum((1, 2)) * samples.shape[-1]).sqrt()                  # (B,)
        ctx.gradient, total = torch.empty_like(samples), 0
        samples, gradients = samples.unbind(1), ctx.gradient.unbind(1)

        def add(difference, factor):
            """Add factor * d of two motions, whose difference is (N, B, 2, T, J), to the total; return its gradient."""
            nonlocal total
            x, y = difference.unbind(-3)
            squares = torch.addcmul(x.square().add_(1e-8), y, y)                     # (N, B, T, J)
            distance = squares.sqrt()
            slope = weight / distance
            total = total + factor * (distance * weight).sum()
            if rms:
                whole = (squares * weight).sum((-1, -2)).sqrt()                      # (N, B)
                total = total + factor * (whole * row).sum()
                slope.addcmul_((row / whole.clamp(min=1e-12))[..., None, None], weight)
            return difference.mul_(slope.mul_(factor)[:, :, None])

        for i, (sample, gradient) in enumerate(zip(samples, gradients)):
            gradient.copy_(add(sample - truth, 1 / len(samples)))
            for other, other_gradient in zip(samples[:i], gradients):
                change = add(sample - other, -1 / (len(samples) * (len(samples) - 1)))
                gradient += change
                other_gradient -= change
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return ctx.gradient * gradient, None, None, None
