"""The reader of annotations: as scipy's, and safe where scipy's crashes."""
import io
import struct

import numpy as np
import pytest
import scipy.io

from dataset.matlab import read_mat

ARRAYS = {"action": "baseball_pitch", "x": np.random.RandomState(0).rand(36, 13), "visibility": np.ones((36, 13), np.uint8),
          "train": -1, "dimensions": [[480, 640, 36]], "big": np.array([[2 ** 40]]), "single": np.float32([[1.5]]),
          "truth": np.array([[True, False]]), "deep": np.arange(24.0).reshape(2, 3, 4), "empty": np.zeros((0, 13))}


def saved(arrays, **options):
    file = io.BytesIO()
    scipy.io.savemat(file, arrays, **options)
    return file.getvalue()


@pytest.fixture
def read(tmp_path):
    def read(data):
        (tmp_path / "a.mat").write_bytes(data)
        return read_mat(tmp_path / "a.mat")
    return read


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "compressed"])
def test_reads_what_scipy_reads(read, packed):
    data = saved(ARRAYS, do_compression=packed)
    found, expected = read(data), scipy.io.loadmat(io.BytesIO(data))
    assert found.keys() == ARRAYS.keys() and found.pop("action") == expected["action"][0]
    for name, array in found.items():
        assert array.dtype == np.float64 and array.shape == expected[name].shape and (array == expected[name]).all(), name


def test_other_classes_are_ignored(read):
    data = saved({"x": 3.0, "cell": np.array([1, "a"], object), "struct": {"a": 1}, "complex": np.array([1j])})
    assert read(data) == {"x": 3.0}


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(cls, shape, kind, data, flags=0):
    return element(14, element(6, struct.pack("<II", cls | flags, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
                   + element(1, b"x") + element(kind, data))


HEADER = saved({})[:128]


@pytest.mark.parametrize("body, message", [
    (matrix(6, (2, 2), 19, bytes(32)), "'x' has an impossible type"), (matrix(6, (2, 2), 250, bytes(32)), "impossible type"),
    (matrix(6, (-1, 2), 9, bytes(32)), "impossible type or shape"), (matrix(6, (2, 2), 9, bytes(24)), "has 24 bytes"),
    (matrix(6, (2 ** 30, 2 ** 30), 9, bytes(32)), "has 32 bytes"), (element(14, b""), "lacks its flags"),
    (element(14, element(6, bytes(8))), "lacks its flags"), (struct.pack("<II", 14, 1000), "longer than the file"),
    (struct.pack("<HHI", 5, 9, 0), "impossible size"), (b"\0\0\0", "ends in the middle"),
    (struct.pack("<II", 15, 4) + b"nope", "a compressed element is damaged")])
def test_damage_is_an_error(read, body, message):
    with pytest.raises(ValueError, match=message):
        read(HEADER + body)


def test_undamaged_and_foreign_files(read):
    assert (read(HEADER + matrix(6, (2, 2), 9, struct.pack("<4d", 1, 2, 3, 4)))["x"] == [[1, 3], [2, 4]]).all()
    with pytest.raises(ValueError, match="no MATLAB 5 header"):
        read(b"MATLAB 4")


@pytest.mark.parametrize("header", [b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM", b""])
def test_files_of_matlab_7_3_are_named_with_the_way_out(read, header):
    with pytest.raises(ValueError, match=r"MATLAB 7\.3's format, HDF5.*'-v7' in MATLAB or with scipy\.io\.savemat"):
        read(header + bytes(384 if header else 0) + b"\x89HDF\r\n\x1a\n" + bytes(100))
