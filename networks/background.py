"""Background inpainting: removes the person from a picture.

First the lines of the surroundings are continued across the hole: each row is interpolated between its two ends, and so is each
column, and rows count more where edges of the surroundings are horizontal, columns where they are vertical. This filling is
smooth, so patches from elsewhere in the picture (shift map) add texture such as grass, except where the surroundings are plain
and patches would stand out.

Sources: Weickert: Anisotropic Diffusion in Image Processing, 1998 (smoothing along lines); He, Sun: Statistics of Patch Offsets
for Image Completion, ECCV 2012 (shift map).
"""
import cv2
import numpy as np
import torch

from networks.body_parts import distances, torso_length
from networks.cutout_parts import complete
from utils.transform import PAD_RGB

FILL_SIZE = 160                # pixels; longer sides are filled at this size, as the time grows with its square
POSE_RADIUS = 0.9              # part radii that count as the person where no mask is given
IN_HOLE = 0.1                  # mask values above this belong to the hole
# fractions of the picture's side
GROW = 0.018                   # how far the hole is dilated beyond the mask, for motion blur and shadows
FEATHER = 0.01                 # width of the seam between the filling and the picture
MARGIN = 0.03                  # pixels this close to the hole are not used to find edges: the person's own outline
COARSE = 0.016                 # structures larger than this have the colours of the smooth filling
EDGE_SIGMA, REGION_SIGMA = 0.02, 0.04      # of the Gaussians that average statistics of the surroundings
BORDER_FACTOR = 4              # a hole that touches the picture's border is treated as this many times wider
STEP = 6                       # grey levels; a larger difference of neighbouring pixels is texture
PLAIN = 16                     # grey levels; below this standard deviation a region is plain; above twice of it, textured
EXCESS = 0.06                  # patches give way where their fraction of texture exceeds that of plain surroundings by this much
BLUR_RADII = np.repeat((3, 2, 1), 10).tolist()         # pixels, of the means along lines that remove streaks


def pose_mask(pose, like):
    """A mask (B, 1, P, P) of the area around all parts of a pose (B, J, 2), for pictures `like` (B, 3, P, P) without a mask."""
    with torch.no_grad():
        near = distances(pose, torso_length(pose), like.shape[-2:]).amin(1, keepdim=True)            # (B, 1, P, P)
        return torch.sigmoid(8 * (POSE_RADIUS ** 2 - near)).to(like)


@torch.no_grad()
def inpaint_background(source, pose, mask=None):
    """Remove the person from pictures.

    Args:
        source: (B, 3, P, P) in [-1, 1].
        pose: (B, J, 2), used where there is no mask.
        mask: None or (B, 1, P, P) in [0, 1], 1 where the person is.
    Returns:
        (B, 3, P, P), identical to the source away from the person.
    """
    mask = pose_mask(pose, source) if mask is None else mask
    pictures = ((source.float() + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1).cpu().numpy()
    filled = np.stack([without_person(picture, person) for picture, person in zip(pictures, mask[:, 0].float().cpu().numpy())])
    changed = torch.from_numpy((filled != pictures).any(-1))[:, None].to(source.device)
    return torch.where(changed, torch.from_numpy(filled).movedim(-1, 1).to(source) / 127.5 - 1, source)


def without_person(picture, mask):
    """A picture (h, w, 3) uint8 RGB with the person, where `mask` (h, w) in [0, 1] is not 0, replaced by the background."""
    reach = max(1, round(GROW * picture.shape[0]))
    person = (np.nan_to_num(mask) > IN_HOLE).astype(np.uint8)                                         # (h, w) of 0 and 1
    hole = cv2.dilate(person, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    inside = inside_margins(picture)
    inner, hole = picture[inside], hole[inside]
    if not hole.any():
        return picture
    ratio = min(1, FILL_SIZE / max(inner.shape[:2]))
    size = [max(8, round(side * ratio)) for side in inner.shape[1::-1]]
    small_hole = (cv2.resize(hole * 255, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    small = fill(cv2.resize(inner, size, interpolation=cv2.INTER_AREA), small_hole)
    filled = cv2.resize(small.clip(0, 255), inner.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    width = 2 * max(1, round(FEATHER * picture.shape[0])) + 1
    alpha = cv2.blur(cv2.erode(hole, np.ones((width, width), np.uint8)).astype(np.float32), (width, width))
    alpha = np.maximum(alpha, person[inside])[..., None]                                 # the seam lies outside the person
    result = picture.copy()
    result[inside] = np.rint(inner + alpha * (filled - inner)).clip(0, 255)
    return result


def inside_margins(picture):
    """The slices of rows and columns of a picture (h, w, 3) inside the letterbox's margins, whose colour is not background."""
    margin = (picture == np.round(PAD_RGB).astype(np.uint8)).all(-1)
    rows, columns = (np.flatnonzero(~margin.all(axis)) for axis in (1, 0))
    if min(len(rows), len(columns)) < 8:
        return np.s_[:, :]
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def fill(picture, hole):
    """Fill a hole with textured patches, smoothly where these would stand out.

    Args:
        picture: (h, w, 3) uint8 RGB.
        hole: (h, w) uint8, 1 where pixels are missing. If it is everything, the picture's border is taken as known.
    Returns:
        (h, w, 3) float32, identical to the picture outside the hole.
    """
    if hole.all():
        hole = np.pad(np.ones_like(hole[1:-1, 1:-1]), 1)
    smooth = fill_along_lines(picture, hole)
    if hole.mean() > 0.97:                                                                # too little left to take patches from
        return smooth
    lab, patches = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), np.zeros_like(picture)
    cv2.setRNGSeed(0)                                                                     # the search is random
    cv2.xphoto.inpaint(lab, (1 - hole) * 255, patches, cv2.xphoto.INPAINT_SHIFTMAP)
    missing = ~patches.any(-1, keepdims=True)                                             # no patch was found
    patches = np.where(missing, smooth, cv2.cvtColor(patches, cv2.COLOR_LAB2RGB)).astype(np.float32)
    patches = (patches + cv2.GaussianBlur(smooth - patches, (0, 0), COARSE * max(hole.shape))).clip(0, 255)
    weight = standing_out(patches.astype(np.uint8), picture, hole)[..., None]
    return np.where(hole[..., None] == 1, patches + weight * (smooth - patches), picture).astype(np.float32)


def standing_out(patches, picture, hole):
    """How much patches stand out from plain surroundings of the hole, (h, w) in [0, 1]; pictures (h, w, 3) uint8."""
    side, known = max(hole.shape), away_from(hole)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean, square = np.moveaxis(local_mean(np.stack([grey, grey ** 2], -1), known, EDGE_SIGMA * side), -1, 0)
    around = completed(np.stack([texture(picture), np.sqrt((square - mean ** 2).clip(0))], -1), known)
    expected, deviation, inside, area = (cv2.GaussianBlur(values.astype(np.float32), (0, 0), REGION_SIGMA * side)
                                         for values in (*np.moveaxis(around, -1, 0), texture(patches) * hole, hole))
    return (2 - deviation / PLAIN).clip(0, 1) * ((inside / area.clip(0.05) - expected) / EXCESS).clip(0, 1)


def texture(picture):
    """1 where a picture (h, w, 3) uint8 differs by more than STEP from a neighbouring pixel, otherwise 0."""
    return (np.abs(gradients(picture)).max(-1) > STEP).astype(np.float32)


def gradients(picture):
    """Vertical and horizontal differences (h, w, 2) of the grey levels of a picture (h, w, 3) uint8, without noise."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.7)
    return np.stack([cv2.Sobel(grey, cv2.CV_32F, *axis) / 4 for axis in ((0, 1), (1, 0))], -1)


def fill_along_lines(picture, hole):
    """Fill a hole smoothly along the lines of its surroundings; arguments and result as for :func:`fill`."""
    side, known = max(hole.shape), away_from(hole)
    edges = completed(local_mean(gradients(picture) ** 2 / 4, known, EDGE_SIGMA * side), known)      # (h, w, 2)
    edges = (cv2.GaussianBlur(edges, (0, 0), REGION_SIGMA * side) + 1) ** 2
    ends = np.where(hole[..., None] == 1, completed(picture, 1 - hole), local_mean(picture, 1 - hole, 1))        # (h, w, 3)
    rows, width = across(ends, hole)
    columns, height = (values.swapaxes(0, 1) for values in across(ends.swapaxes(0, 1), hole.T))
    horizontal, vertical = edges[..., 0] / width, edges[..., 1] / height
    horizontal = cv2.GaussianBlur((horizontal / (horizontal + vertical)).astype(np.float32), (0, 0), 1.5)[..., None]
    filled = (horizontal * rows + (1 - horizontal) * columns).astype(np.float32)
    for radius in BLUR_RADII:
        filled = (horizontal * cv2.blur(filled, (2 * radius + 1, 1))
                  + (1 - horizontal) * cv2.blur(filled, (1, 2 * radius + 1)))
        filled = np.where(hole[..., None] == 1, filled, picture).astype(np.float32)
    return filled


def away_from(hole):
    """1 where a picture is known and not next to the hole (h, w), where the person's outline and shadow may be."""
    width = 2 * max(1, round(MARGIN * max(hole.shape))) + 1
    known = 1 - cv2.dilate(hole, np.ones((width, width), np.uint8))
    return known if known.any() else 1 - hole


def completed(picture, known):
    """A picture (h, w, C) completed (:func:`networks.cutout_parts.complete`) from where `known` (h, w) is 1, float32."""
    picture, known = (torch.from_numpy(np.ascontiguousarray(values, np.float32)) for values in (picture, known))
    return complete(picture.movedim(-1, 0)[None], known[None, None])[0].movedim(0, -1).numpy()


def local_mean(values, known, sigma):
    """Gaussian mean of `values` (h, w, C) over the pixels where `known` (h, w) is 1."""
    weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), sigma).clip(1e-4)[..., None]
    return cv2.GaussianBlur((values * known[..., None]).astype(np.float32), (0, 0), sigma) / weight


def across(picture, hole):
    """Rows of a picture (h, w, 3) interpolated between the ends of the hole (h, w), and the hole's width (h, w) in pixels."""
    width = hole.shape[1]
    column = np.arange(width)
    left = np.maximum.accumulate(np.where(hole, -1, column), 1)                           # (h, w) nearest known column
    right = np.minimum.accumulate(np.where(hole, width, column)[:, ::-1], 1)[:, ::-1]
    both = (left >= 0) & (right < width)
    weight = np.where(both, (column - left) / (right - left).clip(1), right < width)[..., None]      # of the right end
    first, last = (np.take_along_axis(picture, end.clip(0, width - 1)[..., None], 1) for end in (left, right))
    one_end = np.where(left >= 0, column - left, np.where(right < width, right - column, width ** 2))
    return first * (1 - weight) + last * weight, np.where(both, right - left, BORDER_FACTOR * one_end).clip(1)
