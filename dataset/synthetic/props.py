"""Rackets, clubs, bats, bars and balls of the synthetic data set."""
from functools import partial

import cv2
import numpy as np

from dataset.synthetic.drawing import CIRCLE, IRON, RIM_SHADE, SHIFT, STEEL, WHITE, WOOD, bgr, fixed, hull, polygon
from dataset.synthetic.motion import HANGING, unit
from pose.skeleton import WRISTS

STRING, TENNIS_BALL = bgr("e8e8e1", "d8ec3a")


class Props:
    """The props of one performance. `accent` is the colour of the racket's frame and of the weight plates."""

    def __init__(self, action, motion, camera, accent):
        self.action, self.motion, self.camera, self.accent = action, motion, camera, accent
        lying = motion.joints[0, WRISTS, 1].mean()             # height of a bar that starts on the floor
        self.plate = np.clip(lying, 0.1, 0.17) if action == "clean_and_jerk" else 0.1

    def parts(self, t):
        """What is seen in picture t: a list of (depth, function that draws it on a canvas)."""
        motion, parts = self.motion, []
        if motion.tool is not None:
            (grip, tip), depths = self.camera.project(motion.tool[t])
            parts.append((depths.mean(), partial(self.tool, grip=grip, along=tip - grip)))
        wrists = motion.joints[t, list(WRISTS)]
        if self.action in ("squat", "clean_and_jerk"):
            parts += self.barbell(wrists)
        if self.action in HANGING:
            parts += self.high_bar(wrists)
        if np.isfinite(motion.ball[t]).all():
            spot, near = self.camera.project(motion.ball[t])
            colour = TENNIS_BALL if self.action.startswith("tennis") else WHITE * 0.98
            parts.append((near + 0.03, self.camera.solid([(spot, 0.014 if self.action == "golf_swing" else 0.021)], colour)))
        return parts

    def tool(self, canvas, grip, along):
        """Draw a racket, club or bat from pixel `grip` to `grip + along`."""
        def rod(start, end, r_start, r_end, colour):
            discs = [(grip + start * along, r_start * self.camera.scale), (grip + end * along, r_end * self.camera.scale)]
            hull(canvas, discs, colour)

        if self.action == "golf_swing":
            rod(-0.05, 1, 0.007, 0.005, STEEL * 0.75)
            rod(0.97, 1, 0.012, 0.018, IRON)
        elif self.action == "baseball_swing":
            rod(-0.06, 0.4, 0.01, 0.012, WOOD * 0.85)
            rod(0.35, 1, 0.012, 0.024, WOOD)
        else:
            rod(-0.06, 0.44, 0.013, 0.009, IRON)
            length = max(np.linalg.norm(along), 0.05 * self.camera.scale)
            way = along / length
            a, b = way * max(0.3 * length, 0.05 * self.camera.scale), np.array((-way[1], way[0])) * 0.074 * self.camera.scale
            centre = grip + 0.72 * along
            for place in np.linspace(-0.75, 0.75, 6):
                reach = np.sqrt(1 - place ** 2)
                for over, string in ((place * a, reach * b), (place * b, reach * a)):
                    start, end = fixed([centre + over - string, centre + over + string]).tolist()
                    cv2.line(canvas, start, end, STRING.tolist(), 1, cv2.LINE_AA, SHIFT)
            frame = fixed(centre + CIRCLE @ np.stack([a, b]))
            thick = max(2, round(0.016 * self.camera.scale))
            cv2.polylines(canvas, [frame], True, self.accent.tolist(), thick, cv2.LINE_AA, SHIFT)

    def barbell(self, wrists):
        """A bar in both hands, with wrists at (2, 3), and two plates at each end."""
        middle, axis = wrists.mean(0), unit(wrists[0] - wrists[1])
        ends, depths = self.camera.project(middle + np.array([[0.46], [-0.46]]) * axis)
        parts = [(depths.mean(), self.camera.solid([(end, 0.009) for end in ends], STEEL))]
        side = unit(np.cross(axis, (0, 1, 0)))
        ring = CIRCLE @ np.stack([side, np.cross(side, axis)])
        for sign in (1, -1):
            for place, radius, colour in ((0.4, self.plate, IRON), (0.43, 0.75 * self.plate, self.accent)):
                centres = middle + sign * axis * np.array([place - 0.012, place + 0.012])[:, None, None]
                faces, depths = self.camera.project(centres + radius * ring)
                faces = faces[np.argsort(depths.mean(1))]
                parts.append((depths.mean(), partial(_disc, faces=faces, colour=colour)))
        return parts

    def high_bar(self, wrists):
        """A bar on two posts, to hang from."""
        middle, axis = wrists.mean(0), unit((wrists[0] - wrists[1]) * (1, 0, 1))
        ends = middle + np.array([[0.42], [-0.42]]) * axis
        tops, depths = self.camera.project(ends)
        feet, _ = self.camera.project(ends * (1, 0, 1))
        posts = [(near - 0.3, self.camera.solid([(top - self.camera.down(0.03), 0.018), (foot, 0.018)], IRON * 1.4))
                 for top, foot, near in zip(tops, feet, depths, strict=True)]
        return [(depths.mean() - 0.001, self.camera.solid([(top, 0.012) for top in tops], STEEL)), *posts]


def _disc(canvas, faces, colour):
    """Draw a thick disc with faces (2, n, 2), the far one first."""
    polygon(canvas, cv2.convexHull(faces.reshape(-1, 2).astype(np.float32))[:, 0], colour * RIM_SHADE)
    polygon(canvas, faces[1], colour)
