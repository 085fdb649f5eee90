"""Recognition accuracy: which action does a small classifier of true motion see in the samples?"""
import warnings

import torch
import torch.nn.functional as F
from torch import nn

from evaluation.motion_metrics import path
from utils.errors import UserError

LEAST_ROWS = 200          # windows of true motion that a classifier is trained on
ITERATIONS = 800          # of its training: about 10 seconds on one core for motions of 32 steps


class MotionClassifier(nn.Module):
    """Convolutions over time of the joints' positions and velocities, centred and scaled by the source's body."""

    def __init__(self, num_actions=9, num_joints=13, width=64):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(4 * num_joints, width, 3, padding=1), nn.ReLU(), nn.Dropout(0.3),
                                    nn.Conv1d(width, width, 3, padding=1), nn.ReLU())
        self.out = nn.Linear(2 * width, num_actions)

    def forward(self, path):
        """(B, T + 1, J, 2) source first -> (B, C) logits."""
        centre = path[:, :1].mean(2, keepdim=True)                                   # (B, 1, 1, 2)
        scale = (path[:, :1] - centre).norm(dim=-1).mean((1, 2)).clamp(min=1e-3)[:, None, None, None]
        path = (path - centre) / scale
        velocity = F.pad(path.diff(dim=1), (0, 0, 0, 0, 1, 0))                       # (B, T + 1, J, 2)
        x = self.layers(torch.cat([path.flatten(2), 3 * velocity.flatten(2)], -1).transpose(1, 2))     # (B, width, T + 1)
        return self.out(torch.cat([x.mean(-1), x.amax(-1)], 1))


def train_classifier(path, action, num_actions, iterations=ITERATIONS, batch=128, seed=0):
    """Train a :class:`MotionClassifier` on true motions (N, T + 1, J, 2), source first, with action ids (N,).

    The result is deterministic, and torch's random state does not change.
    """
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
    return net.eval().requires_grad_(False)


def find_classifier(read, steps, log):
    """Train a classifier on the list that `read()` returns, or return None and log why that is not possible."""
    if read is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                                          # a test warns about the test list only
            data = read()
        rows = (data.valid_steps >= steps).nonzero()[:, 0]
        if len(rows) < LEAST_ROWS:
            raise UserError(f"{data.rows.path}: {len(rows)} windows have {steps} targets, {LEAST_ROWS} are needed")
    except UserError as error:
        log.info("recognition accuracy is not measured: %s", error)
        return None
    return train_classifier(data.poses[rows, :steps + 1], data.action[rows], len(data.rows.actions), ITERATIONS)


def recognised(futures, motions, source):
    """The fraction of each window's motions (B, n, T, J, 2) that the classifier assigns to the right action, (B,), or None."""
    if futures.classifier is None:
        return None
    seen = futures.classifier(path(motions, source).flatten(0, 1)).argmax(-1).view(motions.shape[:2])        # (B, n)
    return (seen == futures.action[:, None]).float().mean(1)
