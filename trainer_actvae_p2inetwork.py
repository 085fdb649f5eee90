"""Training and sampling of P2I, the pose-to-image module, on top of a frozen ACT-VAE (SPEC section 5)."""
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from dataset.pair_list import TARGETS
from model_variants import PoseAttentionGenerator
from network_actvae import ActVAE
from network_actvae_p2inetwork import PoseDiscriminator, adversarial_loss, feature_loss, reconstruction_loss
from trainer_actvae import STEPS
from utils import processes
from utils.base_trainer import BaseTrainer
from utils.checkpoint import find_snapshots, load_part
from utils.errors import UserError
from utils.heatmap import gaussian_maps
from utils.sync_batchnorm import synchronise

LOSSES = ("d_real", "d_sampled", "reconstruction", "vgg", "g_adversarial", "features", "g_sampled")
ACTVAE_PARTS = ("im_encode_content", "im_encode_vae")
PAINT_BATCH = 32                                            # pictures painted at once


def draw_picks(generator):
    """Indices (k1, r, k3) of SPEC section 5, from 0: targets of the real-pose steps, step of the roll-outs."""
    return tuple(int(torch.randint(limit, (), generator=generator)) for limit in (TARGETS, STEPS, TARGETS))


class Sample(NamedTuple):
    videos: torch.Tensor     # (B, n, T, 3, S, S) pictures in [-1, 1]
    poses: torch.Tensor      # (B, n, T, J, 2)


def find_actvae(folder):
    """The files of a trained ACT-VAE, part -> Path; see :meth:`Trainer.load_actvae`."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"--vae_path {folder}: there is no such folder")
    pretrained = {name: folder / f"{name}.pt" for name in ACTVAE_PARTS}
    snapshots = find_snapshots(folder, ACTVAE_PARTS) or find_snapshots(folder / "checkpoints", ACTVAE_PARTS)
    if snapshots:
        files = {name: snapshots[-1].files[name] for name in ACTVAE_PARTS}
    elif all(path.is_file() for path in pretrained.values()):
        files = pretrained
    else:
        names = " and ".join(path.name for path in pretrained.values())
        raise UserError(f"--vae_path {folder}: no trained ACT-VAE here; name the checkpoints folder of a "
                        f"train_actvae.py run, or a folder with {names}")
    return files


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
    """Generator, discriminator and their Adam optimizers; ACT-VAE and VGG frozen beside them.

    Args:
        config: :class:`utils.config.Config`.
        seed: of the initial weights, the picks and the training noise.
    Raises:
        UserError: a picture size that the networks cannot halve, or no VGG weights.
    """

    def __init__(self, config, seed=7):
        super().__init__(config, seed)
        self._check_size()
        actions, weights = len(config.actions), config.image_loss
        self.actvae = ActVAE(actions, z_dim=config.actvae.z_dim).to(self.device).eval().requires_grad_(False)
        self.generator = self._place(PoseAttentionGenerator(actions, **vars(config.generator)))
        self.discriminator = self._place(PoseDiscriminator(**vars(config.discriminator)))
        self.vgg_loss = None
        if weights.vgg:
            from vgg import VGGLoss  # torchvision is slow to import and not needed otherwise
            self.vgg_loss = self._place(VGGLoss(config.vgg_weights))
        self.parts = {"im_encode_content": self.actvae.decoder, "im_encode_vae": self.actvae.encoder,
                      "generator": self.generator, "classifier": self.discriminator}
        for name in ("generator", "classifier"):
            self.add_optimizer(name, self.parts[name])
        # for the passes whose gradients all processes share
        self.trained_generator, self.trained_discriminator = map(processes.together, (self.generator, self.discriminator))

    def _check_size(self):
        size, generator, discriminator = self.config.imsize, self.config.generator, self.config.discriminator
        factor, smallest = 2 ** generator.n_downsampling, 2 ** (discriminator.n_downsampling + 1)
        if size % factor or size < 2 * factor:
            raise UserError(f"imsize {size} must be a multiple of {factor} from {2 * factor} on: the generator halves it "
                            f"{generator.n_downsampling} times")
        if size < smallest:
            raise UserError(f"imsize {size} is too small for the discriminator, which halves it "
                            f"{discriminator.n_downsampling} times; use {smallest} or more")

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

    def _rollouts(self, pose, action, step, noise):
        """The poses at one step of the two roll-outs, (2, B, J, 2); they run as one batch, no further than needed."""
        if noise is None:
            noise = self.actvae.draw_noise(2 * len(pose) * processes.count(), STEPS, self.random)
            noise = self.own_noise(noise, len(pose))                                               # (5, 2B, Z)
        else:
            noise = noise.to(self.device).transpose(0, 1).flatten(1, 2)
        noise = noise[:step + 2]
        with torch.no_grad(), self.autocast():
            rollout = self.actvae.rollout(pose.repeat(2, 1, 1), action.repeat(2), step + 1, noise)
        return rollout.pose[:, step].to(pose.dtype).unflatten(0, (2, len(pose)))

    def update(self, batch, picks=None, noise=None):
        """One training iteration: two steps of the discriminator and two of the generator.

        What a weight of 0 makes superfluous is left out: without the adversarial loss only the third update remains.

        Args:
            batch: `poses` (B, 6, J, 2), `action` (B,), `images` (B, 6, 3, S, S) and `masks` (B, 5, 1, S, S); or, where the
                data knew the picks beforehand, `picks` (B, 3) and only their `images` (B, 4, 3, S, S) and `masks`
                (B, 1, 1, S, S), see :class:`dataset.image_loader2.PennActionPairs`.
            picks: (k1, r, k3) from 0, or None for the batch's or to draw them.
            noise: (2, 5, B, Z) of the two roll-outs, or None to draw it.
        Returns:
            dict of the weighted losses as detached 0-dim tensors.
        Raises:
            NotFinite: see :meth:`step`; steps before the bad one have been done.
        """
        config, weights = self.config, self.config.image_loss
        images, masks = batch["images"], batch["masks"]
        if "picks" in batch:
            first, step, second = batch["picks"][0].tolist()
        else:
            first, step, second = draw_picks(self.random) if picks is None else (int(pick) for pick in picks)
            images, masks = images[:, [0, first + 1, step + 1, second + 1]], masks[:, second:second + 1]
        images, masks, poses, action = (value.to(self.device, non_blocking=True)
                                        for value in (images, masks, batch["poses"], batch["action"]))
        # in one memory layout, whether or not a worker collected them: layouts round differently
        source, *reals = images.contiguous().unbind(1)                                              # (B, 3, S, S) each
        sampled = self._rollouts(poses[:, 0], action, step, noise)                                  # (2, B, J, 2)
        # the maps of all poses of this iteration at once: source, three targets, two samples
        real_poses = poses[:, [0, first + 1, step + 1, second + 1]].transpose(0, 1)
        maps = gaussian_maps(torch.cat([real_poses, sampled]), config.imsize)                       # (6, B, J, S, S)
        source_maps, first_maps, step_maps, second_maps, *sampled_maps = maps

        def paint(target_maps):
            generator = self.trained_generator if torch.is_grad_enabled() else self.generator
            with self.autocast():
                return generator(source, torch.cat([source_maps, target_maps], 1), action)

        losses = dict.fromkeys(LOSSES, torch.zeros((), device=self.device))
        if weights.adversarial:
            for name, real, real_maps, fake_maps in (("d_real", reals[0], first_maps, first_maps),
                                                     ("d_sampled", reals[1], step_maps, sampled_maps[0])):
                # in train mode as published: these passes, too, count in the generator's running statistics
                with torch.no_grad():
                    fake = paint(fake_maps)
                losses[name] = self._step_discriminator(fake, fake_maps, real, real_maps)
        with without_gradient(self.discriminator):
            losses.update(self._step_generator(paint(second_maps), reals[2], masks[:, 0].to(source.dtype), second_maps))
            if weights.adversarial:
                losses["g_sampled"] = weights.adversarial * self._fooled(paint(sampled_maps[1]), sampled_maps[1])[0]
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

    def _step_generator(self, fake, real, mask, maps):
        """Come close to real pictures (B, 3, S, S) with person boxes (B, 1, S, S) and poses' maps (B, J, S, S)."""
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
        losses = {"reconstruction": weights.reconstruction * reconstruction_loss(fake, real, mask, weights.mask),
                  "vgg": weights.vgg * vgg,
                  "g_adversarial": weights.adversarial * adversarial,
                  "features": weights.features * features}
        self.step(sum(losses.values()), ["generator"])
        return losses

    # ---------------------------------------------------------------------------------------------- sampling

    @torch.no_grad()
    def paint(self, source, source_pose, poses, action):
        """Paint poses with a source picture, with the generator in eval mode.

        Args:
            source: (B, 3, S, S) pictures in [-1, 1].
            source_pose: (B, J, 2) normalised.
            poses: (B, T, J, 2) normalised.
            action: (B,) int64 ids.
        Returns:
            (B, T, 3, S, S) pictures in [-1, 1].
        """
        source, source_pose, poses, action = (value.to(self.device) for value in (source, source_pose, poses, action))
        rows = torch.arange(len(poses), device=self.device).repeat_interleave(poses.shape[1])        # (B * T,)
        size, painted, training = source.shape[-1], [], self.generator.training
        source_maps = gaussian_maps(source_pose, size)                                               # (B, J, S, S)
        self.generator.eval()
        try:
            for row, pose in zip(rows.split(PAINT_BATCH), poses.flatten(0, 1).split(PAINT_BATCH)):
                maps = torch.cat([source_maps[row], gaussian_maps(pose, size)], 1)
                with self.autocast():
                    painted.append(self.generator(source[row], maps, action[row]))
        finally:
            self.generator.train(training)
        return torch.cat(painted).unflatten(0, poses.shape[:2])

    @torch.no_grad()
    def sample(self, batch, n, generator=None):
        """Draw and paint `n` possible futures for every row.

        Args:
            batch: `images` (B, >=1, 3, S, S) and `poses` (B, >=1, J, 2), source first, and `action` (B,).
            n: samples a row.
            generator: torch.Generator of the noise; the default leaves training's random state alone.
        Returns:
            :class:`Sample` of (B, n, 4, 3, S, S) videos and the (B, n, 4, J, 2) poses that they show.
        """
        images, poses, action = (batch[key].to(self.device) for key in ("images", "poses", "action"))
        source, pose = images[:, 0], poses[:, 0]
        with self.autocast():
            poses = self.actvae.sample(pose, action, n, STEPS, generator)                            # (B, n, 4, J, 2)
        videos = self.paint(source, pose, poses.flatten(1, 2), action)
        return Sample(videos.unflatten(1, (n, STEPS)), poses)

    # ------------------------------------------------------------------------------------------- checkpoints

    def load_actvae(self, folder):
        """Load the frozen ACT-VAE of `--vae_path`.

        Args:
            folder: a checkpoints folder (its newest complete snapshot is taken), a run's folder with `checkpoints/`,
                or a folder like the authors' `pretrain/`.
        Returns:
            the files that were loaded, part -> Path.
        Raises:
            UserError: nothing of this kind there, or a network of another size.
        """
        files = find_actvae(folder)
        for name, path in files.items():
            load_part(path, self.parts[name])
        return files

    def load_pretrained(self, folder):
        """Load a folder like the authors' `pretrain/`, which lacks the discriminator: `classifier.pt` is optional."""
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f"{folder}: there is no such folder with pretrained weights")
        for name, module in self.parts.items():
            if name != "classifier" or (folder / "classifier.pt").exists():
                load_part(folder / f"{name}.pt", module)
