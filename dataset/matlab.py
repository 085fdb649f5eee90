"""Read numbers and text, which is all that annotations hold, from a MATLAB 5 file. Format: MathWorks, "MAT-File Format".

scipy's reader trusts the sizes in a file: a truncated file ends the whole process with a segmentation fault.
"""
import math
import struct
import zlib
from pathlib import Path

import numpy as np

HDF5 = b"\x89HDF\r\n"        # first bytes of an HDF5 file without a MATLAB header
HEADER = 128                  # bytes; the last two give the byte order
MATRIX, COMPRESSED = 14, 15   # types of elements
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
CHARACTERS, NUMERIC = 4, range(6, 16)                        # classes of matrices
COMPLEX = 0x0800              # flag
LARGEST = 64 << 20            # most bytes of a matrix; annotations need about ten thousand


def read_mat(path):
    """The arrays of a file: dict from name to float64 array (with MATLAB's two or more dimensions) or, for text, str.

    Structures, cells, complex numbers and so on are ignored.

    Raises:
        ValueError: the file is damaged or not a MATLAB 5 file.
        OSError: the file cannot be read.
    """
    data = Path(path).read_bytes()
    if data.startswith((b"MATLAB 7.3", HDF5)):
        raise ValueError("this is MATLAB 7.3's format, HDF5, which is not read here; save it with '-v7' in MATLAB or with "
                         "scipy.io.savemat")
    order = {b"IM": "<", b"MI": ">"}.get(data[HEADER - 2:HEADER])
    if order is None:
        raise ValueError("no MATLAB 5 header")
    arrays = {}
    for kind, content in _elements(data[HEADER:], order):
        if kind == COMPRESSED:
            kind, content = _decompress(content, order)
        if kind == MATRIX:
            name, array = _matrix(content, order)
            if array is not None:
                arrays[name] = array
    return arrays


def _elements(data, order):
    """Yield (type, content) of each element in a sequence of elements."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("it ends in the middle of an element")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start, length = at + 8, 8 + size + (-size % 8 if kind != COMPRESSED else 0)
        if kind >> 16:                                       # a small element: type, size and content in eight bytes
            kind, size, start, length = kind & 0xFFFF, kind >> 16, at + 4, 8
            if size > 4:
                raise ValueError("an element names an impossible size")
        if start + size > len(data):
            raise ValueError("an element is longer than the file")
        yield kind, data[start:start + size]
        at += length


def _decompress(content, order):
    try:
        data = zlib.decompressobj().decompress(content, LARGEST)
    except zlib.error as error:
        raise ValueError(f"a compressed element is damaged: {error}") from None
    return next(_elements(data, order), (None, b""))


def _matrix(content, order):
    """Name and array of a matrix; the array is None for classes that are not read."""
    parts = list(_elements(content, order))
    if [kind for kind, _ in parts[:3]] != [6, 5, 1] or len(parts[0][1]) != 8 or len(parts[1][1]) % 4:
        raise ValueError("a matrix lacks its flags, dimensions or name")
    flags, = struct.unpack_from(f"{order}I", parts[0][1])
    shape = struct.unpack(f"{order}{len(parts[1][1]) // 4}i", parts[1][1])
    name = parts[2][1].decode("latin-1")
    kind, values = parts[3] if len(parts) > 3 else (None, b"")
    if flags & 0xFF == CHARACTERS and kind in TEXT:
        encoding = TEXT[kind] + ({"<": "-le", ">": "-be"}[order] if TEXT[kind] == "utf-16" else "")
        return name, values.decode(encoding)
    if flags & 0xFF not in NUMERIC or flags & COMPLEX:
        return name, None
    if kind not in NUMBERS or min(shape, default=0) < 0:
        raise ValueError(f"array {name!r} has an impossible type or shape")
    if math.prod(shape) * np.dtype(NUMBERS[kind]).itemsize != len(values):
        raise ValueError(f"array {name!r} has {len(values)} bytes, which is not what its shape {shape} needs")
    return name, np.frombuffer(values, order + NUMBERS[kind]).astype(np.float64).reshape(shape, order="F")
