"""Where people are in a picture: torchvision's Keypoint R-CNN, its COCO keypoints turned into Penn Action's joints.

COCO names the person's own sides, Penn Action the other way round (docs/published_system.md, "Sides"): COCO's left shoulder is
Penn Action's right one.
"""
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from pose.skeleton import HEAD, JOINTS, MIRROR
from utils.errors import UserError
from utils.torch_files import download_weights, load_torch

COCO_HEAD = slice(0, 5)               # nose, eyes, ears
COCO_BODY = range(5, 17)              # left/right shoulders, elbows, wrists, hips, knees, ankles: Penn's order, own sides
KEYPOINTS = 17
MIN_SCORE = 0.7                       # of a person: below, Keypoint R-CNN sees people in furniture
MIN_KEYPOINT_SCORE = 2.0              # logit of a keypoint's peak: below, the joint is mostly hidden or outside
WAYS_OUT = "give a local file with --detector_weights PATH, poses with --pose FILE, or place the joints by hand with --pose edit"


class Person(NamedTuple):
    """Somebody in a picture; pixels of the picture, joints in Penn Action's order and with its sides."""

    box: np.ndarray          # (4,) float64 x1, y1, x2, y2
    score: float             # 0..1
    joints: np.ndarray       # (13, 2) float64
    visible: np.ndarray      # (13,) bool

    @property
    def size(self):
        """Area of the box, pixels squared."""
        return float(np.prod(self.box[2:] - self.box[:2]))


def penn_joints(keypoints, visible):
    """COCO's keypoints (17, 2) and which are visible (17,) bool -> Penn Action's joints (13, 2) and visible (13,).

    The head is the mean of those of nose, eyes and ears that are visible, or of all where none is.
    """
    joints, seen = np.empty((len(JOINTS), 2)), np.empty(len(JOINTS), bool)
    face, shown = keypoints[COCO_HEAD], visible[COCO_HEAD]
    joints[HEAD], seen[HEAD] = (face[shown] if shown.any() else face).mean(0), shown.any()
    joints[1:], seen[1:] = keypoints[COCO_BODY], visible[COCO_BODY]
    return joints[list(MIRROR)], seen[list(MIRROR)]


class Detector:
    """Finds people with torchvision's `keypointrcnn_resnet50_fpn`.

    Args:
        weights: file with the model's state dict, or None for torchvision's (COCO), downloaded once.
        device: where it runs.
        min_score: score that a person needs.
        ways_out: what to do without weights, for messages; commands have different options.
        settings: of torchvision's model, e.g. `min_size`, `box_detections_per_img`.
    Raises:
        UserError: the weights cannot be had, or are those of something else; the message names the ways out.
    """

    def __init__(self, weights=None, device="cpu", min_score=MIN_SCORE, ways_out=WAYS_OUT, **settings):
        from torchvision.models.detection import keypointrcnn_resnet50_fpn  # slow to import, seldom used
        state = _coco_weights(ways_out) if weights is None else _weights_of_file(weights, ways_out)
        settings = {"box_detections_per_img": 20, **settings, "box_score_thresh": min_score}
        self.model = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, **settings)
        try:
            self.model.load_state_dict(state)
        except RuntimeError as error:
            reason = " ".join(str(error).split("\n")[1:2]).strip()
            raise UserError(f"{weights or 'the downloaded weights'}: not the weights of torchvision's "
                            f"keypointrcnn_resnet50_fpn ({reason}); {ways_out}") from None
        self.model.eval().requires_grad_(False).to(device)
        self.device = device

    @torch.inference_mode()
    def detect(self, picture):
        """The people in a picture (h, w, 3) uint8 RGB: a list of :class:`Person`, the largest first."""
        image = torch.from_numpy(np.ascontiguousarray(picture)).to(self.device).movedim(-1, 0).float().div_(255)
        found, = self.model([image])
        found = {name: value.double().cpu().numpy() for name, value in found.items()}
        return by_size(Person(box, float(score), *penn_joints(keypoints[:, :2], scores >= MIN_KEYPOINT_SCORE))
                       for box, score, keypoints, scores in zip(found["boxes"], found["scores"], found["keypoints"],
                                                                found["keypoints_scores"])
                       if np.isfinite(box).all() and np.isfinite(keypoints).all())


def by_size(people):
    """People as a list, the largest first."""
    return sorted(people, key=lambda person: -person.size)


def pick_person(people, number=None, place="the picture"):
    """The largest of the people in a picture, or the one with this number, from 1 as `number_people` draws them.

    Raises :class:`UserError` where there is none.
    """
    if not people:
        raise UserError(f"{place}: nobody is found in it; give the pose with --pose FILE, or place it by hand with --pose edit")
    if number is not None and not 1 <= number <= len(people):
        raise UserError(f"{place}: --person {number}: {len(people)} {'people are' if len(people) > 1 else 'person is'} found "
                        "in it, numbered from 1")
    return people[(number or 1) - 1]


def _coco_weights(ways_out):
    from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights
    return download_weights(KeypointRCNN_ResNet50_FPN_Weights.COCO_V1, "Keypoint R-CNN's", ways_out)


def _weights_of_file(path, ways_out):
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such file of detector weights; {ways_out}")
    try:
        weights = load_torch(path)
    except UserError as error:
        raise UserError(f"{error}; {ways_out}") from None
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise UserError(f"{path}: expected a state dict, names and tensors; {ways_out}")
    return weights
