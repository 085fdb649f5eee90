"""BlazePose around its networks, without weights; and, where the weights are at hand, the networks on a photo."""
import hashlib
import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest

from pose import blazepose, blazepose_weights
from pose.blazepose import MIRRORED, BlazePose
from pose.blazepose_networks import BODY, Landmarks, anchors, decode, merge, overlap, refine
from pose.blazepose_weights import FILES, INSIDE, read_weights
from pose.looks import grouped, lit, parts, views
from pose.regions import Region
from pose.sights import Sight, as_person, has_joints, outline, region_of, same_pose
from pose.skeleton import ANKLES, HEAD, JOINTS, MIRROR, SHOULDERS
from utils.errors import UserError


def test_anchors_lie_in_the_middle_of_their_cells():
    centres = anchors()
    assert centres.shape == (2254, 2)
    np.testing.assert_allclose(centres[[0, 1, 2, 3]], np.array([[0.5, 0.5], [0.5, 0.5], [1.5, 0.5], [1.5, 0.5]]) / 28)
    np.testing.assert_allclose(centres[2 * 28 ** 2], [0.5 / 14, 0.5 / 14])
    np.testing.assert_allclose(centres[-6:], np.full((6, 2), 6.5 / 7))


def test_outputs_become_boxes_and_points():
    outputs, logits = np.zeros((2254, 12), np.float32), np.full(2254, -9, np.float32)
    logits[5], outputs[5] = 2, [22.4, -22.4, 44.8, 22.4, *range(8)]
    boxes, points, scores = decode(outputs, logits, anchors())
    x, y = anchors()[5]
    np.testing.assert_allclose(boxes, [[x + 0.1 - 0.1, y - 0.1 - 0.05, x + 0.1 + 0.1, y - 0.1 + 0.05]], atol=1e-6)
    np.testing.assert_allclose(points[0], np.arange(8).reshape(4, 2) / 224 + (x, y), atol=1e-6)
    assert scores == pytest.approx([1 / (1 + np.exp(-2))])


def test_overlapping_detections_are_averaged_by_score():
    boxes = np.array([[0, 0, 2, 2], [5, 5, 6, 6], [0, 0, 2, 1.9], [3, 3, 3, 3]], float)
    points = np.arange(4.0)[:, None, None] * np.ones((4, 4, 2))
    merged, scores = merge(boxes, points, np.array([0.9, 0.8, 0.6, 0.5]))
    np.testing.assert_allclose(merged[:, 0, 0], [(0 * 0.9 + 2 * 0.6) / 1.5, 1, 3])
    np.testing.assert_allclose(scores, [0.9, 0.8, 0.5])
    np.testing.assert_allclose(overlap(boxes[0], boxes[:2]), [1, 0])
    assert merge(np.zeros((0, 4)), np.zeros((0, 4, 2)), np.zeros(0))[0].shape == (0, 4, 2)


def test_heat_maps_move_points_only_where_they_are_sure():
    heatmaps = np.full((64, 64, 3), -20.0)
    heatmaps[21, 12, 0] = heatmaps[21, 13, 0] = 5
    heatmaps[21, 12, 1] = -1
    points = np.array([[10.5 / 64, 20.5 / 64], [10.5 / 64, 20.5 / 64], [1.2, 0.5]])
    moved = refine(points, heatmaps)
    np.testing.assert_allclose(moved[0], [12.5 / 64, 21 / 64], atol=1e-6)
    np.testing.assert_array_equal(moved[1:], points[1:])


def landmarks(presence=1.0, shift=0.0):
    """Somebody who stands and faces the camera in a region: the own left side is on the right of the picture."""
    points = np.full((BODY + 2, 2), 0.5)
    points[[0, 7, 8]] = [[0.5, 0.13], [0.53, 0.1], [0.47, 0.1]]
    for own_left, x, y in ((11, 0.1, 0.25), (13, 0.15, 0.35), (15, 0.2, 0.45), (23, 0.07, 0.5), (25, 0.08, 0.7), (27, 0.08, 0.9)):
        points[own_left], points[own_left + 1] = (0.5 + x, y), (0.5 - x, y)
    points[BODY:] = [[0.5, 0.5], [0.5, 0.1]]
    mask = np.full((256, 256), -8, np.float32)
    mask[15:241, 76:180] = 8
    return Landmarks(points + (shift, 0), np.ones(BODY), presence, mask)


def sight(region, **changes):
    seen = landmarks(**changes)
    return Sight(region, region.to_photo(seen.points), seen.visible, seen.presence, seen.mask)


def test_joints_are_penn_actions():
    person = as_person(sight(Region(100, 100, 200)), (200, 200))
    assert person.joints.shape == (13, 2) and person.visible.all()
    np.testing.assert_allclose(person.joints[HEAD], [100, 22], atol=0.1)                # the mean of nose and ears
    np.testing.assert_allclose(person.joints[list(SHOULDERS)], [[80, 50], [120, 50]])   # Penn's left: the own right
    np.testing.assert_allclose(person.joints[list(ANKLES)], [[84, 180], [116, 180]])
    assert person.mask((200, 200))[100, 100] > 0.99 and person.mask((200, 200))[100, 20] < 0.01
    cut_off = as_person(sight(Region(100, 100, 200)), (150, 200))
    assert [JOINTS[at] for at in np.flatnonzero(~cut_off.visible)] == ["left_ankle", "right_ankle"]
    assert (cut_off.box <= (200, 150, 200, 150)).all()


@pytest.mark.parametrize("angle", [0.0, 0.5, -2.0])
def test_the_box_holds_the_whole_mask_of_a_turned_region(angle):
    person = as_person(sight(Region(200, 200, 150, angle)), (400, 400))
    covered = np.argwhere(person.mask((400, 400)) > 0.5)[:, ::-1]
    np.testing.assert_allclose(person.box, [*covered.min(0), *covered.max(0) + 1], atol=2)
    assert outline(np.zeros((4, 4), bool)).shape == (0, 2)


def test_mirroring_twice_changes_nothing():
    assert sorted(MIRRORED) == list(range(BODY + 2)) and [MIRRORED[at] for at in MIRRORED] == list(range(BODY + 2))
    assert [MIRRORED[at] for at in (0, 2, 7, 11, 15, 28, 33)] == [0, 5, 8, 12, 16, 27, 33]


def test_looks_at_the_same_person_are_brought_together():
    person, child = np.array([[50, 50], [50, 10]], float), np.array([[50, 55], [50, 40]], float)
    groups = grouped([(person, 0.6), (person + 4, 0.6), (child, 0.7), (person + 500, 0.5), (person + 504, 0.5)])
    assert [score for _, score in groups] == pytest.approx([1.2, 0.7]), "two doubtful looks are not a sure one"
    np.testing.assert_allclose(groups[0][0], person + 2)


def test_parts_cover_the_whole_photo():
    seen = np.zeros((300, 900), int)
    for region, _ in parts(300, 900)[3:]:
        x1, y1, x2, y2 = np.round(region.box()).astype(int).clip(0, 900)
        seen[y1:y2, x1:x2] += 1
    assert (seen >= 3).all()
    assert len({region.angle for region, _ in views(Region(0, 0, 1))}) == 3


def test_dark_photos_are_stretched():
    photo = np.random.default_rng(0).integers(0, 20, (50, 60, 3), np.uint8)
    assert lit(photo).max() > 240 and (lit(photo * 12) == photo * 12).all()


class Script:
    """A BlazePose whose networks say what a test wants; counts how often each runs."""

    def __new__(cls, circles, seen):
        self = BlazePose.__new__(BlazePose)
        self.looked, self.seen_count = 0, 0

        def detector(picture, min_score):
            self.looked += 1
            points = np.zeros((len(circles), 4, 2))
            points[:, :2] = np.reshape(circles, (-1, 2, 2))
            return points, np.full(len(circles), 0.9)

        def network(picture):
            self.seen_count += 1
            return seen(self.seen_count)

        self.detector, self.landmarks = detector, network
        return self


def test_nobody_is_found_after_all_looks():
    script = Script([], None)
    assert script.detect(np.full((120, 160, 3), 90, np.uint8)) == []
    assert script.looked == 2 * len(views(Region(0, 0, 1))) + len(parts(120, 160)) and script.seen_count == 0


def test_who_is_not_present_is_not_found():
    script = Script([[[0.5, 0.5], [0.5, 0.2]]], lambda count: landmarks(presence=0.1))
    assert script.detect(np.full((120, 160, 3), 90, np.uint8)) == []


def test_one_who_is_seen_in_all_looks_is_one_person():
    script = Script([[[0.5, 0.5], [0.5, 0.2]]], lambda count: landmarks())
    person, = script.detect(np.full((200, 200, 3), 90, np.uint8))
    np.testing.assert_allclose(person.joints.mean(0), [100, 88], atol=12)
    assert person.score == 1


def test_the_vote_overrules_one_view_that_disagrees():
    region, photo = Region(100, 100, 200), np.full((200, 200, 3), 90, np.uint8)

    def exchanged(count):
        seen = landmarks()
        return seen._replace(points=seen.points[MIRRORED]) if count == 1 else seen

    script = Script([], exchanged)
    found = script.follow(photo, region)
    assert script.seen_count == 6
    np.testing.assert_allclose(found.joints[SHOULDERS[0]], found.region.to_photo(np.array([0.4, 0.25])), atol=1e-6)


def test_a_video_is_followed_without_the_detector():
    script = Script([[[0.5, 0.5], [0.5, 0.1]]], lambda count: landmarks())
    tracker, photo = script.tracker(), np.full((200, 200, 3), 90, np.uint8)
    assert len(tracker.detect(photo)) == 1
    looked = script.looked
    for _ in range(blazepose.LOOK_EACH - 1):
        assert len(tracker.detect(photo)) == 1
    assert script.looked == looked
    tracker.detect(photo)
    assert script.looked == 2 * looked


def test_a_lost_person_is_looked_for_soon():
    script = Script([], lambda count: landmarks(presence=0.0))
    tracker, photo = script.tracker(), np.full((50, 50, 3), 90, np.uint8)
    for _ in range(1 + 2 * blazepose.LOST_LOOK_EACH):
        assert tracker.detect(photo) == []
    assert script.looked == 3 * len(views(Region(0, 0, 1)))


def test_the_same_pose_is_the_same_person():
    one = sight(Region(100, 100, 200))
    assert same_pose(one, sight(Region(110, 100, 200))) and not same_pose(one, sight(Region(150, 100, 200)))


def test_a_person_whose_joints_are_known_is_seen_around_them():
    seen = sight(Region(100, 100, 200))
    region = region_of(seen.joints)
    np.testing.assert_allclose(region[:2], [100, 100], atol=1e-6)
    assert region.angle == pytest.approx(0) and region.side == pytest.approx(2.5 * 1.2 * 78, rel=0.1)
    everything = np.ones(13, bool)
    assert has_joints(seen, seen.joints + 3, everything) and not has_joints(seen, seen.joints + 40, everything)
    assert has_joints(seen, seen.joints[list(MIRROR)], everything), "sides are often exchanged"
    script, photo = Script([], lambda count: landmarks()), np.full((200, 200, 3), 90, np.uint8)
    known = script.find_again(photo, seen.joints, everything)
    assert script.looked == 0 and known.mask((200, 200))[100, 100] > 0.99
    assert script.find_again(photo, seen.joints + (90, 0), everything) is not None, "the region follows the joints"
    assert Script([], lambda count: landmarks(presence=0.0)).find_again(photo, seen.joints, everything) is None


@pytest.fixture
def own_weights(monkeypatch):
    """Two small files in the place of the networks; returns their contents by name."""
    contents = {name: name.encode() * 9 for name, *_ in FILES}
    monkeypatch.setattr(blazepose_weights, "FILES", tuple(
        (name, folder, hashlib.sha256(contents[name]).hexdigest()) for name, folder, _ in FILES))
    return contents


def write_wheel(path, contents):
    with zipfile.ZipFile(path, "w") as wheel:
        for (name, folder, _), content in zip(FILES, contents.values()):
            wheel.writestr(f"{INSIDE}/{folder}/{name}", content)
    return path


def test_weights_come_from_a_wheel_or_a_folder(tmp_path, own_weights):
    wheel = write_wheel(tmp_path / "one.whl", own_weights)
    for name, content in own_weights.items():
        (tmp_path / name).write_bytes(content)
    assert read_weights(wheel) == read_weights(tmp_path) == tuple(own_weights.values())


def test_other_weights_are_refused_in_one_line(tmp_path, own_weights):
    first, second = own_weights
    damaged = write_wheel(tmp_path / "damaged.whl", {**own_weights, second: b"other"})
    (tmp_path / "no.whl").write_bytes(b"PK\x03\x04 not really")
    with zipfile.ZipFile(tmp_path / "foreign.whl", "w") as wheel:
        wheel.writestr("six.py", "")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / first).write_bytes(b"other")
    for path, message in ((damaged, f"damaged.whl: {second}: this is not the file of mediapipe"),
                          (tmp_path / "no.whl", "this is no wheel"), (tmp_path / "foreign.whl", f"this wheel holds no .*{first}"),
                          (tmp_path / "none", "there is no such file"), (tmp_path / "folder", "its SHA-256 differs")):
        with pytest.raises(UserError, match=message) as error:
            read_weights(path)
        assert "\n" not in str(error.value)
        assert str(error.value).endswith("--detector_weights PATH, or take --detector keypoint_rcnn")


def test_weights_are_fetched_once_and_mended(tmp_path, own_weights, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    calls = []

    def pip(arguments, **_):
        calls.append(arguments)
        write_wheel(f"{arguments[arguments.index('--dest') + 1]}/mediapipe.whl", own_weights)
        return subprocess.CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr(blazepose_weights.subprocess, "run", pip)
    folder = tmp_path / "cache" / "act-vae"
    for _ in range(2):
        assert read_weights() == tuple(own_weights.values()) and len(calls) == 1
        assert sorted(path.name for path in folder.iterdir()) == sorted(own_weights)
    damaged = folder / FILES[0][0]
    damaged.write_bytes(b"damaged")
    assert read_weights() == tuple(own_weights.values()) and len(calls) == 2 and damaged.read_bytes() != b"damaged"


def test_without_a_network_one_line_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(blazepose_weights.subprocess, "run", lambda arguments, **_: subprocess.CompletedProcess(
        arguments, 1, "", "WARNING: retrying\nERROR: No matching distribution found\n"))
    message = "No matching distribution found.*pip download --no-deps mediapipe.*--detector_weights"
    with pytest.raises(UserError, match=message) as error:
        read_weights()
    assert "\n" not in str(error.value) and list(tmp_path.iterdir()) == []
    monkeypatch.setattr(sys, "argv", ["blazepose_weights"])
    blazepose_weights.main()                                         # `make` goes on
    assert capsys.readouterr().out.startswith("note: BlazePose's weights")


def test_without_litert_one_line_names_the_other_detector(monkeypatch):
    monkeypatch.setattr(blazepose, "read_weights", lambda *_: (b"", b""))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match="BlazePose needs LiteRT.*--detector keypoint_rcnn"):
        BlazePose()


@pytest.fixture(scope="module")
def networks():
    try:
        contents = blazepose_weights._of_folder(blazepose_weights.cache_folder())
    except UserError:
        pytest.skip("BlazePose's weights are not in the user's cache: run python -m pose.blazepose_weights")
    assert len(contents) == 2
    return BlazePose(blazepose_weights.cache_folder())


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


def test_a_photo_without_people_has_nobody(networks):
    assert networks.detect(np.full((90, 120, 3), 127, np.uint8)) == []
    blots = np.random.RandomState(2).randint(0, 256, (6, 8, 3)).astype(np.uint8)
    assert networks.detect(cv2.resize(blots, (161, 120), interpolation=cv2.INTER_CUBIC)) == []
    assert networks.tracker().detect(np.full((9, 12, 3), 127, np.uint8)) == []
