"""Training and painting of P2I, the pose-to-image module, on top of a frozen pose module (published system, "P2I")."""
from contextlib import contextmanager
from pathlib import Path

import torch

from model_variants import build_generator
from network_actvae import build_pose_module
from network_actvae_p2inetwork import (
    PoseDiscriminator,
    adversarial_loss,
    feature_loss,
    gradient_loss,
    near_weights,
    reconstruction_loss,
    ssim_loss,
    weighted_l1,
)
from networks.layers import at_least_float32, evaluating
from training.batchnorm import synchronise
from training.prediction import Prediction
from training.trainer import BaseTrainer
from training.weights import find_weights, part_names
from utils import processes
from utils.config import adopt
from utils.errors import UserError
from utils.heatmap import gaussian_maps

LOSSES = ("d_real", "d_sampled", "reconstruction", "vgg", "g_adversarial", "features", "g_sampled")
PAINT_BATCH = 32                                            # pictures painted at once
PAINT_PIXELS = PAINT_BATCH * 64 ** 2                        # or fewer, where they are larger


def draw_frame_indices(generator, targets, steps):
    """Indices (k1, r, k3) from 0: target of the first update, step of the roll-outs, target of the third update."""
    return tuple(int(torch.randint(limit, (), generator=generator)) for limit in (targets, steps, targets))


def find_pose_module(folder, iteration=None):
    """The :class:`training.weights.Weights` of the trained pose module that `--vae_path` names.

    Args:
        folder: a checkpoints folder, a run's folder, or one like the authors' `pretrain/`.
    Raises:
        UserError: nothing of this kind there.
    """
    if not Path(folder).is_dir():
        raise UserError(f"--vae_path {folder}: there is no such folder")
    try:
        return find_weights(folder, ("actions", "actvae"), lambda networks: part_names(networks, ("actvae",)), iteration)
    except UserError as error:
        raise UserError(f"--vae_path {folder}: no trained ACT-VAE here; name the checkpoints folder of a train_actvae.py run, or "
                        f"a folder with published weights ({error})") from None


def adopt_pose_module(config, weights, chosen=()):
    """Give a configuration the pose module that was trained; returns what that changed.

    Raises:
        UserError: it knows other actions, or the user chose another module.
    """
    known = weights.networks.get("actions", config.actions)
    if list(known) != list(config.actions):
        raise UserError(f"{weights.origin}: this pose module was trained with the actions {', '.join(map(str, known))}, in this "
                        f"order; the configuration has {', '.join(config.actions)}")
    return adopt(config, {key: value for key, value in weights.networks.items() if key == "actvae"}, weights.origin, chosen)


@contextmanager
def without_gradient(*modules):
    """Weights that get no gradient for a while; what goes through them still does."""
    for module in modules:
        module.requires_grad_(False)
    try:
        yield
    finally:
        for module in modules:
            module.requires_grad_(True)


class Trainer(BaseTrainer):
    """Generator, discriminator and their Adam optimizers; the pose module and VGG frozen beside them.

    Args:
        config: :class:`utils.config.Config`.
        seed: of the initial weights, the picks and the training noise.
        trains: whether it needs optimizers.
    Raises:
        UserError: a picture size that the networks cannot halve, or no VGG weights.
    """

    keys = (*BaseTrainer.keys, "generator", "discriminator")
    blocks = ("actvae", "generator", "discriminator")
    optional = ("classifier",)                               # the authors' `pretrain/` lacks the discriminator
    paints = True
    unused = ("pose_loss", "augment")
    draw_frame_indices = staticmethod(draw_frame_indices)
    adopt_pose_module = staticmethod(adopt_pose_module)

    def __init__(self, config, seed=7, trains=True):
        super().__init__(config, seed, trains)
        actions, weights = len(config.actions), config.image_loss
        self.actvae = self.pose_module = build_pose_module(config.actvae, actions).to(self.device).eval().requires_grad_(False)
        self.generator = self._place(build_generator(config.generator, actions))
        self.plate = getattr(self.generator, "plate", None)
        if config.pairs == "anywhere":
            self.draw_frame_indices = None                           # all pictures of a pair are needed
        self.discriminator = self._place(PoseDiscriminator(**vars(config.discriminator)))
        for network in (self.generator, self.discriminator):
            network.check_size(config.imsize)
        if weights.colours and not self.any_size:
            raise UserError(f"image_loss.colours: the generator {config.generator.kind} does not tell its share of own colours; "
                            "leave it 0")
        self.vgg_loss = None
        if weights.vgg:
            from vgg import VGGLoss  # torchvision is slow to import and not needed otherwise
            self.vgg_loss = self._place(VGGLoss(config.vgg_weights))
        self.parts = {**self.actvae.parts, "generator": self.generator, "classifier": self.discriminator}
        for name in ("generator", "classifier"):
            self.add_optimizer(name, self.parts[name])
        # for the passes whose gradients all processes share
        self.trained_generator, self.trained_discriminator = map(processes.ddp, (self.generator, self.discriminator))

    @staticmethod
    def find_pose_module(options):
        """The pose module of `--vae_path`, which a new run needs; for others it replaces the one that they have."""
        if options.vae_path:
            iteration = None if options.resume or options.pretrain else options.iteration
            return find_pose_module(options.vae_path, iteration)
        if not (options.resume or options.pretrain):
            raise UserError("--vae_path is needed: the checkpoints folder of a trained train_actvae.py run")
        return None

    @property
    def any_size(self):
        """Whether the generator paints pictures of any side, see :mod:`model_variants`."""
        return hasattr(self.generator, "prepare")

    def check_paint_size(self, size):
        """Raise :class:`UserError` if pictures cannot be painted in another size than their source's."""
        if size < 1 or not self.any_size:
            raise UserError(f"pictures of {size} pixels: the generator {self.config.generator.kind} paints " +
                            ("from 1 on" if self.any_size else f"those of its training, {self.config.imsize}"))

    def _place(self, module):
        """A network on the device, in the configured memory format, compiled if configured."""
        module = module.to(self.device)
        if self.config.sync_batchnorm:
            synchronise(module)
        if self.config.channels_last:
            module = module.to(memory_format=torch.channels_last)
        if self.config.compile:
            module.compile()                                 # in place: checkpoint names stay
        return module

    # ---------------------------------------------------------------------------------------------- training

    def _rollouts(self, pose, action, step, steps, noise):
        """The poses at one step of the two roll-outs, (2, B, J, 2); they run as one batch, no further than needed."""
        if noise is None:
            noise = self.training_noise(len(pose), 2, steps)
        noise = noise.to(self.device)[:, :self.actvae.noise_length(step + 1)].transpose(1, 2).flatten(0, 1)     # (2B, L, Z)
        with torch.no_grad(), self.autocast():
            poses = self.actvae.predict(pose.repeat(2, 1, 1), action.repeat(2), step + 1, noise)
        return poses[:, step].to(pose.dtype).unflatten(0, (2, len(pose)))

    def update(self, batch, picks=None, noise=None):
        """One training iteration: two steps of the discriminator and two of the generator.

        What a weight of 0 makes superfluous is left out: without the adversarial loss only the third update remains.

        Args:
            batch: `poses` (B, T + 1, J, 2), `action` (B,), `images` (B, T + 1, 3, S, S) and `masks` (B, T, 1, S, S); or, where
                the data knew the picks beforehand, `picks` (B, 3) and only their `images` (B, 4, 3, S, S) and `masks`
                (B, 1, 1, S, S), see :class:`dataset.image_loader2.PennActionPairs`; with pairs from anywhere in a video T is 1,
                and that target is the target of all updates, see :class:`dataset.mixture.TrainingPairs`. Perhaps `plates`
                (B, 3, S, S), the sources without their person.
            picks: (k1, r, k3) from 0, or None for the batch's or to draw them.
            noise: (2, L, B, Z) of the two roll-outs, or None to draw it.
        Returns:
            dict of the weighted losses as detached 0-dim tensors.
        Raises:
            NotFinite: see :meth:`step`; steps before the bad one have been done.
        """
        config, weights = self.config, self.config.image_loss
        images, masks, targets = batch["images"], batch["masks"], batch["poses"].shape[1] - 1
        steps = config.steps if config.pairs == "anywhere" else self.actvae.steps(targets)
        if "frame_indices" in batch:
            picks = batch["frame_indices"][0].tolist()
        elif picks is None:
            picks = draw_frame_indices(self.random, targets, steps)
        first, step, second = (int(pick) for pick in picks)
        frames = [0, first + 1, min(step + 1, targets), second + 1]              # a pair has one target, for all updates
        if "frame_indices" not in batch:
            images, masks = images[:, frames], masks[:, second:second + 1]
        images, masks, poses, action = (value.to(self.device, non_blocking=True)
                                        for value in (images, masks, batch["poses"], batch["action"]))
        # in one memory layout, whether or not a worker collected them: layouts round differently
        source, *reals = images.contiguous().unbind(1)                                              # (B, 3, S, S) each
        sampled = self._rollouts(poses[:, 0], action, step, steps, noise)                           # (2, B, J, 2)
        source_pose, *real_poses = poses[:, frames].unbind(1)                                       # (B, J, 2) each

        plate = {"plate": batch["plates"].to(self.device, non_blocking=True)} if "plates" in batch else {}

        def paint(pose, **told):
            generator = self.trained_generator if torch.is_grad_enabled() else self.generator
            with self.autocast():
                return generator(source, source_pose, pose, action, **plate, **told)

        def maps(pose):
            return gaussian_maps(pose, config.imsize)                                               # (B, J, S, S)

        losses = dict.fromkeys(LOSSES, torch.zeros((), device=self.device))
        if weights.adversarial:
            for name, real, real_pose, fake_pose in (("d_real", reals[0], real_poses[0], real_poses[0]),
                                                     ("d_sampled", reals[1], real_poses[1], sampled[0])):
                # in train mode as published: these passes, too, count in the generator's running statistics
                with torch.no_grad():
                    fake = paint(fake_pose)
                losses[name] = self._step_discriminator(fake, maps(fake_pose), real, maps(real_pose))
        with without_gradient(self.discriminator):
            if weights.colours:
                fake, colours = paint(real_poses[2], tell_colours=True)
            else:
                fake, colours = paint(real_poses[2]), None
            if weights.near:
                mask = near_weights(source_pose, real_poses[2], config.imsize, weights.near)
            else:
                mask = masks[:, 0].to(source.dtype)
            losses.update(self._step_generator(fake, reals[2], mask, maps(real_poses[2]), colours))
            if weights.adversarial:
                losses["g_sampled"] = weights.adversarial * self._fooled(paint(sampled[1]), maps(sampled[1]))[0]
                self.step(losses["g_sampled"], ["generator"])
        self.end_iteration()
        return {name: loss.detach() for name, loss in losses.items()}

    def _step_discriminator(self, fake, fake_maps, real, real_maps):
        """Tell painted pictures (B, 3, S, S) from real ones, each judged with its pose's maps (B, J, S, S)."""
        with self.autocast():
            judged_fake = self.trained_discriminator(fake, fake_maps)[0]         # apart: each has its own batch statistics
            judged_real = self.trained_discriminator(real, real_maps)[0]
        loss = self.config.image_loss.adversarial * (adversarial_loss(judged_fake, False) +
                                                     adversarial_loss(judged_real, True))
        self.step(loss, ["classifier"])
        return loss.detach()

    def _fooled(self, fake, maps):
        """How far painted pictures are from being taken for real, a scalar; and the discriminator's features."""
        with self.autocast():
            judged, features = self.discriminator(fake, maps)
        return adversarial_loss(judged, True), features

    def _step_generator(self, fake, real, mask, maps, colours=None):
        """Come close to real pictures (B, 3, S, S) with poses' maps (B, J, S, S); `mask` (B, 1, S, S) are person boxes or, where
        what is near the parts counts, the pixels' weights, `colours` (B, 1, S, S) the share of own colours."""
        weights = self.config.image_loss
        adversarial = vgg = features = torch.zeros((), device=self.device)        # of losses whose weight is 0
        if weights.adversarial or weights.features:
            adversarial, fake_features = self._fooled(fake, maps)
        if weights.features:
            with torch.no_grad(), self.autocast():
                real_features = self.discriminator(real, maps, judge=False)[1]
            features = feature_loss(fake_features, real_features)
        if self.vgg_loss:
            with self.autocast():
                vgg = self.vgg_loss(fake, real)
        reconstruction = weighted_l1(fake, real, mask) if weights.near else reconstruction_loss(fake, real, mask, weights.mask)
        losses = {"reconstruction": weights.reconstruction * reconstruction,
                  "vgg": weights.vgg * vgg,
                  "g_adversarial": weights.adversarial * adversarial,
                  "features": weights.features * features}
        if weights.gradient:
            losses["gradient"] = weights.gradient * gradient_loss(fake, real)
        if weights.ssim:
            losses["ssim"] = weights.ssim * ssim_loss(fake, real)
        if weights.colours:
            counted = mask if weights.near else 1 + weights.mask * mask
            losses["colours"] = weights.colours * (counted * at_least_float32(colours)).mean()
        self.step(sum(losses.values()), ["generator"])
        return losses

    # ---------------------------------------------------------------------------------------------- sampling

    @torch.no_grad()
    def paint(self, source, source_pose, poses, action, size=None):
        """Paint poses with a source picture, with the generator in eval mode.

        Args:
            source: (B, 3, S, S) pictures in [-1, 1]; of a generator that paints pictures of any side, of any side P.
            source_pose: (B, J, 2) normalised.
            poses: (B, T, J, 2) normalised.
            action: (B,) int64 ids.
            size: side of the result; None: that of the source.
        Returns:
            (B, T, 3, size, size) pictures in [-1, 1].
        Raises:
            UserError: a side that is none, or another than the source's with a generator that paints only that.
        """
        source, source_pose, poses, action = (value.to(self.device) for value in (source, source_pose, poses, action))
        size = source.shape[-1] if size is None else size
        if size != source.shape[-1]:
            self.check_paint_size(size)
        if self.any_size:
            return self._paint_prepared(source, source_pose, poses, action, size)
        rows = torch.arange(len(poses), device=self.device).repeat_interleave(poses.shape[1])        # (B * T,)
        painted = []
        with self.averaged(), evaluating(self.generator) as generator, self.autocast():
            for row, pose in zip(rows.split(PAINT_BATCH), poses.flatten(0, 1).split(PAINT_BATCH)):
                painted.append(generator(source[row], source_pose[row], pose, action[row]))
        return torch.cat(painted).unflatten(0, poses.shape[:2])

    def _paint_prepared(self, source, source_pose, poses, action, size):
        """As :meth:`paint`; each source is looked at once, and pictures are painted a few at a time."""
        most = max(1, min(PAINT_BATCH, PAINT_PIXELS // size ** 2))
        painted = source.new_empty(*poses.shape[:2], 3, size, size)
        with self.averaged(), evaluating(self.generator) as generator, self.autocast():
            for rows in torch.arange(len(poses), device=self.device).split(most):
                prepared = generator.prepare(source[rows], source_pose[rows])
                pairs = torch.cartesian_prod(torch.arange(len(rows)), torch.arange(poses.shape[1]))  # (b * T, 2)
                for row, step in (some.to(self.device).unbind(1) for some in pairs.split(most)):
                    several = type(prepared)(*(value[row] for value in prepared))
                    painted[rows[row], step] = generator.paint(several, poses[rows[row], step], action[rows[row]],
                                                               size).to(painted.dtype)
        return painted

    @torch.no_grad()
    def predict(self, source, n, steps=None, seed=7, painted=None, size=None):
        """As :meth:`BaseTrainer.predict`, and paint the first `painted` samples of each row in `size`, see :meth:`paint`, which
        needs `source.image`."""
        poses = super().predict(source, n, steps, seed).poses                                        # (B, n, T, J, 2)
        shown = poses[:, :painted]
        if not shown.numel():
            return Prediction(poses, None)
        videos = self.paint(source.image, source.pose, shown.flatten(1, 2), source.action, size).cpu()
        return Prediction(poses, videos.unflatten(1, shown.shape[1:3]))

    # ------------------------------------------------------------------------------------------- checkpoints

    def load_actvae(self, folder, iteration=None):
        """Load the frozen pose module of `--vae_path`, see :func:`find_pose_module`; returns the files, part -> Path."""
        weights = find_pose_module(folder, iteration)
        self.restore(weights)
        return weights.files
