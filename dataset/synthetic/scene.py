"""Backgrounds of the synthetic data set."""
import numpy as np

from dataset.synthetic.drawing import IRON, WHITE, bgr, box, fade, hull, pick, polygon, soften

SKY = bgr("6fb1e0", "d7ebf5", "8fc1de", "f3e6cf", "a9bccb", "e6eaec").reshape(3, 2, 3)      # above, at the horizon
COURT = bgr("4f7fb5", "1f5d50", "4c9a74", "27513f", "c8764e", "2f5d4a", "5a78b0", "27447a").reshape(4, 2, 3)
FENCE = bgr("2f6b4f", "2b4c7e", "7a3b3b")
TREES, FAR_TREES = bgr("5d8a52", "6f9a5a", "527c4e"), bgr("7da07a", "8fae86", "6d9370")
LAWN, MOWN, SAND = bgr("7fb069", "5f9a4c"), bgr("6fa65a")[0], bgr("c79a6b")[0]
WALL = {"gym": bgr("cfd8dc", "d9cfc0", "b8c4c9", "c9d6cf"),
        "room": bgr("efe3d0", "d5e3e8", "e6d5d5", "dfe6d3", "d8d3e6")}
BOARDS = {"gym": bgr("8a8f96", "b58d62", "6d7278"), "room": bgr("b98b5e", "a58a72", "c9b08c")}
PICTURE, STRIPE = bgr("a9d2ea", "a9d2ea", "d9a066"), bgr("c0392b", "2874a6", "e59866", "1e8449")
LEAF, POT = bgr("6a9f6a", "b5651d")


def wood(canvas, horizon, body, reach, colours, rng):
    """Draw trees along the horizon; `reach` is the smallest and the largest height in body heights."""
    w = canvas.shape[1]
    for x in rng.permutation(np.arange(-0.02, 1.05, 0.03)) * w:
        tall, wide = rng.uniform(*reach) * body, rng.uniform(0.06, 0.11) * body
        shade = pick(colours, rng) * rng.uniform(0.9, 1.1)
        hull(canvas, [((x, horizon), wide), ((x, horizon - 0.6 * tall), wide)], shade * 0.93)
        for lump in rng.uniform(-1, 1, (4, 2)):
            spot = (x + 0.7 * lump[0] * wide, horizon - tall * (0.8 + 0.2 * lump[1]))
            hull(canvas, [(spot, rng.uniform(0.45, 0.8) * wide)], shade * (0.97 - 0.05 * lump[1]))


def lines_into_depth(canvas, horizon, colour, count, spread, width, rng):
    """Draw lines on the ground, `width` pixels wide, that converge towards the horizon."""
    h, w = canvas.shape[:2]
    middle = w * rng.uniform(0.3, 0.7)
    for end in np.linspace(-spread, spread, count) * w:
        far, near = middle + 0.25 * end, middle + end
        polygon(canvas, [(far, horizon), (near, h), (near + width, h), (far + 0.4 * width, horizon)], colour)


def outdoors(canvas, scene, horizon, floor_y, body, rng):
    h, w = canvas.shape[:2]
    fade(canvas, pick(SKY, rng), 0, horizon)
    for x, y in rng.uniform((0, 0.08), (1, 0.5), (rng.integers(2, 5), 2)) * (w, horizon):       # clouds
        for place in np.linspace(-1, 1, 7):
            radius = (0.012 + 0.02 * (1 - place ** 2) * rng.uniform(0.5, 1)) * w
            base = (x + 0.07 * place * w, y - 0.01 * w)
            hull(canvas, [((x + 0.09 * place * w, y - radius), radius), (base, 0.01 * w)], WHITE)
    soften(canvas, 0.008 * w)
    if scene == "court":
        wood(canvas, horizon, body, (0.45, 0.65), FAR_TREES, rng)
        soften(canvas, 0.006 * w)
        court, screen = pick(COURT, rng)
        box(canvas, 0, horizon - 0.42 * body, w, 0.42 * body, screen)
        for x in np.arange(rng.uniform(0, 0.2), 1, 0.24) * w:
            box(canvas, x, horizon - 0.46 * body, 0.012 * body, 0.46 * body, IRON * 1.3)
        fade(canvas, np.stack([court * 0.9, court * 1.05]), horizon, h)
        box(canvas, 0, floor_y + 0.09 * body, w, 0.022 * body, WHITE * 0.95)
        lines_into_depth(canvas, horizon, WHITE * 0.95, 2, rng.uniform(0.6, 0.9), 0.03 * body, rng)
        return
    wood(canvas, horizon, body, (0.12, 0.32), TREES, rng)
    soften(canvas, 0.004 * w)
    fade(canvas, LAWN, horizon, h)
    if scene == "diamond":
        box(canvas, 0, horizon - 0.09 * body, w, 0.09 * body, pick(FENCE, rng))
        hull(canvas, [((x * w, floor_y + 0.1 * body), 0.13 * body) for x in (0.02, 0.98)], SAND)
    else:
        for y in np.geomspace(8, h - horizon, 4):
            box(canvas, 0, horizon + y, w, 0.25 * y, MOWN)
    soften(canvas, 0.003 * w)


def indoors(canvas, scene, horizon, floor_y, body, rng):
    h, w = canvas.shape[:2]
    wall, boards = pick(WALL[scene], rng), pick(BOARDS[scene], rng)
    fade(canvas, np.stack([wall * 0.9, wall]), 0, horizon)
    fade(canvas, np.stack([boards * 0.85, boards * 1.05]), horizon, h)
    lines_into_depth(canvas, horizon, boards * 0.9, 11, 2.2, 0.012 * body, rng)
    x, y = rng.uniform(0.05, 0.7) * w, horizon - rng.uniform(0.62, 0.8) * body
    box(canvas, x, y, 0.4 * body, 0.34 * body, WHITE * 0.97)
    box(canvas, x + 0.02 * body, y + 0.02 * body, 0.36 * body, 0.3 * body, pick(PICTURE, rng))
    box(canvas, 0, horizon - 0.02 * body, w, 0.025 * body, wall * 0.8)
    if scene == "gym":                                         # a stripe on the wall and a rack of dumbbells
        box(canvas, 0, horizon - 0.3 * body, w, 0.035 * body, pick(STRIPE, rng))
        x = rng.uniform(0, 0.8) * w
        box(canvas, x, horizon - 0.12 * body, 0.5 * body, 0.02 * body, IRON)
        for k in range(5):
            hull(canvas, [((x + (0.05 + 0.1 * k) * body, horizon - 0.15 * body), 0.03 * body)], IRON * 1.2)
    else:                                                      # a plant
        x, big = rng.choice((0.06, 0.9)) * w, 0.05 * body
        for lean in (-1, -0.4, 0.3, 0.9):
            tip = ((x + 1.6 * lean * big, horizon - 5 * big), 0.7 * big)
            hull(canvas, [((x, horizon), 0.1 * big), tip], LEAF * (1 - 0.12 * abs(lean)))
        hull(canvas, [((x, horizon - big), 0.9 * big), ((x, horizon + 0.6 * big), 0.6 * big)], POT)
    soften(canvas, 0.0025 * w)


def background(scene, size, floor_y, body, rng):
    """A scene of `size` (w, h): (h, w, 3) uint8; feet are in pixel row `floor_y`, people are `body` pixels tall."""
    w, h = size
    canvas = np.zeros((h, w, 3), np.uint8)
    horizon = int(floor_y - rng.uniform(0.1, 0.2) * body)
    (indoors if scene in WALL else outdoors)(canvas, scene, horizon, floor_y, body, rng)
    return (canvas + rng.normal(0, 1.5, (h, w, 1))).clip(0, 255).astype(np.uint8)
