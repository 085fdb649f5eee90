"""Estimate the places of joints that a pose does not have, from those that it has.

Joints are as in pose/skeleton.py; a missing one is NaN.
"""
import numpy as np

from pose.skeleton import HIPS, JOINTS, MIRROR, PARENT, SHOULDERS, STANDING, torso

LIMB_WEIGHT = 0.02           # of a joint of an arm or leg in the fit of the standing figure: limbs bend, the torso hardly does
TURNS = np.linspace(-1, 1, 9)            # widths of the figure that are tried: 1 seen from the front, 0 from the side


def missing(joints):
    """(..., 13) bool: which of the joints (..., 13, 2) are missing."""
    return ~np.isfinite(joints).all(-1)


def estimate_missing(joints):
    """A pose whose missing joints are estimated.

    Torso and head come from a standing figure that is moved, turned and scaled onto the known joints. Then, from the body
    outwards, an elbow or knee lies in the middle of its known neighbours; a limb that is known on the other side is mirrored; and
    where both sides are missing, the limb hangs as that of the figure does.

    Args:
        joints: (13, 2) pixels; at least one joint is known. All lie in one place if only one is.
    Returns:
        (13, 2) float64, the known joints unchanged.
    """
    known = ~missing(joints)
    if known.all():
        return joints
    figure = _fitted_figure(joints, known)
    joints = np.where(known[:, None], joints, figure)
    for joint, parent in PARENT.items():
        if known[joint]:
            continue
        child = next((outer for outer, inner in PARENT.items() if inner == joint), None)
        if child is not None and known[child]:
            joints[joint] = (joints[parent] + joints[child]) / 2
        elif known[MIRROR[joint]] and known[MIRROR[parent]]:
            joints[joint] = joints[parent] + _mirrored(joints, joints[MIRROR[joint]] - joints[MIRROR[parent]])
        else:
            joints[joint] = joints[parent] + figure[joint] - figure[parent]
    return joints


def _fitted_figure(joints, known):
    """The standing figure (13, 2) that lies nearest to the known joints, by weighted least squares; numbers are complex."""
    weights = np.array([LIMB_WEIGHT if joint in PARENT else 1 for joint in range(len(JOINTS))])[known]
    weights = weights / weights.sum()
    places = joints[known] @ (1, 1j)
    middle = weights @ places
    best = None
    for turn in TURNS[::-1]:
        shape = (STANDING * (turn, 1)) @ (1, 1j)
        shape = shape - weights @ shape[known]
        spread = weights @ np.abs(shape[known]) ** 2
        growth = weights @ (shape[known].conj() * (places - middle)) / spread if spread > 1e-12 else 0     # scale and rotation
        error = weights @ np.abs(places - middle - growth * shape[known]) ** 2
        if best is None or error < best[0] * (1 - 1e-9):
            best = error, middle + growth * shape
    return np.stack([best[1].real, best[1].imag], -1)


def _mirrored(joints, way):
    """The way (2,) along a limb, as the limb of the other side has it.

    Its part across the torso is turned around in views from the front and from behind, where limbs are often symmetric, and kept
    in views from the side, where they are often parallel. The width of the shoulders tells the view.
    """
    axis = torso(joints)
    length = np.linalg.norm(axis)
    if not length:
        return way
    axis = axis / length
    across = np.array([-axis[1], axis[0]])
    wide = np.ptp(STANDING[list(SHOULDERS), 0]) / (STANDING[HIPS[0], 1] - STANDING[SHOULDERS[0], 1])       # in torso lengths
    frontal = min(1.0, abs((joints[SHOULDERS[1]] - joints[SHOULDERS[0]]) @ across) / (wide * length))
    return (way @ axis) * axis + (1 - 2 * frontal) * (way @ across) * across
