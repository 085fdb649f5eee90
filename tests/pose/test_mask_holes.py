"""Holes of masks: those in the body are filled, those beside it stay."""
import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pose.mask_holes import body_picture, fill_holes
from pose.masks import far_joints
from pose.skeleton import STANDING

BODY = STANDING * 200 + (120, 20)


def silhouette():
    return cv2.GaussianBlur(body_picture(BODY, (240, 240)).astype(np.float32), (0, 0), 1)


def test_holes_in_the_body_are_filled_and_those_beside_it_stay():
    mask = silhouette()
    assert fill_holes(mask, BODY)[0] is mask
    cut = mask.copy()
    cut[80:100, 110:130] = 0                                          # in the torso
    cv2.circle(cut, tuple(np.rint((BODY[9] + BODY[11]) / 2).astype(int).tolist()), 2, 0, -1)       # in a shin
    filled, holes = fill_holes(cut, BODY)
    assert holes == 2 and (filled > 0.5)[mask > 0.5].all() and np.abs(filled - mask).mean() < 0.002
    ring = cv2.circle(np.zeros_like(mask), (120, 120), 100, 1, 12)    # what it encloses is mostly no body
    assert fill_holes(ring, BODY)[1] == 0
    open_side = mask.copy()
    open_side[:, 118:122] = 0                                         # a cut from head to toe is no hole
    assert fill_holes(open_side, BODY)[1] == 0


def test_holes_of_large_masks_are_filled_as_well():
    large = cv2.resize(silhouette(), (2400, 2400))
    large[800:1000, 1100:1300] = 0
    filled, holes = fill_holes(large, BODY * 10)
    assert holes == 1 and filled.shape == large.shape and filled[790:1010, 1090:1310].min() > 0.9


@given(st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)), min_size=13, max_size=13), st.integers(0, 100))
def test_any_mask_and_pose_give_a_mask(joints, seed):
    mask = np.random.default_rng(seed).random((20, 30), np.float32)
    filled, holes = fill_holes(mask, np.array(joints))
    assert np.isfinite(filled).all() and (filled >= mask).all() and filled.max() <= 1 and holes >= 0
    far_joints(mask, np.array(joints))
