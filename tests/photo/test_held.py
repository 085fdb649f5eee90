"""Things in the hands: found where there is a stick, and not where there is a border or a line behind the person."""
import cv2
import numpy as np
import pytest

from photo.held import add_held

JOINTS = np.array([(100, 40), (85, 60), (115, 60), (75, 85), (125, 85), (72, 108), (128, 108), (90, 110), (110, 110), (90, 145),
                   (110, 145), (90, 180), (110, 180)], float)


def scene():
    rng = np.random.default_rng(0)
    picture = (rng.normal(0, 2, (200, 200, 3)) + (90, 120, 80)).clip(0, 255).astype(np.uint8)
    mask = np.zeros((200, 200), np.float32)
    cv2.rectangle(mask, (68, 30), (132, 185), 1, -1)
    picture[mask > 0] = (180, 60, 60)
    return picture, mask


@pytest.mark.parametrize("end", ((190, 60), (185, 165)))
def test_stick_is_added(end):
    picture, mask = scene()
    cv2.line(picture, (131, 112), end, (250, 250, 250), 3, cv2.LINE_AA)
    grown = add_held(picture, mask, JOINTS)
    middle = ((131 + end[0]) // 2, (112 + end[1]) // 2)
    assert grown[middle[1], middle[0]] > 0.9 and (grown >= mask).all()
    assert 20 < (grown - mask).sum() < 700


def test_nothing_is_added_without_a_stick():
    picture, mask = scene()
    np.testing.assert_array_equal(add_held(picture, mask, JOINTS), mask)


def test_border_of_two_areas_is_no_stick():
    picture, mask = scene()
    ground = np.array([(133, 112), (200, 40), (200, 200), (133, 200)])
    cv2.fillPoly(picture, [ground], (200, 200, 60), cv2.LINE_AA)
    np.testing.assert_array_equal(add_held(picture, mask, JOINTS), mask)


def test_level_line_behind_the_person_is_no_stick():
    picture, mask = scene()
    cv2.line(picture, (0, 112), (200, 112), (250, 250, 250), 3)
    np.testing.assert_array_equal(add_held(picture, mask, JOINTS), mask)


@pytest.mark.parametrize("joints", (np.full((13, 2), np.nan), np.zeros((13, 2)), JOINTS + 500),
                         ids=("missing", "point", "outside"))
def test_joints_that_tell_nothing_change_nothing(joints):
    picture, mask = scene()
    np.testing.assert_array_equal(add_held(picture, mask, joints), mask)
