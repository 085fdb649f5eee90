"""The generator `cutout` and the inpainted background, for known and for bad input."""
import copy
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from networks.background import fill_along_lines, inpaint_background, pose_mask, standing_out, without_person
from networks.body_parts import FOREARMS, NAMES, distances, torso_length
from networks.cutout_generator import CutoutGenerator, correct_edge
from networks.cutout_parts import complete, resize
from utils.errors import UserError
from utils.transform import PAD_RGB

ACTION = torch.zeros(1, dtype=torch.long)
# a person with hanging arms apart from the body, in the middle of the picture
POSE = torch.tensor([[(0.0, -0.55), (-0.15, -0.35), (0.15, -0.35), (-0.3, -0.15), (0.3, -0.15), (-0.35, 0.05), (0.35, 0.05),
                      (-0.1, 0.1), (0.1, 0.1), (-0.12, 0.4), (0.12, 0.4), (-0.13, 0.7), (0.13, 0.7)]])
RAISED = POSE.clone()
RAISED[:, [4, 6]] = torch.tensor([(0.35, -0.5), (0.4, -0.75)])
PERSON, GROUND = 0.8, -0.5


@pytest.fixture(scope="module")
def network():
    """A small network whose last layers matter: those of a fresh one are almost 0."""
    torch.manual_seed(0)
    network = CutoutGenerator(3, size=32, segmentation_widths=(8, 8, 8, 16), compositing_widths=(8, 8, 16, 16)).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1 and parameter.abs().max() < 0.05:
            torch.nn.init.normal_(parameter, 0, 0.1)
    torch.nn.init.zeros_(network.part_segmentation.head[-1].weight[-1])        # the masks of these tests are exact: no correction
    return network


def person_mask(pose=POSE, side=48):
    return (pose_mask(pose, torch.zeros(1, 3, side, side)) > 0.5).float()


def twice(prepared):
    """Two equal sources, which are rendered by the definition in torch."""
    return type(prepared)(*(value.expand(2, *value.shape[1:]) for value in prepared))


def scene(side=48, pose=POSE):
    """A bright person on dark ground with a little noise, and the mask."""
    mask = person_mask(pose, side)
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1)) * 0.2
    return mask * PERSON + (1 - mask) * GROUND + noise - 0.1, mask


# ---- pictures ----

@pytest.mark.parametrize("side", (32, 45, 96))
def test_the_own_pose_returns_the_picture(network, side):
    source, mask = scene(side)
    torch.testing.assert_close(network(source, POSE, POSE, ACTION, mask=mask), source, atol=1e-6, rtol=0)
    assert network.render(network.prepare(source, POSE, mask=mask), RAISED, ACTION, size=50).shape == (1, 3, 50, 50)


def test_inference_renders_as_training_and_sharpens(network):
    source, mask = scene()
    prepared = network.prepare(source, POSE, mask=mask)
    trained = network(source, POSE, RAISED, ACTION, prepared.background, mask)
    plain = copy.copy(network)
    plain.sharpening = 0
    torch.testing.assert_close(plain.render(twice(prepared), RAISED.expand(2, -1, -1), ACTION)[:1], trained)
    sharp = network.render(prepared, RAISED, ACTION)
    assert sharp.diff(dim=-1).square().mean() > trained.diff(dim=-1).square().mean()


def test_nothing_shines_through_the_silhouette(network):
    source, mask = scene()
    dark, bright = (network.prepare(source, POSE, torch.full_like(source, level), mask) for level in (-1, 1))
    _, silhouette, gate = network.cut_out(dark, RAISED)
    assert gate.amax().item() == pytest.approx(1)
    inside = (silhouette > 0.999).expand_as(source)
    assert inside.float().mean() > 0.01
    assert (network.render(dark, RAISED, ACTION) - network.render(bright, RAISED, ACTION)).abs()[inside].max() < 0.003


def test_the_background_is_outside_the_silhouette_and_the_photo_where_nothing_moves(network):
    source, mask = scene()
    background, away = torch.rand_like(source), POSE + torch.tensor([0.9, 0.0])
    prepared = network.prepare(source, POSE, background, mask)
    _, silhouette, gate = network.cut_out(prepared, away)
    gate = resize(gate, (48, 48))
    outside = ((silhouette < 1e-6) & (gate > 1 - 1e-6)).expand_as(source)
    assert outside[mask.bool().expand_as(source)].float().mean() > 0.7             # where the person was
    rendered, far = network.render(prepared, away, ACTION), (gate == 0).expand_as(source)
    torch.testing.assert_close(rendered[outside], background[outside], atol=1e-5, rtol=0)
    assert far.float().mean() > 0.1 and torch.equal(rendered[far], source[far])
    raised = network.render(prepared, RAISED, ACTION)
    torch.testing.assert_close(raised[..., 40:, :], source[..., 40:, :], atol=.05, rtol=0)           # the feet
    assert (raised - source).abs().max() > 0.5


def test_the_person_moves_with_the_pose(network):
    source, mask = scene()
    away = POSE + torch.tensor([0.5, 0.0])
    rendered = network(source, POSE, away, ACTION, mask=mask).detach()
    there = person_mask(away) * (person_mask(POSE) == 0)
    gone = person_mask(POSE) * (max_pool2d(person_mask(away), 5, 1, 2) == 0)
    level = {name: (rendered * where).sum() / (3 * where.sum()) for name, where in (("there", there), ("gone", gone))}
    assert level["there"] > 0.3 and level["gone"] < -0.2


def test_the_person_without_background(network):
    """In the own pose it is what the mask shows; composited onto the background it is the rendered picture."""
    source, mask = scene()
    prepared = network.prepare(source, POSE, mask=mask)
    alone = network.render_person(prepared, POSE)
    torch.testing.assert_close(alone[:, 3:], 2 * mask - 1)
    inside = mask.expand(-1, 3, -1, -1) == 1
    torch.testing.assert_close(alone[:, :3][inside], source[inside])
    person, silhouette = network.render_person(prepared, RAISED).split((3, 1), 1)
    composited = torch.lerp(prepared.background, person, (silhouette + 1) / 2)
    assert (composited - network.render(prepared, RAISED, ACTION)).abs().mean() < 0.03
    other = network.render_person(network.prepare(mask * source - (1 - mask), POSE, mask=mask), RAISED)
    assert (other[:, :3] - person)[(silhouette > 0).expand_as(person)].abs().mean() < 0.1, "the photo's ground does not show"


# ---- parts ----

def test_masks_are_corrected_near_their_edge_only(network):
    mask = torch.zeros(1, 1, 96, 96)
    mask[..., 16:80, 16:80] = 1
    band = CutoutGenerator(size=96).edge_band(mask)
    wider, narrower = (correct_edge(mask, torch.full_like(mask, edge), band) for edge in (20, -20))
    assert wider[..., 48, 13].item() > 0.5 and wider[..., 48, 48].item() == 1 and wider[..., 48, 4].item() == 0
    assert narrower[..., 48, 17].item() < 0.5 and narrower[..., 48, 48].item() == 1
    torch.testing.assert_close(correct_edge(mask, torch.zeros_like(mask), band), mask)
    soft = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)                  # removing leaves no ring, adding no hole
    edge, band = torch.full((1, 1, 8, 8), 9.0), torch.ones(1, 1, 8, 8)
    assert correct_edge(soft, -edge, band).max() < 0.02 and correct_edge(soft, edge, band).min() > 0.98
    source, mask = scene(96)
    seen = network.compose(network.prepare(source, POSE, mask=mask), RAISED)
    assert seen.edge.abs().max() > 0.01
    assert not seen.band[distances(RAISED, torso_length(RAISED), (32, 32)).amin(1, keepdim=True) > 9].any()


def test_an_arm_is_opaque_even_where_the_network_does_not_see_it(network):
    """The right arm is folded in front of the trunk, and the network assigns all its pixels to the trunk."""
    folded = POSE.clone()
    folded[:, [4, 6]] = torch.tensor([(0.1, -0.15), (-0.05, -0.1)])
    source, mask = scene(pose=folded)
    blind = copy.deepcopy(network)
    head = blind.part_segmentation.head[-1]
    torch.nn.init.zeros_(head.weight)
    head.bias.data = torch.tensor([30.0 * (name == "torso") for name in NAMES] + [-30.0] * len(NAMES) + [0.0])
    silhouette = blind.cut_out(blind.prepare(source, folded, source, mask), RAISED)[1][0, 0]
    for x, y in ((0.3, -0.45), (0.38, -0.62)):                          # middles of the raised arm's two halves
        assert silhouette[round((y + 1) * 24), round((x + 1) * 24)] > 0.5


def test_a_held_object_moves_with_the_forearm(network):
    """A stick from the right hand far to the side, inside the mask; the arm is raised."""
    source, mask = scene(96)
    stick = torch.zeros_like(mask)
    stick[..., 50:54, 65:94] = 1                                       # the hand is at x 66, y 52
    mask = torch.maximum(mask, stick)
    ownership, _, _ = network.segment_parts(source, POSE, mask)
    assert (ownership[0, :, 52, 88].argmax() == FOREARMS[1]) and ownership[0, :, 52, 88].sum() < 1.01
    with_stick, without = (network.cut_out(network.prepare(source, POSE, source, some), RAISED)[1][0, 0]
                           for some in (mask, person_mask(side=96)))
    assert with_stick[46:56, 80:].max() < 0.05                         # it left its place
    assert (with_stick[:30] > 0.5).sum() > (without[:30] > 0.5).sum()


def test_a_known_held_object_belongs_to_one_forearm(network):
    """A stick from the right hand passes the head and comes nearer to the left hand than to the right one."""
    source, mask = scene(96)
    held = torch.zeros_like(mask)
    held[..., 10:54, 64:66], held[..., 10:12, 20:66] = 1, 1            # the right hand is at x 66, y 52
    mask = torch.maximum(mask, held)
    alphas = network.prepare(source, POSE, source, mask, held).layers[0, :, 3]                          # (K, 96, 96)
    inside = alphas[:, held[0, 0] > 0]
    assert inside[FOREARMS[1]].min() > 0.99 and inside.sum(0).max() < 1.01
    torch.testing.assert_close(alphas[:, held[0, 0] == 0],
                               network.prepare(source, POSE, source, mask).layers[0, :, 3][:, held[0, 0] == 0])


# ---- bad input ----

@pytest.mark.parametrize("mask", (
    torch.zeros(1, 1, 48, 48), torch.ones(1, 1, 48, 48), person_mask(POSE + 0.6), torch.full((1, 1, 48, 48), torch.nan), None),
    ids=("empty", "whole", "of somebody else", "not finite", "missing"))
def test_bad_masks_give_a_picture(network, mask):
    source, _ = scene()
    rendered = network(source, POSE, RAISED, ACTION, mask=mask)
    assert rendered.isfinite().all() and rendered.abs().max() <= 1.001
    torch.testing.assert_close(network(source, POSE, POSE, ACTION, mask=mask), source, atol=1e-6, rtol=0)


@pytest.mark.parametrize("source_pose, target_pose", (
    (torch.zeros_like(POSE), POSE), (POSE, torch.ones_like(POSE)), (POSE * 30, POSE), (torch.full_like(POSE, torch.nan), POSE),
    (POSE, torch.full_like(POSE, torch.nan)), (POSE * 2, RAISED * 2)),
    ids=("point", "to a point", "outside", "unknown source", "unknown target", "fills the picture"))
def test_never_nan(network, source_pose, target_pose):
    source, mask = scene()
    rendered = network(source, source_pose, target_pose, ACTION, mask=mask)
    assert rendered.isfinite().all() and rendered.abs().max() <= 1.001
    rendered.sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())
    network.zero_grad()


def test_bad_settings():
    with pytest.raises(UserError, match="multiple of 8"):
        CutoutGenerator(size=60)
    with pytest.raises(UserError, match="segmentation_widths"):
        CutoutGenerator(segmentation_widths=(8, 8, 8))


# ---- background ----

def test_complete_keeps_known_pixels_and_fills_the_rest():
    picture, known = torch.rand(1, 3, 19, 23), torch.zeros(1, 1, 19, 23)
    known[..., 4:9, 5:9] = 1
    filled = complete(picture, known)
    torch.testing.assert_close(filled[..., 4:9, 5:9], picture[..., 4:9, 5:9])
    low, high = (getattr(picture[..., 4:9, 5:9], side)((2, 3)) for side in ("amin", "amax"))
    assert (filled >= low[..., None, None] - 1e-4).all() and (filled <= high[..., None, None] + 1e-4).all()


def test_the_background_has_no_person_and_keeps_the_surroundings():
    picture, mask = np.random.default_rng(0).integers(60, 90, (64, 64, 3), dtype=np.uint8), np.zeros((64, 64), np.float32)
    np.testing.assert_array_equal(without_person(picture, mask), picture)
    mask[20:50, 28:36] = 1
    picture[mask > 0] = 250
    images = torch.from_numpy(picture).movedim(-1, 0)[None].float() / 127.5 - 1
    result = inpaint_background(images, POSE, torch.from_numpy(mask)[None, None])
    torch.testing.assert_close(result[..., :20], images[..., :20], atol=0, rtol=0)
    assert result.max() < 0.1


def test_letterbox_margins_are_not_background():
    picture, mask = np.full((64, 64, 3), np.round(PAD_RGB), np.uint8), np.zeros((64, 64), np.float32)
    picture[:, 16:48] = (200, 30, 30)
    mask[10:60, 26:38] = 1
    np.testing.assert_allclose(without_person(picture, mask), picture, atol=4)


@pytest.mark.parametrize("turned", [False, True])
def test_lines_continue_behind_the_person(turned):
    picture, hole = np.full((64, 64, 3), (200, 210, 220), np.uint8), np.zeros((64, 64), np.uint8)
    picture[30:], hole[10:56, 26:40] = (60, 90, 40), 1                     # a horizon; turned: the corner of a house
    if turned:
        picture, hole = picture.swapaxes(0, 1), hole.T
    error = np.abs(fill_along_lines(np.where(hole[..., None], np.uint8(255), picture), hole) - picture)
    assert error.max() < 40 and error.mean() < 0.5


@pytest.mark.parametrize("hidden", [[np.s_[:8]], [np.s_[:, :20]], [np.s_[24:40], np.s_[:, 24:40]]])
def test_a_hole_that_touches_the_border_is_filled_from_its_other_sides(hidden):
    hole = np.zeros((64, 64), np.uint8)
    for part in hidden:                                                    # the last is a cross, whose middle sees no known pixel
        hole[part] = 1
    filled = fill_along_lines(np.where(hole[..., None], np.uint8(0), np.full((64, 64, 3), 130, np.uint8)), hole)
    np.testing.assert_allclose(filled, 130, atol=1)


def test_patches_that_stand_out_from_a_plain_wall_are_not_used():
    ramp = np.repeat(np.linspace(100, 140, 64).round().astype(np.uint8)[None, :, None], 64, 0).repeat(3, -1)
    hole = np.zeros((64, 64), np.uint8)
    hole[16:48, 16:48] = 1
    board = ((np.indices((64, 64)) // 4).sum(0) % 2 * 120 + 60).astype(np.uint8)[..., None].repeat(3, -1)
    inside = standing_out(np.where(hole[..., None], board, ramp), ramp, hole)[20:44, 20:44]
    assert inside.min() > 0.9 and standing_out(ramp, ramp, hole).max() < 0.1 and not standing_out(board, board, hole).any()


@pytest.mark.parametrize("columns", [0, 1, 5, 12])
def test_a_person_who_fills_the_picture_is_replaced_by_the_rest_of_the_background(columns):
    picture = np.full((96, 128, 3), (20, 180, 90), np.uint8)               # background, of which `columns` are visible
    picture[1:-1, max(1, columns):-1] = (240, 30, 30)
    mask = np.ones((96, 128), np.float32)
    mask[:, :columns] = 0
    background = without_person(picture, mask).astype(int)
    assert np.abs(background[10:-10, 10:-10] - (20, 180, 90)).max() < 40


@pytest.mark.parametrize("size", [48, 80])
def test_fast_compositing_equals_the_definition(network, size):
    """Within three grey levels: OpenCV looks pixels up at 32nds of a pixel."""
    source, mask = scene(40)
    prepared = network.prepare(source.float(), POSE.float(), mask=mask.float())
    poses = torch.cat([RAISED, .8 * POSE]).float()
    for render in (partial(network.render, action=ACTION), network.render_person):
        fast, slow = render(prepared, poses, size=size), render(twice(prepared), poses, size=size)
        seen = 1 if slow.shape[1] == 3 else slow[:, 3:] > -0.95
        torch.testing.assert_close(fast[:, :3] * seen, slow[:, :3] * seen, rtol=0, atol=3 / 127.5)
        torch.testing.assert_close(fast[:, 3:], slow[:, 3:], rtol=0, atol=3 / 127.5)
