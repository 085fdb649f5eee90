"""ResidualMotion predicts a whole motion at once from one pose, an action and noise.

With source pose x_0, action a and noise z ~ N(0, I), the pose of step t is

    x_t = x_0 + s sum_k  B[t, k] c_k(x_0, a, z),        B[t, k] = sin((k + 1/2) pi t / H) / (k + 1/2),

where s is the person's size in the picture. The sines are the Karhunen-Loeve basis of a Brownian motion on [0, H] (Loeve,
Probability Theory, 1978): they are 0 at the source and free at the horizon H, and the first ones are the slowest. A network
computes the K coefficients c_k of every coordinate: its trunk sees (x_0, a), its smaller head also sees the noise.

It is an implicit generative model without a posterior network. Its losses are energy scores of m samples each
(:mod:`networks.energy_score`): of the poses, and of the changes from step to step, without which motion is too smooth.

A network soon memorises a few hundred training videos. So training windows are augmented (:mod:`training.augment`), and the model
is an ensemble of N members that share no weights. Each pass of a sample uses one member, drawn at random. The score is convex, so
this mixture scores better than its members do on average (deep ensembles: Lakshminarayanan et al., NeurIPS 2017).

Axes, besides those of :mod:`network_actvae`: N members, m samples, R = N m training roll-outs, D width, K terms of the basis,
H horizon. The argument `member` is the number of one member, and then tensors have no axis N, or `ALL`.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from networks.energy_score import EnergyScore
from networks.interfaces import PoseModule
from networks.layers import constant
from pose.skeleton import LIMBS, body_size, mirror_pose

STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32)      # ends of stretches of steps; the loss uses one step of each
SPEED_STEPS = 6                                                     # the first steps, all in STEPS: their changes are scored
ALL = slice(None)                                                   # all members


def rows_of(table, action):
    """Rows (..., B, D) of tables (..., C, D) for actions (B,), as a matrix product, whose gradient is faster."""
    return F.one_hot(action, table.shape[-2]).to(table.dtype) @ table


class EnsembleLinear(nn.Module):
    """One linear layer of each member, initialised like `nn.Linear`."""

    def __init__(self, networks, inputs, outputs, bias=True):
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(networks, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(networks, 1, outputs).uniform_(-bound, bound)) if bias else None

    def forward(self, x, member):
        """x (N, rows, inputs), or (rows, inputs) for the same input to all members -> (N, rows, outputs)."""
        x = x @ self.weight[member]
        return x if self.bias is None else x + self.bias[member]


class MotionBlock(nn.Module):
    """Residual block x + MLP(norm(x)); the action sets the norm's gain and shift (FiLM: Perez et al., AAAI 2018)."""

    def __init__(self, networks, width, num_actions, dropout):
        super().__init__()
        self.film = nn.Parameter(torch.zeros(networks, num_actions, 2 * width))
        self.inner, self.outer = EnsembleLinear(networks, width, width), EnsembleLinear(networks, width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, action, member):
        """x (..., samples, B, D), action (B,) -> (..., samples, B, D)."""
        gain, shift = rows_of(self.film[member], action).unsqueeze(-3).chunk(2, -1)      # (..., 1, B, D) each
        h = torch.addcmul(shift, F.layer_norm(x, x.shape[-1:]), 1 + gain).flatten(-3, -2)
        h = F.silu(self.inner(h, member))                                            # (..., samples * B, D)
        if self.training:
            h = h * self.dropout(h.new_ones(h.shape[-2:]))                           # one mask for all members, which is faster
        return x + self.outer(h, member).view_as(x)


class ResidualMotion(PoseModule):
    """Predicts up to `horizon` steps in one pass; longer roll-outs take several, each from the last pose of the previous one.

    The arguments are keys of the configuration, see config/mixture.yaml: N `networks`, H `horizon`, K `terms`, m `samples`. One
    number beside the `noise_dim` numbers of noise chooses the member, so Z = noise_dim + 1.
    """

    random = True

    def __init__(self, num_actions=9, num_joints=13, networks=4, horizon=32, noise_dim=4, terms=32, trunk=256, head=128,
                 trunk_blocks=2, head_blocks=1, samples=4, dropout=0.2, jitter=0.03, path_weight=0.3, speed_weight=0.7,
                 decay=0.8, temperature=1.0):
        super().__init__()
        self.num_actions, self.num_joints, self.horizon, self.z_dim = num_actions, num_joints, horizon, noise_dim + 1
        self.networks, self.terms, self.samples, self.jitter, self.decay = networks, terms, samples, jitter, decay
        self.path_weight, self.speed_weight, self.temperature = path_weight, speed_weight, temperature
        self.pose_in = EnsembleLinear(networks, 2 * num_joints + 3 * len(LIMBS), trunk)
        self.action_in = nn.Parameter(torch.randn(networks, num_actions, trunk))
        self.trunk = nn.ModuleList(MotionBlock(networks, trunk, num_actions, dropout) for _ in range(trunk_blocks))
        self.between = EnsembleLinear(networks, trunk, head)
        self.noise_in = EnsembleLinear(networks, noise_dim, head, bias=False)
        self.head = nn.ModuleList(MotionBlock(networks, head, num_actions, dropout) for _ in range(head_blocks))
        self.out = EnsembleLinear(networks, head, 2 * terms * num_joints)
        nn.init.zeros_(self.out.bias)
        self.out.weight.data.mul_(0.1)                                               # starts near the zero-velocity baseline
        order = torch.arange(terms, dtype=torch.float64) + 0.5                       # (K,)
        time = torch.arange(1, horizon + 1, dtype=torch.float64)[:, None]            # (H, 1)
        self.register_buffer("basis", (torch.sin(order * math.pi * time / horizon) / order).float(), persistent=False)

    def noise_length(self, steps):
        return -(-steps // self.horizon)                                             # one vector for each pass

    def rollouts(self, targets):
        return self.samples * self.networks

    def context(self, pose, action, member):
        """The trunk, which sees no noise: pose (B, J, 2), action (B,) -> (..., B, head)."""
        start, end = pose[:, constant(LIMBS, pose.device)].unbind(2)
        limbs = end - start                                                          # (B, limbs, 2)
        length = limbs.norm(dim=-1, keepdim=True)
        inputs = torch.cat([pose.flatten(1), (limbs / (length + 0.02)).flatten(1), 3 * length.flatten(1)], 1)
        h = (self.pose_in(inputs, member) + rows_of(self.action_in[member], action))[..., None, :, :]    # (..., 1, B, trunk)
        for block in self.trunk:
            h = block(h, action, member)
        return self.between(h.squeeze(-3), member)

    def displacements(self, context, action, noise, steps, member):
        """The head: (x_t - x_0) / s of `steps` (T,), numbers from 1 to H.

        context (..., B, head) of :meth:`context`, action (B,), noise (..., m, B, Z - 1) -> (..., m, B, 2, T, J).
        """
        rows = noise.shape[-3:-1]
        x = context[..., None, :, :] + self.noise_in(noise.flatten(-3, -2), member).unflatten(-2, rows)  # (..., m, B, head)
        for block in self.head:
            x = block(x, action, member)
        x = F.silu(F.layer_norm(x, x.shape[-1:])).flatten(-3, -2)
        basis = self.basis[steps - 1].to(self.out.weight.dtype)                      # (T, K), multiplied into the last layer
        weight, bias = ((basis @ value[member].unflatten(-1, (2, self.terms, -1))).flatten(-3)
                        for value in (self.out.weight, self.out.bias))               # (..., head or 1, 2 * T * J)
        return (x @ weight + bias).unflatten(-1, (2, len(steps), self.num_joints)).unflatten(-4, rows)

    def predict(self, pose, action, steps, noise):
        """See :class:`networks.interfaces.PoseModule`; the poses stay inside the picture, L is the number of passes.

        The last number of each noise vector chooses, with equal probability, the member, and whether the member sees the pose
        mirrored and its prediction is mirrored back. So motions to the left are as likely as motions to the right.
        """
        poses = []
        for start, z in zip(range(0, steps, self.horizon), noise.unbind(1)):
            choice = (torch.special.ndtr(z[:, -1].float().cpu()) * 2 * self.networks).long()         # (B,)
            choice, z = choice.clamp(max=2 * self.networks - 1), z.to(pose.device)
            chosen, mirrored = choice // 2, (choice % 2 == 1)[:, None, None].to(pose.device)
            ahead = torch.arange(1, min(self.horizon, steps - start) + 1, device=pose.device)
            seen, change = torch.where(mirrored, mirror_pose(pose), pose), pose.new_empty(len(pose), len(ahead), *pose.shape[1:])
            for member in chosen.unique().tolist():
                rows = (chosen == member).nonzero()[:, 0].to(pose.device)            # (B',)
                context = self.context(seen[rows], action[rows], member)
                found = self.displacements(context, action[rows], self.temperature * z[None, rows, :-1], ahead, member)[0]
                change[rows] = found.movedim(1, -1).to(change.dtype)                 # (B', <= H, J, 2)
            change = torch.where(mirrored[..., None], mirror_pose(change), change)
            poses.append((pose[:, None] + body_size(pose) * change).clamp(-1, 1))
            pose = poses[-1][:, -1]
        return torch.cat(poses, 1)

    def forward(self, poses, action, noise, valid_steps=None):
        """The loss terms `poses`, the energy score of the poses, and `speed`, that of the changes from step to step.

        Arguments as in :class:`networks.interfaces.PoseModule`. Of more than H targets the first H count; targets after
        `valid_steps` have no weight. Of `noise` (N * m, L, B, Z) the last number of a vector is not used: every member is trained
        on every window, and augmentation mirrors.
        """
        source, count = poses[:, 0], min(poses.shape[1] - 1, self.horizon)
        steps = constant((*(t for t in STEPS if t < count), count), poses.device)    # (T',) ends
        stretch = steps.diff(prepend=steps[:1] * 0)                                  # (T',) lengths
        if self.training:                                                            # any step of each stretch
            steps = steps - (torch.rand_like(steps, dtype=poses.dtype) * stretch).long()
        valid_steps = torch.full_like(action, count) if valid_steps is None else valid_steps
        weight = (stretch / steps ** self.decay * (steps <= valid_steps[:, None])).to(poses.dtype)       # (B, T')
        seen = source + self.jitter * torch.randn_like(source) if self.training else source
        noise = noise[:, 0, :, :-1].unflatten(0, (self.networks, self.samples))      # (N, m, B, Z - 1)
        samples = body_size(source) * self.displacements(self.context(seen, action, ALL), action, noise, steps, ALL)
        samples = samples.to(poses.dtype)                                            # (N, m, B, 2, T', J)
        truth = (poses[:, steps] - source[:, None]).movedim(-1, 1)                   # (B, 2, T', J)

        def score(samples, truth, weight, rms):
            return EnergyScore.apply(samples, truth, weight / weight.sum().clamp(min=1e-8), rms) / self.networks

        losses = {"poses": score(samples, truth, weight, self.path_weight)}
        if self.speed_weight:
            first = min(count, SPEED_STEPS)
            changes = (motion[..., :first, :].diff(dim=-2, prepend=torch.zeros_like(motion[..., :1, :]))
                       for motion in (samples, truth))
            losses["speed"] = self.speed_weight * score(*changes, weight[:, :first].sign(), 0)
        return losses
