"""Prepared pictures of a list in one file: each distinct pair of frame and crop is decoded once.

Overlapping windows share their frames, and every epoch needs them again. The file's name holds a hash of everything that the
pictures depend on (paths, sizes and times of the frame files, crops, picture size), so another list or crop makes another
cache. One process builds it under a lock, in a temporary file that is renamed when it is complete.
"""
import fcntl
import hashlib
import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from utils.errors import FailedRun, UserError

SPARE = 64 << 20          # bytes that must stay free on the disk
CHUNK = 64                # frames decoded between two writes
VERSION = 4               # raise it whenever the preparation of the pictures changes


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
        self.folder, self.shape = Path(folder), (len(paths), size, size, channels)
        self.path = self.folder / f"frames_{size}_{self._hash(paths, crops)}.npy"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                with open(self.path.with_suffix(".lock"), "w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    if not self.path.exists():                          # another process may have built it meanwhile
                        self._build(prepare)
                self.path.with_suffix(".lock").unlink(missing_ok=True)
            self.pictures = np.lib.format.open_memmap(self.path, "r")
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path}: the frame cache cannot be used ({error}); remove it or set cache_dir") from None
        if self.pictures.shape != self.shape or self.pictures.dtype != np.uint8:
            raise UserError(f"{self.path}: this frame cache is damaged; remove it and it is made again")

    def _hash(self, paths, crops):
        digest = hashlib.sha256(repr((VERSION, self.shape[1])).encode())
        for path, crop in zip(paths, crops):
            try:
                status = None if path is None else os.stat(path)
            except OSError as error:
                raise UserError(f"{path}: this frame cannot be read ({error.strerror})") from None
            file = () if status is None else (os.path.abspath(path), status.st_size, status.st_mtime_ns)
            digest.update(repr((*file, *map(int, crop))).encode())
        return digest.hexdigest()[:16]

    def _build(self, prepare):
        need, count = int(np.prod(self.shape)), len(self)
        logging.getLogger("actvae").info("frame cache: %d pictures, %.0f MB, in %s", count, need / 1e6, self.path)
        free = shutil.disk_usage(self.folder).free
        if need + SPARE > free:
            raise FailedRun(f"{self.folder}: the frame cache needs {need / 1e6:.0f} MB but {free / 1e6:.0f} MB are free (and "
                            f"{SPARE / 1e6:.0f} MB must stay so); name another folder with cache_dir, or turn it off with "
                            "cache: false")
        part = self.path.with_suffix(".part")
        try:
            with open(part, "wb") as file, ThreadPoolExecutor() as threads, \
                    tqdm(total=count, desc="frame cache", unit="frame") as bar:
                np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": self.shape})
                for first in range(0, count, CHUNK):
                    chunk = range(first, min(first + CHUNK, count))
                    for picture in threads.map(prepare, chunk):
                        file.write(np.ascontiguousarray(picture))
                    bar.update(len(chunk))
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        except OSError as error:
            raise FailedRun(f"{self.folder}: the frame cache could not be written ({error.strerror})") from None
        finally:
            part.unlink(missing_ok=True)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, indices):
        """Pictures (..., S, S, channels) uint8 of one index or an array of them."""
        return np.array(self.pictures[indices])

    def __getstate__(self):
        return {**self.__dict__, "pictures": None}                      # a pickled memory map would hold all pictures

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.pictures = np.lib.format.open_memmap(self.path, "r")
