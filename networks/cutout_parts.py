"""A person taken apart: each part's colours, also where others hide it, and whose the held things are.

Source: Gortler, Grzeszczuk, Szeliski, Cohen: The Lumigraph, SIGGRAPH 1996 (push-pull filling).

Axes: as in networks.body_parts; h and w are any picture's sides.
"""
import torch
import torch.nn.functional as F

from networks.body_parts import FOREARMS, K, distances, picture_points, segments, torso_length

BODY = 4.0                     # squared radii from every part: farther out is what the hands hold, which is left as it is
FRINGE = 1 / 128               # of the picture's side: so far inside the mask's edge pixels may hold some of the background
HIDDEN = 1e-3                  # weight, in the filling of a part, of the person's pixels at its place
HELD = 30.0                    # logit that decides whose a held thing is
NOTHING = 1e-6


def resize(picture, size):
    """(..., C, h, w) -> (..., C, size), by areas if smaller."""
    if picture.shape[-2:] == tuple(size):
        return picture
    flat = picture.flatten(0, -4) if picture.ndim > 4 else picture
    if min(size) < min(picture.shape[-2:]):
        flat = F.interpolate(flat, size, mode="area")
    else:
        flat = F.interpolate(flat, size, mode="bilinear", align_corners=False)
    return flat.view(*picture.shape[:-2], *size)


def blurred(picture, radius):
    """Mean of a square around each pixel; `radius` in pixels."""
    return F.avg_pool2d(picture, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)


def complete(picture, weight):
    """Fill a picture in from where it is known, smoothly, with the mean of coarser and coarser levels (push-pull).

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
def part_colours(source, pose, mask, share, side):
    """The colours of all parts, also where others hide them. Carries no gradient.

    Args:
        source: (B, 3, P, P).
        pose: (B, J, 2).
        mask: (B, 1, P, P).
        share: (B, K, P, P) how much each pixel belongs to each part, 1 for its first owner.
        side: pixels at which hidden places are filled; they are smooth.
    Returns:
        (B, K, 3, P, P).
    """
    # pixels at the mask's edge are part background, and so their colours come from farther inside
    inside = blurred(mask, max(1, round(FRINGE * mask.shape[-1])))
    sure = (2 * inside - 1).clamp(min=0) * share.square()                                    # (B, K, P, P)
    size = [min(side, length) for length in source.shape[-2:]]
    known, person = resize(sure, size), resize(mask, size)
    near = torch.exp(-distances(pose, torso_length(pose), size))
    known = known + HIDDEN * person * near + NOTHING                                       # for a part that is hidden altogether
    seen = resize(source * mask, size) / person.clamp(min=0.05)                            # a pixel's colours without background
    filled = torch.stack([complete(seen, known[:, part:part + 1]) for part in range(K)], 1)
    return torch.lerp(resize(filled, source.shape[-2:]), source[:, None], sure[:, :, None])


def held_by(pose, near):
    """Logits (B, K, h, w) that give what is far beyond the body to the forearm whose hand is nearer.

    Args:
        pose: (B, J, 2).
        near: (B, K, h, w) of :func:`networks.body_parts.distances`.
    """
    hands = segments(pose)[0][:, FOREARMS, 1]                                              # (B, 2, 2)
    way = (picture_points(near.shape[-2:], near) - hands[:, :, None, None]).square().sum(-1)         # (B, 2, h, w)
    far = (near.amin(1) > BODY).to(near)                                                   # (B, h, w)
    right = (way[:, 1] < way[:, 0]).to(near)
    logits = torch.zeros_like(near)
    for part, share in zip(FOREARMS, (1 - right, right)):
        logits[:, part] = HELD * far * share
    return logits


def held_to_forearm(pose, held, logits):
    """Logits (B, K, h, w) of whose each pixel is, of which those of a held thing give all of it to one forearm.

    Args:
        pose: (B, J, 2).
        held: (B, 1, h, w) in [0, 1], 1 where a held thing is. It belongs to the forearm whose hand is nearer to its nearest end.
        logits: (B, K, h, w).
    """
    hands = segments(pose)[0][:, FOREARMS, 1]                                              # (B, 2, 2)
    way = (picture_points(held.shape[-2:], held) - hands[:, :, None, None]).square().sum(-1)         # (B, 2, h, w)
    first = torch.where(held > 0.5, way, torch.inf).flatten(2).amin(-1).argmin(1)          # (B,)
    owner = logits.new_tensor(FOREARMS, dtype=torch.long)[first]
    of_owner = F.one_hot(owner, K).to(logits)[:, :, None, None]                            # (B, K, 1, 1)
    return torch.where(held > 0.1, HELD * of_owner, logits)


def part_weight(alpha, faint, order):
    """How much of a pixel's colour a part gives, before all parts are weighed. Pixels that a part owns go before those that it
    only reaches, therefore the fourth power."""
    return (alpha ** 4 + faint) * torch.exp(order)
