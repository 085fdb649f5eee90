"""The people of the synthetic data set: how they look, how they are drawn, and how a whole video is made.

Colours are BGR, positions are in pixels, and sizes in body heights unless something else is said.
"""
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import cv2
import numpy as np

from dataset.pair_list import ACTIONS
from dataset.synthetic.drawing import LEATHER, RIM_SHADE, Camera, bgr, hull, hulls, pick, shadow
from dataset.synthetic.motion import Build, mirrored, perform, unit
from dataset.synthetic.props import Props
from dataset.synthetic.scene import background
from pose.skeleton import ANKLES, ELBOWS, HEAD, HIPS, KNEES, MIRROR, SHOULDERS, WRISTS

SIZES = ((480, 360), (480, 270), (360, 480))          # width, height of a frame
SIZE_PROBABILITIES = (0.4, 0.4, 0.2)
LEFT_HANDED = 0.15                                    # fraction of people
SUPER = 2                                             # pictures are drawn this much larger, then averaged down
SKIN = bgr("f6d3b8", "eabf9f", "d9a380", "b97e57", "8d5a3a", "65402a")
HAIR = bgr("1d1a1a", "3b2618", "5c3b22", "8a5a2b", "c99f55", "b0b0b0", "7c2f16")
SHIRT = bgr("d64541", "2e86c1", "f4f4f0", "27ae60", "f39c12", "7d3c98", "34495e", "16a085", "e8739c", "2c2c34",
            "f7dc6f", "5dade2")
TROUSERS = bgr("2c3e50", "1c1c22", "7f8c8d", "34568b", "e8e4da", "5b4636", "a93226", "355e3b")
SHOE = bgr("fafafa", "20202a", "e74c3c", "3498db", "f1c40f")
ACCENT = bgr("c0392b", "1f6fb2", "e0a81e", "2e8b57", "262a33")
EYE = bgr("1c1e26")[0]
ROUNDED = 0.03                                        # smaller mask values come from the rounding of colours
FAR_SHADE = 1.3                                       # how much limbs darken per body height away from the camera

# Views of each action: degrees by which the scene is turned to the right of the picture.
VIEWS = {
    "tennis_serve": (0, 180, 20, 160), "pullup": (0, 180, 25, 155), "clean_and_jerk": (0, 30, -30, 50),
    "tennis_forehand": (0, 180, 90, 30), "baseball_pitch": (0, 180, 25, 155), "jumping_jacks": (0, 0, 20, -20),
    "golf_swing": (0, 0, 20, -20), "squat": (60, -70, 0, 35), "baseball_swing": (0, 180, 20, 160),
}
SCENES = {
    "tennis_serve": ("court",), "pullup": ("gym", "park"), "clean_and_jerk": ("gym",), "tennis_forehand": ("court",),
    "baseball_pitch": ("diamond",), "jumping_jacks": ("room", "park", "gym"), "golf_swing": ("park",),
    "squat": ("gym", "room"), "baseball_swing": ("diamond",),
}


@dataclass
class Look:
    """One person's skin, hair and clothes."""

    skin: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    trousers: np.ndarray
    shoe: np.ndarray
    accent: np.ndarray                 # racket frame, weight plates
    hairdo: str
    sleeve: float                      # how far sleeves reach: 1 is the elbow, 2 the wrist
    leg: float                         # how far trouser legs reach: 1 is the knee, 2 the ankle

    @classmethod
    def draw(cls, rng, action):
        skin, hair, shirt, shoe, accent = (pick(colours, rng) * rng.uniform(0.94, 1.02)
                                           for colours in (SKIN, HAIR, SHIRT, SHOE, ACCENT))
        trousers = max((pick(TROUSERS, rng) for _ in range(3)), key=lambda colour: np.abs(colour - shirt).sum())
        lengths = (1.9, 0.7) if action.startswith(("golf", "baseball")) else (0.7, 0.7, 1.9)
        return cls(skin, hair, shirt, trousers, shoe, accent, str(rng.choice(("short", "long", "tail", "cap"))),
                   float(rng.choice((0.15, 0.62, 0.62, 1.9))), float(rng.choice(lengths)))


class Performance:
    """Draws one performance over its background, frame by frame.

    A picture is a list of parts (depth, draw), where draw(canvas) draws the part, from far to near.
    """

    def __init__(self, action, motion, build, look, camera, backdrop):
        self.action, self.motion, self.build, self.look = action, motion, build, look
        self.backdrop = cv2.resize(backdrop, None, fx=SUPER, fy=SUPER, interpolation=cv2.INTER_LINEAR)
        self.camera = Camera(camera.axes, camera.scale * SUPER, camera.origin * SUPER)
        self.props = Props(action, motion, self.camera, look.accent)

    def frame(self, t, masked=False):
        """Picture number t, (h, w, 3) uint8; if `masked` (h, w, 4), the last channel 255 where the person is."""
        canvas, mask = self.backdrop.copy(), np.zeros(self.backdrop.shape[:2], np.float32)
        self.shadows(canvas, t)
        parts = [(depth, is_body, draw) for is_body, some in ((True, self.body(t)), (False, self.props.parts(t)))
                 for depth, draw in some]
        for is_body, group in groupby(sorted(parts, key=lambda part: part[0]), key=lambda part: part[1]):
            # drawn on two canvases whose values differ by 128, a pixel shows how transparent the parts are
            other = canvas ^ 128 if masked else None
            for _, _, draw in group:
                draw(canvas)
                if masked:
                    draw(other)
            if masked:
                through = cv2.extractChannel(cv2.absdiff(canvas, other), 1) / np.float32(128)
                mask = 1 - through * (1 - mask) if is_body else through * mask
        picture = cv2.resize(canvas, None, fx=1 / SUPER, fy=1 / SUPER, interpolation=cv2.INTER_AREA)
        if not masked:
            return picture
        mask = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
        mask = np.where(mask < ROUNDED, 0, np.where(mask > 1 - ROUNDED, 1, mask))
        return np.dstack([picture, np.rint(255 * mask).astype(np.uint8)])

    def shadows(self, canvas, t):
        spots = [(self.motion.joints[t, list(HIPS)].mean(0), 0, 0.24)]
        spots += [(self.motion.joints[t, ankle], self.motion.joints[t, ankle, 1], 0.11) for ankle in ANKLES]
        for joint, lift, radius in spots:
            centre, _ = self.camera.project(joint * (1, 0, 1))
            shadow(canvas, centre + self.camera.down(0.01), np.array((radius, 0.3 * radius)) * self.camera.scale,
                   0.42 * max(0.2, 1 - 3 * lift))

    def limb(self, path, radii, cloth, cover, light):
        """Two bones along path (3, 2) with radii (3,); cloth covers the first `cover` (0..2) bones."""
        bare, covered = [], []
        for bone in (0, 1):
            (a, b), (ra, rb) = path[bone:bone + 2], radii[bone:bone + 2] * self.camera.scale
            dressed = np.clip(cover - bone, 0, 1)
            bare.append([(a, ra), (b, rb)])
            if dressed:
                hem = 1.12 * (ra + dressed * (rb - ra)) + 0.5 * self.camera.rim
                covered.append([(a, 1.1 * ra), (a + dressed * (b - a), hem)])

        def draw(canvas):
            hulls(canvas, bare, (self.look.skin * light).clip(0, 255), self.camera.rim)
            hulls(canvas, covered, (cloth * light).clip(0, 255), self.camera.rim)
        return draw

    def body(self, t):
        look, girth, xyz = self.look, self.build.girth, self.motion.joints[t]
        xy, depth = self.camera.project(xyz)
        toes, _ = self.camera.project(self.motion.toes[t])
        middle = depth[list(SHOULDERS + HIPS)].mean()
        parts = []
        for side in (0, 1):
            arm, leg = [SHOULDERS[side], ELBOWS[side], WRISTS[side]], [HIPS[side], KNEES[side], ANKLES[side]]
            near = depth[arm] @ (0.2, 0.4, 0.4)
            light = np.clip(1 + FAR_SHADE * (near - middle), 0.74, 1.04)
            sizes = np.array((0.034, 0.026, 0.019)) * girth
            parts.append((near, self.limb(xy[arm], sizes, look.shirt, look.sleeve, light)))
            glove = self.action == "baseball_pitch" and side == self.motion.free_hand
            hand = [(xy[arm[2]], 0.021), (xy[arm[2]] + 0.15 * (xy[arm[2]] - xy[arm[1]]), 0.045 if glove else 0.022)]
            parts.append((near + 0.003, self.camera.solid(hand, LEATHER if glove else look.skin * min(light, 1))))
            near = depth[leg].mean()
            light = np.clip(1 + FAR_SHADE * (near - middle), 0.74, 1.04)
            sizes = np.array((0.056, 0.038, 0.023)) * girth
            parts.append((near, self.limb(xy[leg], sizes, look.trousers, look.leg, light)))
            ankle, toe = xy[leg[2]], toes[side]
            shoe = [(ankle + self.camera.down(0.012) - 0.18 * (toe - ankle), 0.026), (toe, 0.02)]
            parts.append((near + 0.001, self.camera.solid(shoe, look.shoe)))

        chest, pelvis = xy[list(SHOULDERS)].mean(0), xy[list(HIPS)].mean(0)
        spine = chest - pelvis
        trunk = [(xy[j] - 0.08 * spine, 0.034 * girth) for j in SHOULDERS] + [(xy[j], 0.05 * girth) for j in HIPS]
        trunk += [(pelvis + 0.75 * spine, 0.082 * girth), (pelvis + 0.35 * spine, 0.074 * girth)]
        seat = [(pelvis + 0.12 * spine, 0.074 * girth)] + [(xy[j], 0.055 * girth) for j in HIPS]
        skull, near = self.camera.project(xyz[HEAD] - 0.6 * self.build.head * self.motion.head_axes[t, 1])
        neck = [(chest + 0.03 * spine, 0.034), (skull, 0.03)]
        return parts + [(middle, self.camera.solid(trunk, look.shirt)), (middle + 0.001, self.camera.solid(seat, look.trousers)),
                        (min(middle, near) - 0.001, self.camera.solid(neck, look.skin * 0.86)),
                        (near, partial(self.head, axes=self.motion.head_axes[t] @ self.camera.axes.T, skull=skull))]

    def head(self, canvas, axes, skull):
        """Draw a shaded ellipsoid around pixel `skull` with hair, face or cap; axes (3, 3) are its left, up and forward."""
        look, radius, tall = self.look, self.build.head * self.camera.scale, 1.14
        left, up, forward = axes
        strand = None
        if look.hairdo in ("long", "tail"):
            root = skull + radius * (0.25 * up - 0.75 * forward)[:2]
            thick, thin, length = (0.85, 0.6, 1.5) if look.hairdo == "long" else (0.3, 0.16, 1.25)
            end = root + radius * (np.array((0, length)) - 0.5 * forward[:2])
            strand = partial(hull, canvas, [(root, thick * radius), (end, thin * radius)], look.hair * 0.9, self.camera.rim)
        if strand and forward[2] > 0:
            strand()

        x0, y0 = np.maximum(skull - 1.3 * radius, 0).astype(int)
        x1, y1 = np.minimum(skull + 1.3 * radius + 1, canvas.shape[1::-1]).astype(int)
        if x0 < x1 and y0 < y1:
            patch = canvas[y0:y1, x0:x1]
            flat = np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), -1) - skull
            flat = flat / radius
            flat -= (1 - 1 / tall) * (flat @ up[:2])[..., None] * up[:2]
            distance = np.linalg.norm(flat, axis=-1, keepdims=True)
            normal = np.concatenate([flat, np.sqrt(np.clip(1 - distance ** 2, 0, 1))], -1)
            colour = self.complexion(normal @ axes.T)
            light = 0.84 + 0.2 * np.clip(normal @ unit(np.array((-0.4, -0.6, 0.7))), 0, 1)[..., None]
            inward = (1 - distance) * radius
            colour = (colour * light * np.clip(inward / self.camera.rim, RIM_SHADE, 1)).clip(0, 255)
            patch[:] = patch + (colour - patch) * np.clip(inward + 0.5, 0, 1)

        if strand and forward[2] <= 0:
            strand()
        if look.hairdo == "cap" and forward[2] > -0.5:
            brow = skull + radius * (0.36 * tall * up + 0.85 * forward)[:2]
            side, peak = 0.5 * radius * left[:2], brow + 0.5 * radius * forward[:2]
            discs = [(brow - side, 0.08 * radius), (brow + side, 0.08 * radius), (peak, 0.1 * radius)]
            hull(canvas, discs, look.trousers * 0.85)

    def complexion(self, normal):
        """Colours (..., 3) of the head where its surface has the normal (..., 3), in components left, up, forward."""
        left, up, forward = np.moveaxis(normal, -1, 0)
        look, front, across = self.look, forward > 0, np.abs(left)
        colour = np.broadcast_to(look.skin, normal.shape).copy()
        colour[front & (np.abs(across - 0.36) < 0.11) & (np.abs(up + 0.02) < 0.11)] = EYE
        colour[front & (across < 0.24) & (np.abs(up + 0.48) < 0.05)] = look.skin * (0.72, 0.66, 0.86)
        colour[0.75 * up - 0.66 * forward > 0.02] = look.hair
        if look.hairdo == "cap":
            colour[up > 0.26] = look.trousers
        return colour


def draw_video(seed, action, index, frames, people=0, masks=False):
    """Draw one video.

    As in Penn Action's labels, the joints called left are on the viewer's left if the person is seen from the front.

    Args:
        seed: of the data set.
        action: its name.
        index: number of the video among those of the action.
        frames: smallest and largest number of frames.
        people: number of different people, who take turns, each with their own clothes and background; 0: all are different.
        masks: whether pictures have a fourth channel, 255 where the person is. Held objects do not belong to the person.
    Returns:
        generator of pictures (h, w, 3 or 4) uint8 BGR, joints (n, 13, 2) float64 in pixels, size (w, h), name of the view.
    """
    rng = np.random.default_rng((seed, ACTIONS.index(action), index))
    nframes = int(rng.integers(frames[0], frames[1] + 1))
    person = np.random.default_rng((seed, index % people)) if people else rng
    build, look = Build.draw(person), Look.draw(person, action)
    motion = perform(action, nframes, build, rng)
    if rng.uniform() < LEFT_HANDED:
        motion = mirrored(motion)
    views, scenes = VIEWS[action], SCENES[action]
    yaw = views[index % len(views)] + rng.uniform(-8, 8)
    size = SIZES[rng.choice(len(SIZES), p=SIZE_PROBABILITIES)]
    reach = motion.joints.reshape(-1, 3)
    if motion.tool is not None:                                # at least half of a tool is always in the picture
        reach = np.concatenate([reach, motion.tool.mean(1)])
    camera = Camera.fit(reach, yaw, size, rng)
    ground, _ = camera.project(motion.joints[:, ANKLES] * (1, 0, 1))
    scene = scenes[(index % people if people else index) % len(scenes)]
    backdrop = background(scene, size, ground[..., 1].mean(), camera.scale, person)
    performance = Performance(action, motion, build, look, camera, backdrop)
    view = ("front", "right", "back", "left")[round(yaw / 90) % 4]
    return (performance.frame(t, masks) for t in range(nframes)), camera.project(motion.joints)[0][:, list(MIRROR)], size, view
