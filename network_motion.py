"""ResidualMotion, the pose module `residual`: one pose and an action in, a whole sampled motion out at once.

With source pose x_0, action a and noise z ~ N(0, I) the pose of step t is

    x_t = x_0 + sum_k  B[t, k] c_k(x_0, a, z),        B[t, k] = sin((k + 1/2) pi t / H) / (k + 1/2),

the sines being the Karhunen-Loeve basis of a Brownian motion on [0, H] (Loeve, *Probability Theory*, 1978): 0 at the source,
free at the horizon H, the early ones slow. A network gives the K coefficients of every coordinate: a trunk sees (x_0, a), a
smaller head each noise as well. There is no posterior: it is an implicit generative model, trained on the energy score of m
samples a row (Gneiting and Raftery, *Strictly proper scoring rules, prediction, and estimation*, JASA 2007; as a loss:
Bouchacourt et al., *DISCO nets*, NeurIPS 2016)

    ES = mean_i d(x^i, y) - 1/2 mean_{i != j} d(x^i, x^j),        d = mean over joints of Euclidean distances,

plus, with smaller weights, the score whose d is one Euclidean norm over all joints and steps, and that of the changes of the
first steps: the first is proper for every joint's own distribution at every step, the second for that of whole motions, so that
joints and steps go together, the third for that of a joint's velocity, without which motion is too smooth.

It wants rows that look different every time (:mod:`utils.training.augment`), or it learns a few hundred videos by heart.
Axes, besides those of :mod:`network_actvae`: m samples, D width, K terms of the basis, H horizon.
"""
import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

from utils.skeleton import MIRROR

STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32)      # that the loss looks at: all early, some late ones
NEAR = 6                                                            # first steps whose changes count one by one; all are in STEPS


def distance(a, b):
    """Points (..., n, 2) and (..., n, 2) -> (...): mean Euclidean distance, differentiable where they meet."""
    return ((a - b).square().sum(-1) + 1e-8).sqrt().mean(-1)


def energy_score(samples, truth, weight):
    """Unbiased energy score of m >= 2 exchangeable samples (m, B, T, n, 2) of points (B, T, n, 2), weighted by (B, T); 0-dim."""
    pairs = list(itertools.combinations(samples.unbind(0), 2))
    accuracy = distance(samples, truth).mean(0)                                      # (B, T)
    spread = sum(distance(one, other) for one, other in pairs) / len(pairs)          # (B, T)
    return ((accuracy - spread / 2) * weight).sum() / weight.sum().clamp(min=1e-8)


def mirror(poses):
    """Poses (..., 13, 2) seen in a mirror: x changes sign, left and right joints change places."""
    return poses[..., list(MIRROR), :] * poses.new_tensor([-1, 1])


class Block(nn.Module):
    """x + MLP(norm(x)), the norm's gain and shift being the action's (FiLM: Perez et al., AAAI 2018)."""

    def __init__(self, width, num_actions, dropout):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.film = nn.Embedding(num_actions, 2 * width)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width))
        nn.init.zeros_(self.film.weight)

    def forward(self, x, action):
        """x (..., B, D), action (B,) -> (..., B, D)."""
        gain, shift = self.film(action).chunk(2, -1)                                 # (B, D) each
        return x + self.layers(self.norm(x) * (1 + gain) + shift)


class ResidualMotion(nn.Module):
    """Poses of up to `horizon` steps in one pass; longer roll-outs start again from their last pose.

    Args:
        num_actions: C.
        num_joints: J, 13.
        horizon: H.
        noise_dim: numbers of one pass's noise; a coin comes on top, so Z is one more.
        terms: K.
        trunk, head: widths of the part that sees the row alone, and of the part that sees the noise.
        trunk_blocks, head_blocks: their depths.
        samples: m >= 2, of a row in training.
        dropout: in training.
        jitter: deviation of what is added in training to the pose that the network sees (not to the one it starts from).
        path_weight: of the energy score of whole motions, relative to that of joints.
        speed_weight: of that of the changes from step to step.
        decay: a step's weight in the loss falls as t^-decay.
    """

    summed = ()
    random = True                                            # its training draws from torch's own generator

    def __init__(self, num_actions=9, num_joints=13, horizon=32, noise_dim=8, terms=32, trunk=384, head=192,
                 trunk_blocks=2, head_blocks=1, samples=4, dropout=0.2, jitter=0.03, path_weight=0.3, speed_weight=0.7,
                 decay=0.8):
        super().__init__()
        self.num_actions, self.num_joints, self.horizon, self.z_dim = num_actions, num_joints, horizon, noise_dim + 1
        self.terms, self.samples, self.jitter, self.decay = terms, samples, jitter, decay
        self.path_weight, self.speed_weight = path_weight, speed_weight
        self.pose_in, self.action_in = nn.Linear(2 * num_joints, trunk), nn.Embedding(num_actions, trunk)
        self.trunk = nn.ModuleList(Block(trunk, num_actions, dropout) for _ in range(trunk_blocks))
        self.between, self.noise_in = nn.Linear(trunk, head), nn.Linear(noise_dim, head, bias=False)
        self.head = nn.ModuleList(Block(head, num_actions, dropout) for _ in range(head_blocks))
        self.norm, self.out = nn.LayerNorm(head), nn.Linear(head, terms * 2 * num_joints)
        nn.init.zeros_(self.out.bias)
        self.out.weight.data.mul_(0.1)                                               # near standing still at first
        order = torch.arange(terms, dtype=torch.float64) + 0.5                       # (K,)
        time = torch.arange(1, horizon + 1, dtype=torch.float64)[:, None]            # (H, 1)
        self.register_buffer("basis", (torch.sin(order * math.pi * time / horizon) / order).float(), persistent=False)
        self.parts = {"motion": self}

    @staticmethod
    def steps(targets):
        """As many as the published module predicts on rows of so many targets; the loss looks at all of them."""
        return targets - 1

    def noise_length(self, steps):
        """One vector for each pass of `horizon` steps."""
        return -(-steps // self.horizon)

    def rollouts(self, targets):
        """m, on rows of any length."""
        return self.samples

    def context(self, pose, action):
        """What the row alone says: pose (B, J, 2), action (B,) -> (B, head)."""
        h = self.pose_in(pose.flatten(1)) + self.action_in(action)                   # (B, trunk)
        for block in self.trunk:
            h = block(h, action)
        return self.between(h)

    def change(self, context, action, noise, steps):
        """context (..., B, head), action (B,), noise (..., B, Z - 1), steps (T,) of 1..H -> displacements (..., B, T, J, 2)."""
        x = context + self.noise_in(noise)                                           # (..., B, head)
        for block in self.head:
            x = block(x, action)
        basis = self.basis[steps - 1].to(self.out.weight.dtype)                      # (T, K), folded into the last layer
        weight = (basis @ self.out.weight.view(self.terms, -1)).view(-1, x.shape[-1])                # (T * 2J, head)
        bias = (basis @ self.out.bias.view(self.terms, -1)).flatten()                # (T * 2J,)
        return F.linear(F.silu(self.norm(x)), weight, bias).unflatten(-1, (len(steps), self.num_joints, 2))

    def predict(self, pose, action, steps, noise):
        """The next `steps` poses (B, steps, J, 2), inside the picture, of poses (B, J, 2), with noise (B, passes, Z).

        The last number of a noise is a coin: heads, and the network sees the row in a mirror and its prediction is mirrored
        back, so that what it predicts is as likely to the left as to the right.
        """
        poses = []
        for start, z in zip(range(0, steps, self.horizon), noise.unbind(1)):
            mirrored = z[:, -1, None, None] < 0                                      # (B, 1, 1)
            ahead = torch.arange(1, min(self.horizon, steps - start) + 1, device=pose.device)
            context = self.context(torch.where(mirrored, mirror(pose), pose), action)
            change = self.change(context, action, z[:, :-1], ahead)                  # (B, <= H, J, 2)
            change = torch.where(mirrored[..., None], mirror(change), change)
            poses.append((pose[:, None] + change).clamp(-1, 1))
            pose = poses[-1][:, -1]
        return torch.cat(poses, 1)

    def forward(self, poses, action, noise, held=None):
        """`joints`, `path` and `speed`, the energy scores of joints, of whole motions and of changes from step to step, the last
        two weighted; their sum is the loss.

        Args:
            poses: (B, T + 1, J, 2), source first; of more than H targets the first H count.
            action: (B,).
            noise: (m, L, B, Z); the coin is not used, rows are mirrored by augmentation.
            held: (B,) targets that a row really holds, or None for all T; those after it have no weight.
        """
        source, count = poses[:, 0], min(poses.shape[1] - 1, self.horizon)
        steps = torch.tensor([t for t in STEPS if t <= count], device=poses.device)  # (T',): late ones thinned out
        share = steps.diff(prepend=steps[:1] * 0) / steps ** self.decay              # (T',) each stands for its stretch
        held = torch.full_like(action, count) if held is None else held
        weight = (share * (steps <= held[:, None])).to(poses.dtype)                  # (B, T')
        seen = source + self.jitter * torch.randn_like(source) if self.training else source
        change = self.change(self.context(seen, action), action, noise[:, 0, :, :-1], steps)
        samples, truth = source[:, None] + change, poses[:, steps]                   # (m, B, T', J, 2), (B, T', J, 2)
        losses = {"joints": energy_score(samples, truth, weight)}
        if self.path_weight:                                                         # one norm over all joints and steps
            scale = (weight / weight.sum(1, keepdim=True).clamp(min=1e-8) / self.num_joints).sqrt()              # (B, T')
            whole = [(value * scale[..., None, None]).flatten(-3)[..., None, None, :] for value in (samples, truth)]
            losses["path"] = self.path_weight * energy_score(*whole, (held > 0).to(poses.dtype)[:, None])
        if self.speed_weight:
            near = min(count, NEAR)
            made = torch.cat([change[..., :1, :, :], change[..., :near, :, :].diff(dim=-3)], -3)     # (m, B, near, J, 2)
            losses["speed"] = self.speed_weight * energy_score(made, poses[:, :near + 1].diff(dim=1), weight[:, :near].sign())
        return losses
