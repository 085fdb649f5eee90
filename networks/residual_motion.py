"""ResidualMotion, the pose module `residual`: one pose and an action in, a whole sampled motion out at once.

With source pose x_0, action a and noise z ~ N(0, I) the pose of step t is

    x_t = x_0 + s sum_k  B[t, k] c_k(x_0, a, z),        B[t, k] = sin((k + 1/2) pi t / H) / (k + 1/2),

the sines being the Karhunen-Loeve basis of a Brownian motion on [0, H] (Loeve, *Probability Theory*, 1978): 0 at the source,
free at the horizon H, the early ones slow, and s the person's size in the picture. A network gives the K coefficients of every
coordinate: a trunk sees (x_0, a), a smaller head each noise as well. There is no posterior: it is an implicit generative model,
trained on the energy score of m samples a row (Gneiting and Raftery, *Strictly proper scoring rules, prediction, and estimation*,
JASA 2007; as a loss: Bouchacourt et al., *DISCO nets*, NeurIPS 2016)

    ES = mean_i d(x^i, y) - 1/2 mean_{i != j} d(x^i, x^j),

d of two motions being the mean over joints and steps of the Euclidean distance of a joint, plus, with a smaller weight, their
root mean square: with the first alone ES is proper for every joint's own distribution at every step, with the second for that of
whole motions, so that joints and steps go together. The same score of the changes from step to step of the first steps is added:
without it motion is too smooth.

A few hundred videos are soon known by heart. Rows look different every time (:mod:`training.augment`), and what is trained
is an ensemble of such networks, which see the same rows but share no weights; each pass of a sample asks one of them, drawn at
random. The score of such a mixture is better than its members' mean score, by how much they differ (it is convex; for deep
ensembles: Lakshminarayanan et al., NeurIPS 2017).

Axes, besides those of :mod:`network_actvae`: N networks, m samples, D width, K terms of the basis, H horizon. Tensors have their
two coordinates before steps and joints where many distances are computed. `of` says which networks work: a number, whose axis is
then gone, or `ALL`.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from networks.interfaces import PoseModule
from pose.skeleton import LIMBS, mirror_pose

STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32)      # ends of stretches: the loss looks at one step of each
NEAR = 6                                                            # first steps whose changes count one by one; all are in STEPS
ALL = slice(None)                                                   # networks
BODY = 3                                                            # makes the unit of displacements about a person's height


class EnergyScore(torch.autograd.Function):
    """Unbiased energy score of exchangeable samples, summed over networks. Its gradient is worked out beside it: autograd would
    keep every one of the m (m + 1) / 2 differences several times over.

    Args of `apply`:
        samples: (N, m, B, 2, T, J), m >= 2.
        truth: (B, 2, T, J).
        weight: (B, T).
        rms: lambda.
    Returns:
        0-dim: mean of d(sample, truth) minus half the mean of d of two different samples, where with e = |x_btj - y_btj|
        d(x, y) = sum_bt w_bt mean_j e + lambda sum_b sqrt(sum_t w_bt * sum_t w_bt mean_j e^2).
    """

    @staticmethod
    def forward(ctx, samples, truth, weight, rms):
        weight = (weight / samples.shape[-1])[..., None]                             # (B, T, 1)
        row = rms * (weight.sum((1, 2)) * samples.shape[-1]).sqrt()                  # (B,)
        ctx.gradient, total = torch.empty_like(samples), 0
        samples, gradients = samples.unbind(1), ctx.gradient.unbind(1)

        def add(difference, share):
            """share * d of two motions that differ by (N, B, 2, T, J) is added; that becomes its gradient."""
            nonlocal total
            x, y = difference.unbind(-3)
            squares = torch.addcmul(x.square().add_(1e-8), y, y)                     # (N, B, T, J)
            far = squares.sqrt()
            slope = weight / far
            total = total + share * (far * weight).sum()
            if rms:
                whole = (squares * weight).sum((-1, -2)).sqrt()                      # (N, B)
                total = total + share * (whole * row).sum()
                slope.addcmul_((row / whole.clamp(min=1e-12))[..., None, None], weight)
            return difference.mul_(slope.mul_(share)[:, :, None])

        for i, (sample, own) in enumerate(zip(samples, gradients)):
            own.copy_(add(sample - truth, 1 / len(samples)))
            for other, its in zip(samples[:i], gradients):
                change = add(sample - other, -1 / (len(samples) * (len(samples) - 1)))
                own += change
                its -= change
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return ctx.gradient * gradient, None, None, None


def body_size(pose):
    """The unit of displacements for poses (B, J, 2), `BODY` times the mean distance of joints from their middle: (B, 1, 1, 1)."""
    return BODY * (pose - pose.mean(1, keepdim=True)).norm(dim=-1).mean(1)[:, None, None, None]


def rows_of(table, action):
    """Rows of tables (..., C, D) for actions (B,): (..., B, D). As a product, whose gradient is faster than indexing's."""
    return F.one_hot(action, table.shape[-2]).to(table.dtype) @ table


class Linear(nn.Module):
    """The linear layers of N networks, initialised as torch's."""

    def __init__(self, networks, inputs, outputs, bias=True):
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(networks, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(networks, 1, outputs).uniform_(-bound, bound)) if bias else None

    def forward(self, x, of):
        """x (N, rows, inputs) -> (N, rows, outputs); without N where one network works, or in x alone where all see the same."""
        x = x @ self.weight[of]
        return x if self.bias is None else x + self.bias[of]


class Block(nn.Module):
    """x + MLP(norm(x)), the norm's gain and shift being the action's (FiLM: Perez et al., AAAI 2018)."""

    def __init__(self, networks, width, num_actions, dropout):
        super().__init__()
        self.film = nn.Parameter(torch.zeros(networks, num_actions, 2 * width))
        self.inner, self.outer = Linear(networks, width, width), Linear(networks, width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, action, of):
        """x (..., samples, B, D), action (B,) -> (..., samples, B, D)."""
        gain, shift = rows_of(self.film[of], action).unsqueeze(-3).chunk(2, -1)      # (..., 1, B, D) each
        h = torch.addcmul(shift, F.layer_norm(x, x.shape[-1:]), 1 + gain).flatten(-3, -2)
        h = F.silu(self.inner(h, of))                                                # (..., samples * B, D)
        if self.training:
            h = h * self.dropout(h.new_ones(h.shape[-2:]))                           # drawn once for all networks
        return x + self.outer(h, of).view_as(x)


class ResidualMotion(PoseModule):
    """Poses of up to `horizon` steps in one pass; longer roll-outs start again from their last pose.

    Args:
        num_actions: C.
        num_joints: J, 13.
        networks: N.
        horizon: H.
        noise_dim: numbers of one pass's noise; a lot comes on top, so Z is one more.
        terms: K.
        trunk, head: widths of the part that sees the row alone, and of the part that sees the noise.
        trunk_blocks, head_blocks: their depths.
        samples: m >= 2, of a row and a network in training.
        dropout: in training.
        jitter: deviation of what is added in training to the pose that the network sees (not to the one it starts from).
        path_weight: lambda, of the root mean square in the distance of poses.
        speed_weight: of the score of the changes from step to step.
        decay: a step's weight in the loss falls as t^-decay.
        temperature: how much wider the noise of predictions is than training's. Without, what is drawn for rows never seen varies
            less than what happens: networks are surer of the rows that they know.
    """

    random = True                                            # its training draws from torch's own generator
    stacked = True                                           # a tensor holds the weights of all networks

    def __init__(self, num_actions=9, num_joints=13, networks=4, horizon=32, noise_dim=4, terms=32, trunk=256, head=128,
                 trunk_blocks=2, head_blocks=1, samples=4, dropout=0.2, jitter=0.03, path_weight=0.3, speed_weight=0.7,
                 decay=0.8, temperature=1.0):
        super().__init__()
        self.num_actions, self.num_joints, self.horizon, self.z_dim = num_actions, num_joints, horizon, noise_dim + 1
        self.networks, self.terms, self.samples, self.jitter, self.decay = networks, terms, samples, jitter, decay
        self.path_weight, self.speed_weight, self.temperature = path_weight, speed_weight, temperature
        self.pose_in = Linear(networks, 2 * num_joints + 3 * len(LIMBS), trunk)
        self.action_in = nn.Parameter(torch.randn(networks, num_actions, trunk))
        self.trunk = nn.ModuleList(Block(networks, trunk, num_actions, dropout) for _ in range(trunk_blocks))
        self.between, self.noise_in = Linear(networks, trunk, head), Linear(networks, noise_dim, head, bias=False)
        self.head = nn.ModuleList(Block(networks, head, num_actions, dropout) for _ in range(head_blocks))
        self.out = Linear(networks, head, 2 * terms * num_joints)
        nn.init.zeros_(self.out.bias)
        self.out.weight.data.mul_(0.1)                                               # near standing still at first
        order = torch.arange(terms, dtype=torch.float64) + 0.5                       # (K,)
        time = torch.arange(1, horizon + 1, dtype=torch.float64)[:, None]            # (H, 1)
        self.register_buffer("basis", (torch.sin(order * math.pi * time / horizon) / order).float(), persistent=False)
        self.parts = {"motion": self}

    def noise_length(self, steps):
        """One vector for each pass of `horizon` steps."""
        return -(-steps // self.horizon)

    def rollouts(self, targets):
        """m of each network, on rows of any length."""
        return self.samples * self.networks

    def context(self, pose, action, of):
        """What the row alone says: pose (B, J, 2), action (B,) -> (..., B, head)."""
        start, end = map(list, zip(*LIMBS))
        limbs = pose[:, end] - pose[:, start]                                        # (B, limbs, 2)
        length = limbs.norm(dim=-1, keepdim=True)
        seen = torch.cat([pose.flatten(1), (limbs / (length + 0.02)).flatten(1), 3 * length.flatten(1)], 1)
        h = (self.pose_in(seen, of) + rows_of(self.action_in[of], action))[..., None, :, :]              # (..., 1, B, trunk)
        for block in self.trunk:
            h = block(h, action, of)
        return self.between(h.squeeze(-3), of)

    def change(self, context, action, noise, steps, of):
        """context (..., B, head), action (B,), noise (..., m, B, Z - 1), steps (T,) of 1..H -> displacements
        (..., m, B, 2, T, J) of a body of size 1."""
        rows = noise.shape[-3:-1]
        x = context[..., None, :, :] + self.noise_in(noise.flatten(-3, -2), of).unflatten(-2, rows)      # (..., m, B, head)
        for block in self.head:
            x = block(x, action, of)
        x = F.silu(F.layer_norm(x, x.shape[-1:])).flatten(-3, -2)
        basis = self.basis[steps - 1].to(self.out.weight.dtype)                      # (T, K), folded into the last layer
        weight, bias = ((basis @ value[of].unflatten(-1, (2, self.terms, -1))).flatten(-3)
                        for value in (self.out.weight, self.out.bias))               # (..., head or 1, 2 * T * J)
        return (x @ weight + bias).unflatten(-1, (2, len(steps), self.num_joints)).unflatten(-4, rows)

    def predict(self, pose, action, steps, noise):
        """The next `steps` poses (B, steps, J, 2), inside the picture, of poses (B, J, 2), with noise (B, passes, Z).

        The last number of a noise draws lots: which network predicts, and whether it sees the row in a mirror and its prediction
        is mirrored back, so that what is predicted is as likely to the left as to the right.
        """
        poses = []
        for start, z in zip(range(0, steps, self.horizon), noise.unbind(1)):
            lot = (torch.special.ndtr(z[:, -1].float()) * 2 * self.networks).long().clamp(max=2 * self.networks - 1)      # (B,)
            network, mirrored = lot // 2, (lot % 2 == 1)[:, None, None]
            ahead = torch.arange(1, min(self.horizon, steps - start) + 1, device=pose.device)
            seen, change = torch.where(mirrored, mirror_pose(pose), pose), pose.new_empty(len(pose), len(ahead), *pose.shape[1:])
            for of in network.unique().tolist():
                own = network == of
                noise_of = self.temperature * z[None, own, :-1]
                found = self.change(self.context(seen[own], action[own], of), action[own], noise_of, ahead, of)[0]
                change[own] = found.movedim(1, -1).to(change.dtype)                  # (B', <= H, J, 2)
            change = torch.where(mirrored[..., None], mirror_pose(change), change)
            poses.append((pose[:, None] + body_size(pose) * change).clamp(-1, 1))
            pose = poses[-1][:, -1]
        return torch.cat(poses, 1)

    def score(self, samples, truth, weight, rms):
        """Mean over the networks of :class:`EnergyScore`, whose arguments these are; `weight` is divided by its sum first."""
        return EnergyScore.apply(samples, truth, weight / weight.sum().clamp(min=1e-8), rms) / self.networks

    def forward(self, poses, action, noise, valid_steps=None):
        """`poses` and `speed`, the energy scores of poses and of changes from step to step, means over the networks, the second
        weighted; their sum is the loss.

        Args:
            poses: (B, T + 1, J, 2), source first; of more than H targets the first H count.
            action: (B,).
            noise: (N * m, L, B, Z); the lots are not used: every network sees every row, and augmentation mirrors.
            valid_steps: (B,) targets that a row really holds, or None for all T; those after it have no weight.
        """
        source, count = poses[:, 0], min(poses.shape[1] - 1, self.horizon)
        steps = torch.tensor([*(t for t in STEPS if t < count), count], device=poses.device)             # (T',) ends of stretches
        stretch = steps.diff(prepend=steps[:1] * 0)                                  # (T',) steps in each
        if self.training:                                                            # any of them, not only the last
            steps = steps - (torch.rand_like(steps, dtype=poses.dtype) * stretch).long()
        share = stretch / steps ** self.decay
        valid_steps = torch.full_like(action, count) if valid_steps is None else valid_steps
        weight = (share * (steps <= valid_steps[:, None])).to(poses.dtype)                  # (B, T')
        seen = source + self.jitter * torch.randn_like(source) if self.training else source
        noise = noise[:, 0, :, :-1].unflatten(0, (self.networks, self.samples))      # (N, m, B, Z - 1)
        samples = body_size(source) * self.change(self.context(seen, action, ALL), action, noise, steps, ALL)
        samples = samples.to(poses.dtype)                                            # (N, m, B, 2, T', J)
        truth = (poses[:, steps] - source[:, None]).movedim(-1, 1)                   # (B, 2, T', J)
        losses = {"poses": self.score(samples, truth, weight, self.path_weight)}
        if self.speed_weight:
            near = min(count, NEAR)
            speed = [first.diff(dim=-2, prepend=torch.zeros_like(first[..., :1, :]))
                     for first in (samples[..., :near, :], truth[..., :near, :])]
            losses["speed"] = self.speed_weight * self.score(*speed, weight[:, :near].sign(), 0)
        return losses
