"""Which futures are shown: medoids of known groups and their fractions, or the first ones."""
import itertools

import numpy as np
import torch

from pose.medoids import TYPICAL, medoids, motion_distances, shown_futures


def test_groups_are_found_with_their_fractions():
    """Three groups far from each other, of 5, 3 and 2 futures."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.tensor([0.0] * 5 + [3.0] * 3 + [9.0] * 2)[torch.randperm(10, generator=generator)]
    futures = centre[:, None, None, None] + 0.01 * torch.rand(10, 4, 13, 2, generator=generator)
    shown, fractions = shown_futures(futures, torch.rand(13, 2, generator=generator), 3, TYPICAL)
    assert fractions == [0.5, 0.3, 0.2]
    assert [round(float(future.mean())) for future in shown] == [0, 3, 9]


def test_medoids_minimise_the_sum_of_distances():
    distances = motion_distances(np.random.default_rng(1).random((9, 2, 13, 2)), 1.0)
    found = distances[medoids(distances, 3)].min(0).sum()
    best = min(distances[list(some)].min(0).sum() for some in itertools.combinations(range(9), 3))
    np.testing.assert_allclose(found, best)


def test_more_than_there_are_and_the_first_ones():
    futures = torch.rand(3, 2, 13, 2)
    assert len(shown_futures(futures, torch.rand(13, 2), 5, TYPICAL)[0]) == 3
    shown, fractions = shown_futures(futures, torch.rand(13, 2), 2, "random")
    assert torch.equal(shown, futures[:2]) and fractions == [None, None]
