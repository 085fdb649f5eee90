"""Compositing of the generator `cutout` for inference on a CPU: the pictures of `CutoutGenerator.render`, several times as fast.

The networks run once for all target poses. Then each part is resampled only inside the rectangle in which it is seen, and only
where the gate lets the photo change, by OpenCV, with several pictures at a time in threads. A test holds the result equal to that
of the definition in torch.

Axes: T target poses of one source, K parts, s = resolution of the networks, S side of the rendered pictures.
"""
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from networks.cutout_parts import part_weight

UNSEEN = 1 / 1024              # a fraction of a colour, silhouette or gate that changes no grey level of 8 bits


def sigmoid(x):
    return 1 / (1 + cv2.exp(-x))


class FastCompositor:
    """Renders pictures of one prepared source.

    Args:
        prepared: :class:`networks.cutout_generator.Prepared` with B = 1.
        sharpening, sure, floor: as in :mod:`networks.cutout_generator`.
        size: S, not smaller than s.
    """

    def __init__(self, prepared, sharpening, sure, floor, size):
        self.size, self.sharpening, self.sure, self.floor = size, sharpening, sure, floor
        self.layers = prepared.layers[0].movedim(1, -1).contiguous().numpy()                         # (K, P, P, 4)
        self.source, self.background = (self.fit(value[0].movedim(0, -1).contiguous().numpy())
                                        for value in (prepared.source, prepared.background))         # (S, S, 3)
        self.mask = self.fit(prepared.layers[0, :, 3].amax(0).numpy())                               # (S, S)

    def fit(self, picture):
        side = picture.shape[0]
        if side == self.size:
            return picture
        return cv2.resize(picture, (self.size, self.size),
                          interpolation=cv2.INTER_AREA if self.size < side else cv2.INTER_LINEAR)

    def render(self, seen, alpha, alone):
        """Render a :class:`networks.cutout_generator.Composition` of T poses whose moved parts have `alpha` (T, K, s, s).

        Returns:
            (T, 3, S, S) pictures; with `alone` (T, 4, S, S) people without a background.
        """
        with torch.no_grad():
            weight = part_weight(alpha, seen.floor, seen.order)
            silhouette = F.max_pool2d(alpha.amax(1, keepdim=True) + seen.band, 5, 1, 2)              # (T, 1, s, s)
            shown = (weight > UNSEEN * weight.sum(1, keepdim=True)) & (silhouette > UNSEEN)
            shown = F.max_pool2d(shown.float(), 5, 1, 2).numpy() > 0                                 # (T, K, s, s)
            active = (silhouette if alone else seen.gate)[:, 0].numpy() > UNSEEN                     # (T, s, s)
            fields = torch.cat([seen.shifts, seen.floor[:, :, None], seen.order[:, :, None]], 2)     # (T, K, 4, s, s)
            fields = fields.movedim(2, -1).contiguous().numpy()
            whole = torch.cat([seen.colours, seen.edge, seen.band, seen.gate], 1).movedim(1, -1).contiguous().numpy()
        maps = seen.maps.numpy()

        def one(t):
            return self.picture(shown[t], active[t], fields[t], whole[t], maps[t], alone)

        with ThreadPoolExecutor(torch.get_num_threads()) as pool:           # OpenCV and numpy release the interpreter lock
            pictures = list(pool.map(one, range(len(maps))))
        return torch.from_numpy(np.stack(pictures)).movedim(-1, 1)

    def rectangle(self, cells, inside=None):
        """The pixels (top, bottom, left, right) of a picture that cells (s, s) bool cover, or None."""
        rows, columns = np.flatnonzero(cells.any(1)), np.flatnonzero(cells.any(0))
        if not len(rows):
            return None
        ratio, limit = self.size / len(cells), inside or (0, self.size, 0, self.size)
        box = [int(rows[0] * ratio), int(np.ceil((rows[-1] + 1) * ratio)), int(columns[0] * ratio),
               int(np.ceil((columns[-1] + 1) * ratio))]
        box = max(box[0], limit[0]), min(box[1], limit[1]), max(box[2], limit[2]), min(box[3], limit[3])
        return box if box[0] < box[1] and box[2] < box[3] else None

    def enlarge(self, field, box):
        """A field (s, s, C) enlarged to a picture, of which the rectangle `box` is returned."""
        top, bottom, left, right = box
        ratio = field.shape[0] / self.size
        matrix = np.array([[ratio, 0, (left + 0.5) * ratio - 0.5], [0, ratio, (top + 0.5) * ratio - 0.5]], np.float32)
        return cv2.warpAffine(field, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                              borderMode=cv2.BORDER_REPLICATE)

    def picture(self, shown, active, fields, whole, maps, alone):
        """One picture (S, S, 3 or 4); arguments as in :meth:`render`, of one pose."""
        if alone:
            active = active | (cv2.resize(self.mask, active.shape, interpolation=cv2.INTER_AREA) > UNSEEN)
            result = np.concatenate([self.source, np.full_like(self.source[..., :1], -1)], -1)
        else:
            result = self.source.copy()
        box = self.rectangle(cv2.dilate(active.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
        if box is None:
            return result
        person, silhouette, gate = self.person(box, shown, fields, whole, maps)
        area = np.s_[box[0]:box[1], box[2]:box[3]]
        source = self.source[area]
        if alone:
            mask = self.mask[area][..., None]
            inside = (1 - gate) * (2 * mask - 1).clip(0)
            result[area] = np.concatenate([person + inside * (source - person), 2 * (mask + gate * (silhouette - mask)) - 1], -1)
        else:
            background = self.background[area]
            rendered = background + silhouette * (person - background)
            result[area] = source + gate * (rendered - source)
        return result

    def person(self, box, shown, fields, whole, maps):
        """Colours (h, w, 3), silhouette (h, w, 1) and gate (h, w, 1) in a rectangle."""
        top, bottom, left, right = box
        colours = np.zeros((bottom - top, right - left, 3), np.float32)
        weights, alphas = np.zeros((2, *colours.shape[:2]), np.float32)
        centres = (np.arange(self.size, dtype=np.float32) + 0.5) * (2 / self.size) - 1
        half = self.layers.shape[1] / 2
        for part, (layer, field, matrix) in enumerate(zip(self.layers, fields, maps)):
            place = self.rectangle(shown[part], box)
            if place is None:
                continue
            shift_x, shift_y, floor, order = cv2.split(self.enlarge(field, place))
            x, y = centres[place[2]:place[3]][None], centres[place[0]:place[1]][:, None]
            look_x = matrix[0, 0] * x + (matrix[0, 1] * y + matrix[0, 2]) + shift_x
            look_y = matrix[1, 0] * x + (matrix[1, 1] * y + matrix[1, 2]) + shift_y
            inside = (np.abs(look_x) <= 1) & (np.abs(look_y) <= 1)
            moved = cv2.remap(layer, (look_x + 1) * half - 0.5, (look_y + 1) * half - 0.5, cv2.INTER_LINEAR,
                              borderMode=cv2.BORDER_REPLICATE)
            alpha = moved[..., 3].clip(0, 1) * inside
            square = alpha * alpha
            weight = (square * square + floor) * cv2.exp(order)
            area = np.s_[place[0] - top:place[1] - top, place[2] - left:place[3] - left]
            colours[area] += weight[..., None] * moved[..., :3]
            weights[area] += weight
            np.maximum(alphas[area], alpha, out=alphas[area])
        whole = self.enlarge(whole, box)
        residual, edge, band, gate = whole[..., :3], whole[..., 3], whole[..., 4], whole[..., 5:]
        person = (colours / np.maximum(weights, 1e-12)[..., None] + residual).clip(-1, 1)
        logit = (2 * alphas - 1) * self.sure
        less = alphas * sigmoid(logit + edge) / sigmoid(logit)
        more = 1 - (1 - alphas) * sigmoid(-logit - edge) / sigmoid(-logit)
        silhouette = (alphas + band * (np.where(edge < 0, less, more) - alphas)).clip(0, 1)[..., None]
        coarse = cv2.blur(person * silhouette, (3, 3)) / np.maximum(cv2.blur(silhouette, (3, 3)), self.floor)[..., None]
        person = np.where(silhouette > self.floor, person + self.sharpening * (person - coarse), person).clip(-1, 1)
        return person, silhouette, gate
