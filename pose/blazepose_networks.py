"""BlazePose's two networks: one finds people in a picture, one finds joints and mask in a region around a person.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020, as MediaPipe 0.10.21 ships it (Apache 2.0). Both
networks run under LiteRT.
"""
from typing import NamedTuple

import numpy as np
from scipy.ndimage import center_of_mass
from scipy.special import expit

DETECTOR_SIDE, LANDMARK_SIDE = 224, 256      # pixels: sides of the networks' inputs
GRIDS = ((28, 2), (14, 2), (7, 6))   # (cells along a side, anchors in each cell)
POINTS, VALUES = 39, 5               # of the landmarks; x, y, z, visibility, presence
BODY = 33                            # landmarks of the body; the next two are the centre and the rim of the body's circle
WINDOW, MIN_PEAK = 3, 0.5            # heatmap cells on each side that refine a landmark, and the probability that one must reach


class Landmarks(NamedTuple):
    """Output of the landmark network for a region."""

    points: np.ndarray       # (35, 2) float64, [0, 1] over the region; the last two are the circle's centre and rim
    visible: np.ndarray      # (33,) float64, probabilities
    presence: float          # probability that a person is there
    mask: np.ndarray         # (256, 256) float32 logits of the person's mask


def anchors():
    """(2254, 2) float64: centres of the anchors, [0, 1] over the picture, in the order of the detector's outputs."""
    return np.concatenate([np.repeat(np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n] * 2), -1).reshape(-1, 2), count, 0)
                           for n, count in GRIDS])


def decode(outputs, logits, centres, min_score):
    """Decode the detector's outputs; a person is usually found by several anchors.

    Args:
        outputs: (2254, 12) float32: box, then four points: middle of the hips, rim of the circle around the body, two more.
        logits, centres: (2254,) float32 and (2254, 2) of the anchors.
    Returns:
        circles (n, 2, 2), centre and rim, [0, 1] over the picture, and scores (n,) from `min_score` on.
    """
    scores = expit(logits.astype(np.float64))
    kept = scores >= min_score
    return outputs[kept, 4:8].reshape(-1, 2, 2).astype(np.float64) / DETECTOR_SIDE + centres[kept, None], scores[kept]


def refine(points, heatmaps):
    """Move points (n, 2), [0, 1] over the region, to the centre of mass of their heatmaps (h, w, n), logits, nearby.

    Points outside the region, and those whose heatmap stays below MIN_PEAK, do not move.
    """
    h, w, _ = heatmaps.shape
    refined = points.copy()
    for number, (x, y) in enumerate(np.floor(points * (w, h)).astype(int)):
        top, left = max(0, y - WINDOW), max(0, x - WINDOW)
        window = expit(heatmaps[top:y + WINDOW + 1, left:x + WINDOW + 1, number]) if 0 <= x < w and 0 <= y < h else np.zeros(1)
        if window.max() >= MIN_PEAK:
            refined[number] = np.add(center_of_mass(window)[::-1], (left, top)) / (w, h)
    return refined


class Network:
    """A LiteRT network with one input picture, from the bytes of its tflite file."""

    def __init__(self, content):
        from ai_edge_litert.interpreter import Interpreter  # not available everywhere; pose.blazepose reports it
        self.interpreter = Interpreter(model_content=content)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.outputs = [output["index"] for output in self.interpreter.get_output_details()]

    def __call__(self, picture):
        """Values (n, n, 3) -> the outputs without their first axis."""
        self.interpreter.set_tensor(self.input, picture[None].astype(np.float32))
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index)[0] for index in self.outputs]


class PersonDetector(Network):
    """Finds people in a small picture."""

    def __call__(self, picture, min_score):
        """Picture (224, 224, 3) uint8 RGB -> circles and scores as of :func:`decode`."""
        outputs, logits = super().__call__(picture / np.float32(127.5) - 1)
        return decode(outputs, logits[:, 0], anchors(), min_score)


class LandmarkNetwork(Network):
    """Finds the joints and the mask of a person in a region."""

    def __call__(self, picture):
        """Picture (256, 256, 3) uint8 RGB of a region -> :class:`Landmarks`."""
        landmarks, presence, mask, heatmaps, _ = super().__call__(picture / np.float32(255))
        values = landmarks.reshape(POINTS, VALUES).astype(np.float64)[:BODY + 2]
        points = refine(values[:, :2] / LANDMARK_SIDE, heatmaps[..., :BODY + 2])
        return Landmarks(points, expit(values[:BODY, 3]), float(presence[0]), mask[..., 0])
