"""Keypoint R-CNN: torchvision's model loads and runs, and its weights are checked."""
from urllib.error import URLError

import numpy as np
import pytest
import torch

from pose import find_people
from pose.detector import DetectorError
from pose.keypoint_rcnn import LONGEST_SIDE


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights; half precision saves disk space."""
    from torchvision.models.detection import keypointrcnn_resnet50_fpn
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.pt"
    model = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    torch.save({name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}, path)
    yield path
    path.unlink()


def test_the_real_model_loads_and_runs(weights):
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


def test_weights_that_cannot_be_loaded(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refused)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refused)
    other, broken = tmp_path / "other.pt", tmp_path / "broken.pt"
    torch.save({"weight": torch.zeros(3)}, other)
    broken.write_bytes(b"PK\x03\x04 not really")
    for path, message in ((None, "could not be downloaded (URLError: <urlopen error no route>)"),
                          (tmp_path / "none.pt", "is missing"),
                          (other, "not the weights of torchvision's keypointrcnn_resnet50_fpn"), (broken, "broken.pt: ")):
        with pytest.raises(DetectorError) as error:
            find_people("keypoint_rcnn", weights=path)
        assert message in str(error.value) and "\n" not in str(error.value)
        assert str(error.value).endswith("; give a local file with --detector_weights PATH")
