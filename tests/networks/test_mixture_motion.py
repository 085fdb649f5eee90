"""The pose module `mixture`: library, candidates, loss, the choice between networks and real motions."""
import numpy as np
import pytest
import torch

from networks.mixture_motion import MixtureMotion
from networks.motion_library import MotionLibrary, descriptor, thinned
from networks.retrieval import SCORED, SPANS, Retrieval, motion_distance
from pose.skeleton import mirror_pose

SMALL = {"networks": 1, "trunk": 8, "head": 8, "terms": 4, "horizon": 20}
VIDEOS, FRAMES = 4, 22                # of each of the actions 0 and 2; windows of 16 steps begin at the first 6 frames
LONG = SPANS[-1]


class Rows:
    """Training rows as :class:`dataset.image_loader2.PennActionPairs` has them: padded windows of 17 steps of some videos."""

    def __init__(self, seed=0):
        generator, targets = torch.Generator().manual_seed(seed), LONG + 1
        rest = torch.rand(2 * VIDEOS, 1, 13, 2, generator=generator) - 0.5
        self.tracks = rest + 0.02 * torch.randn(2 * VIDEOS, FRAMES, 13, 2, generator=generator).cumsum(1)
        padded = torch.cat([self.tracks[:, :1], self.tracks, self.tracks[:, -1:]], 1)
        self.smooth = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
        start = torch.arange(FRAMES).repeat(2 * VIDEOS)
        video = torch.arange(2 * VIDEOS).repeat_interleave(FRAMES)
        frame = (start[:, None] + torch.arange(targets + 1)).clamp(max=FRAMES - 1)
        self.poses, self.action = self.tracks[video[:, None], frame], 2 * (video // VIDEOS)
        self.valid_steps = (FRAMES - 1 - start).clamp(max=targets)
        self.cached = (video[:, None] * FRAMES + frame).numpy()
        self.crop = np.zeros((len(start), 4), int)
        self.rows = self
        self.frames = [[f"frames/{number}/{at}.jpg"] for number, at in zip(video.tolist(), start.tolist())]


@pytest.fixture(scope="module")
def rows():
    return Rows()


@pytest.fixture(scope="module")
def library(rows):
    found = MotionLibrary()
    found.fill(rows)
    return found


@pytest.fixture
def retrieval(rows):
    torch.manual_seed(0)
    found = Retrieval(3, neighbours=3)
    found.prepare(rows)
    return found.eval()


# ---- the library ----

def test_every_frame_is_kept_once_and_windows_are_the_smoothed_motions_of_the_rows(rows, library):
    assert len(library) == 2 * VIDEOS * FRAMES and library.starts.all()
    assert all(len(library.windows_of(2, steps)) == VIDEOS * (FRAMES - steps) for steps in (1, 4, LONG))
    first = torch.from_numpy(rows.cached[:, 0])
    frame = (torch.arange(FRAMES).repeat(2 * VIDEOS)[:, None] + torch.arange(LONG + 2)).clamp(max=FRAMES - 1)
    expected = rows.smooth[torch.arange(2 * VIDEOS).repeat_interleave(FRAMES)[:, None], frame]
    found = library.windows(first, torch.zeros(len(first), dtype=torch.bool), LONG + 1)
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)
    mirrored = library.windows(first, torch.ones(len(first), dtype=torch.bool), LONG + 1)
    assert torch.equal(mirrored, mirror_pose(found))
    assert library.knows(torch.tensor([0, 1, 2]), LONG).tolist() == [True, False, True]
    assert not library.knows(torch.tensor([0]), FRAMES).any()


def test_a_smaller_library_keeps_fewer_tracks_of_each_video():
    """Three videos: one has three tracks of two frames, one two, one a single one."""
    video, last = torch.tensor([0] * 6 + [1] * 4 + [2] * 2), torch.tensor([False, True] * 6)
    for most, kept in ((12, range(12)), (11, (0, 1, 2, 3, 6, 7, 8, 9, 10, 11)), (9, (0, 1, 6, 7, 10, 11)),
                       (2, (0, 1, 6, 7, 10, 11))):
        assert thinned(video, last, most).nonzero()[:, 0].tolist() == list(kept), most


def test_several_lists_become_one_library(rows):
    both, data = MotionLibrary(), type("Sets", (), {"sets": [rows, Rows(1)]})
    both.fill(data)
    assert len(both) == 2 * len(rows.tracks) * FRAMES and len(both.video.unique()) == 4 * VIDEOS
    first = torch.tensor([2 * VIDEOS * FRAMES])
    torch.testing.assert_close(both.windows(first, torch.tensor([False]), 3)[0], Rows(1).smooth[0, :4], atol=2e-3, rtol=0)


@pytest.mark.parametrize("own", [None, 5])
def test_nearest_equals_a_plain_search(library, own):
    pose, action = torch.rand(2, 13, 2, generator=torch.Generator().manual_seed(7)) - 0.5, torch.tensor([2, 0])
    found = library.nearest(pose, action, 5, LONG, None if own is None else torch.tensor([own, own]))
    for row in range(2):
        best = {}
        for number in library.windows_of(int(action[row]), LONG).tolist():
            if library.video[number] != own:
                for mirrored in (False, True):
                    seen = library.poses[number].float()
                    seen = mirror_pose(seen) if mirrored else seen
                    distance = float((descriptor(seen[None]) - descriptor(pose[row, None])).norm())
                    video = int(library.video[number])
                    best[video] = min(best.get(video, (9e9,)), (distance, number, mirrored))
        expected = sorted(best.values())
        count = len(expected)
        assert count == VIDEOS - (own is not None and int(action[row]) == 2)
        np.testing.assert_allclose(found.distance[row, :count], [each[0] for each in expected], atol=1e-3)
        assert found.first[row, :count].tolist() == [each[1] for each in expected]
        assert found.mirrored[row, :count].tolist() == [each[2] for each in expected]
        assert found.distance[row, count:].isinf().all()


# ---- candidates and their scores ----

def test_the_loss_is_the_energy_score_of_the_weighted_candidates_of_both_spans(retrieval, rows):
    """Computed anew, with the weights of an untrained scorer; every second row is seen in a mirror, which does not change it."""
    library, scores = retrieval.library, {}
    for span in SPANS:
        columns, found_scores = [step - 1 for step in SCORED if step <= span], scores.setdefault(span, [])
        for start in (library.following >= span).nonzero()[:, 0]:
            pose, action = library.poses[start].float()[None], library.action[start].long()[None]
            near = library.nearest(pose, action, 3, span, library.video[start][None])
            assert (library.video[near.first[near.distance.isfinite()]] != library.video[start]).all()
            found = retrieval.candidates(pose, near, span)[0][0, :, columns]
            truth = library.windows(start[None], torch.tensor([False]), span)[0, 1:][columns]
            weight = (-10 * near.distance[0]).softmax(-1)
            pairs = motion_distance(found[:, None], found[None])
            found_scores.append(float(weight @ motion_distance(found, truth) - weight @ pairs @ weight / 2))
    assert [len(values) for values in scores.values()] == [2 * VIDEOS * (FRAMES - span) for span in SPANS]
    many = torch.stack([retrieval(64) for _ in range(8)]).mean().detach()
    expected = np.mean([np.mean(values) for values in scores.values()])
    assert abs(float(many) - expected) < 4 * max(map(np.std, scores.values())) / (8 * 64) ** 0.5


# ---- networks or real motions ----

def module(rows, **settings):
    torch.manual_seed(0)
    found = MixtureMotion(3, neighbours=3, **{**SMALL, **settings})
    found.prepare(rows)
    return found.eval()


def test_unknown_actions_go_to_the_networks(rows):
    model = module(rows)
    pose, noise = torch.rand(40, 13, 2) - 0.5, torch.randn(40, 1, model.z_dim)
    for action, shares in ((0, noise[:, 0, -1] < 0), (1, torch.zeros(40, dtype=torch.bool))):
        ids = torch.full((40,), action)
        found = model.predict(pose, ids, 5, noise)
        network = model.motion.predict(pose, ids, 5, noise[..., :-2])
        same = (found == network).flatten(1).all(1)
        assert torch.equal(~same, shares)


def test_what_retrieval_draws_is_a_real_motion_of_the_library(rows):
    model = module(rows)
    model.retrieval.beta.data.zero_()                                                # all candidates are equally likely
    pose, action = rows.tracks[:1, 2].repeat(30, 1, 1), torch.zeros(30, dtype=torch.int64)
    noise = torch.randn(30, 1, model.z_dim)
    noise[..., -1] = -1                                                              # the coin: retrieval
    near = model.retrieval.library.nearest(pose[:1], action[:1], 3, LONG)
    candidates = model.retrieval.candidates(pose[:1], near, LONG)[0][0].clamp(-1, 1)
    found = model.predict(pose, action, LONG, noise)
    numbers = (found[:, None] - candidates).abs().flatten(2).amax(-1).argmin(1)
    torch.testing.assert_close(found, candidates[numbers])
    assert len(numbers.unique()) == 3
    own = rows.tracks[0, 2] + rows.smooth[0, 3] - rows.smooth[0, 2]                  # its own video is the nearest
    torch.testing.assert_close(candidates[0, 0], own, atol=5e-3, rtol=0)


@pytest.mark.parametrize("real", [0.0, 0.8, 1.0])
def test_the_fraction_of_real_motions(rows, real):
    model, pose, action = module(rows, real=real), rows.tracks[:1, 2].repeat(400, 1, 1), torch.zeros(400, dtype=torch.int64)
    noise = torch.randn(400, 1, model.z_dim, generator=torch.Generator().manual_seed(0))
    network = model.motion.predict(pose, action, 4, noise[..., :-2])
    drawn = (model.predict(pose, action, 4, noise) != network).flatten(1).any(1).float().mean()
    assert abs(float(drawn) - real) < 0.06
