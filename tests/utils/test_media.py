"""Pictures as files."""
import av
import numpy as np
import pytest
from PIL import Image

from utils.drawing import contact_sheet, grid, label
from utils.media import as_rgb, write_gif, write_image, write_mp4


def colourful(count, height=64, width=64):
    """Smooth pictures of many colours that move."""
    y, x = np.mgrid[:height, :width]
    return np.stack([np.stack([4 * x % 256, 4 * y % 256, (x + y + 8 * t) % 256], -1) for t in range(count)]).astype(np.uint8)


@pytest.mark.parametrize("photo", [False, True])
@pytest.mark.parametrize("pictures", [colourful(4), colourful(1), colourful(1).repeat(3, 0), np.zeros((600, 4, 6, 3), np.uint8)],
                         ids=["moving", "single", "standing still", "many"])
def test_a_gif_has_every_frame_and_repeats_forever(tmp_path, pictures, photo):
    """Pillow alone would merge equal frames."""
    write_gif(tmp_path / "a.gif", pictures, photo=photo)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == len(pictures) and gif.size == pictures.shape[2:0:-1]
        for number, picture in list(enumerate(pictures))[::7] if len(pictures) > 9 else enumerate(pictures):
            gif.seek(number)
            assert len(pictures) == 1 or (gif.info["duration"], gif.info["loop"]) == (500, 0)
            assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - picture).mean() < 12
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]


@pytest.mark.parametrize("fps", [8, 25, 24, 30])
def test_a_gif_is_as_long_as_its_clip(tmp_path, fps):
    write_gif(tmp_path / "a.gif", colourful(17), fps=fps)
    with Image.open(tmp_path / "a.gif") as gif:
        delays = [gif.seek(number) or gif.info["duration"] for number in range(17)]
    assert sum(delays) == pytest.approx(17000 / fps, abs=5) and max(delays) - min(delays) <= 10


def test_a_video_of_odd_size_is_extended(tmp_path):
    write_mp4(tmp_path / "a.mp4", colourful(2, 97, 33))
    with av.open(str(tmp_path / "a.mp4")) as video:
        assert {(frame.height, frame.width) for frame in video.decode(video=0)} == {(98, 34)}


@pytest.mark.parametrize("name, kind", [("a.jpg", "JPEG"), ("a.png", "PNG")])
def test_an_image_is_written_in_the_format_of_its_name(tmp_path, name, kind):
    write_image(tmp_path / name, colourful(1)[0])
    with Image.open(tmp_path / name) as image:
        assert image.format == kind and image.size == (64, 64)


def test_pictures_of_any_mode_become_rgb():
    grey = np.array([[0, 128], [255, 64]], np.uint8)
    rgb = np.repeat(grey[..., None], 3, 2)
    for image in (Image.fromarray(grey), Image.fromarray(grey.astype(np.uint16) * 257), Image.fromarray(grey / np.float32(255)),
                  Image.fromarray(rgb)):
        np.testing.assert_array_equal(np.asarray(as_rgb(image)), rgb)
    clear = Image.fromarray(np.concatenate([rgb, np.array([[0, 255], [255, 255]], np.uint8)[..., None]], 2))
    assert np.asarray(as_rgb(clear))[0].tolist() == [[255] * 3, [128] * 3]


def test_sheets():
    cells = np.random.RandomState(0).randint(0, 256, (3, 8, 8, 3)).astype(np.uint8)
    sheet = grid([[cells[0], None, cells[1]], [cells[2], None, cells[0]]], gap=2)
    assert sheet.shape == (20, 30, 3)
    np.testing.assert_array_equal(sheet[:8, 20:28], cells[1])
    np.testing.assert_array_equal(sheet[10:18, :8], cells[2])
    assert contact_sheet(np.zeros((5, 20, 40, 3), np.uint8), columns=3, cell=20).shape == (28, 72, 3)


def test_captions_wrap_at_the_picture_s_side():
    dark = np.zeros((64, 64, 3), np.uint8)
    captioned = label(dark, "what happened")
    assert not dark.any() and not captioned[:, 62:].any()                     # the picture itself stays, nothing is cut off
    assert (captioned > 100).any(2)[:14].any() and (captioned > 100).any(2)[15:28].any() and not captioned[32:].any()
