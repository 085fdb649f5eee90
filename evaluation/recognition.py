"""A small classifier of motions: whether samples can be told as the action that they should be, and the space in which
distributions of motions are compared."""
import time
import warnings

import torch
import torch.nn.functional as F
from torch import nn

from utils.errors import UserError

LEAST_ROWS = 200          # of true motion that a classifier is trained on
ITERATIONS, SECONDS = 800, 20


class MotionClassifier(nn.Module):
    """Convolutions over time of the joints of every step, centred and scaled by the source's body."""

    def __init__(self, num_actions=9, num_joints=13, width=64):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(4 * num_joints, width, 3, padding=1), nn.ReLU(), nn.Dropout(0.3),
                                    nn.Conv1d(width, width, 3, padding=1), nn.ReLU())
        self.out = nn.Linear(2 * width, num_actions)

    def features(self, path):
        """(B, T + 1, J, 2) source first -> (B, 2 width), mean and maximum over time."""
        centre = path[:, :1].mean(2, keepdim=True)                                   # (B, 1, 1, 2)
        scale = (path[:, :1] - centre).norm(dim=-1).mean((1, 2)).clamp(min=1e-3)[:, None, None, None]
        path = (path - centre) / scale
        speed = F.pad(path.diff(dim=1), (0, 0, 0, 0, 1, 0))                          # (B, T + 1, J, 2)
        x = self.layers(torch.cat([path.flatten(2), 3 * speed.flatten(2)], -1).transpose(1, 2))        # (B, width, T + 1)
        return torch.cat([x.mean(-1), x.amax(-1)], 1)

    def forward(self, path):
        """(B, T + 1, J, 2) source first -> (B, C) logits."""
        return self.out(self.features(path))


def train_classifier(path, action, num_actions, iterations=ITERATIONS, seconds=SECONDS, batch=128, seed=0):
    """A :class:`MotionClassifier` of true motions (N, T + 1, J, 2) with action ids (N,); it stops after so many seconds."""
    started = time.monotonic()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        net = MotionClassifier(num_actions, path.shape[2])
        optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
        for _ in range(iterations):
            rows = torch.randint(len(path), (batch,))
            loss = F.cross_entropy(net(path[rows]), action[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if time.monotonic() > started + seconds:
                break
    return net.eval().requires_grad_(False)


def find_classifier(read, steps, log):
    """A classifier of true motions of `steps` steps; None, and the log says why, where there are none.

    Args:
        read: () -> the training list's data, or None where no list is asked.
        steps: T.
        log: logger.
    """
    if read is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                                          # the test list has been warned of
            data = read()
        rows = data.valid_steps >= steps
        if rows.sum() < LEAST_ROWS:
            raise UserError(f"{data.rows.path}: {int(rows.sum())} rows hold {steps} targets, {LEAST_ROWS} are needed")
    except UserError as error:
        log.info("recognisability is not measured: %s", error)
        return None
    return train_classifier(data.poses[rows, :steps + 1], data.action[rows], len(data.rows.actions))


def frechet_distance(a, b):
    """Frechet distance of two sets of features (N, D) and (M, D) as Gaussians: |mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2))
    (Dowson and Landau, 1982; of features of a network: Heusel et al., NeurIPS 2017)."""
    a, b = a.double(), b.double()
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T                          # A^(1/2)
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()     # tr (A B)^(1/2)
    return float((a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross)
