"""Estimate the missing joints of a pose, which are NaN, from the known ones."""
import numpy as np

from pose.skeleton import JOINTS, MIRROR, PARENT, STANDING, torso_vector

LIMB_WEIGHT = 0.02           # of a joint of an arm or leg in the fit of the standing figure: limbs bend, the torso hardly does


def missing(joints):
    """(..., 13) bool: which of the joints (..., 13, 2) are missing."""
    return ~np.isfinite(joints).all(-1)


def estimate_missing(joints):
    """Complete a pose.

    A standing figure is fitted to the known joints and gives torso and head. Then, outwards from the torso: an elbow or knee
    between two known neighbours lies in their middle; a limb known on the other side is mirrored; otherwise the limb hangs down
    as that of the figure does.

    Of the joints (13, 2) at least one must be known.
    """
    known = ~missing(joints)
    if known.all():
        return joints
    figure, turn = _fitted_figure(joints, known)
    joints = np.where(known[:, None], joints, figure)
    for joint, parent in PARENT.items():
        if known[joint]:
            continue
        child = next((outer for outer, inner in PARENT.items() if inner == joint), None)
        if child is not None and known[child]:
            joints[joint] = (joints[parent] + joints[child]) / 2
        elif known[MIRROR[joint]] and known[MIRROR[parent]]:
            joints[joint] = joints[parent] + _mirrored(joints[MIRROR[joint]] - joints[MIRROR[parent]], torso_vector(joints), turn)
        else:
            joints[joint] = joints[parent] + figure[joint] - figure[parent]
    return joints


def _fitted_figure(joints, known):
    """The standing figure (13, 2) nearest to the known joints, by weighted least squares, and its width: 1 front, 0 side view."""
    weights = np.array([LIMB_WEIGHT if joint in PARENT else 1 for joint in range(len(JOINTS))])[known] ** 0.5
    target = weights * (joints[known] @ (1, 1j))                                        # complex: x + iy
    fits = []
    for turn in np.linspace(1, -1, 9):
        figure = np.stack([(STANDING * (turn, 1)) @ (1, 1j), np.ones(len(JOINTS))], 1)  # times (scale and rotation, place)
        matrix = weights[:, None] * figure[known]
        solution = np.linalg.lstsq(matrix, target, rcond=None)[0]
        fits.append((np.linalg.norm(matrix @ solution - target), figure @ solution, abs(turn)))
    _, figure, turn = min(fits, key=lambda fit: fit[0])
    return np.stack([figure.real, figure.imag], -1), turn


def _mirrored(limb, torso, turn):
    """The vector (2,) along a limb for the other side: reflected in the torso in front views, parallel in side views."""
    axis = torso / max(np.linalg.norm(torso), 1e-12)
    along = (limb @ axis) * axis
    return along + (1 - 2 * turn) * (limb - along)
