"""Retrieval: what people did who stood like the person in the picture, transferred to this person.

The k windows of :class:`networks.motion_library.MotionLibrary` that begin with the most similar poses n_0 are candidates. Their
displacements, in body units, are added to the source pose x_0:

    x_t = x_0 + s(x_0) (n_t - n_0) / s(n_0).

A network, the scorer, gives each candidate a number r; candidate i is drawn with the probability

    w = softmax(r_i - beta_a (d_i - d_1)),

where d is the distance of the poses and beta_a a weight learned for each action. Its loss is the exact energy score of the
weighted candidates, sum_i w_i D(x_i, y) - 1/2 sum_ij w_i w_j D(x_i, x_j). In training, windows of the same video are left out.
The scorer is trained on predictions of 4 and of 16 steps, `SPANS`: short ones also draw from the windows near the end of a video.

Axes: as in :mod:`networks.motion_library`, and N training windows, D width.
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from networks.layers import constant
from networks.motion_library import MotionLibrary, Neighbours, in_body_units
from networks.residual_motion import EnsembleLinear, MotionBlock
from pose.skeleton import body_size

WIDTH, BLOCKS, DROPOUT = 128, 2, 0.3          # of the scorer
BETA = 10.0                                   # at the start of training
SPANS = (4, 16)                               # numbers of steps that candidates have, at least
SEEN = (1, 2, 4, 8, 16)                       # steps whose displacements the scorer sees
SCORED = (1, 2, 3, 4, 6, 8, 10, 12, 14, 16)   # steps of D, whose weights are t^-1/2
MOST_ROWS = 8000                              # windows of each span that the scorer is trained on, spread over the library
AT_ONCE = 256                                 # rows whose candidates are in memory together
CLAMP = 5.0                                   # standard deviations


class Rows(NamedTuple):
    """What the scorer is trained on, for one of the `SPANS`, computed once."""

    action: torch.Tensor         # (N,)
    distance: torch.Tensor       # (N, k), of :class:`networks.motion_library.Neighbours`
    features: torch.Tensor       # (N, k, inputs) float16
    to_truth: torch.Tensor       # (N, k) float16, D of each candidate and the truth
    to_others: torch.Tensor      # (N, k, k) float16, D of each two candidates


def box(paths):
    """The bounding box of poses (B, k, T, J, 2): (B, k, 4)."""
    points = paths.flatten(2, 3)
    return torch.cat([points.amin(2), points.amax(2)], -1)


def motion_distance(a, b):
    """D of motions at the first steps of `SCORED`, (..., steps, J, 2): (...)."""
    weight = constant(SCORED[:a.shape[-3]], a.device, a.dtype) ** -0.5
    return ((a - b).norm(dim=-1).mean(-1) * (weight / weight.sum())).sum(-1)


def span_of(steps):
    """The shortest of `SPANS` that holds so many steps, or the longest."""
    return next((span for span in SPANS if span >= steps), SPANS[-1])


class Retrieval(nn.Module):
    """Draws real motions that begin with a similar pose; `frames` is the size of the library, `neighbours` is k."""

    def __init__(self, num_actions=9, num_joints=13, frames=0, neighbours=28):
        super().__init__()
        self.count, self.rows = neighbours, {}
        self.library = MotionLibrary(frames, num_joints)
        inputs = 2 * num_joints * (3 + len(SEEN)) + 20
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.inputs = EnsembleLinear(1, inputs, WIDTH)
        self.action_in = nn.Embedding(num_actions, WIDTH)
        self.blocks = nn.ModuleList(MotionBlock(1, WIDTH, num_actions, DROPOUT) for _ in range(BLOCKS))
        self.out = nn.Linear(WIDTH, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.beta = nn.Parameter(torch.full((num_actions,), BETA))

    def candidates(self, pose, near, steps):
        """Candidates (B, k, T, J, 2) of poses (B, J, 2), and the windows (B, k, T + 1, J, 2) that they come from."""
        windows = self.library.windows(near.first, near.mirrored, steps)
        first = windows[:, :, :1]
        size = body_size(first.flatten(0, 2)).view(*first.shape[:3], 1, 1).clamp(min=1e-6)
        return pose[:, None, None] + body_size(pose)[:, None] * (windows[:, :, 1:] - first) / size, windows

    def features(self, pose, near, candidates, windows):
        """What the scorer sees of each candidate, up to the longest of `SPANS`: (B, k, inputs)."""
        span = min(candidates.shape[2], SPANS[-1])
        first, path, moved = windows[:, :, 0], windows[:, :, :span + 1], candidates[:, :, :span]
        body, centre, size = in_body_units(pose)
        other, other_centre, other_size = (part.unflatten(0, first.shape[:2]) for part in in_body_units(first.flatten(0, 1)))
        delta, change = other - body[:, None], (moved - pose[:, None, None]) / body_size(pose)[:, None]
        around = box(moved)
        overshoot = F.relu(torch.cat([-1 - around[..., :2], around[..., 2:] - 1], -1))
        rank = torch.arange(self.count, device=pose.device).expand(near.first.shape) / self.count
        distance = near.distance.masked_fill(near.distance.isinf(), 0)
        single = [delta.abs().mean((-1, -2)), distance, change.norm(dim=-1).mean((-1, -2)), rank, torch.full_like(rank, span)]
        seen = constant(tuple(min(step, span) - 1 for step in SEEN), pose.device)
        return torch.cat([3 * delta.flatten(2), 3 * delta.abs().flatten(2), around, overshoot, box(path),
                          (other_centre - centre[:, None]).flatten(2), (other_size - size[:, None]).flatten(2),
                          torch.stack(single, -1), change[:, :, seen].flatten(2),
                          body.flatten(1)[:, None].expand(-1, self.count, -1)], -1)

    def log_weights(self, features, distance, action):
        """Logarithms of the candidates' probabilities (B, k), from their features and the poses' distances (B, k)."""
        x = ((features - self.mean) / self.scale).clamp(-CLAMP, CLAMP).to(self.out.weight.dtype)
        x = self.inputs(x.transpose(0, 1).flatten(0, 1), 0).unflatten(0, (self.count, -1)) + self.action_in(action)  # (k, B, D)
        for block in self.blocks:
            x = block(x, action, 0)
        r = self.out(F.silu(F.layer_norm(x, x.shape[-1:])))[..., 0].T.float()        # (B, k)
        missing = distance.isinf()
        further = (distance - distance[:, :1]).masked_fill(missing, 0)
        return (r - self.beta.float()[action][:, None] * further).masked_fill(missing, -1e4).log_softmax(-1)

    def draw(self, pose, action, steps, number):
        """Draw a motion (B, T, J, 2) for each pose (B, J, 2) and action (B,), which the library must know.

        `number` (B,) in [0, 1] decides which candidate is drawn. Consecutive equal rows are looked up once.
        """
        keys = torch.cat([pose.flatten(1), action[:, None].to(pose.dtype)], 1)
        _, row, counts = keys.unique_consecutive(dim=0, return_inverse=True, return_counts=True)
        one = counts.cumsum(0) - counts                                              # the first of equal rows
        pose, action = pose[one].float(), action[one]
        span = span_of(steps)
        near = self.library.nearest(pose, action, self.count, span)
        found, windows = self.candidates(pose, near, max(steps, span))
        weights = self.log_weights(self.features(pose, near, found, windows), near.distance, action).exp()
        chosen = torch.searchsorted(weights.cumsum(1)[row], number[:, None].float()).clamp(max=self.count - 1)[:, 0]
        chosen = torch.where(near.distance[row, chosen].isinf(), 0, chosen)          # rounding at the end of the sum
        return found[row, chosen, :steps]

    @torch.no_grad()
    def prepare(self, data, most=0):
        """Fill the library, see :meth:`networks.motion_library.MotionLibrary.fill`, and compute what the scorer is trained on."""
        self.library.fill(data, most)
        moments = []
        self.rows = {span: rows for span in SPANS if (rows := self.rows_of(span, moments))}
        if moments:
            mean, square = torch.stack(moments).mean(0)
            self.mean, self.scale = mean.float(), (square - mean ** 2).clamp(min=1e-8).sqrt().float()

    def rows_of(self, span, moments):
        """The :class:`Rows` of a span, None where there are none; means and mean squares of the features go to `moments`."""
        library = self.library
        starts = (library.starts & (library.following >= span)).nonzero()[:, 0]
        starts = starts[torch.linspace(0, len(starts) - 1, min(len(starts), MOST_ROWS)).round().long().to(starts.device)]
        flip = torch.arange(len(starts), device=starts.device) % 2 == 1              # every second row is seen in a mirror
        action, motion = library.action[starts].long(), library.windows(starts, flip, span)              # (N, span + 1, J, 2)
        near = library.nearest(motion[:, 0], action, self.count, span, library.video[starts])
        kept = near.distance[:, 0].isfinite().nonzero()[:, 0]                        # actions of a single video teach nothing
        scored, parts = [step - 1 for step in SCORED if step <= span], []
        for some in kept.split(AT_ONCE) if len(kept) else ():
            pose, part = motion[some, 0], Neighbours(*(value[some] for value in near))
            found, windows = self.candidates(pose, part, span)
            features, found, truth = self.features(pose, part, found, windows), found[:, :, scored], motion[some, 1:][:, scored]
            to_others = torch.stack([motion_distance(found, each[:, None]) for each in found.unbind(1)], 1)
            to_truth = motion_distance(found, truth[:, None])
            parts.append(Rows(action[some], part.distance, features.half(), to_truth.half(), to_others.half()))
            moments.append(torch.stack([features.mean((0, 1)), features.square().mean((0, 1))]).double())
        return Rows(*map(torch.cat, zip(*parts))) if parts else None

    def forward(self, count):
        """The energy score of `count` random training windows of each span, mean over the spans: 0-dim; 0 without a library."""
        if not self.rows:
            return sum(value.sum() for value in self.parameters()) * 0
        scores = []
        for known in self.rows.values():
            drawn = torch.randint(len(known.action), (count,), device=self.beta.device)
            rows = Rows(*(value[drawn] for value in known))
            weight = self.log_weights(rows.features.float(), rows.distance, rows.action).exp()
            others = torch.einsum("bi,bij,bj->b", weight, rows.to_others.float(), weight)
            scores.append(((weight * rows.to_truth.float()).sum(1) - others / 2).mean())
        return torch.stack(scores).mean()
