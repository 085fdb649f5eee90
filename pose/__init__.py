"""What a pose is and where it comes from: the skeleton, pose files, detectors, drawn poses."""
from importlib import import_module

import utils.errors  # noqa: F401  first: Ctrl-C is one line while the others import

# name -> the class, a pose.detector.Detector; imported when it is asked for, because detectors are slow to import
DETECTORS = {"blazepose": "pose.blazepose:BlazePose", "keypoint_rcnn": "pose.keypoint_rcnn:KeypointRCNN"}
DEFAULT_DETECTOR = "blazepose"


def detector_class(name):
    """The class of a registered detector."""
    module, _, kind = DETECTORS[name].partition(":")
    return getattr(import_module(module), kind)


def find_people(name=DEFAULT_DETECTOR, **settings):
    """A detector by its name; `find_people("blazepose").detect(picture)` finds the people in a picture.

    Args:
        name: a key of DETECTORS.
        settings: arguments of :class:`pose.detector.Detector`, which all detectors take; a detector may take more.
    Raises:
        DetectorError: the detector cannot be set up, for example without its weights.
    """
    return detector_class(name)(**settings)
