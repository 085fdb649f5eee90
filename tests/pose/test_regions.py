"""Rotated regions: there and back, cut out and pasted back at the same pixels."""
import cv2
import numpy as np
import pytest

from pose.regions import Region, cut, paste, region_around


@pytest.mark.parametrize("rim", [(40, 10), (75, 45), (40, 85), (12, 30)])
def test_the_rim_is_above_the_centre(rim):
    region = region_around((40, 50), rim)
    np.testing.assert_allclose(region.to_region(np.array(rim, float)), (0.5, 0.5 - 1 / 2.5), atol=1e-9)
    np.testing.assert_allclose(region.to_photo(region.to_region(np.array([3.0, 4.0]))), (3, 4))
    assert region.side == pytest.approx(2.5 * np.hypot(rim[0] - 40, rim[1] - 50))


def test_an_upright_region_is_cut_to_the_pixel():
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    np.testing.assert_array_equal(cut(photo, Region(30, 20, 16), 16), photo[12:28, 22:38])
    rotated = cut(photo, Region(30, 20, 16, np.pi / 2), 16)          # what is right of the centre is above it in the region
    np.testing.assert_allclose(rotated.astype(int), np.rot90(photo[12:28, 22:38]).astype(int), atol=1)


def test_outside_of_the_photo_is_black_or_its_border():
    photo, region = np.full((20, 20, 3), 90, np.uint8), Region(0, 10, 20)
    assert (cut(photo, region, 20) == 90).all()
    black = cut(photo, region, 20, cv2.BORDER_CONSTANT)
    assert (black[:, :9] == 0).all() and (black[:, 11:] == 90).all()


@pytest.mark.parametrize("middle, angle", [((400, 300), 0.0), ((350, 280), 0.5), ((20, 590), 2.0)])
def test_large_regions_are_averaged_at_the_right_place(middle, angle):
    y, x = np.mgrid[:600, :800]
    photo = np.stack([x / 4, y / 4, 0 * x], -1).astype(np.uint8)
    small, region = cut(photo, Region(*middle, 500, angle), 50), Region(*middle, 500, angle)
    centres = (np.stack(np.meshgrid(np.arange(50), np.arange(50)), -1) + 0.5) / 50
    expected = region.to_photo(centres.reshape(-1, 2)).reshape(50, 50, 2)
    inside = ((expected > 10) & (expected < (790, 590))).all(-1)
    np.testing.assert_allclose(small[..., :2][inside], expected[inside] / 4, atol=1.5)
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 1), np.uint8).repeat(3, 2)
    assert cut(noise, Region(400, 300, 500), 50).std() < 20, "averaged, not skipped"


def test_a_mask_is_pasted_where_it_was_cut():
    mask = paste(np.ones((64, 64), np.float32), Region(50, 40, 32, 0.6), (80, 100))
    assert mask.sum() == pytest.approx(32 ** 2, rel=0.03) and mask[40, 50] == 1 and mask[5, 5] == 0
