"""The detector `keypoint_rcnn`: torchvision's Keypoint R-CNN, whose COCO keypoints become Penn Action's joints."""
from pathlib import Path

import numpy as np
import torch

from pose.detector import Detector, DetectorError, Person, by_size
from pose.foreign_poses import penn_joints
from utils.errors import UserError
from utils.torch_files import download_weights, load_torch
from utils.transform import limited

MIN_KEYPOINT_SCORE = 2.0              # logit of a keypoint's peak: below, the joint is mostly hidden or outside the picture
LONGEST_SIDE = 1333                   # pixels; the model makes larger pictures smaller anyway, but needs much memory for it
REMEDY = "give a local file with --detector_weights PATH"


class KeypointRCNN(Detector):
    """torchvision's `keypointrcnn_resnet50_fpn`.

    Args:
        weights: file with the model's state dict, or None for torchvision's (COCO), which are downloaded once.
        device, min_score: as for every :class:`pose.detector.Detector`.
        settings: of torchvision's model, e.g. `min_size`, `box_detections_per_img`.
    """

    min_score = 0.7                   # with less, Keypoint R-CNN sees people in furniture
    default_weights = "coco"

    def __init__(self, weights=None, device="cpu", min_score=None, **settings):
        from torchvision.models.detection import keypointrcnn_resnet50_fpn  # slow to import, seldom used
        state = _coco_weights() if weights is None else _weights_of_file(weights)
        settings = {"box_detections_per_img": 20, **settings,
                    "box_score_thresh": self.min_score if min_score is None else min_score}
        self.model = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, **settings)
        try:
            self.model.load_state_dict(state)
        except RuntimeError as error:
            reason = " ".join(str(error).split("\n")[1:2]).strip()
            raise DetectorError(f"{weights or 'the downloaded weights'}: not the weights of torchvision's "
                                f"keypointrcnn_resnet50_fpn ({reason}); {REMEDY}") from None
        self.model.eval().requires_grad_(False).to(device)
        self.device = device

    @torch.inference_mode()
    def detect(self, picture):
        seen = np.ascontiguousarray(limited(picture, LONGEST_SIDE))
        scale = np.divide(picture.shape[1::-1], seen.shape[1::-1])           # (2,) pixels of the picture per pixel seen
        image = torch.from_numpy(seen).to(self.device).movedim(-1, 0).float().div_(255)
        found, = self.model([image])
        found = {name: value.double().cpu().numpy() for name, value in found.items()}
        return by_size(Person(box * np.tile(scale, 2), float(score),
                              *penn_joints(keypoints[:, :2] * scale, scores >= MIN_KEYPOINT_SCORE))
                       for box, score, keypoints, scores in zip(found["boxes"], found["scores"], found["keypoints"],
                                                                found["keypoints_scores"])
                       if np.isfinite(box).all() and np.isfinite(keypoints).all())


def _coco_weights():
    from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights
    try:
        return download_weights(KeypointRCNN_ResNet50_FPN_Weights.COCO_V1, "Keypoint R-CNN's", REMEDY)
    except UserError as error:
        raise DetectorError(str(error)) from None


def _weights_of_file(path):
    if not Path(path).is_file():
        raise DetectorError(f"{path}: there is no such file of detector weights; {REMEDY}")
    try:
        weights = load_torch(path)
    except UserError as error:
        raise DetectorError(f"{error}; {REMEDY}") from None
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise DetectorError(f"{path}: expected a state dict (names and tensors); {REMEDY}")
    return weights
