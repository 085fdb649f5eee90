"""Known answers of picture_metrics."""
import pytest
import torch

from evaluation.picture_metrics import BEST, flicker, gradient_energy, identity, psnr_by_region, sharpness


def clip(value=0.0, batch=2, count=4, side=16):
    return torch.full((batch, count, 3, side, side), value, dtype=torch.float64)


def test_psnr_inside_and_outside():
    truth, boxes = clip(), torch.zeros(2, 4, 1, 16, 16)
    boxes[..., :4, :4] = 1
    fake = truth + 0.2 * boxes                                                # off by 0.1 of [0, 1] inside only
    values = psnr_by_region(fake, truth, boxes)
    torch.testing.assert_close(values["psnr_inside"], torch.full((2,), 20.0, dtype=torch.float64))
    torch.testing.assert_close(values["psnr_outside"], torch.full((2,), BEST, dtype=torch.float64))
    torch.testing.assert_close(values["psnr"], 20 + 10 * torch.log10(torch.tensor([16.0] * 2, dtype=torch.float64)))


def test_no_box_is_nan_inside():
    values = psnr_by_region(clip(), clip(), torch.zeros(2, 4, 1, 16, 16))
    assert values["psnr_inside"].isnan().all() and (values["psnr"] == BEST).all()


def test_gradient_energy_of_a_ramp():
    ramp = torch.linspace(-1, 1, 17, dtype=torch.float64).expand(1, 2, 3, 17, 17)
    torch.testing.assert_close(gradient_energy(ramp), torch.tensor([1 / 16 ** 2], dtype=torch.float64))
    torch.testing.assert_close(sharpness(ramp / 2, ramp), torch.tensor([0.25], dtype=torch.float64))


def test_flicker():
    steady = torch.linspace(-.8, .8, 5, dtype=torch.float64)[None, :, None, None, None].expand(1, 5, 3, 8, 8)
    jumpy = steady + 0.1 * torch.tensor([1.0, -1, 1, -1, 1])[None, :, None, None, None]
    assert flicker(jumpy, steady).isnan().all(), "the truth moves steadily: there is nothing to compare with"
    torch.testing.assert_close(flicker(jumpy * .5, jumpy), torch.tensor([0.5], dtype=torch.float64))


@pytest.mark.parametrize("value", (-1.0, 0.3))
def test_same_pictures(value):
    assert (identity(clip(value)[:, 0], clip(value)[:, 0]) == BEST).all()
    assert sharpness(clip(value), clip(value)).isnan().all() and flicker(clip(value), clip(value)).isnan().all()
