"""Skeletons on pictures: sides by colour, hidden joints thin, numbers to choose a person by."""
import numpy as np
import pytest

from photo.pose_page import standing_pose
from pose.detector import Person
from pose.drawing import MIDDLE, OWN_LEFT, OWN_RIGHT, draw_skeleton, number_people
from pose.skeleton import HEAD, HIPS, WRISTS

GROUND = np.full((300, 200, 3), 90, np.uint8)


def at(picture, joint, pose):
    x, y = pose[joint].round().astype(int)
    return tuple(picture[y, x].tolist())


def test_sides_have_their_colours_and_the_picture_stays():
    pose, ground = standing_pose(GROUND.shape[:2]), GROUND.copy()
    picture = draw_skeleton(ground, pose)
    assert at(picture, HEAD, pose) == MIDDLE and np.array_equal(ground, GROUND)
    assert at(picture, WRISTS[0], pose) == OWN_RIGHT and at(picture, WRISTS[1], pose) == OWN_LEFT    # Penn's left: own right
    assert pose[WRISTS[0]][0] < pose[WRISTS[1]][0]                                                     # a front view
    hidden = draw_skeleton(ground, pose, np.arange(13) != HIPS[0])
    assert 0 < (hidden != GROUND).sum() < (picture != GROUND).sum()


@pytest.mark.parametrize("height, most", [(60, 0.45), (120, 0.45), (240, 0.3)])
def test_a_small_person_is_not_hidden(height, most):
    frame = np.full((720, 1280, 3), 90, np.uint8)
    pose = standing_pose((720, 1280))
    pose = (pose - pose.mean(0)) * height / np.ptp(pose, axis=0).max() + (640, 360)
    changed = (draw_skeleton(frame, pose) != frame).any(-1)
    (x1, y1), (x2, y2) = pose.min(0).astype(int), pose.max(0).astype(int) + 1
    assert 0.05 < changed[y1:y2, x1:x2].mean() < most
    assert not changed[:y1 - height // 10].any() and not changed[y2 + height // 10:].any()


@pytest.mark.parametrize("size", [(300, 200), (40, 60), (1, 1)])
def test_people_are_numbered(size):
    pose = standing_pose(size)
    people = [Person(2 * np.array([0, 0, size[1], size[0]], float), 0.9, 2 * pose, np.ones(13, bool))] * 3
    blank = np.zeros((*size, 3), np.uint8)
    picture = number_people(blank, people, (0.5, 0.5))                       # of a photo with sides twice as long
    assert picture.shape == (*size, 3) and picture.any() and not blank.any()
    assert np.array_equal(number_people(blank, [], (1, 1)), blank)
    if size[0] > 100:
        assert at(picture, HEAD, pose) == MIDDLE and at(picture, WRISTS[0], pose) == OWN_RIGHT
        assert tuple(picture[150, 0].tolist()) == MIDDLE, "the box is drawn"
