"""The cut-out generator: what it paints for known and for bad input."""
import copy

import numpy as np
import pytest
import torch

from networks import plate
from networks.body_parts import FOREARMS, NAMES, TORSO, K, distances, part_maps, sample_points, segments, torso_length
from networks.cutout_generator import CutoutGenerator, Prepared, corrected, steadied, without_fog
from networks.cutout_parts import complete, resize
from networks.plate import background_plate, pose_mask, without_person
from utils.errors import UserError
from utils.transform import PAD_RGB

ACTION = torch.zeros(1, dtype=torch.long)
# a person with the arms hanging and apart, in the middle of the picture
POSE = torch.tensor([[(0.0, -0.55), (-0.15, -0.35), (0.15, -0.35), (-0.3, -0.15), (0.3, -0.15), (-0.35, 0.05), (0.35, 0.05),
                      (-0.1, 0.1), (0.1, 0.1), (-0.12, 0.4), (0.12, 0.4), (-0.13, 0.7), (0.13, 0.7)]])
RAISED = POSE.clone()
RAISED[:, [4, 6]] = torch.tensor([(0.35, -0.5), (0.4, -0.75)])
PERSON, GROUND = 0.8, -0.5


@pytest.fixture(scope="module")
def network():
    """A small one whose layers say something: the last ones of a fresh one are almost 0."""
    torch.manual_seed(0)
    network = CutoutGenerator(3, size=32, own_widths=(8, 8, 8, 16), widths=(8, 8, 16, 16)).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1 and parameter.abs().max() < 0.05:
            torch.nn.init.normal_(parameter, 0, 0.1)
    torch.nn.init.zeros_(network.own.head[-1].weight[-1])        # the masks of these tests are exact: they are not corrected
    return network


def person_mask(pose=POSE, side=48):
    return (pose_mask(pose, torch.zeros(1, 3, side, side)) > 0.5).float()


def scene(side=48, pose=POSE):
    """A bright person on dark ground with a little noise, and the mask."""
    mask = person_mask(pose, side)
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1)) * 0.2
    return mask * PERSON + (1 - mask) * GROUND + noise - 0.1, mask


@pytest.mark.parametrize("side", (32, 45, 96))
def test_own_pose_returns_the_picture(network, side):
    source, mask = scene(side)
    torch.testing.assert_close(network(source, POSE, POSE, ACTION, mask=mask), source, atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", (32, 16, 45, 97, 128))
def test_any_size(network, side):
    source, mask = scene(side)
    prepared = network.prepare(source, POSE, mask=mask)
    assert network.paint(prepared, RAISED, ACTION).shape == source.shape
    assert network.paint(prepared, RAISED, ACTION, size=50).shape == (1, 3, 50, 50)


def test_prepared_once_paints_the_same(network, monkeypatch):
    monkeypatch.setattr("networks.cutout_generator.sample_points", lambda picture, points, _=None: sample_points(picture, points))
    monkeypatch.setattr("networks.cutout_generator.FOG", 0)
    monkeypatch.setattr(network, "sharpening", 0)
    source, mask = scene()
    plate = background_plate(source, POSE, mask)
    prepared = network.prepare(source, POSE, plate, mask)
    for target in (RAISED, POSE * .9):
        expected = network.composite(prepared, *network.cut_out(prepared, target))
        torch.testing.assert_close(network.paint(prepared, target, ACTION), expected, atol=2 / 255, rtol=0)
        pair = Prepared(*(tensor.expand(2, *tensor.shape[1:]) for tensor in prepared))
        both = network.paint(pair, torch.cat([POSE * .8, target]), ACTION.expand(2))
        torch.testing.assert_close(both[1:], expected, atol=2 / 255, rtol=0)


def test_trained_pictures_are_nearly_those_that_are_painted(network):
    source, mask = scene()
    source = torch.nn.functional.avg_pool2d(source, 5, 1, 2)
    prepared = network.prepare(source, POSE, mask=mask)
    trained = network(source, POSE, RAISED, ACTION, prepared.plate, mask)
    assert (trained - network.paint(prepared, RAISED, ACTION)).abs().mean() < 0.01


def test_what_is_taken_away_leaves_no_ring_and_what_is_added_no_hole():
    mask = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)                   # from nothing to all, as at a soft edge
    edge, band = torch.full((1, 1, 8, 8), 9.0), torch.ones(1, 1, 8, 8)
    assert corrected(mask, -edge, band).max() < 0.02 and corrected(mask, edge, band).min() > 0.98
    torch.testing.assert_close(corrected(mask, 0 * edge, band), mask)
    torch.testing.assert_close(corrected(mask, edge, 0 * band), mask)


def test_a_silhouette_without_fog_keeps_its_border():
    steep = without_fog(torch.tensor([0.0, 0.15, 0.4, 0.5, 0.6, 0.85, 1.0]))
    torch.testing.assert_close(steep, torch.tensor([0.0, 0.0, 0.35, 0.5, 0.65, 1.0, 1.0]))


def test_rows_of_a_batch_do_not_touch(network):
    source, mask = scene()
    pair = torch.cat([source, source.flip(-1)]), torch.cat([POSE, POSE * .8]), torch.cat([RAISED, POSE])
    plate = torch.rand_like(source)
    both = network(*pair, ACTION.expand(2), torch.cat([plate, -plate]), torch.cat([mask, mask]))
    torch.testing.assert_close(both[:1], network(source, POSE, RAISED, ACTION, plate, mask), atol=1e-5, rtol=0)


def test_inside_the_silhouette_nothing_shines_through(network):
    source, mask = scene()
    dark, bright = (network.prepare(source, POSE, torch.full_like(source, level), mask) for level in (-1, 1))
    _, silhouette, gate = network.cut_out_finely(dark, RAISED)
    assert gate.amax().item() == pytest.approx(1)
    inside = (silhouette > 0.999).expand_as(source)
    assert inside.float().mean() > 0.01
    difference = (network.paint(dark, RAISED, ACTION) - network.paint(bright, RAISED, ACTION)).abs()
    assert difference[inside].max() < 0.003


def test_outside_the_silhouette_is_the_plate(network):
    source, mask = scene()
    plate = torch.rand_like(source)
    away = POSE + torch.tensor([0.9, 0.0])
    prepared = network.prepare(source, POSE, plate, mask)
    _, silhouette, gate = network.cut_out_finely(prepared, away)
    gate = resize(gate, (48, 48))
    outside = ((silhouette == 0) & (gate > 1 - 1e-6)).expand_as(source)
    assert outside[mask.bool().expand_as(source)].float().mean() > 0.7             # where the person was
    painted, far = network.paint(prepared, away, ACTION), (gate == 0).expand_as(source)
    torch.testing.assert_close(painted[outside], plate[outside], atol=1e-5, rtol=0)
    assert far.float().mean() > 0.1 and torch.equal(painted[far], source[far])


def test_what_does_not_move_stays_the_photo(network):
    source, mask = scene()
    painted = network.paint(network.prepare(source, POSE, torch.rand_like(source), mask), RAISED, ACTION)
    legs = torch.zeros_like(source, dtype=torch.bool)
    legs[..., 40:, :] = True                                                       # the feet
    torch.testing.assert_close(painted[legs], source[legs], atol=.05, rtol=0)
    assert (painted - source).abs().max() > 0.5


def test_short_ways_are_shortened():
    for way, share in ((0.001, 0.0), (0.03, 1 - np.exp(-1)), (0.3, 1.0)):
        target = steadied(POSE, POSE + torch.tensor([0.0, way]))
        torch.testing.assert_close(target[..., 1] - POSE[..., 1], torch.full((1, 13), way * share), atol=2e-6, rtol=0)
    assert torch.equal(steadied(POSE * torch.nan, POSE), POSE)


def test_person_moves_with_the_pose(network):
    source, mask = scene()
    away = POSE + torch.tensor([0.5, 0.0])
    painted = network(source, POSE, away, ACTION, mask=mask).detach()
    there = person_mask(away) * (person_mask(POSE) == 0)
    gone = person_mask(POSE) * (torch.nn.functional.max_pool2d(person_mask(away), 5, 1, 2) == 0)
    level = {name: (painted * where).sum() / (3 * where.sum()) for name, where in (("there", there), ("gone", gone))}
    assert level["there"] > 0.3 and level["gone"] < -0.2


def test_networks_correct_the_silhouette_near_its_edge_only(network):
    source, mask = scene(96)
    prepared = network.prepare(source, POSE, mask=mask)
    joined = network.join_parts(prepared, RAISED)
    assert joined.edge.abs().max() > 0.01
    _, alphas = network.moved(prepared.small, torch.zeros(1, K, 32, 32, 2) + 2)
    assert not alphas.any()                                            # points outside the photo hold no person
    far = distances(RAISED, torso_length(RAISED), (32, 32)).amin(1, keepdim=True) > 9
    assert not joined.band[far].any()


@pytest.mark.parametrize("mask", (
    torch.zeros(1, 1, 48, 48), torch.ones(1, 1, 48, 48), person_mask(POSE + 0.6), person_mask() * (torch.arange(48) % 4 > 0),
    torch.full((1, 1, 48, 48), torch.nan), None), ids=("empty", "whole", "of another", "holes", "not finite", "missing"))
def test_bad_masks_give_a_picture(network, mask):
    source, _ = scene()
    painted = network(source, POSE, RAISED, ACTION, mask=mask)
    assert painted.isfinite().all() and painted.abs().max() <= 1.001
    torch.testing.assert_close(network(source, POSE, POSE, ACTION, mask=mask), source, atol=1e-6, rtol=0)


@pytest.mark.parametrize("source_pose, target_pose", (
    (torch.zeros_like(POSE), POSE), (POSE, torch.ones_like(POSE)), (POSE * 30, POSE), (torch.full_like(POSE, torch.nan), POSE),
    (POSE, torch.full_like(POSE, torch.nan)), (POSE * 2, RAISED * 2)),
    ids=("point", "to a point", "outside", "nothing known", "nothing wanted", "fills the picture"))
def test_never_nan(network, source_pose, target_pose):
    source, mask = scene()
    painted = network(source, source_pose, target_pose, ACTION, mask=mask)
    assert painted.isfinite().all() and painted.abs().max() <= 1.001
    painted.sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())
    network.zero_grad()


def test_every_weight_has_a_gradient(network):
    source, mask = scene()
    network(source, POSE, RAISED, ACTION, mask=mask).square().sum().backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    network.zero_grad()
    assert without == []


def test_arms_are_whole_even_where_the_network_sees_none_of_them(network):
    """The right arm is folded in front of the trunk, and the network gives all its pixels to the trunk."""
    folded = POSE.clone()
    folded[:, [4, 6]] = torch.tensor([(0.1, -0.15), (-0.05, -0.1)])
    source, mask = scene(pose=folded)
    blind = copy.deepcopy(network)
    torch.nn.init.zeros_(blind.own.head[-1].weight)
    blind.own.head[-1].bias.data = torch.tensor([30.0 * (name == "torso") for name in NAMES] + [-30.0] * len(NAMES) + [0.0])
    silhouette = blind.cut_out(blind.prepare(source, folded, source, mask), RAISED)[1][0, 0]
    for x, y in ((0.3, -0.45), (0.38, -0.62)):                          # middles of the raised arm's two halves
        assert silhouette[round((y + 1) * 24), round((x + 1) * 24)] > 0.5


def test_what_is_held_moves_with_the_forearm(network):
    """A stick from the right hand far to the side, which the mask holds; the arm is raised."""
    source, mask = scene(96)
    stick = torch.zeros_like(mask)
    stick[..., 50:54, 65:94] = 1                                       # the hand is at x 66, y 52
    mask = torch.maximum(mask, stick)
    share, _, _ = network.ownership(source, POSE, mask)
    assert (share[0, :, 52, 88].argmax() == FOREARMS[1]) and share[0, :, 52, 88].sum() < 1.01
    _, silhouette, _ = network.cut_out(network.prepare(source, POSE, source, mask), RAISED)
    assert silhouette[0, 0, 46:56, 80:].max() < 0.05                   # it left its place
    assert (silhouette[0, 0, :30] > 0.5).sum() > (network.cut_out(network.prepare(
        source, POSE, source, person_mask(side=96)), RAISED)[1][0, 0, :30] > 0.5).sum()


def test_a_known_held_thing_is_one_forearms_even_in_front_of_the_head(network):
    """A stick from the right hand, which passes the head and comes nearer to the left hand than to the right one."""
    source, mask = scene(96)
    held = torch.zeros_like(mask)
    held[..., 10:54, 64:66], held[..., 10:12, 20:66] = 1, 1            # the right hand is at x 66, y 52
    mask = torch.maximum(mask, held)
    alphas = network.prepare(source, POSE, source, mask, held).layers[0, :, 3]                          # (K, 96, 96)
    own = alphas[:, held[0, 0] > 0]
    assert own[FOREARMS[1]].min() > 0.99 and own.sum(0).max() < 1.01, "all of it is the right forearm's"
    torch.testing.assert_close(alphas[:, held[0, 0] == 0],
                               network.prepare(source, POSE, source, mask).layers[0, :, 3][:, held[0, 0] == 0])


def test_parts_stretch_along_and_keep_their_width():
    maps, (source, _), (target, _) = part_maps(POSE, RAISED), segments(POSE), segments(RAISED)
    for end in (0, 1):
        points = torch.einsum("bkij,bkj->bki", maps[..., :2], target[:, :, end]) + maps[..., 2]
        torch.testing.assert_close(points, source[:, :, end], atol=1e-5, rtol=0)
    arm = maps[0, FOREARMS[1], :, :2]
    along = (target[0, FOREARMS[1], 1] - target[0, FOREARMS[1], 0])
    across = torch.stack([-along[1], along[0]]) / along.norm()
    assert (arm @ across).norm().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(maps[0, TORSO], torch.eye(2, 3), atol=1e-5, rtol=0)      # the torso did not move


def test_complete_keeps_what_is_known_and_fills_the_rest():
    picture = torch.rand(1, 3, 19, 23)
    known = torch.zeros(1, 1, 19, 23)
    known[..., 4:9, 5:9] = 1
    filled = complete(picture, known)
    torch.testing.assert_close(filled[..., 4:9, 5:9], picture[..., 4:9, 5:9])
    low, high = (getattr(picture[..., 4:9, 5:9], side)((2, 3)) for side in ("amin", "amax"))
    assert (filled >= low[..., None, None] - 1e-4).all() and (filled <= high[..., None, None] + 1e-4).all()


def test_plate_has_no_person_and_the_surroundings_as_they_were():
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 90, (64, 64, 3), dtype=np.uint8)
    mask = np.zeros((64, 64), np.float32)
    mask[20:50, 28:36] = 1
    picture[mask > 0] = 250
    plate = without_person(picture, mask)
    assert plate.max() < 130 and plate.dtype == np.uint8
    np.testing.assert_array_equal(plate[:, :20], picture[:, :20])
    images = torch.from_numpy(picture).movedim(-1, 0)[None].float() / 127.5 - 1
    result = background_plate(images, POSE, torch.from_numpy(mask)[None, None])
    torch.testing.assert_close(result[..., :20], images[..., :20], atol=0, rtol=0)
    assert result.max() < 0.1


def test_plate_takes_no_patch_from_the_margins():
    picture = np.full((64, 64, 3), np.round(PAD_RGB), np.uint8)
    picture[:, 16:48] = (200, 30, 30)
    mask = np.zeros((64, 64), np.float32)
    mask[10:60, 26:38] = 1
    np.testing.assert_allclose(without_person(picture, mask), picture, atol=4)


def test_nothing_to_fill_keeps_the_picture():
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(without_person(picture, np.zeros((32, 32))), picture)


def upright_hole():
    hole = np.zeros((64, 64), np.uint8)
    hole[10:56, 26:40] = 1
    return hole


@pytest.mark.parametrize("turned", [False, True])
def test_lines_go_on_behind_the_person(turned):
    picture = np.full((64, 64, 3), (200, 210, 220), np.uint8)
    picture[30:] = (60, 90, 40)                                            # a horizon; turned: the corner of a house
    hole = upright_hole()
    if turned:
        picture, hole = picture.swapaxes(0, 1), hole.T
    torn = np.where(hole[..., None], np.uint8(255), picture)
    error = np.abs(plate.along_lines(torn, hole) - picture)
    assert error.max() < 40 and error.mean() < 0.5 and np.abs(plate.telea(torn, hole).astype(int) - picture).max() > 60


@pytest.mark.parametrize("hidden", [[np.s_[:8]], [np.s_[:, :20]], [np.s_[:, 50:]], [np.s_[24:40], np.s_[:, 24:40]]])
def test_a_hole_that_reaches_the_edge_of_the_picture_is_filled_from_its_other_sides(hidden):
    hole = np.zeros((64, 64), np.uint8)
    for part in hidden:                                                    # the last is a cross, whose middle sees no known pixel
        hole[part] = 1
    filled = plate.along_lines(np.where(hole[..., None], np.uint8(0), np.full((64, 64, 3), 130, np.uint8)), hole)
    np.testing.assert_allclose(filled, 130, atol=1)


def test_patches_that_stand_out_from_a_plain_wall_give_way_to_a_smooth_filling():
    ramp = np.repeat(np.linspace(100, 140, 64).round().astype(np.uint8)[None, :, None], 64, 0).repeat(3, -1)
    hole = np.zeros((64, 64), np.uint8)
    hole[16:48, 16:48] = 1
    np.testing.assert_allclose(plate.along_lines(np.where(hole[..., None], 0, ramp).astype(np.uint8), hole), ramp, atol=4)
    board = ((np.indices((64, 64)) // 4).sum(0) % 2 * 120 + 60).astype(np.uint8)[..., None].repeat(3, -1)
    patched = np.where(hole[..., None], board, ramp)
    inside = plate.standing_out(patched, ramp, hole)[20:44, 20:44]
    assert inside.min() > 0.9 and plate.standing_out(ramp, ramp, hole).max() < 0.1
    assert not plate.standing_out(board, board, hole).any()


@pytest.mark.parametrize("columns", [0, 1, 2, 5, 12])
def test_a_person_who_fills_the_picture_is_replaced_by_what_is_left_of_the_background(columns):
    picture = np.full((96, 128, 3), (20, 180, 90), np.uint8)               # background, of which `columns` are seen
    picture[:, columns:] = (240, 30, 30)
    picture[[0, -1]] = (20, 180, 90)
    picture[:, [0, -1]] = (20, 180, 90)
    mask = np.ones((96, 128), np.float32)
    mask[:, :columns] = 0
    plate = without_person(picture, mask).astype(int)
    assert np.abs(plate[10:-10, 10:-10] - (20, 180, 90)).max() < 40


def test_bad_settings():
    with pytest.raises(UserError, match="multiple of 8"):
        CutoutGenerator(size=60)
    with pytest.raises(UserError, match="own_widths"):
        CutoutGenerator(own_widths=(8, 8, 8))


def test_prepared_rows_can_be_picked(network):
    source, mask = scene()
    prepared = network.prepare(source.expand(2, -1, -1, -1), POSE.expand(2, -1, -1), mask=mask.expand(2, -1, -1, -1))
    one = Prepared(*(tensor[:1] for tensor in prepared))
    torch.testing.assert_close(network.paint(one, RAISED, ACTION), network.paint(prepared, RAISED.expand(2, -1, -1), ACTION)[:1],
                               atol=1e-4, rtol=0)


def test_the_person_alone_in_the_own_pose_is_what_the_mask_shows(network):
    source, mask = scene()
    alone = network.paint_person(network.prepare(source, POSE, mask=mask), POSE)
    torch.testing.assert_close(alone[:, 3:], 2 * mask - 1)
    inside = mask.expand(-1, 3, -1, -1) == 1
    torch.testing.assert_close(alone[:, :3][inside], source[inside])


def test_the_person_alone_is_where_the_painted_person_is(network):
    """In front of the plate, the person alone looks like the painted picture; without the plate nothing of the ground is left."""
    source, mask = scene()
    prepared = network.prepare(source, POSE, mask=mask)
    painted = network.paint(prepared, RAISED, ACTION)
    person, silhouette = network.paint_person(prepared, RAISED).split((3, 1), 1)
    assert silhouette.min() == -1 and silhouette.max() == 1
    put_back = torch.lerp(prepared.plate, person, (silhouette + 1) / 2)
    assert (put_back - painted).abs().mean() < 0.03
    assert (put_back - painted)[(silhouette.abs() == 1).expand_as(put_back)].abs().mean() < 0.02
    other = network.paint_person(network.prepare(mask * source - (1 - mask), POSE, mask=mask), RAISED)
    seen = (silhouette > 0).expand_as(person)
    assert (other[:, :3] - person)[seen].abs().mean() < 0.1, "another ground behind the photo's person does not show"


def test_masks_are_corrected_near_their_edge_only():
    mask = torch.zeros(1, 1, 96, 96)
    mask[..., 16:80, 16:80] = 1
    network = CutoutGenerator(size=96)
    band = network.band(mask)
    wider = corrected(mask, torch.full_like(mask, 20), band)
    assert wider[..., 48, 13].item() > 0.5 and wider[..., 48, 48].item() == 1 and wider[..., 48, 4].item() == 0
    narrower = corrected(mask, torch.full_like(mask, -20), band)
    assert narrower[..., 48, 17].item() < 0.5 and narrower[..., 48, 48].item() == 1
    torch.testing.assert_close(corrected(mask, torch.zeros_like(mask), band), mask)


def test_a_thin_thing_that_moves_leaves_no_trace():
    thin = torch.zeros(1, K, 32, 32)
    thin[:, 0, 4:20, 16] = 0.3                                   # a club is narrower than a pixel of the network's
    gate = CutoutGenerator.gate(torch.ones(1, K), thin, torch.zeros_like(thin))
    assert gate[..., 6:18, 16].min() > 0.99 and gate[..., 25].max() == 0
