"""BlazePose's two networks: one finds people in a picture, one finds joints and mask in a region around a person.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020; the networks and what surrounds them as MediaPipe
0.10.21 ships and uses them (Apache 2.0). They run under LiteRT.
"""
import os
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

DETECTED, LANDMARKED = 224, 256      # pixels: sides of the networks' pictures
GRIDS = ((28, 2), (14, 2), (7, 6))   # cells along a side, anchors in each cell
BOX_POINTS = 4                       # points of a detection; the first is the middle of the hips, the second on the body's circle
MIN_SCORE, MAX_IOU = 0.5, 0.3        # of detections; those that overlap more are averaged
POINTS, VALUES = 39, 5               # of the landmarks; x, y, z, visibility, presence
BODY = 33                            # landmarks of the body; the next two are the middle of the hips and the body's circle
KERNEL, MIN_PEAK = 7, 0.5            # heat maps refine a point from the cells around it, if they are sure enough


class Landmarks(NamedTuple):
    """What the landmark network sees in a region."""

    points: np.ndarray       # (35, 2) float64, [0, 1] over the region; the last two are the circle's centre and rim
    visible: np.ndarray      # (33,) float64, probabilities
    presence: float          # probability that a person is there
    mask: np.ndarray         # (256, 256) float32 logits of the person's mask


def sigmoid(logits):
    """Logistic function, without overflow."""
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


def anchors():
    """(2254, 2) float64: the anchors' centres, [0, 1] over the picture, in the order of the detector's outputs."""
    return np.concatenate([np.repeat(np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n] * 2), -1).reshape(-1, 2), count, 0)
                           for n, count in GRIDS])


def decode(outputs, logits, centres, min_score=MIN_SCORE):
    """The detector's outputs as boxes and points.

    Args:
        outputs: (2254, 12) float32.
        logits: (2254,) float32.
        centres: (2254, 2) of the anchors.
        min_score: least probability.
    Returns:
        boxes (n, 4) x1, y1, x2, y2, points (n, 4, 2), all [0, 1] over the picture, and scores (n,).
    """
    scores = sigmoid(logits)
    kept = scores >= min_score
    values, centres = outputs[kept].astype(np.float64) / DETECTED, centres[kept]
    middle, half = values[:, :2] + centres, values[:, 2:4] / 2
    return (np.concatenate([middle - half, middle + half], 1),
            values[:, 4:].reshape(-1, BOX_POINTS, 2) + centres[:, None], scores[kept])


def merge(boxes, points, scores, max_iou=MAX_IOU):
    """Detections that overlap, averaged by their scores (weighted non-maximum suppression).

    Args:
        boxes: (n, 4).
        points: (n, 4, 2).
        scores: (n,).
    Returns:
        points (m, 4, 2), scores (m,): one for each group, the best first.
    """
    left, merged, best = np.argsort(-scores, kind="stable"), [], []
    while len(left):
        group = overlap(boxes[left[0]], boxes[left]) > max_iou
        group[0] = True                                              # a box without area overlaps with nothing, not even itself
        together = left[group]
        merged.append(np.average(points[together], axis=0, weights=scores[together]))
        best.append(scores[left[0]])
        left = left[~group]
    return np.array(merged).reshape(-1, *points.shape[1:]), np.array(best)


def overlap(box, boxes):
    """(n,) intersections over unions of a box (4,) and boxes (n, 4)."""
    shared = np.prod((np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])).clip(0), axis=-1)
    area, areas = np.prod(box[2:] - box[:2]), np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1)
    return shared / np.maximum(area + areas - shared, 1e-12)


def refine(points, heatmaps):
    """Points moved to where the heat maps around them have their mass.

    Args:
        points: (n, 2), [0, 1] over the region.
        heatmaps: (h, w, n) logits.
    Returns:
        (n, 2); points outside the region and those whose heat map stays low remain as they are.
    """
    h, w, number = heatmaps.shape
    reach = KERNEL // 2
    cells = np.floor(points * (w, h)).astype(int)
    inside = ((cells >= 0) & (cells < (w, h))).all(1)
    padded = np.pad(heatmaps, ((reach, reach), (reach, reach), (0, 0)), constant_values=-np.inf)
    around = np.arange(-reach, reach + 1)
    x, y = (cells[:, axis, None] * inside[:, None] + around for axis in (0, 1))                     # (n, 7)
    logits = padded[y[:, :, None] + reach, x[:, None, :] + reach, np.arange(number)[:, None, None]]      # (n, 7, 7)
    weights = sigmoid(logits.astype(np.float64))
    mass = weights.sum((1, 2))
    mean = np.stack([(weights.sum(1) * x).sum(1) / w, (weights.sum(2) * y).sum(1) / h], 1) / np.maximum(mass, 1e-12)[:, None]
    sure = inside & (weights.max((1, 2)) >= MIN_PEAK)
    return np.where(sure[:, None], mean, points)


@contextmanager
def silent():
    """Drop what is written to the process's standard error: LiteRT tells there how it computes, and has no setting for it."""
    try:
        kept = os.dup(2)
    except OSError:                                                  # closed already
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class Network:
    """A LiteRT network with one input picture.

    Args:
        content: bytes of the tflite file.
        threads: of the processor.
    """

    def __init__(self, content, threads=1):
        from ai_edge_litert.interpreter import Interpreter  # not everywhere installable; pose.blazepose says so
        with silent():
            self.interpreter = Interpreter(model_content=content, num_threads=threads)
            self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.outputs = [output["index"] for output in self.interpreter.get_output_details()]

    def __call__(self, picture):
        """Values (n, n, 3) -> the outputs without their first axis."""
        self.interpreter.set_tensor(self.input, picture[None].astype(np.float32))
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index)[0] for index in self.outputs]


class PersonDetector:
    """Finds people in a small picture; arguments of :class:`Network`."""

    def __init__(self, content, threads=1):
        self.network, self.centres = Network(content, threads), anchors()

    def __call__(self, picture, min_score=MIN_SCORE):
        """Picture (224, 224, 3) uint8 RGB -> points (n, 4, 2), [0, 1] over the picture, and scores (n,), the best first."""
        outputs, logits = self.network(picture / np.float32(127.5) - 1)
        return merge(*decode(outputs, logits[:, 0], self.centres, min_score))


class LandmarkNetwork:
    """Finds the joints and the mask of a person in a region; arguments of :class:`Network`."""

    def __init__(self, content, threads=1):
        self.network = Network(content, threads)

    def __call__(self, picture):
        """Picture (256, 256, 3) uint8 RGB of a region -> :class:`Landmarks`."""
        landmarks, presence, mask, heatmaps, _ = self.network(picture / np.float32(255))
        values = landmarks.reshape(POINTS, VALUES).astype(np.float64)[:BODY + 2]
        points = refine(values[:, :2] / LANDMARKED, heatmaps[..., :BODY + 2])
        return Landmarks(points, sigmoid(values[:BODY, 3]), float(presence[0]), mask[..., 0])
