"""The registry of detectors: each is found by its name, and is what photos and videos expect."""
import inspect
import subprocess
import sys

import numpy as np
import pytest

from pose import DEFAULT_DETECTOR, DETECTORS, detector_class, find_people
from pose.detector import Detector, DetectorError, Person, by_size


def test_the_largest_comes_first():
    people = [Person(np.array([0, 0, side, side], float), 0.9, np.zeros((13, 2)), np.ones(13, bool)) for side in (3, 9, 5)]
    assert [person.size for person in by_size(people)] == [81, 25, 9]


@pytest.mark.parametrize("name", DETECTORS)
def test_every_registered_detector_keeps_to_the_interface(name, tmp_path):
    kind = detector_class(name)
    assert issubclass(kind, Detector) and 0 < kind.min_score < 1 and kind.default_weights
    assert {"weights", "device", "min_score"} <= set(inspect.signature(kind).parameters)
    with pytest.raises(DetectorError, match="--detector_weights") as error:
        find_people(name, weights=tmp_path / "none", device="cpu")
    assert str(tmp_path / "none") in str(error.value) and "\n" not in str(error.value)


def test_the_registry_imports_no_detector():
    code = "import sys, pose, photo.options; sys.exit('torch' in sys.modules)"
    assert DEFAULT_DETECTOR in DETECTORS and subprocess.run([sys.executable, "-c", code]).returncode == 0
