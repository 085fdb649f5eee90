"""Prepared pictures of a list in one file: each distinct pair of frame and crop is decoded once.

Overlapping windows share their frames, and every epoch needs them again. The file's name holds a hash of everything that the
pictures depend on (paths, sizes and times of the frame files, crops, picture size), so another list or crop makes another
cache. One process builds it under a lock, in a temporary file that gets the final name when it is complete: a second process
waits, and a killed process leaves no file that could be mistaken for a cache. Every picture carries a checksum that is compared
when the picture is first read. The file is read, not mapped into memory, because a mapped file that is cut short while in use
ends the process.

Pictures whose person was removed ("plates") are kept in a second file, see :class:`PlateCache`.
"""
import fcntl
import hashlib
import logging
import os
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from utils.errors import FailedRun, UserError

SPARE = 64 << 20          # bytes that must stay free on the disk
CHUNK = 64                # frames decoded between two writes
VERSION = 3               # to be raised whenever the file's format or the preparation of the pictures changes
PLATE_VERSION = 1         # the same for plates


def check_room(folder, need, what):
    """Raise :class:`FailedRun` if `folder` lacks room for `need` more bytes."""
    free = shutil.disk_usage(folder).free
    if need + SPARE > free:
        raise FailedRun(f"{folder}: the {what} needs {need / 1e6:.0f} MB but {free / 1e6:.0f} MB are free "
                        f"(and {SPARE / 1e6:.0f} MB must stay so); name another folder with cache_dir, or turn it off with "
                        "cache: false")


def record(picture, kind):
    """The bytes of one entry of a cache: a picture (S, S, 3) uint8 and its checksum, as a value of the numpy type `kind`."""
    return np.array((picture, zlib.crc32(np.ascontiguousarray(picture))), kind).tobytes()


class FrameCache:
    """The prepared pictures of a list's frames.

    Args:
        folder: where cache files lie.
        paths: M distinct frame files; None for a picture that depends on no file.
        crops: for each frame, the integers that its picture depends on besides the file: the clamped crop box, and whether
            the EXIF orientation is applied.
        size: S, side of the pictures in pixels.
        prepare: function of an index 0..M-1 that decodes and letterboxes that frame to (S, S, channels) uint8.
        channels: 3, or 1 for masks.
    Raises:
        FailedRun: the disk has too little room (before anything is written), or fills up while the cache is built.
        FrameError: from `prepare`.
    """

    def __init__(self, folder, paths, crops, size, prepare, channels=3):
        self.folder, self.count = Path(folder), len(paths)
        self.type = np.dtype([("picture", np.uint8, (size, size, channels)), ("crc32", "<u4")])
        self.path = self.folder / f"frames_{size}_{self._hash(paths, crops, size)}.npy"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                self._build_locked(prepare)
            frames = np.lib.format.open_memmap(self.path, "r")              # (M,) of self.type; for its header only
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path}: the frame cache cannot be used ({error}); remove it or set cache_dir") from None
        if frames.shape != (self.count,) or frames.dtype != self.type:
            raise self._damaged()
        self.start, self.file = frames.offset, open(self.path, "rb")        # noqa: SIM115
        self.checked = np.zeros(self.count, bool)                           # pictures whose checksum was compared

    def _damaged(self):
        return UserError(f"{self.path}: this frame cache is damaged; remove it and it is made again")

    @staticmethod
    def _hash(paths, crops, size):
        digest = hashlib.sha256(repr((VERSION, size)).encode())
        for path, crop in zip(paths, crops):
            try:
                status = None if path is None else os.stat(path)
            except OSError as error:
                raise UserError(f"{path}: this frame cannot be read ({error.strerror})") from None
            file = () if status is None else (os.path.abspath(path), status.st_size, status.st_mtime_ns)
            digest.update(repr((*file, *map(int, crop))).encode())
        return digest.hexdigest()[:16]

    def _build_locked(self, prepare):
        with open(self.path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.path.exists():                                      # another process may have built it meanwhile
                self._build(prepare)
        self.path.with_suffix(".lock").unlink(missing_ok=True)

    def _build(self, prepare):
        need, count = self.count * self.type.itemsize, self.count
        logging.getLogger("actvae").info("frame cache: %d pictures, %.0f MB, in %s", count, need / 1e6, self.path)
        check_room(self.folder, need, "frame cache")
        part = self.path.with_suffix(".part")
        try:
            with open(part, "wb") as file, ThreadPoolExecutor() as threads, \
                    tqdm(total=count, desc="frame cache", unit="frame") as bar:
                np.lib.format.write_array_header_1_0(file, {"descr": self.type.descr, "fortran_order": False, "shape": (count,)})
                for first in range(0, count, CHUNK):
                    chunk = range(first, min(first + CHUNK, count))
                    for picture in threads.map(prepare, chunk):
                        file.write(record(picture, self.type))
                    bar.update(len(chunk))
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        except OSError as error:
            raise FailedRun(f"{self.folder}: the frame cache could not be written ({error.strerror})") from None
        finally:
            part.unlink(missing_ok=True)

    def __getitem__(self, indices):
        """Pictures (..., S, S, channels) uint8 of one index or an array of them. Raises :class:`UserError` if one is damaged."""
        indices = np.asarray(indices)
        frames = np.empty(indices.size, self.type)
        for number, place in enumerate(indices.ravel().tolist()):
            data = os.pread(self.file.fileno(), self.type.itemsize, self.start + place * self.type.itemsize)
            if len(data) < self.type.itemsize:
                raise self._damaged()
            frames[number] = np.frombuffer(data, self.type)[0]
            if not self.checked[place]:
                if zlib.crc32(np.ascontiguousarray(frames["picture"][number])) != frames["crc32"][number]:
                    raise self._damaged()
                self.checked[place] = True
        return np.ascontiguousarray(frames["picture"]).reshape(*indices.shape, *self.type["picture"].shape)

    def __getstate__(self):
        return {**self.__dict__, "file": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.file = open(self.path, "rb")                                   # noqa: SIM115


class PlateCache:
    """The plates of a frame cache's pictures, each computed when it is first needed, in a file that all processes share.

    A plate that was never written, or that another process is just writing, fails its checksum and is computed (again).

    Args:
        frames: :class:`FrameCache`.
        poses: (M, J, 2) of its pictures.
        make: function that makes plates.
        masks: :class:`FrameCache` of the masks that `make` uses, or None.
    Raises:
        FailedRun: the disk has too little room for all plates.
    """

    def __init__(self, frames, poses, make, masks=None):
        self.type = frames.type
        sources = [frames.path.name, *([masks.path.name] if masks else [])]
        origin = repr((PLATE_VERSION, *sources, make.__module__, make.__qualname__)).encode()
        name = hashlib.sha256(origin + np.ascontiguousarray(poses).tobytes()).hexdigest()[:16]
        self.path = frames.folder / f"plates_{self.type['picture'].shape[0]}_{name}.bin"
        if not self.path.exists():
            check_room(frames.folder, frames.count * self.type.itemsize, "cache of backgrounds")
        with self._open("ab") as file:
            file.truncate(frames.count * self.type.itemsize)                # takes no room on the disk before it is filled

    def get(self, number, compute):
        """Plate `number` (S, S, 3) uint8, which `compute()` makes if the file does not hold it."""
        with self._open("r+b") as file:
            file.seek(number * self.type.itemsize)
            data = file.read(self.type.itemsize)
            plate, checksum = np.frombuffer(data, self.type)[0] if len(data) == self.type.itemsize else (b"", None)
            if zlib.crc32(plate) != checksum:
                plate = compute()
                file.seek(number * self.type.itemsize)
                file.write(record(plate, self.type))
        return np.array(plate)

    def _open(self, mode):
        try:
            return open(self.path, mode, buffering=0)
        except OSError as error:
            raise UserError(f"{self.path}: the cache of backgrounds cannot be used ({error.strerror}); set another cache_dir, or "
                            "cache: false") from None
