"""MixtureMotion, the pose module `mixture`: a coin between a network and real motions.

The network (:class:`networks.residual_motion.ResidualMotion`) knows every pose, but blurs the time at which a motion happens.
Retrieval (:class:`networks.retrieval.Retrieval`) moves as people do, but only knows the motions of its library. For each sample a
coin decides which of the two predicts. The energy score is convex, so that of the mixture is better than the mean of both.
Real motions are livelier: more of them than half cost a little of the score.

The library is filled from the training rows when training starts, and is a part of the weights. As long as it is empty, the
network predicts alone.
"""
import torch

from networks.interfaces import PoseModule
from networks.residual_motion import ResidualMotion
from networks.retrieval import Retrieval


class MixtureMotion(PoseModule):
    """Predicts up to `horizon` steps in one pass; longer roll-outs take several, as in `ResidualMotion`.

    Args:
        num_actions: C.
        num_joints: J, 13.
        library: frames of the library; 0 until :meth:`prepare`.
        neighbours: k, candidates of retrieval.
        library_frames: most frames of the library, see :meth:`networks.motion_library.MotionLibrary.fill`; 0: all.
        retrieval_rows: windows of the library, of each span, on which an iteration trains the scorer.
        real: share of the samples that are real motions.
        network: the other arguments of :class:`networks.residual_motion.ResidualMotion`.
    """

    random = stacked = True

    def __init__(self, num_actions=9, num_joints=13, library=0, neighbours=28, library_frames=0, retrieval_rows=32, real=0.5,
                 **network):
        super().__init__()
        self.motion = ResidualMotion(num_actions, num_joints, **network)
        self.retrieval = Retrieval(num_actions, num_joints, library, neighbours)
        self.library_frames, self.retrieval_rows, self.real = library_frames, retrieval_rows, real
        self.z_dim = self.motion.z_dim + 2
        self.parts = {"motion": self.motion, "retrieval": self.retrieval}

    def prepare(self, data):
        """See :class:`networks.interfaces.PoseModule`: fill the library."""
        self.retrieval.prepare(data, self.library_frames)
        return {"library": len(self.retrieval.library)}

    def noise_length(self, steps):
        """One vector for each pass."""
        return self.motion.noise_length(steps)

    def rollouts(self, targets):
        """As many as the network has."""
        return self.motion.rollouts(targets)

    def predict(self, pose, action, steps, noise):
        """See :class:`networks.interfaces.PoseModule`; the poses stay inside the picture, L is the number of passes.

        The last number of each noise vector is the coin, the one before it chooses among the candidates of retrieval.
        """
        poses = []
        for start, z in zip(range(0, steps, self.motion.horizon), noise.unbind(1)):
            ahead = min(self.motion.horizon, steps - start)
            number, coin = torch.special.ndtr(z[:, -2:].float()).unbind(1)
            part, real = pose.new_empty(len(pose), ahead, *pose.shape[1:]), coin < self.real
            real &= self.retrieval.knows(action, ahead)
            if real.any():
                found = self.retrieval.draw(pose[real], action[real], ahead, number[real])
                part[real] = found.clamp(-1, 1).to(part.dtype)
            if not real.all():
                part[~real] = self.motion.predict(pose[~real], action[~real], ahead, z[~real, None, :-2])
            poses.append(part)
            pose = part[:, -1]
        return torch.cat(poses, 1)

    def forward(self, poses, action, noise, valid_steps=None):
        """The loss terms, see :class:`networks.interfaces.PoseModule`: those of the network, and `retrieval`, the energy score of
        retrieval on windows of the library that are drawn at random, whatever the batch."""
        return {**self.motion(poses, action, noise[..., :-2], valid_steps), "retrieval": self.retrieval(self.retrieval_rows)}
