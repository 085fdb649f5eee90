"""How the people of the synthetic data set move: keyframes of the nine actions and the 3D skeleton that they control.

Axes of all 3D vectors: x points to the person's left, y up, z to where the person faces at the start. The ground is y = 0, the
unit is the body height. Joints are in Penn Action's order (pose.skeleton), but here left and right are the person's own sides.
"""
import itertools
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from pose.skeleton import ANKLES, MIRROR, WRISTS

CLIP_STEPS = 32                        # steps of the published clip, each of nframes // 33 frames
ANKLE_HEIGHT, FOOT = 0.04, 0.085       # body heights
STRETCH = 0.995                        # limbs reach at most this share of their length, so they always bend a little


@dataclass(frozen=True)
class Build:
    """Bone lengths in body heights; `girth` multiplies every thickness."""
    leg: float
    arm: float
    torso: float
    shoulder: float                    # half the distance between the shoulders
    hip: float                         # half the distance between the hips
    head: float                        # radius
    girth: float

    @classmethod
    def draw(cls, rng):
        return cls(leg=rng.uniform(0.45, 0.49), arm=rng.uniform(0.30, 0.33), torso=rng.uniform(0.27, 0.295),
                   shoulder=rng.uniform(0.098, 0.122), hip=rng.uniform(0.05, 0.06),
                   head=rng.uniform(0.062, 0.07), girth=rng.uniform(0.86, 1.22))


@dataclass
class Motion:
    """One clip in 3D, n frames."""
    joints: np.ndarray                 # (n, 13, 3)
    toes: np.ndarray                   # (n, 2, 3) left, right
    head_axes: np.ndarray              # (n, 3, 3) rows: left, up, forward of the head
    tool: np.ndarray | None            # (n, 2, 3) grip and far end of the racket, club or bat
    ball: np.ndarray                   # (n, 3), NaN where there is none
    free_hand: int = 0                 # the one without the tool or the thrown ball: 0 left, 1 right


# Keyframes: action -> track -> {time: value}. Time 0..1 is one performance; after 1 the person comes to rest.
#   hips (x, y, z)        pelvis in leg lengths, y = 1 with straight legs
#   lean (x, z)           horizontal part of the spine per unit of height
#   turn, twist, look     degrees to the person's left: pelvis, chest against pelvis, head (default: with the chest)
#   wrist_l/_r (x, y, z)  from the middle of the shoulders, in arm lengths
#   grip (x, y, z)        the same for the left hand on a club or bat, which the right hand holds next to it
#   elbow_l/_r (x, y, z)  direction in which the elbow bends
#   ankle_l/_r (x, y, z)  in leg lengths, y = 0 on the ground
#   toe_l/_r              degrees to the person's left, where the foot points
#   tool (x, y, z)        direction of racket, club or bat
#   wrists, elbows, ankles, toes: both sides as mirror images, given for the left
#   ball                  rows (time, anchor, offset in body heights[, time of the anchor]), see ball_path
KEYFRAMES = {
    "tennis_serve": {
        "hips": {0: (0, .96, 0), .25: (-.03, .95, 0), .46: (.08, .8, 0), .6: (.22, 1.04, 0),
                 .76: (.48, .86, 0), .9: (.58, .9, .02), 1: (.62, .93, .03)},
        "lean": {0: (.05, .15), .25: (0, .05), .46: (-.25, -.02), .6: (.2, .05), .68: (.55, .1),
                 .78: (.62, .05), 1: (.2, 0)},
        "turn": {0: 0, .25: -10, .46: -10, .6: 55, .76: 75, 1: 80},
        "twist": {0: 0, .4: -22, .5: -15, .6: 15, .72: 28, 1: 5},
        "look": {0: 50, .3: 40, .46: 30, .6: 60, 1: 85},
        "wrist_l": {0: (.2, -.5, .5), .1: (.2, -.82, .4), .26: (.95, -.12, .35), .38: (.6, .85, .15),
                    .46: (.55, .86, .12), .54: (.55, .1, .3), .62: (.1, -.35, .1), .76: (.25, -.35, -.25),
                    1: (.35, -.45, -.35)},
        "wrist_r": {0: (.05, -.5, .5), .1: (-.05, -.88, .35), .24: (-.8, -.6, .05), .34: (-.95, .1, -.1),
                    .42: (-.6, .36, -.1), .48: (-.58, .34, -.12), .54: (-.42, .3, -.2), .575: (-.2, .72, .05),
                    .61: (.1, .96, .25), .68: (.75, .25, .3), .77: (.45, -.65, -.1), .9: (.35, -.65, -.25),
                    1: (.45, -.55, .1), 1.3: (.5, -.5, .2)},
        "tool": {0: (.8, .35, .3), .1: (.6, -.7, .2), .24: (-.7, -.6, 0), .34: (-.6, .75, -.1),
                 .42: (.15, .95, -.2), .48: (.1, .9, -.3), .54: (-.3, -.85, -.3), .575: (-.85, .2, -.3),
                 .61: (.25, .95, 0), .68: (.85, -.4, .1), .77: (0, -.8, -.5), 1: (.3, -.5, -.6),
                 1.3: (.7, .2, -.4)},
        "elbow_r": {0: (-.5, -.7, -.4), .34: (-.8, -.5, -.3), .6: (-.6, -.3, .5), 1: (-.2, -.5, .7)},
        "ankle_l": {0: (.24, 0, .05), .52: (.24, 0, .05), .6: (.34, .07, .05), .7: (.58, 0, .03)},
        "ankle_r": {0: (-.24, 0, 0), .34: (-.24, 0, 0), .46: (-.02, .03, 0), .52: (-.02, .05, 0),
                    .6: (0, .16, 0), .74: (.02, .42, .12), .9: (.7, .03, .26), .95: (.74, 0, .27)},
        "toe_l": {0: 35, .6: 60, 1: 70},
        "toe_r": {0: -5, .46: 20, .7: 80},
        "ball": ((-1, "hand", 0), (.3, "hand", 0), (.36, "tool", (-.05, -.2, 0), .61),
                 (.46, "tool", (-.02, .14, 0), .61), (.61, "tool", 0), (.66, "tool", (1.6, -.15, 0), .61)),
    },
    "pullup": {
        "hips": {0: (0, .97, 0)},
        "lean": {0: (0, .02), .45: (0, -.16), 1: (0, .02)},
        "wrists": {0: (.6, .94, .1), .06: (.6, .93, .1), .42: (.62, .02, .3), .54: (.62, .03, .3),
                   .92: (.6, .93, .1), 1: (.6, .94, .1)},
        "elbows": {0: (.8, -.6, .15)},
        "ankle_l": {0: (.07, .12, -.28), .45: (.07, .3, -.32), 1: (.07, .12, -.28)},
        "ankle_r": {0: (-.07, .14, -.3), .45: (-.07, .26, -.4), 1: (-.07, .14, -.3)},
        "toes": {0: 8},
    },
    "clean_and_jerk": {
        "hips": {0: (0, .42, -.34), .06: (0, .42, -.34), .2: (0, .72, -.24), .3: (0, .995, 0),
                 .345: (0, .85, -.02), .39: (0, .5, -.12), .44: (0, .46, -.12), .56: (0, .985, 0),
                 .66: (0, .985, 0), .71: (0, .87, 0), .755: (0, .995, 0), .81: (0, .8, -.02),
                 .87: (0, .8, -.02), 1: (0, .985, 0)},
        "lean": {0: (0, 1.3), .06: (0, 1.3), .2: (0, .85), .3: (0, -.05), .4: (0, .18), .56: (0, 0),
                 1: (0, 0)},
        "wrists": {0: (.55, -.94, 0), .2: (.55, -.95, -.02), .3: (.55, -.8, .1), .345: (.52, -.4, .25),
                   .385: (.5, -.04, .26), .71: (.5, -.02, .24), .755: (.55, .3, .2), .81: (.66, .9, .02),
                   1: (.66, .91, 0)},
        "elbows": {0: (.8, -.2, -.3), .3: (.9, .2, -.1), .39: (.5, -.5, .8), .72: (.5, -.6, .7),
                   .81: (.9, -.2, .1)},
        "ankle_l": {0: (.22, 0, 0), .3: (.22, .05, 0), .345: (.25, .04, 0), .38: (.3, 0, 0),
                    .745: (.26, 0, 0), .775: (.2, .06, .15), .81: (.17, 0, .42), .87: (.17, 0, .42),
                    .9: (.2, .05, .3), .94: (.22, 0, 0)},
        "ankle_r": {0: (-.22, 0, 0), .3: (-.22, .05, 0), .345: (-.25, .04, 0), .38: (-.3, 0, 0),
                    .745: (-.26, 0, 0), .775: (-.2, .07, -.15), .81: (-.17, .07, -.5), .92: (-.17, .07, -.5),
                    .96: (-.2, .06, -.2), 1: (-.22, 0, 0)},
        "toes": {0: 22},
    },
    "tennis_forehand": {
        "hips": {0: (0, .9, 0), .12: (-.02, .86, 0), .4: (-.05, .82, -.02), .6: (0, .86, .18),
                 .8: (.04, .92, .28), 1: (.04, .94, .3), 1.4: (0, .9, .3)},
        "lean": {0: (0, .28), .4: (-.08, .12), .6: (-.12, .15), .8: (0, .12), 1: (0, .1), 1.4: (0, .28)},
        "turn": {0: 0, .15: -35, .42: -55, .6: -8, .8: 38, 1: 42, 1.4: 0},
        "twist": {0: 0, .15: -25, .42: -38, .6: -8, .8: 22, 1: 24, 1.4: 0},
        "look": {0: 0, .4: -15, .6: -25, 1: 10},
        "wrist_l": {0: (.12, -.32, .62), .15: (-.25, -.2, .72), .4: (-.6, -.02, .95), .5: (-.1, -.05, 1),
                    .6: (.4, -.1, .6), .75: (.45, -.05, .2), 1: (.4, -.1, .25), 1.4: (.15, -.32, .6)},
        "wrist_r": {0: (-.1, -.4, .58), .15: (-.6, -.12, .3), .28: (-.75, .15, -.55), .4: (-.45, -.12, -1.05),
                    .5: (-.7, -.55, -.8), .55: (-1, -.5, -.2), .6: (-.92, -.3, .45), .66: (-.45, -.05, .9),
                    .74: (.15, .18, .72), .84: (.45, .28, .3), 1: (.45, .25, .25), 1.4: (-.1, -.4, .58)},
        "tool": {0: (.35, .7, .5), .15: (-.15, .95, .1), .28: (-.2, .9, -.4), .4: (-.15, .4, -.9),
                 .5: (-.35, -.4, -.85), .55: (-.85, -.35, -.4), .6: (-.95, -.02, .25), .66: (-.4, .35, .85),
                 .74: (.5, .7, .4), .84: (.55, .4, -.7), 1: (.5, .2, -.8), 1.4: (.35, .7, .5)},
        "elbow_r": {0: (-.6, -.7, -.3), .4: (-.7, -.7, .2), .74: (-.3, -.2, .9), 1: (-.3, .1, .9),
                    1.4: (-.6, -.7, -.3)},
        "ankle_l": {0: (.3, 0, 0), .26: (.3, 0, 0), .36: (.18, .1, .22), .46: (.1, 0, .48)},
        "ankle_r": {0: (-.32, 0, 0), .06: (-.32, .04, -.02), .14: (-.4, 0, -.1), .56: (-.4, 0, -.1),
                    .66: (-.34, .12, -.06), .8: (-.28, .16, 0), .95: (-.34, .05, .3), 1.1: (-.34, 0, .32)},
        "toe_l": {0: 10, .36: -20, .6: 0},
        "toe_r": {0: -10, .16: -65, .56: -65, .8: 5},
        "ball": ((.2, "tool", (.35, .2, 2.8), .6), (.45, "tool", (.05, -.08, .7), .6), (.6, "tool", 0),
                 (.7, "tool", (.3, .3, 2.4), .6)),
    },
    "baseball_pitch": {
        "hips": {0: (0, .97, 0), .1: (-.03, .97, 0), .28: (-.06, .98, 0), .42: (.2, .86, 0),
                 .52: (.5, .74, 0), .63: (.74, .76, 0), .8: (.92, .84, .02), 1: (.98, .9, .05)},
        "lean": {0: (0, .05), .28: (-.06, -.04), .42: (-.12, .05), .53: (-.1, .03), .63: (.5, 0),
                 .7: (.95, 0), .8: (1.15, 0), .9: (.8, 0), 1: (.4, 0)},
        "turn": {0: 0, .28: -25, .42: -12, .52: 15, .6: 70, .7: 88, 1: 85},
        "twist": {0: 0, .3: -12, .52: -25, .58: -25, .64: 12, .72: 28, 1: 5},
        "look": {0: 70, .3: 60, .5: 80, 1: 85},
        "wrist_l": {0: (.1, -.3, .5), .28: (.1, -.22, .5), .42: (.7, -.25, .3), .52: (1, .05, .1),
                    .58: (.8, -.1, -.2), .64: (.4, -.35, -.3), .8: (.1, -.35, -.5), 1: (.4, -.55, -.35)},
        "wrist_r": {0: (0, -.3, .48), .28: (0, -.22, .48), .4: (-.4, -.75, .2), .47: (-.95, -.2, -.1),
                    .53: (-.8, .35, -.1), .585: (-.45, .48, .1), .63: (.45, .78, .42), .67: (.95, .05, .3),
                    .72: (.75, -.6, 0), .8: (.25, -.8, -.25), 1: (.45, -.65, .3)},
        "elbow_l": {0: (.7, -.7, .1), .6: (-.5, -.6, -.6)},
        "elbow_r": {0: (-.7, -.7, 0), .46: (-.6, .1, -.6), .56: (-.1, -.3, .9), .66: (.1, -.2, .9),
                    1: (-.2, -.4, .9)},
        "ankle_l": {0: (.14, 0, 0), .1: (.14, 0, 0), .27: (.05, .5, .2), .33: (.08, .46, .2),
                    .43: (.55, .14, .05), .51: (1.02, 0, .02)},
        "ankle_r": {0: (-.14, 0, 0), .52: (-.14, 0, 0), .6: (0, .1, 0), .7: (.3, .22, .12),
                    .8: (.55, .42, .3), .92: (1.05, .05, .38), .97: (1.1, 0, .38)},
        "toe_l": {0: 5, .3: 0, .51: 72},
        "toe_r": {0: -5, .52: 0, .66: 70},
        "ball": ((-1, "hand", 0), (.64, "hand", 0), (.7, "hand", (2.2, .05, 0), .64)),
    },
    "jumping_jacks": {
        "hips": {0: (0, .95, 0), .1: (0, .93, 0), .3: (0, 1.05, 0), .5: (0, .92, 0), .58: (0, .9, 0),
                 .78: (0, 1.04, 0), 1: (0, .95, 0)},
        "lean": {0: (0, .03)},
        "wrists": {0: (.44, -.98, .05), .12: (.74, -.86, .05), .3: (1.28, -.05, .02), .42: (.8, .72, 0),
                   .52: (.22, .9, 0), .6: (.3, .9, 0), .78: (1.28, -.05, .02), .9: (.78, -.84, .05),
                   1: (.44, -.98, .05)},
        "elbows": {0: (.9, -.4, -.2)},
        "ankles": {0: (.1, 0, 0), .1: (.1, 0, 0), .3: (.28, .09, 0), .46: (.45, 0, 0), .58: (.45, 0, 0),
                   .78: (.28, .09, 0), .93: (.1, 0, 0), 1: (.1, 0, 0)},
        "toes": {0: 18},
    },
    "golf_swing": {
        "hips": {0: (0, .93, -.1), .38: (-.06, .93, -.08), .57: (.1, .94, -.06), .72: (.17, .97, -.02),
                 .85: (.2, .98, 0)},
        "lean": {0: (0, .5), .4: (-.02, .45), .57: (-.12, .45), .68: (-.08, .3), .85: (.02, .02),
                 1: (.02, 0)},
        "turn": {0: 0, .1: 0, .38: -38, .44: -36, .57: 35, .7: 75, .85: 95, 1.3: 90},
        "twist": {0: 0, .1: 0, .38: -48, .45: -50, .57: -22, .68: 10, .85: 22, 1.3: 0},
        "look": {0: 0, .4: -18, .6: 0, .72: 45, .85: 80},
        "grip": {0: (0, -.9, .28), .08: (0, -.9, .28), .2: (-.6, -.62, .32), .29: (-.75, -.12, .22),
                 .38: (-.58, .3, .05), .46: (-.58, .28, .05), .51: (-.68, -.2, .2), .545: (-.42, -.72, .3),
                 .575: (.05, -.9, .28), .62: (.6, -.62, .32), .69: (.8, 0, .2), .77: (.5, .4, 0),
                 .86: (.25, .36, -.15), 1: (.25, .34, -.16), 1.35: (.55, -.2, .15)},
        "tool": {0: (0, -.82, .5), .08: (0, -.82, .5), .2: (-.95, -.15, .2), .29: (-.45, .9, 0),
                 .38: (.72, .25, -.5), .46: (.78, .12, -.5), .495: (0, .95, -.35), .525: (-.85, .5, -.1),
                 .55: (-.75, -.55, .35), .575: (0, -.82, .5), .62: (.85, -.4, .25), .69: (.6, .8, 0),
                 .77: (-.2, .85, -.4), .86: (-.75, -.25, -.5), 1: (-.75, -.3, -.5), 1.35: (.3, .9, .2)},
        "elbow_l": {0: (.6, -.6, -.1), .6: (.4, -.6, -.5)},
        "elbow_r": {0: (-.6, -.6, -.1), .7: (-.2, -.8, .4)},
        "ankle_l": {0: (.25, 0, 0)},
        "ankle_r": {0: (-.25, 0, 0), .54: (-.25, 0, 0), .7: (-.2, .1, .02), .85: (-.16, .15, .02)},
        "toe_l": {0: 22},
        "toe_r": {0: -8, .54: -5, .75: 60, .85: 75},
        "ball": ((-1, "tool", 0, 0), (.575, "tool", 0, 0), (.63, "tool", (2.2, .7, .2), 0)),
    },
    "squat": {
        "hips": {0: (0, .985, -.02), .1: (0, .985, -.02), .5: (0, .47, -.36), .6: (0, .48, -.36),
                 1: (0, .985, -.02)},
        "lean": {0: (0, .06), .1: (0, .08), .5: (0, .66), .6: (0, .64), 1: (0, .06)},
        "wrists": {0: (.66, .02, -.16), .5: (.66, .12, -.12), .6: (.66, .12, -.12), 1: (.66, .02, -.16)},
        "elbows": {0: (.3, -.9, -.1)},
        "ankles": {0: (.27, 0, 0)},
        "toes": {0: 28},
    },
    "baseball_swing": {
        "hips": {0: (-.04, .89, 0), .3: (-.12, .88, 0), .45: (.02, .86, 0), .58: (.14, .88, .02),
                 .8: (.16, .9, .02)},
        "lean": {0: (0, .28), .3: (-.03, .3), .5: (-.06, .26), .58: (-.16, .16), .8: (-.12, .02)},
        "turn": {0: 0, .3: -14, .45: -5, .52: 30, .6: 72, .72: 92, 1: 96},
        "twist": {0: -12, .3: -28, .47: -36, .53: -28, .6: 2, .7: 26, 1: 28},
        "look": {0: 65, .45: 60, .6: 55, 1: 80},
        "grip": {0: (-.42, -.02, .3), .1: (-.4, -.06, .32), .2: (-.44, 0, .3), .34: (-.6, .06, .18),
                 .46: (-.6, .03, .2), .51: (-.42, -.25, .45), .55: (-.1, -.42, .68), .59: (.3, -.36, .68),
                 .63: (.6, -.12, .45), .7: (.6, .18, .05), .8: (.35, .32, -.22), 1: (.32, .32, -.25),
                 1.4: (.5, -.3, .1)},
        "tool": {0: (-.15, .92, -.3), .1: (-.05, .9, -.45), .2: (-.2, .92, -.25), .34: (.15, .85, -.5),
                 .46: (0, .85, -.5), .51: (-.85, .35, -.35), .55: (-.75, -.1, .65), .59: (.35, -.15, .92),
                 .63: (.95, .05, .3), .7: (.55, .4, -.72), .8: (-.6, .3, -.7), 1: (-.7, .1, -.65),
                 1.4: (.3, .9, -.1)},
        "elbow_l": {0: (.2, -.9, .3), .6: (.3, -.5, -.6)},
        "elbow_r": {0: (-.8, -.5, -.2), .55: (-.5, -.8, .1), .7: (-.2, -.5, .8)},
        "ankle_l": {0: (.28, 0, 0), .2: (.28, 0, 0), .32: (.26, .16, .02), .45: (.52, 0, .03)},
        "ankle_r": {0: (-.32, 0, 0), .5: (-.32, 0, 0), .6: (-.28, .1, .02), .72: (-.24, .14, .02)},
        "toe_l": {0: 5, .45: 35, .7: 60},
        "toe_r": {0: -2, .5: 0, .62: 65},
        "ball": ((.3, "tool", (3.2, .3, .1), .59), (.59, "tool", 0), (.68, "tool", (3, .9, .3), .59)),
    },
}
DEFAULTS = {"turn": {0: 0}, "twist": {0: 0}, "elbow_l": {0: (.6, -.8, -.3)}, "elbow_r": {0: (-.6, -.8, -.3)}}
REPEATS = {"pullup": (1.7, 2.3), "jumping_jacks": (2.0, 3.0), "squat": (1.8, 2.4)}    # repetitions in a clip; others: one
TO_GROUND = None
TOOL_LENGTH = {"tennis_serve": 0.36, "tennis_forehand": 0.36, "baseball_swing": 0.47, "golf_swing": TO_GROUND}
HANGING = ("pullup",)
CLEARANCE = 0.09                       # body heights between the toes of someone hanging and the ground
GRIP_GAP = 0.05                        # body heights between the two hands on a club or bat


def tracks_of(action, rng):
    """An action's keyframes {track: {time: value}}, with separate tracks for both sides and random personal variations."""
    tracks = {}
    for name, keys in (DEFAULTS | KEYFRAMES[action]).items():
        if name == "ball":
            continue
        style = 1 + rng.normal(0, 0.03, np.shape(next(iter(keys.values()))))
        keys = {time: np.multiply(value, style) for time, value in keys.items()}
        if name in ("wrists", "ankles", "elbows"):
            tracks[name[:-1] + "_l"] = keys
            tracks[name[:-1] + "_r"] = {time: value * (-1, 1, 1) for time, value in keys.items()}
        elif name == "toes":
            tracks["toe_l"], tracks["toe_r"] = keys, {time: -value for time, value in keys.items()}
        else:
            tracks[name] = keys
    return tracks


def sample(keys, times):
    """Interpolate keyframes {time: value} at `times` (n,) -> (n,) or (n, d), by monotone cubics, which do not overshoot."""
    knots, values = np.array(list(keys)), np.array(list(keys.values()), dtype=float)
    if len(knots) == 1:
        return np.repeat(values, len(times), axis=0)
    return PchipInterpolator(knots, values)(np.clip(times, knots[0], knots[-1]))


def unit(vector):
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def heading(degrees):
    """(n,) degrees to the person's left -> (n, 3) horizontal unit vectors."""
    angle = np.radians(degrees)
    return np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], -1)


def bend(root, target, length, pole):
    """The ends (n, 3) of two equal bones of `length` in all, from root (n, 3) towards target (n, 3), bent towards pole (n, 3)."""
    distance = np.linalg.norm(target - root, axis=-1, keepdims=True).clip(0.2 * length, STRETCH * length)
    direction = unit(target - root)
    aside = unit(pole - (pole * direction).sum(-1, keepdims=True) * direction)
    height = np.sqrt((length / 2) ** 2 - (distance / 2) ** 2)
    return root + direction * distance / 2 + aside * height, root + direction * distance


def ball_path(rows, times, hand, tool):
    """Ball positions (n, 3): straight lines between rows (time, anchor, offset[, anchor time]), NaN before and after them.

    The anchor is the position of hand (n, 3) or tool end (n, 3) in the frame nearest to the anchor time, by default that of the
    row. Between two rows with the hand as anchor and no offset, the ball follows the hand.
    """
    path, ends = np.full((len(times), 3), np.nan), {"hand": hand, "tool": tool}

    def place(time, anchor, offset, anchor_time=None):
        return ends[anchor][np.abs(times - (time if anchor_time is None else anchor_time)).argmin()] + offset

    for row, following in itertools.pairwise(rows):
        within = (times >= row[0]) & (times < following[0])
        if row[1:] == following[1:] == ("hand", 0):
            path[within] = hand[within]
        else:
            share = (times[within, None] - row[0]) / (following[0] - row[0])
            path[within] = place(*row) + share * (place(*following) - place(*row))
    return path


def perform(action, nframes, build, rng):
    """One person's performance of an action (its name) in `nframes` frames: a :class:`Motion`."""
    steps = np.arange(nframes) / (CLIP_STEPS * max(1, nframes // (CLIP_STEPS + 1)))
    if action in REPEATS:
        times = (rng.uniform() + steps * rng.uniform(*REPEATS[action])) % 1
    else:
        times = steps * rng.uniform(0.97, 1.08) - rng.uniform(0, 0.05)
    track = {name: sample(keys, times) for name, keys in tracks_of(action, rng).items()}
    sides = (("_l", 1), ("_r", -1))

    ankles = [track["ankle" + side] * build.leg + (0, ANKLE_HEIGHT, 0) for side, _ in sides]
    pelvis = track["hips"] * build.leg + (0, ANKLE_HEIGHT, 0)
    pelvis_left = heading(track["turn"] + 90)
    hips = [sign * build.hip * pelvis_left for _, sign in sides]
    for hip, ankle in zip(hips, ankles, strict=True):      # the pelvis is lowered until the leg reaches its foot
        across = ((pelvis + hip - ankle)[:, ::2] ** 2).sum(-1)
        reach = np.sqrt(np.maximum((STRETCH * build.leg) ** 2 - across, 0))
        pelvis[:, 1] = np.minimum(pelvis[:, 1], ankle[:, 1] + reach)
    hips = [pelvis + hip for hip in hips]

    lean = track["lean"]
    spine = unit(np.stack([lean[:, 0], np.ones(nframes), lean[:, 1]], -1))
    chest = pelvis + build.torso * spine
    chest_left = heading(track["turn"] + track["twist"] + 90)
    chest_left = unit(chest_left - (chest_left * spine).sum(-1, keepdims=True) * spine)
    shoulders = [chest + sign * build.shoulder * chest_left for _, sign in sides]
    head_up = unit(spine + (0, 0.7, 0))                        # people keep their heads upright
    head = chest + (0.05 + 1.15 * build.head) * head_up
    forward = heading(track["look"]) if "look" in track else np.cross(chest_left, spine)
    head_left = unit(np.cross(head_up, forward))
    head_axes = np.stack([head_left, head_up, np.cross(head_left, head_up)], 1)

    direction = unit(track["tool"]) if "tool" in track else None
    if "grip" in track:
        grip = chest + track["grip"] * build.arm
        targets = [grip, grip + GRIP_GAP * direction]
    else:
        targets = [chest + track["wrist" + side] * build.arm for side, _ in sides]
    arms = [bend(shoulder, target, build.arm, track["elbow" + side])
            for (side, _), shoulder, target in zip(sides, shoulders, targets, strict=True)]
    toe_ways = [heading(track["toe" + side]) for side, _ in sides]
    legs = [bend(hip, ankle, build.leg, way) for hip, ankle, way in zip(hips, ankles, toe_ways, strict=True)]

    joints = np.stack([head, *shoulders, *(arm[0] for arm in arms), *(arm[1] for arm in arms),
                       *hips, *(leg[0] for leg in legs), *(leg[1] for leg in legs)], 1)
    ankles = joints[:, ANKLES]
    drop = np.clip(ankles[..., 1:2] - 0.3 * ANKLE_HEIGHT, 0, 0.8 * FOOT)      # toes stay on the ground while the heel lifts
    toes = ankles + np.stack(toe_ways, 1) * np.sqrt(FOOT ** 2 - drop ** 2) - drop * (0, 1, 0)

    tool = None
    if direction is not None:
        hand, length = joints[:, WRISTS[1]], TOOL_LENGTH[action]
        if length is TO_GROUND:
            length = hand[0, 1] / -direction[0, 1]
        tool = np.stack([hand, hand + length * direction], 1)
    rows = KEYFRAMES[action].get("ball", ())
    held = joints[:, WRISTS[0 if action == "tennis_serve" else 1]]
    ball = ball_path(rows, times, held, tool[:, 1] if tool is not None else held)
    if action in HANGING:                                      # the hands stay on the bar and the body moves
        grip = joints[:, WRISTS].mean(1, keepdims=True)
        joints, toes = joints - grip, toes - grip
        bar = (0, CLEARANCE - toes[..., 1].min(), 0)
        joints, toes = joints + bar, toes + bar
    return Motion(joints, toes, head_axes, tool, ball)


def mirrored(motion):
    """The same performance by a left-handed person."""
    flip = np.array([-1, 1, 1])
    tool = motion.tool * flip if motion.tool is not None else None
    return Motion(motion.joints[:, list(MIRROR)] * flip, motion.toes[:, ::-1] * flip, motion.head_axes * flip, tool,
                  motion.ball * flip, free_hand=1)
