"""Known answers of Muon."""
import pytest
import torch

from training.muon import STEP, Muon, orthogonalise


@pytest.mark.parametrize("shape", ((8, 30), (30, 8), (5, 5)))
def test_singular_values_come_near_one(shape):
    random = torch.Generator().manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape, dtype=torch.float64, generator=random), full_matrices=False)
    matrix = u @ torch.diag(torch.linspace(0.2, 1, min(shape), dtype=torch.float64)) @ v
    found = orthogonalise(matrix, torch.float64)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6 and values.max() < 1.3
    assert (u.T @ found @ v.T - torch.diag(torch.diag(u.T @ found @ v.T))).abs().max() < 1e-6, "other singular vectors"


def test_nothing_stays_nothing():
    assert (orthogonalise(torch.zeros(3, 4)) == 0).all()


def test_step_is_adams_size_and_layout_does_not_matter():
    weight = torch.nn.Parameter(torch.randn(16, 8, 3, 3).contiguous(memory_format=torch.channels_last))
    plain = torch.nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
    gradient, before = torch.randn(16, 8, 3, 3), weight.detach().clone()
    for parameter in (weight, plain):
        parameter.grad = gradient.clone()
        Muon([parameter], lr=1e-2).step()
    torch.testing.assert_close(weight, plain)
    size = (weight - before).square().mean().sqrt().item()
    assert size == pytest.approx(STEP * 1e-2, rel=0.3)


def test_learns():
    torch.manual_seed(0)
    weight, truth, x = torch.nn.Parameter(torch.zeros(6, 9)), torch.randn(6, 9), torch.randn(64, 9)
    optimizer = Muon([weight], lr=0.5)
    for _ in range(200):
        loss = (x @ (weight - truth).T).square().mean()
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        optimizer.param_groups[0]["lr"] *= 0.97
    assert loss < 1e-2
