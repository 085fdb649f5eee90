"""The plate: a picture without its person, filled in from the surroundings.

The hole is filled with patches from elsewhere in the picture (shift map), which keeps grass and bricks as sharp as they are;
OpenCV's contrib module `xphoto` has it. The coarse colours are those of a smooth filling, so that no patch stands out. It goes
along the lines of the surroundings: a horizon, the edge of a field or a skirting board goes on behind the person, where a filling
that is the same in all directions, like Telea's, would smear it. Where patches stand out from plain surroundings, as on a wall,
and where OpenCV lacks that module, the smooth filling stands alone.

Sources: He, Sun: Statistics of Patch Offsets for Image Completion, ECCV 2012 (shift map); Weickert: Anisotropic Diffusion in
Image Processing, 1998 (smoothing along lines); Telea: An Image Inpainting Technique Based on the Fast Marching Method, 2004.
"""
import cv2
import numpy as np
import torch
import torch.nn.functional as F

from networks.body_parts import distances, torso_length
from networks.cutout_parts import complete
from utils.transform import PAD_RGB

PLATE_SIZE = 160               # pixels of the picture that is filled; the time grows with their square
MASK_REACH = 0.9               # radii around a part that count as the person where no mask is given
SEEN = 0.1                     # a pixel of which the mask holds more belongs to the hole
GROWN = 0.018                  # of the picture's side: so much wider than the mask is the hole, for motion blur and shadows
FEATHER = 0.01                 # of the picture's side: so wide is the seam between plate and picture
RADIUS = 3                     # pixels, of Telea's method
COARSE = 0.016                 # of the picture's side: coarser colours are those of the smooth filling
WHOLE = 0.97                   # of the picture; a larger hole leaves too little to take patches from
STEP = 6                       # grey levels from a pixel to the next; where there are few such steps, the picture is plain
PLAIN = 16                     # grey levels: where those close together spread by less a place is plain, by twice as much not
MORE = 0.06                    # by how much larger that share is among patches that stand out as much as can be
CLOSE = 0.02                   # of the picture's side: standard deviation of what is close together
AROUND = 0.04                  # of the picture's side: standard deviation of the surroundings of a place
BESIDE = 0.03                  # of the picture's side: so far from the hole the person's own border is not looked at
ONE_SIDED = 4                  # so many times wider counts a hole that goes on to the picture's edge
SMOOTHED = (3, 2, 1)           # radii in pixels, of the means along lines; ten of each


def pose_mask(pose, like):
    """A mask (B, 1, P, P) of the surroundings of all parts, for pictures `like` (B, 3, P, P) that have none."""
    with torch.no_grad():
        near = distances(pose, torso_length(pose), like.shape[-2:]).amin(1, keepdim=True)            # (B, 1, P, P)
        return torch.sigmoid(8 * (MASK_REACH ** 2 - near)).to(like)


def background_plate(source, pose, mask=None, fill=None):
    """Take the person out of pictures.

    Args:
        source: (B, 3, P, P) in [-1, 1].
        pose: (B, J, 2), used where there is no mask.
        mask: None or (B, 1, P, P), 1 where the person is.
        fill: a function as :func:`fill_patches`, which is used by default, or :func:`telea`.
    Returns:
        (B, 3, P, P), the source's pixels away from the person. Carries no gradient.
    """
    with torch.no_grad():
        mask = pose_mask(pose, source) if mask is None else mask
        pictures = ((source.float() + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1).cpu().contiguous().numpy()
        filled = np.stack([without_person(picture, person, fill) for picture, person in
                           zip(pictures, mask[:, 0].float().cpu().numpy())])                         # (B, P, P, 3)
        hole = F.max_pool2d(mask, 2 * (reach := max(1, round(GROWN * source.shape[-1]))) + 1, 1, reach)
        changed = torch.from_numpy((filled != pictures).any(-1))[:, None].to(source.device) & (hole > SEEN)
        return torch.where(changed, torch.from_numpy(filled).movedim(-1, 1).to(source) / 127.5 - 1, source)


def without_person(picture, mask, fill=None):
    """A picture (h, w, 3) uint8 RGB whose person, as `mask` (h, w) in [0, 1] says, is filled in. Pixels away from it stay.
    For `fill` see :func:`background_plate`."""
    reach = max(1, round(GROWN * picture.shape[0]))
    person = (np.nan_to_num(mask) > SEEN).astype(np.uint8)                                           # (h, w) of 0 and 1
    hole = cv2.dilate(person, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    top, bottom, left, right = inside_margins(picture)
    inner, inner_hole = picture[top:bottom, left:right], hole[top:bottom, left:right]
    if not inner_hole.any():
        return picture
    ratio = min(1, PLATE_SIZE / max(inner.shape[:2]))
    size = [max(8, round(side * ratio)) for side in inner.shape[1::-1]]
    small = cv2.resize(inner, size, interpolation=cv2.INTER_AREA)
    small_hole = (cv2.resize(inner_hole * 255, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    filled = cv2.resize((fill or fill_patches)(small, small_hole), inner.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    width = 2 * max(1, round(FEATHER * picture.shape[0])) + 1
    share = cv2.blur(cv2.erode(inner_hole, np.ones((width, width), np.uint8)).astype(np.float32), (width, width))
    share = np.maximum(share, person[top:bottom, left:right])[..., None]               # the seam lies outside the person
    result = picture.copy()
    result[top:bottom, left:right] = np.rint(inner + share * (filled.astype(np.float32) - inner))
    return result


def inside_margins(picture):
    """The part of a picture without a letterbox's margins: top, bottom, left, right. Patches must not be taken from these."""
    margin = (picture == np.round(PAD_RGB).astype(np.uint8)).all(-1)
    rows, columns = (np.flatnonzero(~margin.all(axis)) for axis in (1, 0))
    if min(len(rows), len(columns)) < 8:
        return 0, picture.shape[0], 0, picture.shape[1]
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def telea(picture, hole):
    """Fill the pixels of `picture` (h, w, 3) uint8 RGB where `hole` (h, w) is 1, smoothly."""
    return cv2.inpaint(np.ascontiguousarray(picture), hole, RADIUS, cv2.INPAINT_TELEA)


def filled_in(picture, known):
    """A picture (h, w, C) float32 completed (:func:`networks.cutout_parts.complete`) from where `known` (h, w) is not 0."""
    picture, known = (torch.from_numpy(np.ascontiguousarray(values, np.float32)) for values in (picture, known))
    return complete(picture.movedim(-1, 0)[None], known[None, None])[0].movedim(0, -1).numpy()


def across(picture, hole):
    """Each row of `picture` (h, w, 3) interpolated between the ends of its `hole` (h, w); and how wide that is, (h, w) pixels."""
    width = hole.shape[1]
    column = np.arange(width)
    left = np.maximum.accumulate(np.where(hole, -1, column), 1)                                      # (h, w) the nearest known
    right = np.minimum.accumulate(np.where(hole, width, column)[:, ::-1], 1)[:, ::-1]
    both = (left >= 0) & (right < width)
    share = np.where(both, (column - left) / (right - left).clip(1), right < width)[..., None]       # of the right end
    ends = (np.take_along_axis(picture, side.clip(0, width - 1)[..., None], 1) for side in (left, right))
    lone = np.where(left >= 0, column - left, np.where(right < width, right - column, width ** 2))
    return next(ends) * (1 - share) + next(ends) * share, np.where(both, right - left, ONE_SIDED * lone).clip(1)


def local_mean(values, known, sigma):
    """Gaussian mean of `values` (h, w, C) over the pixels where `known` (h, w) is 1."""
    weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), sigma).clip(1e-4)[..., None]
    return cv2.GaussianBlur((values * known[..., None]).astype(np.float32), (0, 0), sigma) / weight


def grey_levels(picture):
    """A picture (h, w, 3) uint8 RGB without colours and noise, (h, w) float32."""
    return cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.7)


def away_from(hole):
    """1 where a picture is known and not at the border of a hole (h, w), where the person's shadow and outline may be."""
    reach = 2 * max(1, round(BESIDE * max(hole.shape))) + 1
    known = 1 - cv2.dilate(hole, np.ones((reach, reach), np.uint8))
    return known if known.any() else 1 - hole


def along_lines(picture, hole):
    """As :func:`telea`, but along rows where edges of the surroundings lie, and along columns where they stand; float32."""
    side, known = max(hole.shape), away_from(hole)
    edges = np.stack([cv2.Sobel(grey_levels(picture), cv2.CV_32F, *axis) ** 2 / 64 for axis in ((0, 1), (1, 0))], -1)
    edges = cv2.GaussianBlur(filled_in(local_mean(edges, known, CLOSE * side), known), (0, 0), AROUND * side)   # (h, w, 2)
    soft = np.where(hole[..., None] == 1, filled_in(picture, 1 - hole), local_mean(picture, 1 - hole, 1))   # (h, w, 3)
    rows, width = across(soft, hole)
    columns, height = (values.swapaxes(0, 1) for values in across(soft.swapaxes(0, 1), hole.T))
    lying, standing = (edges[..., 0] + 1) ** 2 / width, (edges[..., 1] + 1) ** 2 / height
    lies = cv2.GaussianBlur((lying / (lying + standing)).astype(np.float32), (0, 0), 1.5)[..., None]
    filled = (lies * rows + (1 - lies) * columns).astype(np.float32)
    for radius in np.repeat(SMOOTHED, 10).tolist():
        filled = lies * cv2.blur(filled, (2 * radius + 1, 1)) + (1 - lies) * cv2.blur(filled, (1, 2 * radius + 1))
        filled = np.where(hole[..., None] == 1, filled, picture).astype(np.float32)
    return filled


def steps(picture):
    """Where a picture (h, w, 3) uint8 changes by more than STEP from a pixel to the next, (h, w) float32 of 0 and 1."""
    sideways, down = (np.abs(cv2.Sobel(grey_levels(picture), cv2.CV_32F, *axis)) / 4 for axis in ((1, 0), (0, 1)))
    return (np.maximum(sideways, down) > STEP).astype(np.float32)


def standing_out(patches, picture, hole):
    """How much the patches in a hole (h, w) stand out, from 0 to 1: they have more steps than the plain surroundings."""
    side, known = max(hole.shape), away_from(hole)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean, square = np.moveaxis(local_mean(np.stack([grey, grey ** 2], -1), known, CLOSE * side), -1, 0)
    spread = np.sqrt((square - mean ** 2).clip(0))
    around = filled_in(np.stack([steps(picture), spread], -1), known)
    share, spread, inside, filled = (cv2.GaussianBlur(values.astype(np.float32), (0, 0), AROUND * side)
                                     for values in (*np.moveaxis(around, -1, 0), steps(patches) * hole, hole))
    return (2 - spread / PLAIN).clip(0, 1) * ((inside / filled.clip(0.05) - share) / MORE).clip(0, 1)


def fill_patches(picture, hole):
    """As :func:`telea`, with patches of the picture whose coarse colours are those of :func:`along_lines`; with these colours
    alone where patches stand out.

    A hole larger than WHOLE is filled smoothly. If it is the whole picture, the colours of the picture's edge are kept, where
    background is likeliest.
    """
    if hole.mean() > WHOLE:
        known = 1 - hole if not hole.all() else np.pad(np.zeros_like(hole[1:-1, 1:-1]), 1, constant_values=1)
        return np.rint(filled_in(picture, known)).clip(0, 255).astype(np.uint8)
    smooth = along_lines(picture, hole)
    if not hasattr(cv2, "xphoto"):
        return np.rint(smooth).astype(np.uint8)
    lab, patches = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), np.zeros_like(picture)
    cv2.setRNGSeed(0)                  # its search is random
    cv2.xphoto.inpaint(lab, (1 - hole) * 255, patches, cv2.xphoto.INPAINT_SHIFTMAP)
    unfilled = ~patches.any(-1, keepdims=True)             # where it finds no patch it leaves zeros, which are no colour in Lab
    patches = np.where(unfilled, smooth, cv2.cvtColor(patches, cv2.COLOR_LAB2RGB)).astype(np.float32)
    # patches alone have hard borders where their brightness differs from the surroundings
    coarse = cv2.GaussianBlur(smooth - patches, (0, 0), COARSE * max(hole.shape))
    filled = (patches + coarse).clip(0, 255)
    share = standing_out(filled.astype(np.uint8), picture, hole)[..., None]
    filled += share * (smooth - filled)
    return np.where(hole[..., None] == 1, np.rint(filled), picture).astype(np.uint8)
