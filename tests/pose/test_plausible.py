"""Doubts about poses: each mistake is reported with the joint's name, and real poses raise none."""
import numpy as np
import pytest

from pose.plausible import doubts
from pose.pose_file import FilePose
from pose.skeleton import STANDING

SIZE = (480, 640)                      # h, w
POSE = STANDING * 400 + (320, 40)
GOLFER = POSE.copy()                   # both hands at one place in front of the body
GOLFER[[3, 4, 5, 6]] = [[300, 200], [345, 200], [322, 250], [324, 250]]


def doubts_about(joints, visible=None, estimated=None):
    all_, none = np.ones(13, bool), np.zeros(13, bool)
    return doubts(FilePose(joints, all_ if visible is None else visible, none if estimated is None else estimated), SIZE)


def exchanged(pose, one, other):
    pose = pose.copy()
    pose[[*one, *other]] = pose[[*other, *one]]
    return pose


@pytest.mark.parametrize("name, pose", [
    ("front", POSE), ("back", POSE * (-1, 1) + (640, 0)), ("side", (POSE - 240) * (0.1, 1) + 240), ("golfer", GOLFER),
    ("lying, the head at the right", POSE[:, ::-1] * (-1, 1) + (520, 0))])
def test_real_poses_raise_no_doubt(name, pose):
    assert doubts_about(pose) == []


def moved(joint, place):
    pose = POSE.copy()
    pose[joint] = place
    return pose


@pytest.mark.parametrize("pose, sentence", [
    (exchanged(POSE, (3, 5), (4, 6)), "left_elbow and right_elbow seem to be exchanged: the upper arms cross"),
    (exchanged(POSE, (1,), (2,)), "left_elbow and right_elbow seem to be exchanged: the upper arms cross"),
    (exchanged(POSE, (7, 9, 11), (8, 10, 12)), "left_hip and right_hip seem to be exchanged: the sides of the torso cross"),
    (moved(5, (1, 1)), "left_wrist: this forearm is "), (moved(12, (630, 20)), "right_ankle: this shin is "),
    (moved(0, (700, 20)), "head is outside the picture, which is 640 x 480 pixels; taken as not visible"),
    (POSE[:, ::-1] - (0, 100), "x and y seem to be exchanged: from head to left_ankle the person lies from left to right"),
    (POSE[:, ::-1] + (0, 160), "x and y seem to be exchanged: right_shoulder, right_elbow, right_wrist, right_hip and 2 more "),
])
def test_mistakes_are_reported_with_the_joint(pose, sentence):
    assert [one for one in doubts_about(pose) if one.startswith(sentence)], doubts_about(pose)


def test_all_invisible_and_estimated_joints():
    hidden, estimated = np.zeros(13, bool), np.isin(np.arange(13), (0, 5))
    assert doubts_about(POSE, visible=hidden) == ["no joint is visible; is the third column right?"]
    assert doubts_about(POSE, ~estimated, estimated) == ["head, left_wrist are missing; estimated from the other joints"]
