"""Recognition: can a small classifier of true motion tell which action the samples show? Its features are also the space in which
the distributions of sampled and true motions are compared."""
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from evaluation.metric import HIGHER, LOWER, METRICS, RATIOS, RECOGNITION, REFERENCE, Metric, metric
from utils.errors import UserError

LEAST_ROWS = 200          # of true motion that a classifier is trained on
ITERATIONS = 800          # of its training: about 10 seconds on one core for motions of 32 steps


class MotionClassifier(nn.Module):
    """Convolutions over time of the joints' positions and speeds, centred and scaled by the source's body."""

    def __init__(self, num_actions=9, num_joints=13, width=64):
        super().__init__()
        self.iterations = 0                                                          # that it was trained for
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


def train_classifier(path, action, num_actions, iterations=None, batch=128, seed=0):
    """Train a :class:`MotionClassifier`; the same motions give the same classifier, however busy the machine is.

    Args:
        path: (N, T + 1, J, 2) true motions, source first.
        action: (N,) int64 ids.
        num_actions: C.
        iterations: default: `ITERATIONS`.
        batch: motions of an iteration.
        seed: of the weights and batches; torch's own random state stays as it is.
    """
    iterations = iterations or ITERATIONS
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
    net.iterations = iterations
    return net.eval().requires_grad_(False)


def find_classifier(read, steps, log, rows=slice(None)):
    """Train a classifier on a training list's true motions. Where that cannot be done, the result is None and the log says why.

    Args:
        read: function that returns the list's data; None: do without a classifier.
        steps: T; rows whose clip ends before are left out.
        log: logger.
        rows: numbers of the rows that may be used.
    """
    if read is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                                          # a test warns of the test list only
            data = read()
        rows = np.arange(len(data))[rows]
        rows = rows[data.valid_steps.numpy()[rows] >= steps]
        if len(rows) < LEAST_ROWS:
            raise UserError(f"{data.rows.path}: {len(rows)} rows hold {steps} targets, {LEAST_ROWS} are needed")
    except UserError as error:
        log.info("recognisability is not measured: %s", error)
        return None
    return train_classifier(data.poses[rows, :steps + 1], data.action[rows], len(data.rows.actions))


def gaussian_distance(a, b):
    """Frechet distance of two sets of features (N, D) and (M, D) taken as Gaussians: |mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2))
    (Dowson and Landau, 1982; of features of a network: Heusel et al., NeurIPS 2017)."""
    a, b = a.double(), b.double()
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T                          # A^(1/2)
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()     # tr (A B)^(1/2)
    return float((a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross)


# ---- metrics ----

def correct(futures, features):
    """Whether the classifier names the right action: features (B, ..., D) of rows' motions -> (B, ...) float."""
    named = futures.classifier.out(features).argmax(-1)
    return (named == futures.action.view(-1, *[1] * (named.ndim - 1))).float()


@metric(RATIOS, "share", HIGHER)
def recognised(futures):
    """Share of the first four samples that the classifier takes for the right action."""
    return correct(futures, futures.features[0]).mean(1) if futures.classifier else None


@metric(RATIOS, "share", REFERENCE)
def recognised_true(futures):
    """Share of true motions that the classifier takes for the right action."""
    return correct(futures, futures.features[1]) if futures.classifier else None


METRICS += [Metric(name, RECOGNITION, "share", better, f"`overall.ratios.{name}` again.",
                   lambda scores, name=name: float(scores.values(RATIOS)[name].double().mean()))
            for name, better in (("recognised", HIGHER), ("recognised_true", REFERENCE))]


@metric(RECOGNITION, "squared distance of features", LOWER)
def frechet_distance(scores):
    """Frechet distance of sampled and true motions, as Gaussians in the classifier's features; left out where there are no more
    rows than features."""
    samples, truth = (torch.cat(parts) for parts in scores.features)
    return gaussian_distance(samples, truth) if len(truth) > truth.shape[1] else None


METRICS.append(Metric("iterations", RECOGNITION, "iterations", REFERENCE,
                      "Number of iterations that the classifier was trained for.", lambda scores: scores.classifier.iterations))
