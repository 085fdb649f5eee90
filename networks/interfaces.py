"""What every generator, discriminator and pose module offers: the three base classes that new networks inherit.

Trainers, tests and photos use networks through these names alone, so a new kind of network needs no change there. How a kind is
added is written in :mod:`model_variants` (generators) and :mod:`network_actvae` (pose modules).

Axes: B batch, T steps, J = 13 joints, S picture side, P any picture side, L noise vectors of one roll-out, Z numbers in each of
them, R roll-outs per row in training. Pictures are in [-1, 1]; poses are normalised picture coordinates in [-1, 1]; actions are
(B,) int64 ids.
"""
from torch import nn


class Generator(nn.Module):
    """A network that renders the person of a source picture in another pose.

    Class attributes, which a subclass overrides where it differs:
        any_size: whether it renders pictures of any side. Then it also has `prepare` and `render`.
        background: None, or a function of pictures (B, 3, P, P), poses (B, J, 2) and masks that returns the pictures without the
            person.
        uses_mask: whether it cuts the person out. Then `forward`, `prepare` and `background` take `mask`, None or (B, 1, P, P) in
            [0, 1], 1 where the source shows the person; `forward` takes `return_person` to return the person's colours
            (B, 3, S, S) and silhouette (B, 1, S, S) as well; and there are `render_person` and `part_layers`.
        parts: names of the parts of the person that `part_layers` returns.
    """

    any_size = uses_mask = False
    background, parts = None, ()

    def forward(self, source, source_pose, target_pose, action):
        """Source pictures (B, 3, S, S), source and target poses (B, J, 2) -> pictures (B, 3, S, S) of the source's dtype."""
        raise NotImplementedError

    def check_size(self, size):
        """Raise :class:`utils.errors.UserError` if pictures of this side cannot be rendered. By default all can."""

    def prepare(self, source, pose):
        """Compute what is the same for all target poses of pictures (B, 3, P, P) with poses (B, J, 2).

        Returns:
            a named tuple of tensors whose first axis is B.
        """
        raise NotImplementedError

    def render(self, prepared, target_pose, action, size=None):
        """Render prepared pictures in target poses (B, J, 2), without gradients: (B, 3, size, size); `size` is P by default.

        `prepared` has B sources, or one that is shown in all poses.
        """
        raise NotImplementedError


class Discriminator(nn.Module):
    """A network that judges whether pictures are real. It is called `classifier` in checkpoints.

    Class attributes, which a subclass overrides where it differs:
        judges_person: what its condition is. False: the heatmaps (B, J, S, S) of the picture's pose. True: the source's person
            (B, 3, S, S) and the silhouette (B, 1, S, S) of the picture's person, for generators with `uses_mask`.
        lr_factor, beta1: None, or it has its own Adam without weight decay, with this fraction of the learning rate.

    A subclass also has `loss(judged_fake, judged_real)`, its own loss on the maps of rendered and of real pictures, and
    `generator_loss(judged_fake)`, the generator's adversarial loss, both 0-dim.
    """

    judges_person = False
    lr_factor = beta1 = None

    def check_size(self, size):
        """Raise :class:`utils.errors.UserError` if pictures of this side cannot be judged."""

    def weight(self, iteration):
        """Factor in [0, 1] of its losses for the generator in an iteration. At 0 it is not trained either."""
        return 1.0

    def forward(self, image, condition, judge=True):
        """Judge pictures (B, 3, S, S) with the condition of `judges_person`.

        Returns:
            a map of judgements, or None without `judge`; and a list of features, (B, ...) each.
        """
        raise NotImplementedError


class PoseModule(nn.Module):
    """A network that predicts the poses that follow a given one.

    Class attributes:
        summed: names of the loss terms that are sums over a batch; all others are means.
        weighted: names of the loss terms that `pose_loss` in the configuration weighs; all others have weight 1.
        random: whether training draws from torch's own random state, as dropout does. The trainer then seeds it.

    Instance attributes, which a subclass sets:
        z_dim: Z.
        parts: dict from the name of a checkpoint file to the submodule whose weights it holds. Together the submodules hold all
            parameters; each gets an optimizer of its own.
    """

    summed = weighted = ()
    random = False

    def prepare(self, data):
        """Take from the training data (:mod:`dataset.mixture`) what training needs, once before it starts.

        Returns:
            dict of keys of the configuration's block `actvae` that follow from the data, such as sizes of the weights.
        """
        return {}

    def forward(self, poses, action, noise, valid_steps=None):
        """Compute the loss terms of a batch.

        Args:
            poses: (B, T + 1, J, 2), the source pose first, then T targets.
            action: (B,).
            noise: (R, L, B, Z) standard normal.
            valid_steps: (B,) number of targets before a window repeats its last pose, or None if no window does.
        Returns:
            dict from a term's name to a 0-dim tensor.
        """
        raise NotImplementedError

    def predict(self, pose, action, steps, noise):
        """Predict the next T = `steps` poses (B, T, J, 2) of source poses (B, J, 2).

        `noise` (B, L, Z) is standard normal, L = `noise_length(steps)`; on the CPU, so that choices wait for no GPU.
        """
        raise NotImplementedError

    def steps(self, targets):
        """Number of steps of a training roll-out on windows of `targets` targets: one fewer, as published."""
        return targets - 1

    def rollouts(self, targets):
        """R, the number of training roll-outs of each window of `targets` targets."""
        raise NotImplementedError

    def noise_length(self, steps):
        """L, the number of noise vectors that a roll-out of `steps` steps needs."""
        raise NotImplementedError
