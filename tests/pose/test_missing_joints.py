"""Missing joints are estimated where a body would have them."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.missing_joints import estimate_missing, missing
from pose.skeleton import ANKLES, ELBOWS, HEAD, HIPS, KNEES, SHOULDERS, STANDING, WRISTS

TURN = np.array([[np.cos(0.4), np.sin(0.4)], [-np.sin(0.4), np.cos(0.4)]])
JACK = STANDING.copy()                                            # arms out, legs apart
JACK[[3, 4, 5, 6]] = [[-.27, .18], [.27, .18], [-.42, .12], [.42, .12]]
JACK[[9, 10, 11, 12]] = [[-.17, .72], [.17, .72], [-.26, .92], [.26, .92]]
SIDE = STANDING * (0.15, 1)                                       # from the side, squatting, arms and legs to the right
SIDE[[3, 4, 5, 6], 0] += np.repeat([.12, .3], 2)
SIDE[[9, 10, 11, 12], 0] += np.repeat([.2, .05], 2)


def without(pose, *joints):
    pose = pose.astype(float).copy()
    pose[list(joints)] = np.nan
    return pose


def error(pose, *joints):
    """The largest error of estimated joints, in heights of the person."""
    found = estimate_missing(without(pose, *joints))
    kept = [joint for joint in range(13) if joint not in joints]
    np.testing.assert_array_equal(found[kept], pose[kept])
    return np.linalg.norm(found - pose, axis=-1).max()


def test_complete_poses_do_not_change():
    assert estimate_missing(JACK) is JACK
    assert missing(without(JACK, 3, 7)).nonzero()[0].tolist() == [3, 7]


@pytest.mark.parametrize("pose", [STANDING, STANDING * (-1, 1), STANDING @ TURN], ids=["front", "back", "turned"])
@pytest.mark.parametrize("joints", [(HEAD,), SHOULDERS, HIPS, (1, 3, 5, 7, 9, 11), (*HIPS, *KNEES, *ANKLES), (*ELBOWS, *WRISTS)])
def test_a_standing_figure_is_completed(pose, joints):
    assert error(300 * pose + 50, *joints) < 1e-6


@pytest.mark.parametrize("joints", [(5,), (3, 5), (11,), (9, 11), (6, 12)])
def test_limbs_follow_the_other_side(joints):
    """In front views they are mirrored, in side views parallel."""
    assert error(JACK, *joints) < 0.01 and error(JACK @ TURN, *joints) < 0.01
    assert error(SIDE, *joints) < 0.14 and error(STANDING, *joints) < 1e-6


def test_a_single_joint_and_all_in_one_place():
    assert np.isfinite(estimate_missing(without(JACK, *range(1, 13)))).all()
    point = np.tile([[7.0, 8.0]], (13, 1))
    np.testing.assert_allclose(estimate_missing(without(point, 3, 8)), point)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=13, max_size=13),
       st.sets(st.integers(0, 12), max_size=12))
def test_estimates_are_always_finite(places, joints):
    pose = without(np.array(places), *joints)
    found = estimate_missing(pose)
    assert np.isfinite(found).all()
    assert np.array_equal(found[~missing(pose)], pose[~missing(pose)])
