"""Several data sets in one training: fractions, pairs, augmentation, exact resume."""
import numpy as np
import pytest
import torch
from helpers import newest_weights
from torch.utils.data import default_collate

import train_actvae
import train_actvae_p2inetwork as script
from dataset.image_loader2 import PennActionPairs
from dataset.mixture import NEAR_FRAMES, Draw, TrainingPairs, training_pairs
from dataset.pair_list import TRAIN_LIST
from dataset.penn_action import build
from training.batches import MixedBatches, training_batches
from utils import processes
from utils.config import load_config
from utils.errors import UserError

CONFIG = "config/Penn_actvae_p2inetwork.yaml"
SMALL = ["generator.ngf=4", "generator.n_blocks=1", "discriminator.ndf=4", "discriminator.n_blocks=1", "image_loss.vgg=0"]


@pytest.fixture(scope="module")
def sets(penn_root, lists):
    return [PennActionPairs(path, penn_root, 32) for path in lists]


def test_a_row_number_gives_the_unchanged_window(sets):
    mixture = TrainingPairs(sets, (.5, .5), "anywhere", augment=True)
    assert len(mixture) == 112 and mixture.poses.shape[0] == 112
    for row, (which, inner) in {0: (0, 0), 55: (0, 55), 56: (1, 0), 111: (1, 55)}.items():
        for name, value in sets[which][inner].items():
            assert torch.equal(mixture[row][name], value)
        assert np.array_equal(mixture.pictures(row, [0, 3]), sets[which].pictures(inner, [0, 3]))


def test_fractions(sets):
    mixture = TrainingPairs(sets, (.2, .8))
    rows = np.array([draw.row for draw in mixture.draw(np.random.default_rng(0), 4000)])
    assert (rows < 56).mean() == pytest.approx(.2, abs=.02)
    assert set(rows.tolist()) == set(range(112))


def test_pairs_from_anywhere(sets):
    mixture, data, gaps = TrainingPairs(sets, (1.0, 0.0), "anywhere", near=.5), sets[0], []
    for seed in range(300):
        row = seed % 56
        item = mixture[Draw(row, seed)]
        assert [tuple(item[name].shape) for name in ("images", "poses", "masks")] == [(2, 3, 32, 32), (2, 13, 2), (1, 1, 32, 32)]
        places = [(data.poses == pose).all((2, 3)).nonzero() for pose in item["poses"]]
        frames = [int(place[0].sum()) % 1000 for place in places]                    # row + frame: the number in the video
        assert all(place[0, 0] // 28 == row // 28 for place in places), "of the same video"
        if seed < 30:
            assert torch.equal(item["images"][0], data[int(places[0][0, 0])]["images"][int(places[0][0, 1])])
        gaps.append(abs(frames[0] - frames[1]))
    assert .5 < (np.array(gaps) <= NEAR_FRAMES).mean() < .85 and max(gaps) > 20
    near = TrainingPairs(sets[:1], (1.0,), "anywhere", near=1.0)
    numbers = near.videos[0][0]
    assert np.array_equal(numbers[:, 0], np.arange(1, 34))
    assert torch.equal(near[Draw(3, 9)]["poses"], near[Draw(3, 9)]["poses"])


def test_masks_of_pairs_are_the_list_s_person_boxes(penn_root, write_label, tmp_path):
    """Made with --visible_boxes, they ignore invisible joints."""
    visible = np.ones((36, 13))
    visible[:, [0, 11, 12]] = 0
    write_label(tmp_path, "0001", visibility=visible), write_label(tmp_path, "0003", train=False)
    (tmp_path / "frames").symlink_to(penn_root / "frames")
    build(tmp_path, tmp_path, visible_boxes=True)
    data, targets = PennActionPairs(tmp_path / TRAIN_LIST, tmp_path, 32), set()
    mixture = TrainingPairs([data], (1.0,), "anywhere", near=.2)
    for seed in range(100):
        item = mixture[Draw(seed % 28, seed)]
        row, target = (data.poses[:, 1:] == item["poses"][1]).all((2, 3)).nonzero()[0].tolist()
        assert torch.equal(item["masks"], data.masks(row, [target])), "the source alone has no box in the list"
        targets.add(row + target)
    assert len(targets) > 25


def test_a_padded_list_mixes_with_others(sets, penn_root, tmp_path):
    for name, pad in (("padded", True), ("whole", False)):
        build(penn_root, tmp_path / name, horizon=12, pad=pad)
    data = [PennActionPairs(tmp_path / name / TRAIN_LIST, penn_root, 32, images=False) for name in ("padded", "whole")]
    assert data[0].padded and not data[1].padded
    for some in (data, data[::-1]):
        mixture = TrainingPairs(some, (.5, .5))
        for indices in (mixture.draw(np.random.default_rng(0), 40), range(0, len(mixture), 3)):
            batch = default_collate([mixture[index] for index in indices])
            rows = [index.row if isinstance(index, Draw) else index for index in indices]
            expected = torch.cat([one.valid_steps for one in some])[rows]
            assert torch.equal(batch["valid_steps"], expected) and expected.min() < 12 == expected.max()
    assert "valid_steps" not in TrainingPairs(sets, (.5, .5))[Draw(0, 1)]


def test_changes_follow_from_the_seed(sets):
    mixture = TrainingPairs(sets[:1], (1.0,), "anywhere", augment=True)
    first, again, other = (mixture[Draw(0, seed)] for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["images"], other["images"])
    actions = {int(mixture[Draw(0, seed)]["action"]) for seed in range(80)}
    assert len(actions) > 3 and actions <= set(range(9))


@pytest.mark.parametrize("picks", [None, lambda generator: (int(torch.randint(4, (), generator=generator)), 0, 0)])
def test_order_follows_from_seed_and_iteration(sets, monkeypatch, picks):
    mixture = TrainingPairs(sets, (.5, .5))
    whole = list(MixedBatches(mixture, 4, 7, picks, epochs=1))
    assert len(whole) == 28 and whole != list(MixedBatches(mixture, 4, 8, picks))
    late = MixedBatches(mixture, 4, 7, picks)
    late.go_on(20)
    assert list(late) == whole[20:]
    assert late.batch(3) == [(entry[0] if picks else entry).row for entry in whole[3]]
    shares = []
    for rank in range(2):
        monkeypatch.setattr(processes, "shard", lambda size, rank=rank: slice(rank * size // 2, (rank + 1) * size // 2))
        shares.append(list(MixedBatches(mixture, 4, 7, picks)))
    assert [first + second for first, second in zip(*shares)] == whole


def test_lists_of_different_lengths(sets, penn_root, tmp_path):
    build(penn_root, tmp_path, horizon=3)
    with pytest.raises(UserError, match="rows have 3 targets, those of .* 5; lists that are mixed keep to one number"):
        TrainingPairs([sets[0], PennActionPairs(tmp_path / "training_pair_penn5.txt", penn_root, 32)])


# ---- configuration ----

def blocks(lists, penn_root, *shares, actions=""):
    return "train_data=[" + ", ".join(f"{{data_list: {path}, data_root: {penn_root}, share: {share}{actions}}}"
                                      for path, share in zip(lists, shares)) + "]"


@pytest.mark.parametrize("value, message", [
    ("[{data_list: a, data_root: b, share: 0.5}]", "the shares of 'train_data' add up to 0.5, they must add up to 1"),
    ("[{data_list: a, share: 1}]", "'train_data', data set 1: 'data_root' is missing"),
    ("[{data_root: a}]", "'data_list' is missing"), ("[a]", "must be a list of blocks"), ("{a: 1}", "must be a list of blocks"),
    ("[{data_list: a, data_root: b, share: 0}]", "'share' must be more than 0"),
    ("[{data_list: a, data_root: b, shares: 1}]", "unknown key 'shares'; did you mean 'share'"),
    ("[{data_list: a, data_root: b, share: half}]", "'share' must be a number"),
    ("[{data_list: a, data_root: b, actions: [squat, juggle]}]", "train_data, a: juggle is not among the actions")])
def test_bad_data_sets(value, message):
    with pytest.raises(UserError, match=message):
        load_config(CONFIG, [f"train_data={value}"])


def test_actions_by_name(tmp_path, lists, penn_root):
    text = lists[0].read_text()
    assert ",pullup,1," in text and ",squat,7," in text
    other = tmp_path / "other.txt"
    other.write_text(text.replace(",pullup,1,", ",pullup,0,").replace(",squat,7,", ",squat,1,"))
    expected = PennActionPairs(lists[0], penn_root, 32).action
    assert torch.equal(PennActionPairs(other, penn_root, 32, by_name=True).action, expected)
    data = PennActionPairs(other, penn_root, 32, list_actions=("pullup", "squat"))
    assert torch.equal(data.action, expected) and data.rows.actions[data.action[0]] == text.split(",")[6]
    with pytest.raises(UserError, match="disagrees with action id"):
        PennActionPairs(other, penn_root, 32)
    with pytest.raises(UserError, match=r"field 6 \(action name\): unknown action 'pullup'; known are squat, run"):
        PennActionPairs(other, penn_root, 32, actions=("squat", "run"), by_name=True)
    config = load_config(CONFIG, [blocks([other, lists[1]], penn_root, .5, .5), "actions_by=name", "imsize=32"])
    assert torch.equal(training_pairs(config, True).action[:56], expected)


@pytest.mark.parametrize("overrides, kind", [([], PennActionPairs), (["pairs=anywhere"], TrainingPairs),
                                             (["augment_pictures=true"], TrainingPairs)])
def test_one_list_without_augmentation_is_no_mixture(lists, tiny, overrides, kind):
    config = load_config(CONFIG, [*tiny, *overrides])
    assert type(training_pairs(config, True)) is kind
    assert type(training_pairs(config, False)) is PennActionPairs
    assert next(iter(training_batches(training_pairs(config, True), config, 7)[1]))["images"].shape[0] == 2


# ---- whole runs ----

@pytest.mark.parametrize("pairs", ["anywhere", "windows"])
def test_exact_resume(tmp_path, tiny, lists, penn_root, run_script, pairs):
    vae = train_actvae.Trainer(load_config("config/Penn_actvae.yaml", tiny), seed=1)
    vae.save(tmp_path / "vae", 5, 0)
    overrides = [*tiny, *SMALL, f"pairs={pairs}", "augment_pictures=true", blocks(lists, penn_root, .4, .6),
                 f"cache_dir={tmp_path / 'cache'}", "batch_size=16",
                 "train_epoch=1"]

    def run(name, *argv, more=()):
        outcome = run_script(script.main, "--config", CONFIG, "--name", name, "--output_path", tmp_path, *argv,
                             overrides=[*overrides, *more])
        assert outcome.status == 0, outcome.err
        return newest_weights(tmp_path / f"outputs/Penn_actvae_p2inetwork{name}/checkpoints")

    whole = run("_whole", "--vae_path", tmp_path / "vae", more=["snapshot_save_iter=3"])
    for path in (tmp_path / "outputs/Penn_actvae_p2inetwork_whole/checkpoints").glob("*_00000007.*"):
        path.unlink()
    again = run("_whole", "--resume")
    assert whole.keys() == again.keys() and all(torch.equal(value, again[name]) for name, value in whole.items())


def test_the_pose_module_mixes_data_sets(tmp_path, tiny, lists, penn_root, run_script):
    outcome = run_script(train_actvae.main, "--config", "config/Penn_actvae.yaml", "--output_path", tmp_path,
                         overrides=[*tiny, blocks(lists, penn_root, .5, .5), "batch_size=16"])
    assert outcome.status == 0, outcome.err
    assert "112 training rows" in (tmp_path / "outputs/Penn_actvae/log.txt").read_text()
