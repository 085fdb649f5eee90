"""Read frames of a video file by their index, upright."""
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from utils.errors import UserError

MOST_REORDERED = 16           # frames by which a codec moves a frame; a larger distance is a second start of the clock
LOCAL = {"protocol_whitelist": "file"}        # a playlist that looks like a video must not open other sources


class VideoIndex(NamedTuple):
    """The time of each frame of a video."""

    times: np.ndarray        # (n,) seconds from the first frame, ascending
    stamps: dict | None      # presentation time stamp -> frame index; None: frames come in the decoder's order


def read_index(path):
    """Read the :class:`VideoIndex` of a video from its packets, without decoding. Raises :class:`UserError`."""
    try:
        with av.open(str(path), options=LOCAL) as container:
            stream = _stream(container, path)
            packets = [packet.pts for packet in container.demux(stream) if packet.size and not packet.is_discard]
            base, rate = stream.time_base, stream.average_rate or stream.guessed_rate or 30
            reordered = stream.codec_context.has_b_frames
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise _unreadable(path, error) from None
    if not packets:
        raise UserError(f"{path}: this video has no frames")
    if None in packets or base is None or _decoder_order(packets, reordered):
        return VideoIndex(np.arange(len(packets)) / float(rate), None)
    stamps = sorted(packets)
    return VideoIndex((np.array(stamps, np.float64) - stamps[0]) * float(base), {stamp: at for at, stamp in enumerate(stamps)})


def _decoder_order(stamps, reordered):
    """Whether the time stamps of a video's packets cannot be those of its frames, so that the decoder's order counts.

    They are if they repeat or start again in the middle; or if they increase from packet to packet although the codec reorders
    frames (`reordered`), as AVI files with B-frames have it.
    """
    shift = np.abs(np.argsort(np.argsort(stamps, kind="stable"), kind="stable") - np.arange(len(stamps))).max()
    return len(set(stamps)) < len(stamps) or shift > MOST_REORDERED or bool(reordered and len(stamps) > 2 and not shift)


def read_frames(path, index, wanted, longest_side=None):
    """Decode some frames of a video, in one pass.

    Args:
        path: video file.
        index: its :class:`VideoIndex`.
        wanted: frame indices, ascending.
        longest_side: pixels; larger frames are scaled down, to even sides.
    Yields:
        (frame index, upright picture (h, w, 3) uint8, ratio of its size to the video's); frames that cannot be decoded are
        skipped.
    """
    wanted, first, last = set(map(int, wanted)), int(min(wanted)), int(max(wanted))
    for start in (first, 0) if first and index.stamps is not None else (0,):
        reached = start == 0
        try:
            for number, frame in _decode(path, index, start):
                if not reached and (number is None or number > first):   # some containers seek too far: read from the start
                    break
                reached = True
                if number in wanted:
                    yield number, *_upright(frame, longest_side)
                if number is not None and number >= last:
                    break
        except (OSError, ValueError, av.error.FFmpegError) as error:
            if reached:
                raise _unreadable(path, error) from None
        if reached:
            return


def _decode(path, index, start):
    """Yield (frame index or None, frame) of a video from the last key frame before frame `start` on."""
    stamp_of = {} if index.stamps is None else {number: stamp for stamp, number in index.stamps.items()}
    counted = -1
    with av.open(str(path), options=LOCAL) as container:
        stream = _stream(container, path)
        stream.thread_type = "AUTO"
        if start:
            container.seek(stamp_of[start], stream=stream)
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:                # a damaged part
                continue
            for frame in frames:
                counted += 1
                yield counted if index.stamps is None else index.stamps.get(frame.pts), frame


def _upright(frame, longest_side):
    """A frame's picture, rotated as the metadata say and scaled down, and the ratio of the sizes."""
    picture = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    ratio = min(1.0, longest_side / max(picture.shape[:2])) if longest_side else 1.0
    if ratio < 1:
        h, w = (max(2, 2 * round(side * ratio / 2)) for side in picture.shape[:2])
        picture = cv2.resize(np.ascontiguousarray(picture), (w, h), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture), ratio


def _stream(container, path):
    if not container.streams.video:
        raise UserError(f"{path}: there is no video in this file")
    return container.streams.video[0]


def _unreadable(path, error):
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UserError(f"{Path(path)}: this video cannot be opened ({reason.splitlines()[0]})")
