"""Known answers of limb_warp."""
import math

import pytest
import torch
from helpers import POSE

from networks import limb_warp
from networks.limb_warp import PARTS, nearness, picture_points, segments, similarities, torso_length, warp

PART = {name: number for number, name in enumerate(PARTS)}


def apply(transform, points):
    """(2, 3) transform on (N, 2) points."""
    return points @ transform[:, :2].T + transform[:, 2]


def test_same_pose_is_identity():
    expected = torch.eye(2, 3, dtype=torch.float64).expand(1, len(PARTS), 2, 3)
    torch.testing.assert_close(similarities(POSE, POSE), expected, atol=1e-12, rtol=0)


def test_translation_looks_back():
    shift = torch.tensor([.1, -.2], dtype=torch.float64)
    transforms = similarities(POSE, POSE + shift)[0]
    for transform in transforms:
        torch.testing.assert_close(transform, torch.cat([torch.eye(2, dtype=torch.float64), -shift[:, None]], 1))


@pytest.mark.parametrize("angle", (0.3, math.pi / 2, math.pi, -2.5))
@pytest.mark.parametrize("scale", (0.6, 1, 1.9))
def test_similarity_is_found_again(angle, scale):
    turn = scale * torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64)
    shift = torch.tensor([.3, -.1], dtype=torch.float64)
    target = POSE @ turn.T + shift
    points = torch.randn(5, 2, dtype=torch.float64)
    for transform in similarities(POSE, target)[0]:
        torch.testing.assert_close(apply(transform, points @ turn.T + shift), points)


@pytest.mark.parametrize("factor, seen", ((5.0, 1 / limb_warp.LIMIT), (0.1, limb_warp.LIMIT)))
def test_length_ratio_is_limited(factor, seen):
    for transform in similarities(POSE, factor * POSE)[0]:
        torch.testing.assert_close(transform[:, :2], seen * torch.eye(2, dtype=torch.float64))


def test_bone_ends_map_to_bone_ends():
    target = POSE.clone()
    target[0, 5] = torch.tensor([-.5, -.4])                                   # left wrist up: only that forearm moves
    transforms = similarities(POSE, target)[0]
    moved = apply(transforms[PART["left_forearm"]], target[0, [3, 5]])
    torch.testing.assert_close(moved, POSE[0, [3, 5]])
    torch.testing.assert_close(transforms[PART["right_forearm"]], torch.eye(2, 3, dtype=torch.float64))


def test_warp_identity_returns_the_picture():
    picture = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    layers = warp(picture, similarities(POSE, POSE).expand(2, -1, -1, -1), (16, 16))
    torch.testing.assert_close(layers, picture[:, :, None].expand_as(layers))


def test_warp_by_whole_pixels():
    picture = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    shift = torch.tensor([2 * 2 / 16, -3 * 2 / 16], dtype=torch.float64)      # two pixels right, three up
    layers = warp(picture, similarities(POSE, POSE + shift), (16, 16))
    torch.testing.assert_close(layers[:, :, 0, :13, 2:], picture[..., 3:, :14])


def test_coordinates_are_exact_in_half_precision_too():
    picture, offset = torch.rand(1, 3, 64, 64), torch.full((1, len(PARTS), 64, 64, 2), .01)
    source, target = POSE.float(), POSE.float() * .9 + .1
    expected = warp(picture, similarities(source, target), (64, 64), offset)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(warp(picture, similarities(source, target), (64, 64), offset), expected)


def test_warp_quarter_turn():
    picture = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    turn = torch.tensor([[0, -1], [1, 0]], dtype=torch.float64)               # clockwise as seen: y looks down
    layers = warp(picture, similarities(POSE, POSE @ turn.T), (16, 16))
    torch.testing.assert_close(layers[:, :, 0], picture.rot90(-1, (2, 3)))


def test_offset_is_added_to_the_point_looked_up():
    picture = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    offset = torch.zeros(1, len(PARTS), 16, 16, 2, dtype=torch.float64)
    offset[..., 0] = 2 / 16
    layers = warp(picture, similarities(POSE, POSE), (16, 16), offset)
    torch.testing.assert_close(layers[:, :, 3, :, :15], picture[..., 1:])


def test_nearness_of_known_points():
    """0 on the bone, -1 one radius away, in any resolution."""
    scale = torso_length(POSE)
    torch.testing.assert_close(scale, torch.tensor([.5], dtype=torch.float64))
    pose = POSE.clone()
    pose[0, 1:3, 0], pose[0, 7:9, 0] = torch.tensor([-.2, .2]), torch.tensor([-.1, .1])
    torso = nearness(pose, scale, (64, 64))[0, PART["torso"]]
    points = picture_points((64, 64), pose)
    row = 24                                                                  # beside the torso, y = -.23
    torch.testing.assert_close(torso[row], -(points[row, :, 0] / (.6 * .5)).square())


def test_picture_points_are_pixel_centres():
    points = picture_points((2, 4), POSE)
    torch.testing.assert_close(points[0, :, 0], torch.tensor([-.75, -.25, .25, .75], dtype=torch.float64))
    torch.testing.assert_close(points[:, 0, 1], torch.tensor([-.5, .5], dtype=torch.float64))


@pytest.mark.parametrize("joint", (0, 3, 8, 11))
def test_part_with_a_missing_joint_keeps_its_place(joint):
    missing = POSE.clone()
    missing[0, joint] = torch.nan
    for source, target in ((missing, POSE + .3), (POSE, missing + .3)):
        transforms = similarities(source, target)
        touched = ~segments(missing)[1][0]
        assert touched.any() and transforms.isfinite().all()
        torch.testing.assert_close(transforms[0, touched], torch.eye(2, 3, dtype=torch.float64).expand(int(touched.sum()), 2, 3))
        assert (nearness(missing, torso_length(missing), (8, 8))[0, touched] == -torch.inf).all()


@pytest.mark.parametrize("source, target", (
    (torch.zeros_like(POSE), POSE), (POSE, torch.zeros_like(POSE)), (torch.zeros_like(POSE), torch.ones_like(POSE)),
    (POSE * 50, POSE - 7), (torch.full_like(POSE, torch.nan), POSE), (POSE, torch.full_like(POSE, torch.inf))),
    ids=("from a point", "to a point", "point to point", "far outside", "nothing known", "infinite"))
def test_never_nan(source, target):
    source, target = source.clone().requires_grad_(), target.clone().requires_grad_()
    scale = torso_length(source, target)
    layers = warp(torch.rand(1, 3, 8, 8, dtype=torch.float64), similarities(source, target), (8, 8))
    masks = nearness(target, scale, (8, 8)).exp()
    assert layers.isfinite().all() and masks.isfinite().all()
    (layers.sum() + masks.sum()).backward()
    assert source.grad.isfinite().all() and target.grad.isfinite().all()


def test_a_point_is_shifted():
    transforms = similarities(torch.zeros_like(POSE), POSE)[0]
    torch.testing.assert_close(transforms[:, :, :2], torch.eye(2, dtype=torch.float64).expand(len(PARTS), 2, 2))
    torch.testing.assert_close(transforms[:, :, 2], -segments(POSE)[0][0].mean(1))


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    # a smooth picture: bilinear look-up has a kink at every pixel centre, and a slope of numbers near it
    picture = torch.rand(1, 2, 5, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    source, target = (POSE + .05 * torch.randn(POSE.shape, generator=generator, dtype=torch.float64)
                      for _ in range(2))
    inputs = picture, source.requires_grad_(), target.requires_grad_()
    torch.autograd.gradcheck(lambda p, s, t: warp(p, similarities(s, t), (3, 3)), inputs, eps=1e-8, atol=1e-4)
    torch.autograd.gradcheck(lambda s, t: nearness(t, torso_length(s, t), (3, 3)), inputs[1:], eps=1e-7, atol=1e-4)
