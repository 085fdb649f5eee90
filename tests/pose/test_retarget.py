"""Motion carried over to another person, by its values: identity, bone lengths, the root's path, sides."""
import numpy as np
import pytest

from pose.retarget import BONES, FIRST, MEAN, bones_of, joints_of, retarget, root_of
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


def test_the_photos_pose_comes_first_and_fades_into_the_motion():
    """A forearm that hangs down in the photo and is level in the motion: it turns evenly to where the motion has it."""
    motion = np.repeat(STANDING[None], 8, 0)
    motion[:, 5] = motion[:, 3] - (20, 0)
    carried = retarget(motion, STANDING, fade=4)
    np.testing.assert_allclose(carried[0], STANDING, atol=1e-9)
    forearm = bones_of(carried)[:, FOREARM]
    np.testing.assert_allclose(np.abs(forearm), LENGTHS[FOREARM], rtol=1e-9)
    np.testing.assert_allclose(forearm[4:], -LENGTHS[FOREARM], rtol=1e-9)
    angles = np.diff(np.unwrap(np.angle(forearm[:5])))
    assert (angles > 0).all() and angles[1] == pytest.approx(angles[2]) and angles[0] < angles[1], "smoothly, by the shorter way"


def test_the_roots_path_is_scaled_by_the_size_of_the_body():
    motion, person = turning(STANDING), broad(STANDING)
    path, scale = root_of(retarget(motion, person)), (30 + 1.2 * (24 + 21) * 2) * 2.5 / (30 + (24 + 21) * 2)
    assert path[0] == pytest.approx(300 + 200j)
    np.testing.assert_allclose(np.diff(path), scale * np.diff(root_of(motion)), rtol=1e-3)    # of torso and legs


def test_the_mean_of_a_motion_can_correspond_to_the_photo():
    """Its mean place and its mean size; it still begins with the photo's own pose."""
    motion = turning(STANDING, steps=40)
    motion[0] *= 0.5                                                   # a first pose that was found too small
    carried = retarget(motion, STANDING, MEAN, fade=3)
    np.testing.assert_allclose(carried[0], STANDING, atol=1e-9)
    later, path = carried[3:], root_of(motion)
    expected = motion[3:] + np.stack([(50j - path.mean()).real, (50j - path.mean()).imag])
    assert np.abs(later - expected).max() < 3 and np.abs(retarget(motion, STANDING, FIRST, fade=3)[3:] - expected).max() > 40


def test_a_bone_that_pointed_at_the_camera_does_not_grow_without_limit():
    """Its direction is not known in the first pose, so only its change is scaled; it becomes as long as the motion's, scaled."""
    motion = np.repeat(STANDING[None], 3, 0)
    motion[0, 5] = motion[0, 3] + (0.01, 0)
    carried = retarget(motion, 2 * STANDING)
    assert np.abs(bones_of(carried)[:, FOREARM]).max() <= 2 * LENGTHS[FOREARM] + 1e-9
    assert np.isfinite(retarget(np.zeros((3, 13, 2)), STANDING)).all()
