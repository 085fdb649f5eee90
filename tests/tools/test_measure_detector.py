"""`tools.measure_detector`: its numbers for frames in which the person, or only the mask, is not found."""
import numpy as np

from pose.skeleton import STANDING
from tools.measure_detector import Scores


def test_a_mask_that_is_not_found_has_no_overlap():
    scores, true, visible = Scores(), np.zeros((40, 40), np.float32), np.ones(13, bool)
    true[10:30, 10:30] = 1
    for joints, mask in ((STANDING, true), (STANDING, None), (None, None)):
        scores.add(joints, mask, STANDING, visible, true)
    found = scores.summary()
    assert (found["frames"], found["missed"]) == (3, 1) and scores.overlaps == [1, 0, 0] and found["mask_iou_median"] == 0
