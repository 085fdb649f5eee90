"""The skeleton: joints, limbs and sides.

Joints are in Penn Action's order. Its *left* is the person's own **right** side (docs/published_system.md, "Sides"): in a front
view the left shoulder has the smaller x. Detectors that name the person's own sides, such as COCO's, use the opposite names.
"""
import numpy as np

JOINTS = ("head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
          "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
HEAD, SHOULDERS, ELBOWS, WRISTS, HIPS, KNEES, ANKLES = 0, (1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12)
# joint -> the same joint of the other side
MIRROR = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11)
# joint of an arm or leg -> its neighbour nearer to the torso; elbows and knees come before wrists and ankles
PARENT = dict(zip((*ELBOWS, *KNEES, *WRISTS, *ANKLES), (*SHOULDERS, *HIPS, *ELBOWS, *KNEES)))
LIMBS = ((0, 1), (0, 2), (1, 2), (1, 3), (3, 5), (2, 4), (4, 6), (1, 7), (2, 8), (7, 8), (7, 9), (9, 11), (8, 10), (10, 12))
# a standing figure seen from the front; unit: its height. x to the right of its middle, y down from the top of its head
STANDING = np.array([[0, .07], [-.11, .20], [.11, .20], [-.15, .36], [.15, .36], [-.17, .51], [.17, .51],
                     [-.07, .52], [.07, .52], [-.075, .74], [.075, .74], [-.08, .95], [.08, .95]])
# a figure in connected lines; NECK is the middle of the shoulders
NECK = -1
FIGURE = ((5, 3, 1, 2, 4, 6), (1, 7, 8, 2), (7, 9, 11), (8, 10, 12), (HEAD, NECK))


def middle(joints, pair):
    """The middle (2,) of a pair of joints, such as HIPS, of a pose (13, 2)."""
    return joints[list(pair)].mean(0)


def torso_vector(joints):
    """The vector (2,) from the middle of the shoulders to that of the hips of a pose (13, 2)."""
    return middle(joints, HIPS) - middle(joints, SHOULDERS)


def body_size(pose):
    """About a person's height (B, 1, 1, 1) for poses (B, J, 2), a tensor: 3 times the joints' mean distance from their mean."""
    return 3 * (pose - pose.mean(1, keepdim=True)).norm(dim=-1).mean(1)[:, None, None, None]


def mirror_pose(poses):
    """Mirror poses (..., 13, 2): x changes its sign, left and right joints change places.

    Args:
        poses: array or tensor, with x = 0 in the plane of the mirror, as in normalised poses.
    """
    mirrored = poses * 1                                    # a copy; slices, as a GPU would wait for the indices of a list
    mirrored[..., 1::2, :], mirrored[..., 2::2, :] = poses[..., 2::2, :], poses[..., 1::2, :]
    mirrored[..., 0] *= -1
    return mirrored
