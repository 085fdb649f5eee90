"""More variety for the drawn people (`dataset.synthetic --variety`): textured scenes, patterned clothes, light, grain.

Colours are BGR, positions are in pixels. All of it has its own random generator, so poses, builds and cameras do not change.
"""
from dataclasses import dataclass

import cv2
import numpy as np

from dataset.synthetic.scene import box, hull, polygon, soften

SLEEVES, LEGS = (0.0, 1.95), (0.25, 1.95)             # shortest and longest, in bones (see Look)
TEXTURED = 0.85                                       # share of videos with another scene


def colour(rng):
    """A random colour (3,) BGR; dull colours are more likely."""
    hsv = np.array([[[rng.uniform(0, 180), 255 * rng.beta(1.2, 2), 255 * rng.uniform(0.08, 1)]]], np.float32).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(float)


def clouds(shape, rng, coarse=3, octaves=6):
    """Fractal noise in 0..1, (h, w, 1) float."""
    h, w = shape
    total, keep = np.zeros((h, w)), rng.uniform(0.45, 0.8)
    for octave in range(octaves):
        cells = coarse * 2 ** octave
        noise = rng.normal(0, 1, (max(2, cells * h // w), cells)).astype(np.float32)
        total += keep ** octave * cv2.resize(noise, (w, h), interpolation=cv2.INTER_CUBIC)
    low, high = np.percentile(total, (2, 98))
    return ((total - low) / (high - low)).clip(0, 1)[..., None]


def texture(shape, rng):
    """A surface (h, w, 3) float: plaster, bricks, tiles, planks or leaves."""
    h, w = shape
    near, far = colour(rng), colour(rng)
    share = clouds(shape, rng, int(rng.integers(2, 12)))
    if rng.uniform() < 0.5:                                                     # less contrast: two similar colours
        far = near + 0.35 * (far - near)
    canvas = near * share + far * (1 - share)
    kind, joint = rng.integers(5), colour(rng)
    step = rng.uniform(0.04, 0.16) * w
    if kind in (1, 2):                                                          # bricks, or tiles without a shift
        for row, y in enumerate(np.arange(0, h, step * 0.5 if kind == 1 else step)):
            box(canvas, 0, y, w, 0.06 * step, joint)
            for x in np.arange(-(row % 2) * 0.5 * step * (kind == 1), w, step):
                box(canvas, x, y, 0.06 * step, 0.5 * step if kind == 1 else step, joint)
    elif kind == 3:                                                             # planks
        for x in np.arange(rng.uniform(0, step), w, step):
            box(canvas, x, 0, rng.uniform(0.04, 0.3) * step, h, joint)
    elif kind == 4:                                                             # leaves
        for x, y in rng.uniform(0, 1, (250, 2)) * (w, h):
            hull(canvas, [((x, y), rng.uniform(0.004, 0.03) * w)], near + rng.uniform(0, 1) * (far - near))
    return canvas


def textured_background(size, floor_y, body, rng):
    """A scene of `size` (w, h) with wall, floor and objects: (h, w, 3) uint8; arguments as of `scene.background`."""
    w, h = size
    horizon = int(np.clip(floor_y - rng.uniform(-0.05, 0.5) * body, 2, h - 2))
    canvas = texture((h, w), rng)
    if rng.uniform() < 0.85:
        canvas[horizon:] = texture((h, w), rng)[horizon:]
    for _ in range(rng.integers(0, 9)):
        x, tall, wide = rng.uniform(0, w), rng.uniform(0.1, 1.1) * body, rng.uniform(0.04, 0.5) * body
        foot, fill = horizon + rng.uniform(0, 0.15) * body, colour(rng)
        if rng.uniform() < 0.5:
            box(canvas, x - wide / 2, foot - tall, wide, tall, fill)
            for share in np.arange(0.1, 1, rng.uniform(0.15, 0.5)):
                box(canvas, x - 0.4 * wide, foot - share * tall, 0.8 * wide, 0.04 * tall, fill * rng.uniform(0.5, 1.3))
        elif rng.uniform() < 0.5:
            hull(canvas, [((x, foot - tall), wide / 2), ((x, foot), wide * rng.uniform(0.05, 0.6))], fill)
        else:
            polygon(canvas, (x, foot) - rng.uniform(0, 1, (5, 2)) * (wide, tall), fill)
    canvas = canvas.clip(0, 255).astype(np.uint8)
    if rng.uniform() < 0.6:
        soften(canvas, rng.uniform(0.001, 0.012) * w)
    return (canvas + rng.normal(0, rng.uniform(0, 4), (h, w, 1))).clip(0, 255).astype(np.uint8)


@dataclass
class Extras:
    """Patterns of the clothes, and light and grain of the pictures; the same in all frames of a video."""

    shirt: str                         # plain, stripes, print, braces
    trousers: str                      # plain, seam, hoops
    inks: np.ndarray                   # (3, 3)
    stripes: int
    light: np.ndarray                  # (2, 3) gains at two opposite edges of the picture
    way: float                         # direction of the light, radians
    grain: float
    blur: float

    @classmethod
    def draw(cls, rng):
        lights = rng.uniform(0.6, 1.25, (2, 1)) * rng.uniform(0.88, 1.12, (2, 3))
        return cls(str(rng.choice(("plain", "stripes", "print", "braces"))), str(rng.choice(("plain", "plain", "seam", "hoops"))),
                   np.stack([colour(rng) for _ in range(3)]), int(rng.integers(3, 9)), lights, rng.uniform(0, 2 * np.pi),
                   rng.uniform(0, 3), rng.choice((0, 0, rng.uniform(0.3, 1.2))))

    def dress(self, look, rng):
        """Change a Look: any colours, any sleeves and trouser legs."""
        look.shirt, look.trousers, look.shoe, look.accent = (colour(rng) for _ in range(4))
        look.skin = look.skin * rng.uniform(0.85, 1.08) * rng.uniform(0.95, 1.05, 3)
        look.hair = look.hair * rng.uniform(0.7, 1.2)
        look.sleeve, look.leg = rng.uniform(*SLEEVES), rng.uniform(*LEGS)

    def on_trunk(self, canvas, corners, unit):
        """Paint the shirt's pattern; corners (4, 2) are left and right shoulder, left and right hip."""
        left, right, low_left, low_right = corners
        if self.shirt == "stripes":
            for share in (np.arange(self.stripes) + 0.5) / self.stripes:
                ends = [left + share * (low_left - left), right + share * (low_right - right)]
                hull(canvas, [(end, 0.25 / self.stripes * 0.25 * unit) for end in ends], self.inks[0])
        elif self.shirt == "print":
            middle = corners.mean(0)
            hull(canvas, [(middle + 0.2 * (left + right - 2 * middle), 0.04 * unit)], self.inks[0])
            hull(canvas, [(middle + 0.35 * (low - middle), 0.012 * unit) for low in (low_left, low_right)], self.inks[1])
        elif self.shirt == "braces":
            for top, low in ((left, low_left), (right, low_right)):
                inner = 0.3 * (corners.mean(0) - (top + low) / 2)
                hull(canvas, [(top + inner, 0.012 * unit), (low + inner, 0.012 * unit)], self.inks[0])

    def on_leg(self, canvas, path, unit):
        """Paint the trousers' pattern; path (3, 2) are hip, knee and ankle."""
        for a, b in zip(path, path[1:]):
            if self.trousers == "seam":
                hull(canvas, [(a, 0.008 * unit), (b, 0.008 * unit)], self.inks[2])
            elif self.trousers == "hoops":
                across = np.array((-(b - a)[1], (b - a)[0])) / max(np.linalg.norm(b - a), 1e-6) * 0.025 * unit
                for share in (0.3, 0.6):
                    spot = a + share * (b - a)
                    hull(canvas, [(spot - across, 0.007 * unit), (spot + across, 0.007 * unit)], self.inks[2])

    def exposure(self, size, rng):
        """A function that adds light, blur and grain to finished pictures (h, w, 3) uint8 of `size` (w, h)."""
        w, h = size
        y, x = np.mgrid[-1:1:h * 1j, -1:1:w * 1j].astype(np.float32)
        share = (0.5 + 0.35 * (np.cos(self.way) * x + np.sin(self.way) * y))[..., None]
        light = (self.light[0] * share + self.light[1] * (1 - share)).astype(np.float32)        # (h, w, 3)
        grain = rng.normal(0, self.grain, (h, w, 1)).astype(np.float32)

        def expose(picture):
            picture = picture * light
            if self.blur:
                picture = cv2.GaussianBlur(picture, (0, 0), self.blur)
            shaken = np.roll(grain, (int(rng.integers(h)), int(rng.integers(w))), (0, 1))
            return np.clip(picture + shaken, 0, 255).astype(np.uint8)
        return expose
