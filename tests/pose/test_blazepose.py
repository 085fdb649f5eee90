"""BlazePose around its networks, without weights; and, where the weights are at hand, the networks on a photo."""
import itertools

import cv2
import numpy as np
import pytest

from dataset.synthetic.people import draw_video
from pose import blazepose, blazepose_weights
from pose.blazepose import BlazePose, group_detections, part_views, views
from pose.blazepose_networks import BODY, Landmarks, anchors, decode, refine
from pose.hypotheses import MIRRORED, Hypothesis, region_of
from pose.regions import Region
from pose.skeleton import ANKLES, HEAD, JOINTS, MIRROR, SHOULDERS
from utils.errors import UserError

PHOTO = np.full((200, 200, 3), 90, np.uint8)


def test_detector_outputs_become_circles():
    centres = anchors()
    assert centres.shape == (2254, 2)
    np.testing.assert_allclose(centres[[0, 2, 2 * 28 ** 2]], [[0.5 / 28, 0.5 / 28], [1.5 / 28, 0.5 / 28], [0.5 / 14, 0.5 / 14]])
    outputs, logits = np.zeros((2254, 12), np.float32), np.full(2254, -9, np.float32)
    logits[[5, 2000]], outputs[[5, 2000]] = [2, 1.5], [22.4, -22.4, 44.8, 22.4, *range(8)]
    circles, scores = decode(outputs, logits, centres, 0.3)
    np.testing.assert_allclose(circles, np.arange(4).reshape(2, 2) / 224 + centres[[5, 2000], None], atol=1e-6)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp([-2, -1.5])))
    assert decode(outputs, logits, centres, 0.95)[0].shape == (0, 2, 2)


def test_heatmaps_move_landmarks_only_where_they_are_confident():
    heatmaps = np.full((64, 64, 3), -20.0)
    heatmaps[21, 12, 0] = heatmaps[21, 13, 0] = 5
    heatmaps[21, 12, 1] = -1
    points = np.array([[10.5 / 64, 20.5 / 64], [10.5 / 64, 20.5 / 64], [1.2, 0.5]])
    moved = refine(points, heatmaps)
    np.testing.assert_allclose(moved[0], [12.5 / 64, 21 / 64], atol=1e-6)
    np.testing.assert_array_equal(moved[1:], points[1:])


def landmarks(presence=1.0):
    """A standing person who faces the camera: the own left side is on the right of the picture."""
    points = np.full((BODY + 2, 2), 0.5)
    points[[0, 7, 8]] = [[0.5, 0.13], [0.53, 0.1], [0.47, 0.1]]
    for own_left, x, y in ((11, 0.1, 0.25), (13, 0.15, 0.35), (15, 0.2, 0.45), (23, 0.07, 0.5), (25, 0.08, 0.7), (27, 0.08, 0.9)):
        points[own_left], points[own_left + 1] = (0.5 + x, y), (0.5 - x, y)
    points[BODY:] = [[0.5, 0.5], [0.5, 0.1]]
    mask = np.full((256, 256), -8, np.float32)
    mask[15:241, 76:180] = 8
    return Landmarks(points, np.ones(BODY), presence, mask)


def hypothesis(region):
    seen = landmarks()
    return Hypothesis(region, region.to_photo(seen.points), seen.visible, seen.presence, seen.mask)


def test_joints_are_penn_actions():
    person = hypothesis(Region(100, 100, 200)).person((200, 200))
    assert person.joints.shape == (13, 2) and person.visible.all()
    np.testing.assert_allclose(person.joints[HEAD], [100, 22], atol=0.1)                # the mean of nose and ears
    np.testing.assert_allclose(person.joints[list(SHOULDERS)], [[80, 50], [120, 50]])   # Penn's left: the own right
    assert person.mask((200, 200))[100, 100] > 0.99 and person.mask((200, 200))[100, 20] < 0.01
    cut_off = hypothesis(Region(100, 100, 200)).person((150, 200))
    assert [JOINTS[at] for at in np.flatnonzero(~cut_off.visible)] == ["left_ankle", "right_ankle"]
    assert (cut_off.box <= (200, 150, 200, 150)).all()


def test_the_box_encloses_the_mask_of_a_rotated_region():
    person = hypothesis(Region(200, 200, 150, 0.5)).person((400, 400))
    covered = np.argwhere(person.mask((400, 400)) > 0.5)[:, ::-1]
    np.testing.assert_allclose(person.box, [*covered.min(0), *covered.max(0) + 1], atol=2)


def test_detections_of_the_same_person_are_merged():
    person, child = np.array([[50, 50], [50, 10]], float), np.array([[50, 55], [50, 40]], float)
    groups = group_detections([(0, person, 0.6), (1, person + 4, 0.6), (1, person + 4, 0.3), (0, child, 0.7),
                               (0, person + 500, 0.5), (1, person + 504, 0.5)])
    assert [score for _, score in groups] == pytest.approx([1.2, 0.7]), "two doubtful detections are not a certain one"
    np.testing.assert_allclose(groups[0][0], person + 4 * 0.9 / 1.5)


class Script:
    """A BlazePose whose networks return what a test wants; counts how often each runs."""

    def __new__(cls, circles, landmark_network):
        self = BlazePose.__new__(BlazePose)
        self.detections, self.views = 0, 0

        def detector(picture, min_score):
            self.detections += 1
            return np.reshape(np.array(circles, float), (-1, 2, 2)), np.full(len(circles), 0.9)

        def network(picture):
            self.views += 1
            return landmark_network(self.views)

        self.detector, self.landmarks = detector, network
        return self


def test_nobody_is_found_after_all_views():
    script = Script([], None)
    assert script.detect(PHOTO) == []
    assert script.detections == len(views(Region(0, 0, 1))) + len(part_views(200, 200)) and script.views == 0
    assert Script([[[0.5, 0.5], [0.5, 0.2]]], lambda count: landmarks(presence=0.1)).detect(PHOTO) == [], "nobody is present"


def test_a_person_in_all_views_is_one_person():
    person, = Script([[[0.5, 0.5], [0.5, 0.2]]], lambda count: landmarks()).detect(PHOTO)
    np.testing.assert_allclose(person.joints.mean(0), [100, 88], atol=12)
    assert person.score == 1


def test_the_medoid_overrules_one_view_that_disagrees():
    def exchanged(count):
        seen = landmarks()
        return seen._replace(points=seen.points[MIRRORED]) if count == 1 else seen

    script = Script([], exchanged)
    found = script.follow(PHOTO, Region(100, 100, 200))
    assert script.views == 6
    np.testing.assert_allclose(found.joints[SHOULDERS[0]], found.region.to_photo(np.array([0.4, 0.25])), atol=1e-6)


def test_between_two_people_there_is_nobody():
    """A circle without a person in the first view would lead to a pose of the limbs of both."""
    assert Script([], lambda count: landmarks(presence=0.06 if count == 1 else 1.0)).locate(PHOTO, Region(100, 100, 200)) is None


def test_a_hypothesis_made_of_other_people_is_none_of_its_own():
    one, other = hypothesis(Region(60, 100, 200)), hypothesis(Region(140, 100, 200))
    mixed = hypothesis(Region(100, 100, 200))
    mixed.points[:25:2], mixed.points[1:25:2], mixed.points[25:33] = one.points[:25:2], other.points[1:25:2], other.points[25:33]
    assert mixed.consists_of([one, other]) and not mixed.consists_of([one]) and not other.consists_of([one])
    assert mixed.quality < one.quality == 1


def test_a_video_is_followed_without_the_detector():
    script = Script([[[0.5, 0.5], [0.5, 0.1]]], lambda count: landmarks())
    tracker = script.tracker()
    for _ in range(blazepose.SEARCH_EVERY):
        assert len(tracker.detect(PHOTO)) == 1
        assert script.detections == len(views(Region(0, 0, 1)))
    tracker.detect(PHOTO)
    assert script.detections == 2 * len(views(Region(0, 0, 1)))


def test_a_person_with_known_joints_is_found_around_them():
    seen, everything = hypothesis(Region(100, 100, 200)), np.ones(13, bool)
    region = region_of(seen.joints)
    np.testing.assert_allclose(region[:2], [100, 100], atol=1e-6)
    assert region.angle == pytest.approx(0) and region.side == pytest.approx(2.5 * 1.2 * 78, rel=0.1)
    assert seen.matches(seen.joints + 3, everything) and not seen.matches(seen.joints + 40, everything)
    assert seen.matches(seen.joints[list(MIRROR)], everything), "sides are often exchanged"
    script = Script([], lambda count: landmarks())
    assert script.find_again(PHOTO, seen.joints, everything).mask((200, 200))[100, 100] > 0.99 and script.detections == 0
    assert Script([], lambda count: landmarks(presence=0.0)).find_again(PHOTO, seen.joints, everything) is None


@pytest.fixture(scope="module")
def networks():
    if not blazepose_weights.is_cached():
        pytest.skip("BlazePose's weights are not in the user's cache: run python -m pose.blazepose_weights")
    try:
        return BlazePose(blazepose_weights.cache_folder())
    except UserError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("turns", [0, 2])
def test_an_astronaut_is_found_upright_and_upside_down(networks, turns):
    data = pytest.importorskip("skimage.data", reason="scikit-image, which ships the photo, is not installed")
    photo = np.ascontiguousarray(np.rot90(data.astronaut(), turns))
    person = networks.detect(photo)[0]
    joints = person.joints if turns == 0 else (512, 512) - person.joints
    # by eye: middle of the head, her right and left shoulder
    np.testing.assert_allclose(joints[[0, 1, 2]], [[224, 118], [115, 229], [296, 241]], atol=22)
    assert person.score > 0.9 and not person.visible[list(ANKLES)].any()
    mask = np.rot90(person.mask((512, 512)), -turns)
    assert mask[400, 230] > 0.9 and mask[120, 224] > 0.9 and mask[40, 60] < 0.1 and mask[200, 480] < 0.1


def drawn_person(photo, seed, middle):
    """Draw a person, who stands with arms that hang down, into a photo, around (x, y)."""
    frames, joints, *_ = draw_video(seed, "jumping_jacks", 0, (34, 34), masks=True)
    picture, pose = next(itertools.islice(frames, 5, None)), joints[5]
    scale = 380 / np.ptp(pose[:, 1])
    matrix = np.column_stack([scale * np.eye(2), middle - scale * pose.mean(0)])
    drawn = cv2.warpAffine(picture, matrix, photo.shape[1::-1])
    photo[:] = np.where(drawn[..., 3:] > 127, drawn[..., 2::-1], photo)
    return pose * scale + matrix[:, 2]


def test_two_people_beside_each_other_are_two(networks):
    photo = np.full((500, 800, 3), (150, 140, 130), np.uint8)
    poses = [drawn_person(photo, seed, middle) for seed, middle in ((3, (260, 250)), (1, (540, 250)))]
    people = sorted(networks.detect(photo), key=lambda person: person.joints[0, 0])
    for person, pose in zip(people, poses, strict=True):
        assert min(np.linalg.norm(person.joints[list(order)] - pose, axis=1).mean() for order in (range(13), MIRROR)) < 40


def test_an_astronaut_beside_herself_is_found_twice(networks):
    astronaut = pytest.importorskip("skimage.data").astronaut()
    photo = np.concatenate([astronaut, astronaut[:, ::-1]], 1)
    left, right = sorted(networks.detect(photo), key=lambda person: person.joints[0, 0])
    assert abs(left.joints[0] - (224, 118)).max() < 30 and abs(right.joints[0] - (1024 - 224, 118)).max() < 30


def test_a_dark_photo_is_brightened(networks):
    person, *_ = networks.detect(pytest.importorskip("skimage.data").astronaut() // 30)
    np.testing.assert_allclose(person.joints[[0, 1, 2]], [[224, 118], [115, 229], [296, 241]], atol=25)


def test_nobody_is_found_in_a_photo_without_people(networks):
    assert networks.detect(np.full((90, 120, 3), 127, np.uint8)) == []
    blots = np.random.RandomState(2).randint(0, 256, (6, 8, 3)).astype(np.uint8)
    assert networks.detect(cv2.resize(blots, (161, 120), interpolation=cv2.INTER_CUBIC)) == []
    assert networks.tracker().detect(np.full((9, 12, 3), 127, np.uint8)) == []
