"""Prepared pictures of a list, each distinct (frame, crop) decoded once and kept in one file.

Overlapping windows share their frames, and every epoch wants them again. The file's name holds a hash of everything that
the pictures depend on (paths, sizes and times of the frame files, crops, picture size), so another list or crop makes
another cache. One process builds it under a lock, in a temporary file that takes the name when it is complete: a second
process waits, and a killed one leaves nothing that counts. Every picture carries a check sum that is compared when it is
first read. The file is read, not mapped into memory: one that is cut short while in use is an error then, not the end of the
process.
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
VERSION = 3               # goes up whenever the file's format or the preparation of the pictures changes


class FrameCache:
    """The prepared pictures of a list's frames.

    Args:
        folder: where cache files lie.
        paths: M distinct frame files.
        crops: of each frame the integers that its picture depends on beside the file: clamped crop box, whether it is turned.
        size: S, side of the pictures.
        prepare: function of an index 0..M-1 that decodes and letterboxes that frame to (S, S, 3) uint8.
    Raises:
        FailedRun: before anything is written if there is not enough room, or when the disk fills up meanwhile.
        FrameError: from `prepare`.
    """

    def __init__(self, folder, paths, crops, size, prepare):
        self.folder, self.count = Path(folder), len(paths)
        self.type = np.dtype([("picture", np.uint8, (size, size, 3)), ("crc32", "<u4")])
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
        self.checked = np.zeros(self.count, bool)                           # pictures whose sum was compared

    def _damaged(self):
        return UserError(f"{self.path}: this frame cache is damaged; remove it and it is made again")

    @staticmethod
    def _hash(paths, crops, size):
        digest = hashlib.sha256(repr((VERSION, size)).encode())
        for path, crop in zip(paths, crops):
            try:
                status = os.stat(path)
            except OSError as error:
                raise UserError(f"{path}: this frame cannot be read ({error.strerror})") from None
            digest.update(repr((os.path.abspath(path), status.st_size, status.st_mtime_ns, *map(int, crop))).encode())
        return digest.hexdigest()[:16]

    def _build_locked(self, prepare):
        with open(self.path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.path.exists():                                      # else another process made it meanwhile
                self._build(prepare)
        self.path.with_suffix(".lock").unlink(missing_ok=True)

    def _build(self, prepare):
        need, count = self.count * self.type.itemsize, self.count
        free = shutil.disk_usage(self.folder).free
        logging.getLogger("actvae").info("frame cache: %d pictures, %.0f MB, in %s", count, need / 1e6, self.path)
        if need + SPARE > free:
            raise FailedRun(f"{self.folder}: the frame cache needs {need / 1e6:.0f} MB but {free / 1e6:.0f} MB are free "
                            f"(and {SPARE / 1e6:.0f} MB must stay so); name another folder with cache_dir, or turn it off with "
                            "cache: false")
        part = self.path.with_suffix(".part")
        try:
            with open(part, "wb") as file, ThreadPoolExecutor() as threads, \
                    tqdm(total=count, desc="frame cache", unit="frame") as bar:
                np.lib.format.write_array_header_1_0(file, {"descr": self.type.descr, "fortran_order": False, "shape": (count,)})
                for first in range(0, count, CHUNK):
                    chunk = range(first, min(first + CHUNK, count))
                    for picture in threads.map(prepare, chunk):
                        file.write(np.array((picture, zlib.crc32(picture.tobytes())), self.type).tobytes())
                    bar.update(len(chunk))
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        except OSError as error:
            raise FailedRun(f"{self.folder}: the frame cache could not be written ({error.strerror})") from None
        finally:
            part.unlink(missing_ok=True)

    def __getitem__(self, indices):
        """Pictures (..., S, S, 3) uint8 of an index or an array of them. Raises :class:`UserError` if one is damaged."""
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
