"""The limb-warp generator: what it returns for known and for bad input."""
import pytest
import torch
from helpers import POSE

from networks.limb_generator import COLOURS, LIMBS, K, LimbWarpGenerator, Prepared, background_plate
from utils.errors import UserError

ACTION = torch.zeros(1, dtype=torch.long)


@pytest.fixture(scope="module")
def network():
    """A small one whose heads say something: fresh ones are almost 0."""
    torch.manual_seed(0)
    network = LimbWarpGenerator(3, size=32, widths=(8, 16, 16, 24)).double().eval()
    for head in (network.blend[-1], network.shift[-1]):
        torch.nn.init.normal_(head.weight, 0, 0.3)
    return network


def picture(side=32, batch=1):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(batch, 3, side, side, generator=generator, dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("side", (32, 45, 96))
def test_own_pose_returns_the_picture(network, side):
    source = picture(side)
    torch.testing.assert_close(network(source, POSE, POSE, ACTION), source, atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", (32, 16, 45, 97, 128))
def test_any_size(network, side):
    source = picture(side)
    prepared = network.prepare(source, POSE)
    assert network.paint(prepared, POSE + .1, ACTION).shape == source.shape
    assert network.paint(prepared, POSE + .1, ACTION, size=50).shape == (1, 3, 50, 50)


def test_prepared_once_paints_the_same(network):
    source, plate = picture(48), background_plate(picture(48), POSE)
    prepared = network.prepare(source, POSE)
    for target in (POSE + .1, POSE * .9):
        expected = network(source, POSE, target, ACTION)
        torch.testing.assert_close(network.paint(prepared, target, ACTION), expected)
        torch.testing.assert_close(network(source, POSE, target, ACTION, plate), expected)


def test_weights_sum_to_one_and_colours_stay_colours(network):
    still, moved, weights = network.layers(network.prepare(picture(), POSE), POSE + .2, ACTION)
    assert still.shape == (1, 3, LIMBS, 32, 32) and moved.shape == (1, 3, K, 32, 32)
    torch.testing.assert_close(weights.sum(1), torch.ones(1, 32, 32, dtype=torch.float64))
    painted = network(picture(), POSE, POSE + .2, ACTION)
    assert painted.abs().max() <= 1


@pytest.mark.parametrize("left_out", ("plate", "colours", "limbs"))
def test_left_out_layers_have_no_weight(left_out):
    network = LimbWarpGenerator(3, size=32, widths=(8, 16, 16, 24), **{left_out: False}).double()
    weights = network.layers(network.prepare(picture(), POSE), POSE + .2, ACTION)[2]
    layers = {"plate": slice(1, 2), "colours": slice(2, 3), "limbs": slice(LIMBS, None)}[left_out]
    assert weights[:, layers].max() < 1e-20


@pytest.mark.parametrize("source_pose, target_pose", (
    (torch.zeros_like(POSE), POSE), (POSE, torch.ones_like(POSE)), (POSE * 30, POSE), (torch.full_like(POSE, torch.nan), POSE),
    (POSE, torch.full_like(POSE, torch.nan))), ids=("point", "to a point", "outside", "nothing known", "nothing wanted"))
@pytest.mark.parametrize("source", (picture(), torch.full((1, 3, 32, 32), -1.0, dtype=torch.float64)), ids=("noise", "black"))
def test_never_nan(network, source, source_pose, target_pose):
    painted = network(source, source_pose, target_pose, ACTION)
    assert painted.isfinite().all() and painted.abs().max() <= 1
    painted.sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())
    network.zero_grad()


def test_picture_of_one_colour_has_that_plate():
    grey = torch.full((2, 3, 40, 40), 51 / 127.5 - 1)
    torch.testing.assert_close(background_plate(grey, POSE.float().expand(2, -1, -1)), grey, atol=4 / 127.5, rtol=0)


def test_plate_keeps_pixels_away_from_the_person():
    source = picture(64)
    plate = background_plate(source, POSE)
    torch.testing.assert_close(plate[..., :2], source[..., :2])
    assert (plate - source)[:, :, 16:32, 30:34].abs().mean() > 0.1


def test_pose_gradients(network):
    target = (POSE + .1).requires_grad_()
    network(picture(), POSE, target, ACTION).square().mean().backward()
    assert target.grad.isfinite().all() and target.grad.abs().max() > 0


def test_trains():
    torch.manual_seed(0)
    network = LimbWarpGenerator(3, size=32, widths=(8, 16, 16, 24))
    source, pose, target = picture().float(), POSE.float(), POSE.float() * .9
    truth = torch.nn.functional.avg_pool2d(source, 3, 1, 1)
    optimizer, losses = torch.optim.Adam(network.parameters(), 5e-3), []
    for _ in range(30):
        loss = (network(source, pose, target, ACTION) - truth).abs().mean()
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.85 * losses[0]
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("arguments, message", (
    ({"size": 60}, "generator.size 60 must be a multiple of 8"), ({"size": 8}, "from 16 on"),
    ({"widths": (9, 16, 16, 24)}, r"generator.widths \[9, 16, 16, 24\] must be four multiples of 8"),
    ({"widths": (8, 8)}, "four")))
def test_bad_hyper_parameters(arguments, message):
    with pytest.raises(UserError, match=message):
        LimbWarpGenerator(3, **arguments)


def test_it_tells_how_much_is_own_colours(network):
    source, target = picture(), POSE + .2
    painted, colours = network(source, POSE, target, ACTION, tell_colours=True)
    assert torch.equal(painted, network(source, POSE, target, ACTION))
    weights = network.layers(network.prepare(source, POSE), target, ACTION)[2]
    assert torch.equal(colours[:, 0], weights[:, COLOURS])


def test_batch_rows_do_not_mix(network):
    source, pose = picture(batch=2), torch.cat([POSE, POSE * .8])
    target, action = pose + .1, torch.tensor([0, 2])
    both = network(source, pose, target, action)
    for row in (0, 1):
        one = slice(row, row + 1)
        torch.testing.assert_close(both[one], network(source[one], pose[one], target[one], action[one]))
    assert isinstance(network.prepare(source, pose), Prepared)


def test_limbs_are_moved_only_where_they_show():
    """`paint` leaves out what cannot be seen: less than a grey level of the whole sum of layers."""
    torch.manual_seed(4)
    net = LimbWarpGenerator(3, size=16, widths=(8, 8, 8, 8)).eval()
    source, poses, action = torch.rand(2, 3, 60, 60) * 2 - 1, torch.rand(2, 2, 13, 2) * 1.6 - 0.8, torch.tensor([0, 2])
    with torch.no_grad():
        prepared = net.prepare(source, poses[0])
        still, moved, weights = net.layers(prepared, poses[1], action, 45)
        whole = (torch.cat([still, moved], 2) * weights[:, None]).sum(2)
        assert (net.paint(prepared, poses[1], action, 45) - whole).abs().max() < 2 / 255
