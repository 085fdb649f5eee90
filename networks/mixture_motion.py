"""MixtureMotion, the pose module `mixture`: each sample comes from the networks or is a real motion.

The networks (:class:`networks.residual_motion.ResidualMotion`) know every pose, but blur the time at which a motion happens.
Retrieval (:class:`networks.retrieval.Retrieval`) moves as people do, but only knows the motions of its library. The energy score
is convex, so that of the mixture is better than the mean of both. Real motions are livelier: more of them than half cost a little
of the score.

Training fills the library from its windows, and the library is a part of the weights. With an empty library, as after training
with `real: 0`, the networks predict alone.
"""
import torch

from networks.interfaces import PoseModule
from networks.residual_motion import ResidualMotion
from networks.retrieval import Retrieval, span_of


class MixtureMotion(PoseModule):
    """Predicts up to `horizon` steps in one pass; longer roll-outs take several, as in `ResidualMotion`.

    The arguments are keys of the configuration, explained in config/mixture.yaml; `network` are those of `ResidualMotion`.
    """

    random = True

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
        if self.real:
            self.retrieval.prepare(data, self.library_frames)
        return {"library": len(self.retrieval.library)}

    def noise_length(self, steps):
        return self.motion.noise_length(steps)

    def rollouts(self, targets):
        return self.motion.rollouts(targets)

    def predict(self, pose, action, steps, noise):
        """See :class:`networks.interfaces.PoseModule`; the poses stay inside the picture, L is the number of passes.

        The last number of each noise vector decides between retrieval and networks, the one before it chooses a candidate.
        """
        poses = []
        for start, z in zip(range(0, steps, self.motion.horizon), noise.unbind(1)):
            ahead = min(self.motion.horizon, steps - start)
            number, coin = torch.special.ndtr(z[:, -2:].float().cpu()).unbind(1)
            real = (coin < self.real) & self.retrieval.library.knows(action, span_of(ahead)).cpu()
            part = pose.new_empty(len(pose), ahead, *pose.shape[1:])
            drawn, predicted = (rows.nonzero()[:, 0] for rows in (real, ~real))
            if len(drawn):
                rows = drawn.to(pose.device)
                found = self.retrieval.draw(pose[rows], action[rows], ahead, number[drawn].to(pose.device))
                part[rows] = found.clamp(-1, 1).to(part.dtype)
            if len(predicted):
                rows = predicted.to(pose.device)
                part[rows] = self.motion.predict(pose[rows], action[rows], ahead, z[predicted.to(z.device), None, :-2])
            poses.append(part)
            pose = part[:, -1]
        return torch.cat(poses, 1)

    def forward(self, poses, action, noise, valid_steps=None):
        """The loss terms of the networks, and `retrieval`, the energy score of retrieval on random windows of the library."""
        return {**self.motion(poses, action, noise[..., :-2], valid_steps), "retrieval": self.retrieval(self.retrieval_rows)}
