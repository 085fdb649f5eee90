"""The detector: COCO's keypoints become Penn Action's joints, and torchvision's model loads, runs and is parsed."""
from urllib.error import URLError

import numpy as np
import pytest
import torch

from pose import find_people
from pose.detector import DetectorError
from pose.foreign_poses import penn_joints
from pose.keypoint_rcnn import LONGEST_SIDE
from pose.skeleton import ANKLES, HEAD, JOINTS, SHOULDERS

COCO = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
        "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")


def front_view():
    """COCO's keypoints of somebody who faces the camera: the own left side is on the right of the picture."""
    return np.array([(50 + 10 * name.startswith("left") - 10 * name.startswith("right"), 10 * row)
                     for row, name in enumerate(COCO)], float)


def test_sides_are_swapped_as_measured():
    joints, visible = penn_joints(front_view(), np.ones(17, bool))
    assert visible.all() and (joints[SHOULDERS[0]] < joints[SHOULDERS[1]])[0]          # Penn's left: smaller x, front view
    for number, name in enumerate(JOINTS[1:], 1):
        other = name.replace("left", "R").replace("right", "left").replace("R", "right")
        np.testing.assert_array_equal(joints[number], front_view()[COCO.index(other)])


@pytest.mark.parametrize("shown", [[0], [1, 3], [0, 1, 2, 3, 4], []])
def test_the_head_is_made_of_what_is_visible_of_it(shown):
    visible = np.zeros(17, bool)
    visible[shown] = True
    visible[COCO.index("left_ankle")] = True
    joints, seen = penn_joints(front_view(), visible)
    np.testing.assert_allclose(joints[HEAD], front_view()[shown or slice(0, 5)].mean(0))
    assert seen[HEAD] == bool(shown)
    assert np.flatnonzero(seen[1:]).tolist() == [ANKLES[1] - 1]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights; half precision, for the sake of the disk."""
    from torchvision.models.detection import keypointrcnn_resnet50_fpn
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.pt"
    model = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    torch.save({name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}, path)
    yield path
    path.unlink()


def test_the_real_model_loads_runs_and_is_parsed(weights):
    detector = find_people("keypoint_rcnn", weights=weights, min_score=0.0, min_size=64, max_size=96, box_detections_per_img=3)
    picture = np.random.default_rng(0).integers(0, 256, (70, 50, 3), np.uint8)
    people = detector.detect(picture)
    assert 0 < len(people) <= 3
    for person in people:
        assert person.box.shape == (4,) and person.joints.shape == (13, 2) and person.visible.shape == (13,)
        assert person.joints.dtype == np.float64 and person.visible.dtype == bool and 0 <= person.score <= 1
        assert (person.box >= 0).all() and (person.box <= [50, 70, 50, 70]).all()
        assert (person.joints >= person.box[:2] - 1).all() and (person.joints <= person.box[2:] + 1).all()
    assert [person.size for person in people] == sorted((person.size for person in people), reverse=True)
    seen = []
    detector.model.register_forward_pre_hook(lambda _, images: seen.extend(image.shape for image in images[0]))
    large = np.repeat(np.repeat(picture, 40, 0), 40, 1)                       # 2800 x 2000
    boxes = np.array([person.box for person in detector.detect(large)])
    assert (boxes >= 0).all() and (boxes <= [2000, 2800, 2000, 2800]).all() and boxes[:, 3].max() > 1.2 * LONGEST_SIDE
    assert seen == [(3, LONGEST_SIDE, round(2000 * LONGEST_SIDE / 2800))]
    detector.model.roi_heads.score_thresh = 1.0
    assert detector.detect(picture) == []


def test_weights_that_cannot_be_had(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refused)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refused)
    other, broken = tmp_path / "other.pt", tmp_path / "broken.pt"
    torch.save({"weight": torch.zeros(3)}, other)
    broken.write_bytes(b"PK\x03\x04 not really")
    for path, message in ((None, "could not be downloaded (<urlopen error no route>)"),
                          (tmp_path / "none.pt", "there is no such file"),
                          (other, "not the weights of torchvision's keypointrcnn_resnet50_fpn"), (broken, "broken.pt: ")):
        with pytest.raises(DetectorError) as error:
            find_people("keypoint_rcnn", weights=path)
        assert message in str(error.value) and "\n" not in str(error.value)
        assert str(error.value).endswith("; give a local file with --detector_weights PATH")
