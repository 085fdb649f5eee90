"""The detector `keypoint_rcnn`: torchvision's Keypoint R-CNN, whose COCO keypoints become Penn Action's joints."""
import numpy as np
import torch

from pose.detector import Detector, DetectorError, Person
from pose.foreign_poses import penn_joints
from utils.errors import UserError
from utils.torch_files import download_weights, load_torch
from utils.transform import limited

MIN_KEYPOINT_SCORE = 2.0              # logit of a keypoint's peak: below, the joint is mostly hidden or outside the picture
LONGEST_SIDE = 1333                   # pixels; the model shrinks larger pictures anyway, but needs much memory for that
REMEDY = "give a local file with --detector_weights PATH"


class KeypointRCNN(Detector):
    """torchvision's `keypointrcnn_resnet50_fpn`.

    Args:
        weights: file with the model's state dict, or None for torchvision's (COCO), which are downloaded once.
        device, min_score: as for every :class:`pose.detector.Detector`.
        settings: of torchvision's model, e.g. `min_size`, `box_detections_per_img`.
    """

    min_score = 0.7                   # below that, Keypoint R-CNN sees people in furniture
    default_weights = "coco"

    def __init__(self, weights=None, device="cpu", min_score=None, **settings):
        from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights, keypointrcnn_resnet50_fpn  # slow to import
        settings = {"box_detections_per_img": 20, "box_score_thresh": self.min_score if min_score is None else min_score,
                    **settings}
        self.device, self.model = device, keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, **settings)
        try:
            state = load_torch(weights) if weights is not None else download_weights(
                KeypointRCNN_ResNet50_FPN_Weights.COCO_V1, "Keypoint R-CNN's", REMEDY)
            self.model.load_state_dict(state)
        except UserError as error:
            raise DetectorError(str(error) if weights is None else f"{error}; {REMEDY}") from None
        except (RuntimeError, TypeError):
            raise DetectorError(f"{weights}: not the weights of torchvision's keypointrcnn_resnet50_fpn; {REMEDY}") from None
        self.model.eval().requires_grad_(False).to(device)

    @torch.inference_mode()
    def detect(self, picture):
        seen = np.ascontiguousarray(limited(picture, LONGEST_SIDE))
        scale = np.divide(picture.shape[1::-1], seen.shape[1::-1])           # (2,) pixels of the picture per pixel seen
        image = torch.from_numpy(seen).to(self.device).movedim(-1, 0).float().div_(255)
        found = {name: value.double().cpu().numpy() for name, value in self.model([image])[0].items()}
        people = [Person(box * np.tile(scale, 2), float(score),
                         *penn_joints(keypoints[:, :2] * scale, logits >= MIN_KEYPOINT_SCORE))
                  for box, score, keypoints, logits in zip(found["boxes"], found["scores"], found["keypoints"],
                                                           found["keypoints_scores"])]
        return sorted(people, key=lambda person: -person.size)
