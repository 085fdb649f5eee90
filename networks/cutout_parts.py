"""Layers of the body parts: the colours of each part, also where other parts hide it, and the owner of a held object.

Source: Gortler, Grzeszczuk, Szeliski, Cohen: The Lumigraph, SIGGRAPH 1996 (push-pull filling).

Axes: as in networks.body_parts; h and w are the sides of any picture.
"""
import torch
import torch.nn.functional as F

from networks.body_parts import FOREARMS, K, distances, picture_points, segments, torso_length

BODY = 4.0                     # squared radii; pixels of the mask farther than this from every part are a held object
FRINGE = 1 / 128               # of the picture's side; this close to the mask's edge colours may contain background
HIDDEN = 1e-3                  # weight, when a part is filled, of all pixels of the person at its place
HELD = 30.0                    # logit that assigns a held object to a forearm
NOTHING = 1e-6


def resize(picture, size):
    """(..., C, h, w) -> (..., C, *size): area interpolation if smaller, otherwise bilinear."""
    if picture.shape[-2:] == tuple(size):
        return picture
    flat = picture.flatten(0, -4) if picture.ndim > 4 else picture
    options = {"mode": "area"} if min(size) < min(picture.shape[-2:]) else {"mode": "bilinear", "align_corners": False}
    return F.interpolate(flat, size, **options).view(*picture.shape[:-2], *size)


def box_blur(picture, radius):
    """Mean of the square of `radius` pixels around each pixel."""
    return F.avg_pool2d(picture, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)


def complete(picture, weight):
    """Fill a picture smoothly from its known pixels, with means of coarser and coarser levels (push-pull).

    Args:
        picture: (B, C, h, w).
        weight: (B, 1, h, w) in [0, 1], how well each pixel is known; not 0 everywhere.
    Returns:
        (B, C, h, w).
    """
    sums, weights = [picture * weight], [weight]
    while min(sums[-1].shape[-2:]) > 1:
        half = [(side + 1) // 2 for side in sums[-1].shape[-2:]]
        sums.append(F.interpolate(sums[-1], half, mode="area"))
        weights.append(F.interpolate(weights[-1], half, mode="area"))
    filled = sums[-1] / weights[-1].clamp(min=NOTHING)
    for colour, known in zip(sums[-2::-1], weights[-2::-1]):
        coarse = F.interpolate(filled, colour.shape[-2:], mode="bilinear", align_corners=False)
        filled = torch.lerp(coarse, colour / known.clamp(min=NOTHING), (4 * known).clamp(max=1))
    return filled


@torch.no_grad()
def part_colours(source, pose, mask, ownership, side):
    """The colours of all parts, filled where other parts hide them. Carries no gradient.

    Args:
        source: (B, 3, P, P).
        pose: (B, J, 2).
        mask: (B, 1, P, P).
        ownership: (B, K, P, P) probability of each part, relative to that of the likeliest.
        side: resolution of the filling in pixels.
    Returns:
        (B, K, 3, P, P).
    """
    inside = box_blur(mask, max(1, round(FRINGE * mask.shape[-1])))
    sure = (2 * inside - 1).clamp(min=0) * ownership.square()                               # (B, K, P, P)
    size = [min(side, length) for length in source.shape[-2:]]
    known, person = resize(sure, size), resize(mask, size)
    near = torch.exp(-distances(pose, torso_length(pose), size))
    known = known + HIDDEN * person * near + NOTHING                                       # hidden parts, too
    colours = resize(source * mask, size) / person.clamp(min=0.05)                         # of the person, without background
    filled = torch.stack([complete(colours, known[:, part:part + 1]) for part in range(K)], 1)
    return torch.lerp(resize(filled, source.shape[-2:]), source[:, None], sure[:, :, None])


def hand_distances(pose, like):
    """Squared distance (B, 2, h, w) of the pixels of `like` (B, ., h, w) to the left and right hand of a pose (B, J, 2)."""
    hands = segments(pose)[0][:, FOREARMS[0]:FOREARMS[1] + 1, 1]                                              # (B, 2, 2)
    return (picture_points(like.shape[-2:], like) - hands[:, :, None, None]).square().sum(-1)


def assign_far_pixels(pose, near):
    """Logits (B, K, h, w) that assign each pixel far from the body to the forearm of the nearer hand.

    Args:
        pose: (B, J, 2).
        near: (B, K, h, w) of :func:`networks.body_parts.distances`.
    """
    owner = FOREARMS[0] + hand_distances(pose, near).argmin(1, keepdim=True)                                  # (B, 1, h, w)
    owned = owner == torch.arange(K, device=near.device)[:, None, None]                                       # (B, K, h, w)
    return HELD * (owned & (near.amin(1, keepdim=True) > BODY)).to(near)


def assign_held(pose, held, logits):
    """Logits (B, K, h, w) in which the whole held object belongs to the forearm of the hand that is nearest to it.

    Args:
        pose: (B, J, 2).
        held: (B, 1, h, w) in [0, 1], 1 where the held object is.
        logits: (B, K, h, w) of all parts.
    """
    nearest = torch.where(held > 0.5, hand_distances(pose, held), torch.inf).flatten(2).amin(-1).argmin(1)    # (B,)
    owner = F.one_hot(FOREARMS[0] + nearest, K).to(logits)[:, :, None, None]                                  # (B, K, 1, 1)
    return torch.where(held > 0.1, HELD * owner, logits)


def part_weight(alpha, floor, order):
    """Weight of a part in a pixel's colour. The fourth power favours pixels that a part owns over those that it only covers."""
    return (alpha ** 4 + floor) * torch.exp(order)
