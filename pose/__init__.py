"""What a pose is and where it comes from: the skeleton, pose files, detectors, drawn poses."""
from importlib import import_module

import utils.errors  # noqa: F401  first: Ctrl-C is one line while the others import

# name -> the class, a pose.detector.Detector; imported on demand, because detectors are slow to import
DETECTORS = {"blazepose": "pose.blazepose:BlazePose", "keypoint_rcnn": "pose.keypoint_rcnn:KeypointRCNN"}
DEFAULT_DETECTOR = "blazepose"


def detector_class(name):
    """The class of a registered detector."""
    module, _, kind = DETECTORS[name].partition(":")
    return getattr(import_module(module), kind)


def find_people(name=DEFAULT_DETECTOR, **settings):
    """Create a detector by name; `find_people("blazepose").detect(picture)` finds the people in a picture.

    The settings are those of :class:`pose.detector.Detector`. Raises :class:`pose.detector.DetectorError` without its weights.
    """
    return detector_class(name)(**settings)
