"""The registry of detectors, and the weights of BlazePose: from a wheel, a folder, the cache or a download."""
import hashlib
import inspect
import subprocess
import sys
import zipfile

import pytest

from pose import DEFAULT_DETECTOR, DETECTORS, blazepose, blazepose_weights, detector_class, find_people
from pose.blazepose_weights import FILES, INSIDE, read_weights
from pose.detector import Detector, DetectorError
from utils.errors import UserError


@pytest.mark.parametrize("name", DETECTORS)
def test_every_registered_detector_follows_the_interface(name, tmp_path):
    kind = detector_class(name)
    assert issubclass(kind, Detector) and 0 < kind.min_score < 1 and kind.default_weights
    assert {"weights", "device", "min_score"} <= set(inspect.signature(kind).parameters)
    with pytest.raises(DetectorError, match="--detector_weights") as error:
        find_people(name, weights=tmp_path / "none", device="cpu")
    assert str(tmp_path / "none") in str(error.value) and "\n" not in str(error.value)


def test_the_registry_imports_no_detector():
    code = "import sys, pose, photo.options; sys.exit('torch' in sys.modules)"
    assert DEFAULT_DETECTOR in DETECTORS and subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.fixture
def own_weights(monkeypatch):
    """Two small files in the place of the networks; returns their contents by name."""
    contents = {name: name.encode() * 9 for name, *_ in FILES}
    monkeypatch.setattr(blazepose_weights, "FILES", tuple(
        (name, folder, hashlib.sha256(contents[name]).hexdigest()) for name, folder, _ in FILES))
    return contents


def write_wheel(path, contents):
    with zipfile.ZipFile(path, "w") as wheel:
        for (name, folder, _), content in zip(FILES, contents.values()):
            wheel.writestr(f"{INSIDE}/{folder}/{name}", content)
    return path


def test_weights_come_from_a_wheel_or_a_folder(tmp_path, own_weights):
    wheel = write_wheel(tmp_path / "one.whl", own_weights)
    for name, content in own_weights.items():
        (tmp_path / name).write_bytes(content)
    assert read_weights(wheel) == read_weights(tmp_path) == list(own_weights.values())


def test_other_weights_are_refused_in_one_line(tmp_path, own_weights):
    first, second = own_weights
    damaged = write_wheel(tmp_path / "damaged.whl", {**own_weights, second: b"other"})
    (tmp_path / "no.whl").write_bytes(b"PK\x03\x04 not really")
    with zipfile.ZipFile(tmp_path / "foreign.whl", "w") as wheel:
        wheel.writestr("six.py", "")
    for path, message in ((damaged, f"damaged.whl: {second} is not that of mediapipe.*SHA-256 differs"),
                          (tmp_path / "no.whl", "cannot be read .*zip"), (tmp_path / "foreign.whl", f"cannot be read .*{first}"),
                          (tmp_path / "none", "cannot be read .*No such file")):
        with pytest.raises(UserError, match=message) as error:
            read_weights(path)
        assert "\n" not in str(error.value)
        assert str(error.value).endswith("--detector_weights PATH, or take --detector keypoint_rcnn")


def test_weights_are_downloaded_once_and_again_when_damaged(tmp_path, own_weights, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    calls = []

    def pip(arguments, **_):
        calls.append(arguments)
        write_wheel(f"{arguments[arguments.index('--dest') + 1]}/mediapipe.whl", own_weights)
        return subprocess.CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr(blazepose_weights.subprocess, "run", pip)
    for _ in range(2):
        assert read_weights() == list(own_weights.values()) and len(calls) == 1
    damaged = tmp_path / "cache" / "act-vae" / FILES[0][0]
    damaged.write_bytes(b"damaged")
    assert read_weights() == list(own_weights.values()) and len(calls) == 2 and damaged.read_bytes() != b"damaged"


def test_without_a_network_one_line_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(blazepose_weights.subprocess, "run", lambda arguments, **_: subprocess.CompletedProcess(
        arguments, 1, "", "WARNING: retrying\nERROR: No matching distribution found\n"))
    message = "No matching distribution found.*pip download --no-deps mediapipe.*--detector_weights"
    with pytest.raises(UserError, match=message) as error:
        read_weights()
    assert "\n" not in str(error.value) and list(tmp_path.iterdir()) == []
    monkeypatch.setattr(sys, "argv", ["blazepose_weights"])
    blazepose_weights.main()                                         # `make` goes on
    assert capsys.readouterr().out.startswith("note: BlazePose's weights")


def test_without_litert_one_line_names_the_other_detector(monkeypatch):
    monkeypatch.setattr(blazepose, "read_weights", lambda *_: (b"", b""))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match="BlazePose needs LiteRT.*--detector keypoint_rcnn"):
        blazepose.BlazePose()
