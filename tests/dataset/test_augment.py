"""Known answers of dataset.augment."""
import numpy as np
import pytest
import torch

from dataset.augment import NOTHING, change_masks, change_pictures, change_poses, draw_change, jitter_poses
from pose.skeleton import MIRROR

PICTURES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 1.8 - .9
POSES = torch.rand(2, 13, 2, generator=torch.Generator().manual_seed(1)) * 1.6 - .8


def test_nothing_changes_nothing():
    assert torch.equal(change_pictures(PICTURES, NOTHING), PICTURES) and torch.equal(change_poses(POSES, NOTHING), POSES)


def test_mirror_swaps_sides_and_is_its_own_inverse():
    mirror = NOTHING._replace(mirror=True)
    assert torch.equal(change_pictures(PICTURES, mirror), PICTURES.flip(-1))
    mirrored = change_poses(POSES, mirror)
    assert torch.equal(mirrored[:, 1], POSES[:, 2] * torch.tensor([-1., 1]))              # left shoulder and right
    assert torch.equal(change_poses(mirrored, mirror), POSES)
    assert torch.equal(change_masks(PICTURES[:, :1], mirror), PICTURES[:, :1].flip(-1))


def test_colours_are_the_same_for_all_pictures():
    change = NOTHING._replace(channels=(2, 0, 1), gain=torch.tensor([.5, 1, 1])[:, None, None],
                              offset=torch.tensor([0, .05, 0])[:, None, None])
    changed = change_pictures(PICTURES, change)
    torch.testing.assert_close(changed[:, 0], PICTURES[:, 2] * .5)
    torch.testing.assert_close(changed[:, 1], PICTURES[:, 0] + .05)
    assert change_pictures(PICTURES, change._replace(gain=change.gain * 9)).abs().max() == 1


def blob(point, size=64):
    """A picture with a spot at a normalised point."""
    axis = (torch.arange(size) + .5) * 2 / size - 1
    distance = (axis[None] - point[0]) ** 2 + (axis[:, None] - point[1]) ** 2
    return torch.exp(-distance / .01).expand(1, 3, size, size)


@pytest.mark.parametrize("seed", range(8))
def test_poses_move_with_their_pictures(seed):
    random = np.random.default_rng(seed)
    change = draw_change(random)
    while change.matrix is None:
        change = draw_change(random)
    change = change._replace(gain=NOTHING.gain, offset=NOTHING.offset)
    pose = torch.zeros(1, 13, 2)
    pose[0, 3] = torch.tensor([.2, -.1])
    moved = change_pictures(blob(pose[0, 3]), change)
    expected = blob(change_poses(pose, change)[0, MIRROR[3] if change.mirror else 3])
    peaks = [divmod(int(picture[0, 0].argmax()), 64) for picture in (moved, expected)]
    assert np.abs(np.subtract(*peaks)).max() <= 1
    masks = change_masks((blob(pose[0, 3])[:, :1] > .5).float(), change)
    assert masks.unique().tolist() == [0, 1] and masks[0, 0, peaks[0][0], peaks[0][1]] == 1


def test_joints_are_jittered_in_some_rows():
    """Of many rows three in ten change, the source more than its targets, and by the deviation that was asked for."""
    poses = torch.zeros(2, 13, 2)
    changed = torch.stack([jitter_poses(poses, 0.03, np.random.default_rng(seed)) for seed in range(600)])
    moved = changed.flatten(1).abs().sum(1) > 0
    assert 0.24 < moved.float().mean() < 0.36
    deviations = changed[moved].std((0, 2, 3))
    torch.testing.assert_close(deviations, torch.tensor([0.03, 0.02]), atol=0.001, rtol=0)
    first, second = np.random.default_rng(5), np.random.default_rng(5)
    assert torch.equal(jitter_poses(POSES, 0.0, first), POSES)
    jitter_poses(POSES, 0.1, second)
    assert first.random() == second.random()
