"""Motion carried over to another person, by its values: identity, bone lengths, the root's path, sides."""
import numpy as np
import pytest

from pose.retarget import BONES, FIRST, MEAN, OTHER_SIDE, bones_of, joints_of, retarget, root_of
from pose.skeleton import JOINTS

# a standing figure of height 100, x to the right, y down; its own root at (0, 50)
STANDING = np.array([[0, 5], [-11, 20], [11, 20], [-15, 36], [15, 36], [-17, 51], [17, 51],
                     [-7, 50], [7, 50], [-7, 74], [7, 74], [-8, 95], [8, 95]], float)
LENGTHS = np.abs(bones_of(STANDING))
FOREARM = BONES.index((3, 5))


def turning(pose, steps=9, seed=0):
    """A motion that begins with a pose: every bone turns steadily and keeps its length, the root walks: (steps, 13, 2)."""
    random = np.random.default_rng(seed)
    angles = np.linspace(0, 1, steps)[:, None] * random.uniform(-2, 2, len(BONES))
    angles[:, 1:3], angles[:, 3:5] = angles[:, 1:2], angles[:, 3:4]                # both halves of the hips and the shoulders
    path = np.linspace(0, 1, steps) * (30 - 12j)
    return joints_of(bones_of(pose) * np.exp(1j * angles), root_of(pose) + path)


def broad(pose):
    """Another build: longer legs, shorter arms, broad shoulders; 2.5 times as large, somewhere else."""
    factors = np.ones(len(BONES))
    for names, factor in ((("shoulder",), 1.3), (("knee", "ankle"), 1.2), (("elbow", "wrist"), 0.8)):
        factors[[number for number, (_, end) in enumerate(BONES) if end < 13 and JOINTS[end].endswith(names)]] = factor
    return joints_of(2.5 * factors * bones_of(pose), np.asarray(300 + 200j))


def test_bones_and_joints_are_inverse_and_know_their_other_side():
    np.testing.assert_allclose(joints_of(bones_of(STANDING), root_of(STANDING)), STANDING, atol=1e-12)
    assert [OTHER_SIDE[number] for number in OTHER_SIDE] == list(range(len(BONES)))
    np.testing.assert_allclose(LENGTHS[OTHER_SIDE], LENGTHS)


def test_on_its_own_first_pose_a_motion_stays_itself():
    """Also where bones change their lengths, because they turn towards the camera."""
    motion = turning(STANDING)
    np.testing.assert_allclose(retarget(motion, motion[0]), motion, atol=1e-9)
    wild = np.random.default_rng(1).uniform(0, 100, (6, 13, 2))
    np.testing.assert_allclose(retarget(wild, wild[0]), wild, atol=1e-9)
    np.testing.assert_allclose(retarget(wild, 3 * wild[0] + (5, -7)), 3 * wild + (5, -7), atol=1e-9)


def test_bone_lengths_are_those_of_the_person_in_the_photo():
    motion, person = turning(STANDING), broad(STANDING)
    carried = retarget(motion, person)
    np.testing.assert_allclose(carried[0], person, atol=1e-9)
    np.testing.assert_allclose(np.abs(bones_of(carried)), np.broadcast_to(np.abs(bones_of(person)), (9, len(BONES))), rtol=1e-9)
    np.testing.assert_allclose(np.angle(bones_of(carried) / bones_of(motion)), 0, atol=1e-9)
    assert np.abs(bones_of(carried)[-1] - bones_of(person)).max() > 20


def test_other_directions_of_the_first_pose_stay_and_turn_as_the_motion_turns():
    """A forearm that hangs down turns by as much as the motion's forearm that began level."""
    motion = np.repeat(STANDING[None], 4, 0)
    motion[:, 5] = motion[:, 3] + 16 * np.stack([-np.cos(angles := np.linspace(0, 1.5, 4)), -np.sin(angles)], -1)
    carried = bones_of(retarget(motion, STANDING))[:, FOREARM]
    np.testing.assert_allclose(np.abs(carried), LENGTHS[FOREARM], rtol=1e-9)
    np.testing.assert_allclose(np.unwrap(np.angle(carried / carried[0])), angles, atol=1e-9)


@pytest.mark.parametrize("align", [FIRST, MEAN])
def test_the_roots_path_is_scaled_by_the_size_of_the_body(align):
    motion, person = turning(STANDING), broad(STANDING)
    path, scale = root_of(retarget(motion, person, align)), np.abs(bones_of(person)).sum() / LENGTHS.sum()
    assert scale == pytest.approx(2.6, abs=0.15)
    np.testing.assert_allclose(np.diff(path), scale * np.diff(root_of(motion)), rtol=1e-9)
    assert (path[0] if align == FIRST else path.mean()) == pytest.approx(300 + 200j)


def test_the_mean_pose_can_correspond_to_the_photo():
    """An arm that swings to both sides of its mean swings to both sides of the photo's arm, with its length."""
    angles = np.array([-0.6, 0.0, 0.6, 0.0])
    bones = np.repeat(bones_of(STANDING)[None], 4, 0)
    bones[:, FOREARM] *= np.exp(1j * angles)
    motion = joints_of(bones, np.full(4, 50j))
    carried = bones_of(retarget(motion, broad(STANDING), MEAN))[:, FOREARM]
    own = bones_of(broad(STANDING))[FOREARM]
    np.testing.assert_allclose(carried, own * np.exp(1j * angles), rtol=1e-9)
    assert np.abs(bones_of(retarget(motion, broad(STANDING), FIRST))[:, FOREARM] - carried).max() > 10


def test_sides_are_kept():
    motion = np.repeat(STANDING[None], 3, 0)
    motion[:, 5, 0] -= [0, 5, 10]                                                  # the left wrist
    moved = np.abs(retarget(motion, broad(STANDING)) - broad(STANDING)).max((0, 2))
    assert moved[5] > 10 and np.delete(moved, 5).max() < 1e-9


def test_a_bone_that_pointed_at_the_camera_does_not_grow_without_limit():
    """Its direction is not known in the first pose, so only its change is scaled; it becomes as long as the motion's, scaled."""
    motion = np.repeat(STANDING[None], 3, 0)
    motion[0, 5] = motion[0, 3] + (0.01, 0)
    carried = retarget(motion, 2 * STANDING)
    scale = np.abs(bones_of(2 * STANDING)).sum() / np.abs(bones_of(motion[0])).sum()
    assert np.abs(bones_of(carried)[:, FOREARM]).max() <= scale * LENGTHS[FOREARM] + 1e-9
    assert np.isfinite(retarget(np.zeros((3, 13, 2)), STANDING)).all()
