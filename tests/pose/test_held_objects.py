"""Held objects: drawn clubs and bats are found and added to the mask; what is not certain is left out."""
import cv2
import numpy as np
import pytest

from pose.held_objects import BAT, BY_ACTION, CLUB, OFF, held_mask, objects_asked_for

SIZE = (320, 300)
HANDS = np.array([160.0, 150.0])


def golfer():
    """A drawn person whose joined hands are at HANDS: joints (13, 2) and mask; the torso is 60 pixels long."""
    joints = np.array([[110, 60], [105, 80], [125, 80], [125, 112], [145, 112], [150, 140], [156, 142],
                       [100, 140], [120, 140], [100, 190], [120, 190], [100, 240], [120, 240]], float)
    mask = np.zeros(SIZE, np.float32)
    for start, end, width in ((0, 1, 24), (1, 7, 30), (2, 8, 30), (1, 3, 12), (3, 5, 10), (2, 4, 12), (4, 6, 10), (7, 9, 16),
                              (9, 11, 14), (8, 10, 16), (10, 12, 14)):
        cv2.line(mask, tuple(np.int32(joints[start])), tuple(np.int32(joints[end])), 1, width)
    return joints, cv2.line(mask, (150, 140), (158, 150), 1, 12)


def scene(mask, noise=6):
    """A green, slightly noisy meadow with the person in blue."""
    meadow = np.array([90, 140, 70]) + np.random.default_rng(0).normal(0, noise, (*SIZE, 1))
    return np.where(mask[..., None] > 0.5, (40, 50, 90), meadow).clip(0, 255).astype(np.uint8)


def draw(photo, end, width, colour):
    """A photo with an object from HANDS to a point, and its mask, without what the person hides."""
    where = cv2.line(np.zeros(SIZE, np.uint8), tuple(np.int32(HANDS)), end, 1, width)
    return np.where(where[..., None] > 0, colour, photo).astype(np.uint8), where > 0


@pytest.mark.parametrize("kind, end, width, colour", [
    (CLUB, (215, 235), 2, (220, 220, 225)), (CLUB, (240, 100), 2, (20, 20, 20)), (BAT, (190, 85), 7, (210, 170, 110))])
def test_a_drawn_object_is_found_and_nothing_else(kind, end, width, colour):
    joints, mask = golfer()
    photo, truth = draw(scene(mask), end, width, colour)
    held = held_mask(photo, mask, joints, [kind])
    assert (held[mask > 0.5] == 0).all() and held.dtype == np.float32 and held.max() <= 1
    found, outside = (held > 0.5) & (mask < 0.5), mask < 0.5
    assert (found & truth).sum() > 0.8 * (truth & outside).sum(), "most of the object"
    near = cv2.dilate(truth.astype(np.uint8), np.ones((7, 7))) > 0
    assert not (found & ~near).any(), "no background"


def test_it_is_found_at_any_resolution():
    joints, mask = golfer()
    photo, truth = draw(scene(mask, 0), (215, 235), 3, (230, 230, 230))
    large = [cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC) for picture in (photo, mask.clip(0, 1))]
    held = held_mask(*large, 4 * joints, [CLUB])
    truth = cv2.resize((truth & (mask < 0.5)).astype(np.float32), None, fx=4, fy=4) > 0.5
    assert (held > 0.5)[truth].mean() > 0.75


def test_a_club_has_its_head():
    joints, mask = golfer()
    photo, _ = draw(scene(mask), (215, 235), 2, (220, 220, 225))
    cv2.ellipse(photo, (219, 238), (6, 4), 20, 0, 360, (20, 20, 20), -1)
    assert held_mask(photo, mask, joints, [CLUB])[236:241, 216:223].mean() > 0.7


@pytest.mark.parametrize("change", ["nothing held", "a line across", "hands apart", "small", "missing joint"])
def test_what_is_not_certain_is_left_out(change):
    joints, mask = golfer()
    photo, _ = draw(scene(mask, 12), (215, 235), 2, (220, 220, 225))
    if change == "nothing held":
        photo = scene(mask, 12)
    elif change == "a line across":                                    # a line of the background, which does not end
        photo = cv2.line(scene(0 * mask), (0, 152), (299, 152), (250, 250, 250), 2)
        photo = np.where(mask[..., None] > 0.5, (40, 50, 90), photo).astype(np.uint8)
    elif change == "hands apart":
        joints[5] -= (70, 0)
    elif change == "small":
        joints = joints / 5
    else:
        joints[7] = np.nan
    assert held_mask(photo, mask, joints, [CLUB]) is None


def test_an_object_is_searched_by_the_action_or_by_its_name():
    assert objects_asked_for(BY_ACTION, "golf_swing") == [CLUB] == objects_asked_for("club", "squat")
    assert objects_asked_for(BY_ACTION, "squat, baseball swing") == [BAT]
    assert objects_asked_for(BY_ACTION, "all") == [] == objects_asked_for(OFF, "golf_swing")
