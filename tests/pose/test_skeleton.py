"""Mirrored poses, by their values, for arrays and tensors."""
import numpy as np
import pytest
import torch

from pose.skeleton import HEAD, JOINTS, LIMBS, MIRROR, mirror_pose


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor], ids=["array", "tensor"])
def test_a_mirrored_pose(make):
    poses = make(np.random.default_rng(0).normal(size=(4, 3, 13, 2)))
    before, mirrored = np.asarray(poses).copy(), np.asarray(mirror_pose(poses))
    assert np.array_equal(np.asarray(poses), before), "the argument does not change"
    left, right = JOINTS.index("left_wrist"), JOINTS.index("right_wrist")
    assert np.array_equal(mirrored[..., [HEAD, left], :], before[..., [HEAD, right], :] * (-1, 1))
    assert np.array_equal(np.asarray(mirror_pose(mirror_pose(poses))), before)


def test_the_other_side_of_a_limb_is_a_limb():
    assert {tuple(sorted((MIRROR[start], MIRROR[end]))) for start, end in LIMBS} == {tuple(sorted(limb)) for limb in LIMBS}
