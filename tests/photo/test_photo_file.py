"""Photos of any pixel format, orientation and size are read as upright RGB, or refused in one line."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photo import photo_file
from photo.photo_file import read_alpha, read_photo
from utils.errors import UserError

H, W = 40, 60
RGB = np.zeros((H, W, 3), np.uint8)
RGB[:20, :30], RGB[:20, 30:], RGB[20:, :30], RGB[20:, 30:] = (250, 10, 20), (10, 250, 20), (20, 10, 250), (120, 120, 120)
GREY = np.tile(np.linspace(0, 255, W).astype(np.uint8), (H, 1))


@pytest.mark.parametrize("ending, mode, limit", [
    ("png", "RGB", 0), ("jpg", "RGB", 8), ("tif", "CMYK", 1), ("jpg", "CMYK", 8), ("png", "P", 0), ("gif", "P", 2),
    ("bmp", "RGB", 0), ("webp", "RGB", 8), ("avif", "RGB", 8), ("tif", "RGB", 0)])
def test_colours(tmp_path, ending, mode, limit):
    image = Image.fromarray(RGB)
    (image.quantize(16) if mode == "P" else image.convert(mode)).save(tmp_path / f"photo.{ending}")
    photo = read_photo(tmp_path / f"photo.{ending}")
    assert photo.dtype == np.uint8 and photo.shape == (H, W, 3)
    inner = np.s_[10::20, 15::30]                            # the middle of each colour: JPEG smears the edges
    assert np.abs(photo[inner].astype(int) - RGB[inner]).max() <= limit


def test_an_alpha_channel_is_read_upright_if_it_can_be_a_mask(tmp_path):
    alpha = np.zeros((H, W), np.uint8)
    alpha[5:30, 10:20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(np.dstack([RGB, alpha])))).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_alpha(tmp_path / "a.png"), (alpha == 255).astype(np.float32))
    Image.fromarray(np.dstack([RGB, np.full((H, W), 255, np.uint8)])).save(tmp_path / "opaque.png")
    Image.fromarray(RGB).save(tmp_path / "rgb.jpg")
    assert read_alpha(tmp_path / "opaque.png") is None and read_alpha(tmp_path / "rgb.jpg") is None


def test_photos_of_phones(tmp_path):
    """A phone's file may have any ending: the content decides."""
    path = tmp_path / "phone.jpg"
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed: run make")
    heif.from_pillow(Image.fromarray(np.repeat(np.repeat(RGB, 4, 0), 4, 1))).save(path, quality=95)
    photo = read_photo(path)
    assert photo.shape == (4 * H, 4 * W, 3) and np.abs(photo[40, 60].astype(int) - RGB[10, 15]).max() < 20


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_stand_upright(tmp_path, orientation):
    stored = {1: RGB, 2: RGB[:, ::-1], 3: RGB[::-1, ::-1], 4: RGB[::-1], 5: RGB.swapaxes(0, 1), 6: np.rot90(RGB, 1),
              7: RGB[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(RGB, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(read_photo(tmp_path / "photo.png"), RGB)


def test_bad_photos(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "cut.jpg")
    data = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[:len(data) // 2])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    Image.fromarray(RGB[:5]).save(tmp_path / "flat.png")
    Image.fromarray(RGB).save(tmp_path / "large.png")
    monkeypatch.setattr(photo_file, "MAX_PIXELS", H * W - 1)
    for name, message in (("cut.jpg", "not a photo that can be read"), ("text.jpg", "not a photo that can be read"),
                          ("empty.jpg", "not a photo that can be read"), ("flat.png", "too few to render from"),
                          ("large.png", "60 x 40 pixels are too many"), ("none.jpg", "there is no such photo"),
                          (".", "this is a folder")):
        with pytest.raises(UserError, match=message) as error:
            read_photo(tmp_path / name)
        assert "\n" not in str(error.value) and str(tmp_path / name) in str(error.value)


@given(st.sampled_from(["png", "jpg", "tif", "gif", "webp", "bmp"]),
       st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=20), st.integers(0, 10_000))
def test_any_damaged_file_is_a_photo_or_an_error(tmp_path_factory, ending, changes, cut):
    path = tmp_path_factory.getbasetemp() / f"damaged.{ending}"
    Image.fromarray(RGB).save(path)
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data[:cut % len(data)] if cut % 2 else data)
    try:
        photo = read_photo(path)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert photo.dtype == np.uint8 and photo.shape[2] == 3
