"""Reading videos by frame index: containers with and without time stamps, phones' rotations, bad files."""
import struct

import av
import numpy as np
import pytest
from PIL import Image

from dataset.from_video.reading import read_frames, read_index
from dataset.synthetic.people import draw_video
from utils.errors import UserError
from utils.media import write_mp4

FPS = 30


@pytest.fixture(scope="module")
def pictures():
    """40 frames (n, h, w, 3) RGB of a drawn performance."""
    return np.stack([picture[..., ::-1] for picture in draw_video(7, "jumping_jacks", 0, (40, 40))[0]])


def with_rotation(path, quarter_turns):
    """Write a phone's display matrix, clockwise quarter turns, into an MP4's track header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = {1: (0, 1, -1, 0), 2: (-1, 0, 0, -1), 3: (0, -1, 1, 0)}[quarter_turns]
    data[at:at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_phone_videos_are_turned_upright(tmp_path, pictures, turns):
    path = tmp_path / "phone.mp4"
    write_mp4(path, np.stack([np.rot90(picture, turns) for picture in pictures[:8]]), FPS)     # as the sensor sees it
    with_rotation(path, turns)
    for number, picture, ratio in read_frames(path, read_index(path), [0, 5], longest_side=240):
        wanted = np.asarray(Image.fromarray(pictures[number]).resize(picture.shape[1::-1], Image.Resampling.BOX), int)
        assert ratio == 240 / max(pictures.shape[1:3]) and np.abs(picture - wanted).mean() < 6


@pytest.mark.parametrize("ending, codec", [("mp4", "libx264"), ("avi", "mpeg4"), ("webm", "libvpx"), ("ts", "mpeg2video"),
                                           ("mov", "mjpeg")])
def test_other_containers_with_and_without_time_stamps(tmp_path, pictures, ending, codec):
    path, pictures = tmp_path / f"video.{ending}", pictures[:, ::2, ::2]
    with av.open(str(path), "w") as video:
        stream = video.add_stream(codec, rate=FPS)
        stream.height, stream.width = pictures.shape[1:3]
        stream.options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx" else {}
        stream.pix_fmt, stream.bit_rate = "yuvj420p" if codec == "mjpeg" else "yuv420p", 8_000_000
        for picture in pictures:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        video.mux(stream.encode())
    index = read_index(path)
    assert len(index.times) == 40 and np.median(np.diff(index.times)) == pytest.approx(1 / FPS, abs=2e-3)
    for wanted in ([0, 7, 39], [25, 30]):                             # from the start, and after a seek
        found = {number: picture for number, picture, _ in read_frames(path, index, wanted)}
        assert list(found) == wanted
        for number, picture in found.items():
            assert np.abs(pictures.astype(np.int16) - picture).mean((1, 2, 3)).argmin() == number


def test_audio_only(tmp_path):
    with av.open(str(tmp_path / "sound.wav"), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        file.mux(stream.encode(frame))
    with pytest.raises(UserError, match="there is no video in this file"):
        read_index(tmp_path / "sound.wav")
