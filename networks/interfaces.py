"""What every generator, discriminator and pose module offers: the three base classes that new networks inherit.

Trainers, tests and photos use networks through these names alone, so a new kind of network needs no change there. How a kind is
added is written in :mod:`model_variants` (generators) and :mod:`network_actvae` (pose modules).

Axes: B batch, T steps, J = 13 joints, S picture side, P any picture side, L noise vectors of one roll-out, Z numbers in each of
them, R roll-outs per row in training. Pictures are in [-1, 1]; poses are normalised picture coordinates in [-1, 1].
"""
from torch import nn


class Generator(nn.Module):
    """A network that paints the person of a source picture in another pose.

    Class attributes, which a subclass overrides where it differs:
        any_size: whether pictures of any side can be painted. Such a generator also has `prepare` and `paint`.
        tells_colours: whether `forward` takes `tell_colours=True` and then returns a second tensor (B, 1, S, S): the weight, from
            0 to 1, of colours that the network paints itself instead of copying. `image_loss.colours` needs it.
        plate: None, or a function of pictures (B, 3, P, P) and poses (B, J, 2) that returns the pictures (B, 3, P, P) without
            their person. Then `forward` and `prepare` accept its result as `plate`, so that training computes it once per frame.
        uses_mask: whether `plate`, `prepare` and `forward` also take `mask`, None or (B, 1, P, P) in [0, 1]: 1 where the source
            picture shows its person. Such a generator cuts the person out: with `tell_person=True`, `forward` also returns the
            person's colours (B, 3, S, S) and silhouette (B, 1, S, S) in the target pose. `image_loss.person` and
            `image_loss.silhouette` need them. If it is also `any_size`, it has `paint_person` and `take_apart`.
        parts: names of the parts of the person that `take_apart` returns.
        outer: names of the first and last layers (submodules), which the optimizer Muon leaves to Adam.
        stacked: whether one tensor holds the weights of several networks; Muon cannot train such tensors.
    """

    any_size = False
    tells_colours = False
    plate = None
    uses_mask = False
    parts = ()
    outer = ()
    stacked = False

    def forward(self, source, source_pose, target_pose, action):
        """Paint the source person in the target pose, with gradients.

        Args:
            source: (B, 3, S, S) pictures.
            source_pose, target_pose: (B, J, 2).
            action: (B,) int64 ids.
        Returns:
            (B, 3, S, S) pictures of the source's dtype.
        """
        raise NotImplementedError

    def check_size(self, size):
        """Raise :class:`utils.errors.UserError` if pictures of this side cannot be painted. By default all can."""

    def prepare(self, source, pose):
        """Compute once what is the same for all target poses of a source; only for `any_size`.

        Args:
            source: (B, 3, P, P) pictures.
            pose: (B, J, 2), the person's pose in them.
        Returns:
            a named tuple of tensors whose first axis is B.
        """
        raise NotImplementedError

    def paint(self, prepared, target_pose, action, size=None):
        """Paint prepared pictures in target poses, without gradients; only for `any_size`.

        Args:
            prepared: what :meth:`prepare` returned, with one row for each target pose.
            target_pose: (B, J, 2).
            action: (B,) int64 ids.
            size: side of the result in pixels; None: P, the source's.
        Returns:
            (B, 3, size, size) pictures.
        """
        raise NotImplementedError

    def paint_person(self, prepared, target_pose, size=None):
        """Paint the person of prepared pictures without a background; only for `any_size` and `uses_mask`.

        Args:
            prepared, target_pose, size: as for :meth:`paint`.
        Returns:
            (B, 4, size, size) in [-1, 1]: the person's colours, and last the silhouette, -1 outside and 1 inside the person.
        """
        raise NotImplementedError

    def take_apart(self, prepared):
        """The parts of prepared people; only for `any_size` and `uses_mask`.

        Returns:
            (B, len(parts), 4, P, P) in [-1, 1]: each part's colours, and last its alpha, -1 where the part is not.
        """
        raise NotImplementedError


class Discriminator(nn.Module):
    """A network that judges whether pictures are real. It is called `classifier` in checkpoints.

    Class attributes, which a subclass overrides where it differs:
        cut_out: what it is told of a picture besides its pixels, its condition. False: the heatmaps (B, J, S, S) of its pose.
            True: the source's person (B, 3, S, S) and the silhouette (B, 1, S, S) of the picture's person; then only cut-out
            people are judged, of generators that have `uses_mask`.
        lr_factor, beta1: None, or of an optimizer of its own: Adam without weight decay, with this share of the learning rate.
    """

    cut_out = False
    lr_factor = None
    beta1 = None

    def check_size(self, size):
        """Raise :class:`utils.errors.UserError` if pictures of this side cannot be judged."""

    def share(self, iteration):
        """How much its losses count for the generator in an iteration, from 0 to 1. At 0 it is not trained either."""
        return 1.0

    def forward(self, image, condition, judge=True):
        """Judge pictures.

        Args:
            image: (B, 3, S, S).
            condition: see `cut_out`.
            judge: False if only the features are needed.
        Returns:
            a map of judgements, or None without `judge`; and a list of features, (B, ...) each.
        """
        raise NotImplementedError

    def loss(self, judged_fake, judged_real):
        """Its own loss on the maps of painted and of real pictures, 0-dim."""
        raise NotImplementedError

    def generator_loss(self, judged_fake):
        """The generator's adversarial loss on the map of painted pictures, 0-dim."""
        raise NotImplementedError


class PoseModule(nn.Module):
    """A network that predicts the poses that follow a given one.

    Class attributes, which a subclass overrides where it differs:
        summed: names of the loss terms that are sums over the rows of a batch; all others are means.
        random: whether training draws from torch's own random state, as dropout does. The trainer then seeds it.
        outer, stacked: as in :class:`Generator`.
        history: number of poses that it sees: 1, the source; or 2, also the pose one step before it. With 2, which an instance
            may set, `forward` and `predict` need one more argument, `before` (B, J, 2).

    Instance attributes, which a subclass sets:
        z_dim: Z.
        parts: dict from the name of a checkpoint file to the submodule whose weights it holds. Together the submodules hold all
            parameters; each gets an optimizer of its own.
    """

    summed = ()
    random = False
    outer = ()
    stacked = False
    history = 1

    def prepare(self, data):
        """Take from the training rows what training needs, once before it starts. By default that is nothing.

        Args:
            data: the rows, :class:`dataset.image_loader2.PennActionPairs` or :class:`dataset.mixture.TrainingPairs`.
        Returns:
            dict of keys of the configuration's block `actvae` that follow from the rows, such as sizes of the weights.
        """
        return {}

    def forward(self, poses, action, noise, valid_steps=None):
        """Compute the loss terms of a batch.

        Args:
            poses: (B, T + 1, J, 2), the source pose first, then T targets.
            action: (B,) int64 ids.
            noise: (R, L, B, Z) standard normal.
            valid_steps: (B,) number of targets before a row repeats its last pose, or None if no row does.
        Returns:
            dict from a term's name to a 0-dim tensor. `pose_loss` in the configuration weighs the terms by name; a term that it
            does not name has weight 1.
        """
        raise NotImplementedError

    def predict(self, pose, action, steps, noise):
        """Predict the next poses.

        Args:
            pose: (B, J, 2) source poses.
            action: (B,) int64 ids.
            steps: T.
            noise: (B, L, Z) standard normal, with L = `noise_length(steps)`.
        Returns:
            (B, T, J, 2).
        """
        raise NotImplementedError

    def steps(self, targets):
        """Number of steps of a training roll-out on rows of `targets` targets: one fewer, as published."""
        return targets - 1

    def rollouts(self, targets):
        """R, the number of training roll-outs of each row of `targets` targets."""
        raise NotImplementedError

    def noise_length(self, steps):
        """L, the number of noise vectors that a roll-out of `steps` steps needs."""
        raise NotImplementedError
