"""Which futures are shown: medoids of known groups, their shares, and no choice at random."""
import itertools

import numpy as np
import torch

from pose.medoids import TYPICAL, medoids, motion_distances, shown_futures, typical


def test_groups_are_found_with_their_shares():
    """Three groups far from each other, of 5, 3 and 2 futures."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.tensor([0.0] * 5 + [3.0] * 3 + [9.0] * 2)[torch.randperm(10, generator=generator)]
    futures = centre[:, None, None, None] + 0.01 * torch.rand(10, 4, 13, 2, generator=generator)
    shown, shares = shown_futures(futures, torch.rand(13, 2, generator=generator), 3, TYPICAL)
    assert shares == [0.5, 0.3, 0.2]
    assert [round(float(future.mean())) for future in shown] == [0, 3, 9]


def test_no_other_choice_has_a_smaller_sum():
    distances = motion_distances(np.random.default_rng(1).random((9, 2, 13, 2)), 1.0)
    found = distances[medoids(distances, 3)].min(0).sum()
    best = min(distances[list(some)].min(0).sum() for some in itertools.combinations(range(9), 3))
    np.testing.assert_allclose(found, best)


def test_exchanges_mend_a_bad_beginning():
    """The single best medoid of five points on a line is the middle, which is in no best pair."""
    points = np.array([0.0, 0.1, 5.0, 9.9, 10.0])
    chosen, shares = typical(np.abs(points[:, None] - points), 2)
    assert np.abs(points[:, None] - points)[chosen].min(0).sum() <= 5.2 and shares.sum() == 1


def test_distances_are_in_body_units():
    futures = np.zeros((2, 3, 13, 2))
    futures[1, ..., 0] = 0.5
    np.testing.assert_allclose(motion_distances(futures, 2.0), [[0, 0.25], [0.25, 0]])


def test_more_are_wanted_than_there_are_and_random_ones():
    futures = torch.rand(3, 2, 13, 2)
    assert len(shown_futures(futures, torch.rand(13, 2), 5, TYPICAL)[0]) == 3
    shown, shares = shown_futures(futures, torch.rand(13, 2), 2, "random")
    assert torch.equal(shown, futures[:2]) and shares == [None, None]
