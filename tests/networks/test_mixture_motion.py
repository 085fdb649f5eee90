"""The pose module `mixture`: its library, its candidates, its loss, its coin, and its way through training and files."""
import json

import numpy as np
import pytest
import torch

import train_actvae
from dataset.layouts import read_pairs
from dataset.pair_list import TEST_LIST, TRAIN_LIST
from dataset.penn_action import build
from networks.mixture_motion import MixtureMotion
from networks.motion_library import MotionLibrary, Neighbours, descriptor, thinned
from networks.retrieval import SPANS, Retrieval, motion_distance, scored_steps, span_of
from pose.skeleton import mirror_pose
from utils.torch_files import load_torch
from utils_file import load_config

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


def test_a_library_that_would_be_too_large_loses_repeated_tracks_before_videos():
    """Three videos: one has three tracks of two frames, one two, one a single one."""
    video, last = torch.tensor([0] * 6 + [1] * 4 + [2] * 2), torch.tensor([False, True] * 6)
    for most, kept in ((12, range(12)), (11, (0, 1, 2, 3, 6, 7, 8, 9, 10, 11)), (9, (0, 1, 6, 7, 10, 11)), (4, (0, 1, 10, 11)),
                       (2, (0, 1))):
        assert thinned(video, last, most).nonzero()[:, 0].tolist() == list(kept), most


def test_a_library_of_few_frames_holds_whole_videos(rows):
    library = MotionLibrary()
    library.fill(rows, 3 * FRAMES)
    assert len(library) == 3 * FRAMES and len(library.video.unique()) == 3
    found = library.windows(torch.tensor([0]), torch.tensor([False]), 9)[0]
    torch.testing.assert_close(found, rows.smooth[0, :10], atol=2e-3, rtol=0)


def test_several_lists_become_one_library(rows):
    both, data = MotionLibrary(), type("Sets", (), {"sets": [rows, Rows(1)]})
    both.fill(data)
    assert len(both) == 2 * len(rows.tracks) * FRAMES and len(both.video.unique()) == 4 * VIDEOS
    first = torch.tensor([2 * VIDEOS * FRAMES])
    torch.testing.assert_close(both.windows(first, torch.tensor([False]), 3)[0], Rows(1).smooth[0, :4], atol=2e-3, rtol=0)


@pytest.mark.parametrize("own", [None, 5])
def test_the_nearest_window_of_each_video_as_a_plain_search_finds_it(library, own):
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

def test_candidates_start_at_the_person_and_move_in_body_units(retrieval):
    """A person twice as large, elsewhere, moves twice as far."""
    near = Neighbours(torch.tensor([[3]]), torch.tensor([[False]]), torch.zeros(1, 1))
    window = retrieval.library.windows(near.first, near.mirrored, 4)[0, 0]
    pose = (2 * window[:1] + 0.1)
    found, _ = retrieval.candidates(pose, near, 4)
    torch.testing.assert_close(found[0, 0], 2 * window[1:] + 0.1, atol=1e-5, rtol=0)


def test_before_training_nearer_candidates_are_likelier(retrieval, rows):
    pose, action = rows.tracks[:1, 3], torch.tensor([0])
    near = retrieval.library.nearest(pose, action, 3, LONG)
    found, windows = retrieval.candidates(pose, near, LONG)
    features = retrieval.features(pose, near, found, windows)
    assert features.shape == (1, 3, len(retrieval.mean)) and len(retrieval.mean) == 228
    weights = retrieval.log_weights(features, near.distance, action).exp()
    torch.testing.assert_close(weights, (-10 * near.distance).softmax(-1))


def test_the_loss_is_the_energy_score_of_the_weighted_candidates_of_both_spans(retrieval, rows):
    """Computed anew, with the weights of an untrained scorer; every second row is seen in a mirror, which does not change it."""
    library, scores = retrieval.library, {}
    for span in SPANS:
        columns, found_scores = [step - 1 for step in scored_steps(span)], scores.setdefault(span, [])
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


def test_short_predictions_use_the_windows_near_the_end_of_a_video(retrieval, rows):
    assert [span_of(steps) for steps in (1, 4, 5, 16, 32)] == [4, 4, 16, 16, 16]
    pose, action = rows.tracks[1:2, FRAMES - 5], torch.tensor([0])
    near, far = (retrieval.library.nearest(pose, action, 3, span) for span in SPANS)
    assert near.distance[0, 0] < 0.1 < far.distance[0, 0] and near.first[0, 0] == 2 * FRAMES - 5


def test_training_the_scorer_lowers_its_loss(retrieval):
    optimizer = torch.optim.AdamW(retrieval.parameters(), 3e-3)
    before = float(torch.stack([retrieval(64).detach() for _ in range(4)]).mean())
    retrieval.train()
    for _ in range(60):
        loss = retrieval(48)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(torch.stack([retrieval.eval()(64).detach() for _ in range(4)]).mean()) < 0.97 * before


# ---- the coin ----

def module(rows, **settings):
    torch.manual_seed(0)
    found = MixtureMotion(3, neighbours=3, **{**SMALL, **settings})
    found.prepare(rows)
    return found.eval()


def test_the_coin_decides_and_unknown_actions_go_to_the_network(rows):
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
def test_the_share_of_real_motions_can_be_chosen(rows, real):
    model, pose, action = module(rows, real=real), rows.tracks[:1, 2].repeat(400, 1, 1), torch.zeros(400, dtype=torch.int64)
    noise = torch.randn(400, 1, model.z_dim, generator=torch.Generator().manual_seed(0))
    network = model.motion.predict(pose, action, 4, noise[..., :-2])
    drawn = (model.predict(pose, action, 4, noise) != network).flatten(1).any(1).float().mean()
    assert abs(float(drawn) - real) < 0.06


def test_longer_rollouts_begin_again_at_the_last_pose(rows):
    model, pose, action = module(rows), torch.rand(3, 13, 2) - 0.5, torch.tensor([0, 2, 0])
    noise = torch.randn(3, model.noise_length(25), model.z_dim)
    found = model.predict(pose, action, 25, noise)
    torch.testing.assert_close(found[:, 20:], model.predict(found[:, 19], action, 5, noise[:, 1:]))


# ---- training and files ----

@pytest.fixture(scope="module")
def motion_list(tmp_path_factory, write_label):
    """A list with windows of 17 targets: three training videos of each of two actions, and a test video."""
    root = tmp_path_factory.mktemp("videos")
    for number in range(7):
        write_label(root, f"{number:04d}", action=("squat", "pullup")[number % 2], nframes=24, train=number < 6)
    build(root, root, horizon=17, pad=True)
    return root


def test_training_fills_the_library_and_files_bring_it_back(tmp_path, motion_list, run_script):
    """Through the script: trained, resumed to the same weights as at one go, tested."""
    sizes = {"networks": 1, "retrieval_rows": 4, "neighbours": 2, "trunk": 8, "head": 8, "terms": 4}
    tiny = [f"train_data_list={motion_list / TRAIN_LIST}", f"test_data_list={motion_list / TEST_LIST}", "device=cpu",
            f"data_root={motion_list}", "batch_size=24", "snapshot_save_iter=3", "image_save_iter=1000", "warmup_iter=0",
            *(f"actvae.{name}={value}" for name, value in sizes.items())]

    def run(name, *argv, epochs):
        outcome = run_script(train_actvae.main, "--config", "config/mixture.yaml", "--output_path", tmp_path, "--name", name,
                             *argv,
                             overrides=[*tiny, f"train_epoch={epochs}"])
        assert outcome.status == 0, outcome
        return tmp_path / "outputs" / f"mixture{name}"

    def newest(folder, part):
        return load_torch(sorted((folder / "checkpoints").glob(f"*_{part}_*.pt"))[-1])["a"]

    whole, parts = run("_whole", epochs=2), run("_parts", epochs=1)
    before = newest(parts, "retrieval")
    run("_parts", "--resume", epochs=2)
    for part in ("motion", "retrieval"):
        one, other = newest(whole, part), newest(parts, part)
        assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(before["out.weight"], newest(parts, "retrieval")["out.weight"])
    config = load_config(parts / "config.yaml")
    data = read_pairs(config, images=False)
    assert config.actvae.library == len(newest(parts, "retrieval")["library.poses"]) == data.cached.max() + 1
    run("_parts", "--test", "--resume", "--steps", "16", "--samples", "2", epochs=2)
    metrics = json.loads((parts / "test" / "metrics.json").read_text())
    assert metrics["steps"] == 16 and metrics["overall"]["normalised"]["energy_score"] > 0
