"""How the people of the synthetic data set move: a 3D skeleton that the keyframes of `keyframes.yaml` control.

Axes of all 3D vectors: x points to the person's left, y up, z to where the person faces at the start. The ground is y = 0, the
unit is the body height. Joints are in Penn Action's order (pose.skeleton), but here left and right are the person's own sides.
"""
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from scipy.interpolate import PchipInterpolator

from pose.skeleton import ANKLES, MIRROR, WRISTS

CLIP_STEPS = 32                        # steps of the published clip, each of nframes // 33 frames
ANKLE_HEIGHT, FOOT = 0.04, 0.085       # body heights
STRETCH = 0.995                        # limbs stretch to at most this fraction of their length, so they always bend a little


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


with (Path(__file__).parent / "keyframes.yaml").open(encoding="utf-8") as file:
    KEYFRAMES = yaml.safe_load(file)
DEFAULTS = {"turn": {0: 0}, "twist": {0: 0}, "elbow_l": {0: (.6, -.8, -.3)}, "elbow_r": {0: (-.6, -.8, -.3)}}
REPEATS = {"pullup": (1.7, 2.3), "jumping_jacks": (2.0, 3.0), "squat": (1.8, 2.4)}    # repetitions in a clip; others: one
TOOL_LENGTH = {"tennis_serve": 0.36, "tennis_forehand": 0.36, "baseball_swing": 0.47, "golf_swing": None}   # None: to the ground
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
        return ends[anchor][np.abs(times - (time if anchor_time is None else anchor_time)).argmin()] + np.array(offset)

    for row, following in itertools.pairwise(rows):
        within = (times >= row[0]) & (times < following[0])
        if row[1:] == following[1:] == ["hand", 0]:
            path[within] = hand[within]
        else:
            fraction = (times[within, None] - row[0]) / (following[0] - row[0])
            path[within] = place(*row) + fraction * (place(*following) - place(*row))
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
        if length is None:
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
