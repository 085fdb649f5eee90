"""Backdrops: what --background names, and how a person is put in front of it."""
import numpy as np
import pytest
from PIL import Image

from photo.backdrop import Backdrop, read_backdrop
from utils.errors import UserError

SIZE = (240, 320)


def test_what_the_option_names(tmp_path):
    picture = np.arange(40 * 64 * 3, dtype=np.uint8).reshape(40, 64, 3)
    Image.fromarray(picture).save(tmp_path / "beach.png")
    np.testing.assert_array_equal(read_backdrop(str(tmp_path / "beach.png")).picture, picture)
    assert read_backdrop("#20a060").colour == read_backdrop("#20A060").colour == (32, 160, 96)
    assert read_backdrop("white").colour == (255, 255, 255) and read_backdrop("none") == Backdrop()
    for text in ("nowhere.jpg", "#12345", "#zzzzzz"):
        with pytest.raises(UserError, match="neither a picture file, nor a colour like white or #20a060, nor none"):
            read_backdrop(text)


def test_a_picture_covers_the_photo_with_its_middle():
    picture = np.zeros((100, 400, 3), np.uint8)
    picture[:, 150:200, 0], picture[:, 200:250, 1], picture[:50, :, 2] = 255, 255, 255
    whole = Backdrop(picture=picture).part((100, 100), (0, 0, 100, 100), (200, 200))
    assert whole.shape == (200, 200, 3)
    assert whole[:, 5:95, 0].min() == 255 and whole[:, 105:, 0].max() == 0 and whole[:, 105:195, 1].min() == 255
    assert whole[:95, :, 2].min() == 255 and whole[105:, :, 2].max() == 0
    part = Backdrop(picture=picture).part((100, 100), (50, 50, 100, 100), (50, 50))
    assert part[:, :, 1].min() == 255 and part[:, :, 0].max() == part[:, :, 2].max() == 0
