"""Metrics of painted videos, on cases with a known answer."""
import pytest
import torch
import torchvision

from evaluation import picture_metrics
from evaluation.picture_metrics import BEST, Videos, flicker, gradient_energy, lpips, psnr, psnr_inside, psnr_outside, sharpness


def clip(value=0.0, batch=2, count=4, side=16):
    return torch.full((batch, count, 3, side, side), value, dtype=torch.float64)


def test_psnr_inside_and_outside():
    truth, boxes = clip(), torch.zeros(2, 4, 1, 16, 16)
    boxes[..., :4, :4] = 1
    fake = truth + 0.2 * boxes                                                # off by 0.1 of [0, 1] inside only
    videos = Videos(fake, truth, boxes)
    torch.testing.assert_close(psnr_inside(videos), torch.full((2,), 20.0, dtype=torch.float64))
    torch.testing.assert_close(psnr_outside(videos), torch.full((2,), BEST, dtype=torch.float64))
    torch.testing.assert_close(psnr(videos), 20 + 10 * torch.log10(torch.tensor([16.0] * 2, dtype=torch.float64)))


def test_no_box_is_nan_inside():
    videos = Videos(clip(), clip(), torch.zeros(2, 4, 1, 16, 16))
    assert psnr_inside(videos).isnan().all() and (psnr_outside(videos) == BEST).all() and (psnr(videos) == BEST).all()


def test_gradient_energy_of_a_ramp():
    ramp = torch.linspace(-1, 1, 17, dtype=torch.float64).expand(1, 2, 3, 17, 17)
    torch.testing.assert_close(gradient_energy((ramp + 1) / 2), torch.tensor([1 / 16 ** 2], dtype=torch.float64))
    torch.testing.assert_close(sharpness(Videos(ramp / 2, ramp)), torch.tensor([0.25], dtype=torch.float64))


def test_flicker():
    steady = torch.linspace(-.8, .8, 5, dtype=torch.float64)[None, :, None, None, None].expand(1, 5, 3, 8, 8)
    jumpy = steady + 0.1 * torch.tensor([1.0, -1, 1, -1, 1])[None, :, None, None, None]
    assert flicker(Videos(jumpy, steady)).isnan().all(), "the truth moves steadily: there is nothing to compare with"
    torch.testing.assert_close(flicker(Videos(jumpy * .5, jumpy)), torch.tensor([0.5], dtype=torch.float64))


def test_two_pictures_have_no_flicker():
    assert flicker(Videos(clip(count=2), clip(count=2))) is None


@pytest.mark.parametrize("value", (-1.0, 0.3))
def test_same_pictures(value):
    videos = Videos(clip(value), clip(value))
    assert (psnr(videos) == BEST).all() and sharpness(videos).isnan().all() and flicker(videos).isnan().all()


def test_lpips_is_measured_where_its_weights_are_and_left_out_elsewhere(tmp_path, monkeypatch):
    pictures, truth = torch.rand(2, 2, 3, 64, 64) * 2 - 1, torch.rand(2, 2, 3, 64, 64) * 2 - 1
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    picture_metrics.lpips_network.cache_clear()
    assert lpips(Videos(pictures, truth)) is None
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in torchvision.models.alexnet().state_dict().items()}
    weights = {name: 0.1 * torch.randn(shape) if "features" in name else torch.zeros(()).expand(shape)    # only features are used
               for name, shape in shapes.items()}
    torch.save(weights, tmp_path / "hub/checkpoints/alexnet-owt-7be5be79.pth")
    picture_metrics.lpips_network.cache_clear()
    values = lpips(Videos(pictures, truth))
    assert values.shape == (2,) and (values > 0).all()
    assert lpips(Videos(truth, truth)).abs().max() == 0
    picture_metrics.lpips_network.cache_clear()
