"""Training and rendering of P2I, the pose-to-image module, on top of a frozen pose module (published system, "P2I").

Axes: B batch, T targets, J joints, S picture side.
"""
from contextlib import contextmanager
from typing import NamedTuple

import torch

import network_actvae_p2inetwork as p2i
from model_variants import build_generator
from network_actvae import build_pose_module
from networks.layers import at_least_float32, evaluating, without_gradient
from training.batchnorm import synchronise
from training.prediction import Prediction
from training.rendering import render
from training.trainer import BaseTrainer
from utils import processes
from utils.errors import UserError
from utils.heatmap import gaussian_maps

ADVERSARIAL = ("d_real", "d_sampled", "g_adversarial", "g_sampled")      # losses with the weight `image_loss.adversarial`


class Frames(NamedTuple):
    """What the published iteration looks at: a source, and the targets k1, r and k3 of its first three updates."""

    source: torch.Tensor                   # (B, 3, S, S)
    source_pose: torch.Tensor              # (B, J, 2)
    pictures: list[torch.Tensor]           # three of (B, 3, S, S)
    poses: list[torch.Tensor]              # three of (B, J, 2)
    box: torch.Tensor                      # (B, 1, S, S) 1 inside the person box of k3
    action: torch.Tensor                   # (B,)
    mask: torch.Tensor | None = None       # (B, 1, S, S) of the source's person, for generators that use it


class Pair(NamedTuple):
    """What the cut-out iteration looks at: two frames of a video."""

    source: torch.Tensor                   # (B, 3, S, S)
    source_pose: torch.Tensor              # (B, J, 2)
    source_mask: torch.Tensor              # (B, 1, S, S) in [0, 1]
    target: torch.Tensor                   # (B, 3, S, S)
    target_pose: torch.Tensor              # (B, J, 2)
    target_mask: torch.Tensor              # (B, 1, S, S) in [0, 1]
    action: torch.Tensor                   # (B,)


def draw_frame_indices(generator, targets, steps):
    """Indices (k1, r, k3) from 0: target of the first update, step of the roll-outs, target of the third update."""
    return tuple(int(torch.randint(limit, (), generator=generator)) for limit in (targets, steps, targets))


class Trainer(BaseTrainer):
    """Generator, discriminator and their optimizers; the pose module and VGG are frozen.

    Raises:
        UserError: a picture size that the networks cannot halve, losses that the networks cannot have, or no VGG weights.
    """

    keys = (*BaseTrainer.keys, "generator", "discriminator")
    optional = ("classifier",)                               # the authors' `pretrain/` lacks the discriminator
    renders = True
    unused = ("pose_loss", "augment")
    draw_frame_indices = staticmethod(draw_frame_indices)

    def __init__(self, config, seed=7, trains=True):
        super().__init__(config, seed, trains)
        actions, weights = len(config.actions), config.image_loss
        self.actvae = self.pose_module = build_pose_module(config.actvae, actions).to(self.device).eval().requires_grad_(False)
        self.generator = self._place(build_generator(config.generator, actions))
        self.background, self.any_size = self.generator.background, self.generator.any_size
        self.cuts_out = self.any_size and self.generator.uses_mask
        self.trains_person = bool(weights.person or weights.silhouette)          # the cut-out iteration, not the published one
        if config.pairs == "anywhere":
            self.draw_frame_indices = None                   # both pictures of a pair are needed
        self.discriminator = self._place(p2i.build_discriminator(config.discriminator))
        for network in (self.generator, self.discriminator):
            network.check_size(config.imsize)
        if self.trains_person and not self.generator.uses_mask:
            raise UserError(f"image_loss.person, image_loss.silhouette: the generator {config.generator.kind} does not cut the "
                            "person out; leave them 0")
        if (weights.adversarial or weights.features) and self.discriminator.judges_person != self.trains_person:
            raise UserError("image_loss.adversarial, image_loss.features: the discriminator patch belongs to image_loss.person "
                            "and image_loss.silhouette, and the discriminator pose to the other losses")
        if weights.arms and not weights.silhouette:
            raise UserError("image_loss.arms weighs pixels of image_loss.silhouette, which is 0; set arms to 0 as well")
        self.vgg_loss = None
        if weights.vgg:
            from vgg import VGGLoss  # torchvision is slow to import and not needed otherwise
            self.vgg_loss = self._place(VGGLoss(config.vgg_weights))
        self.parts = {**self.actvae.parts, "generator": self.generator, "classifier": self.discriminator}
        self.add_optimizer("generator", self.generator)
        self.add_optimizer("classifier", self.discriminator, lr_factor=self.discriminator.lr_factor,
                           beta1=self.discriminator.beta1)
        # for the passes whose gradients all processes share
        self.trained_generator, self.trained_discriminator = map(processes.ddp, (self.generator, self.discriminator))

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

    # ---- training ----

    def update(self, batch, picks=None, noise=None):
        """One training iteration: :meth:`update_published`, or :meth:`update_person` if the losses ask for it.

        Args:
            batch: collated items of :class:`dataset.image_loader2.PennActionPairs` or :class:`dataset.mixture.TrainingPairs`.
                With `frame_indices` (B, 3), `images` and `person_masks` hold only the source and the targets k1, r and k3, and
                `masks` only k3.
            picks: frame indices (k1, r, k3), see :func:`draw_frame_indices`; None takes the batch's or draws them.
            noise: (2, L, B, Z) of the two roll-outs, or None to draw it.
        Returns:
            dict of the weighted losses as detached 0-dim tensors, without those whose weight is 0.
        Raises:
            NotFinite: see :meth:`step`; steps before the bad one have been done.
        """
        targets, fetched = batch["poses"].shape[1] - 1, "frame_indices" in batch
        steps = self.config.steps if self.config.pairs == "anywhere" else self.actvae.steps(targets)
        if fetched or picks is None:
            picks = batch["frame_indices"][0] if fetched else draw_frame_indices(self.random, targets, steps)
        first, step, third = map(int, picks)
        frames = [0, first + 1, min(step + 1, targets), third + 1]          # a pair has one target, for all updates

        def chosen(name):
            # in one memory layout, whether or not a worker collected them: layouts round differently
            values = batch[name] if fetched else batch[name][:, frames]
            return values.to(self.device, non_blocking=True).contiguous().unbind(1)

        (source, *pictures), action = chosen("images"), batch["action"].to(self.device, non_blocking=True)
        source_pose, *poses = batch["poses"][:, frames].to(self.device, non_blocking=True).unbind(1)
        if self.trains_person:
            masks = chosen("person_masks")
            losses = self.update_person(Pair(source, source_pose, masks[0], pictures[2], poses[2], masks[3], action))
        else:
            box = (batch["masks"] if fetched else batch["masks"][:, third:third + 1])[:, 0].to(self.device, non_blocking=True)
            mask = chosen("person_masks")[0] if self.generator.uses_mask and "person_masks" in batch else None
            losses = self.update_published(Frames(source, source_pose, pictures, poses, box, action, mask), step, steps, noise)
        self.end_iteration()
        weights = vars(self.config.image_loss)
        return {name: loss.detach() for name, loss in losses.items() if weights["adversarial" if name in ADVERSARIAL else name]}

    def update_published(self, frames, step, steps, noise=None):
        """The published iteration: two steps of the discriminator and two of the generator; without adversarial loss one of the
        generator alone.

        Args:
            frames: :class:`Frames`.
            step: r, the step of the roll-outs that is rendered.
            steps: number of steps of a training roll-out.
            noise: as for :meth:`update`.
        """
        weights = self.config.image_loss
        (first, second, third), (first_pose, second_pose, third_pose) = frames.pictures, frames.poses

        known = {} if frames.mask is None else {"mask": frames.mask}

        def render(pose):
            # also without gradients in train mode, as published: all passes count in the running statistics
            generator = self.trained_generator if torch.is_grad_enabled() else self.generator
            with self.autocast():
                return generator(frames.source, frames.source_pose, pose, frames.action, **known)

        def maps(pose):
            return gaussian_maps(pose, self.config.imsize)                                          # (B, J, S, S)

        losses = {}
        if weights.adversarial:
            sampled = self._roll_out(frames.source_pose, frames.action, step, steps, noise)         # (2, B, J, 2)
            for name, fake_pose, real, real_pose in (("d_real", first_pose, first, first_pose),
                                                     ("d_sampled", sampled[0], second, second_pose)):
                with torch.no_grad():
                    fake = render(fake_pose)
                losses[name] = self._step_discriminator(fake, maps(fake_pose), real, maps(real_pose))
        with without_gradient(self.discriminator):
            fake, condition = render(third_pose), maps(third_pose)
            terms = self._picture_losses(fake, third, 1 + weights.mask * frames.box.to(third.dtype))
            terms |= self._discriminator_losses(fake, condition, third, condition)
            self.step(sum(terms.values()), ["generator"])
            losses |= terms
            if weights.adversarial:
                fake, condition = render(sampled[1]), maps(sampled[1])
                with self.autocast():
                    judged, _ = self.discriminator(fake, condition)
                losses["g_sampled"] = weights.adversarial * self.discriminator.generator_loss(judged)
                self.step(losses["g_sampled"], ["generator"])
        return losses

    def update_person(self, pair):
        """The iteration of a generator that cuts the person out: a step of the generator, then one of the discriminator.

        The person is rendered in front of the target's true surroundings, so that nothing but the person is judged. The
        silhouette learns from its own loss alone, see :func:`network_actvae_p2inetwork.person_loss`. `pair` is a :class:`Pair`.
        """
        weights = self.config.image_loss
        with self.autocast():
            _, person, silhouette = self.trained_generator(
                pair.source, pair.source_pose, pair.target_pose, pair.action, mask=pair.source_mask,
                background=pair.source, return_person=True)                       # the background is not looked at
        alpha = at_least_float32(silhouette).detach()
        fake = torch.lerp(pair.target, at_least_float32(person), alpha)
        pixels = p2i.arm_weights(pair.target_pose, pair.target.shape[-1], weights.arms)
        shown = pair.source * pair.source_mask
        fake_condition, condition = (torch.cat([shown, mask], 1) for mask in (silhouette.detach(), pair.target_mask))
        losses = self._picture_losses(fake, pair.target)
        losses["person"] = weights.person * p2i.person_loss(person, pair.target, pair.target_mask, alpha)
        losses["silhouette"] = weights.silhouette * p2i.silhouette_loss(silhouette, pair.target_mask, pixels)
        with without_gradient(self.discriminator):
            losses |= self._discriminator_losses(fake, fake_condition, pair.target, condition)
            self.step(sum(losses.values()), ["generator"])
        starts = weights.adversarial and self.discriminator.weight(self.iteration)
        losses["d_real"] = (self._step_discriminator(fake.detach(), fake_condition, pair.target, condition) if starts else
                            torch.zeros((), device=self.device))
        return losses

    def _roll_out(self, pose, action, step, steps, noise):
        """The poses at one step of two roll-outs, (2, B, J, 2); they run as one batch, no further than needed."""
        if noise is None:
            noise = self.training_noise(len(pose), 2, steps)
        noise = noise[:, :self.actvae.noise_length(step + 1)].transpose(1, 2).flatten(0, 1)     # (2B, L, Z)
        with torch.no_grad(), self.autocast():
            poses = self.actvae.predict(pose.repeat(2, 1, 1), action.repeat(2), step + 1, noise)
        return poses[:, step].to(pose.dtype).unflatten(0, (2, len(pose)))

    def _step_discriminator(self, fake, fake_condition, real, real_condition):
        """One step on rendered and real pictures, each judged with its condition (B, ., S, S); returns the weighted loss."""
        with self.autocast():
            judged_fake = self.trained_discriminator(fake, fake_condition)[0]    # apart: each has its own batch statistics
            judged_real = self.trained_discriminator(real, real_condition)[0]
        loss = self.config.image_loss.adversarial * self.discriminator.loss(judged_fake, judged_real)
        self.step(loss, ["classifier"])
        return loss.detach()

    def _picture_losses(self, fake, real, pixel_weights=1):
        """The weighted losses of rendered pictures that need no discriminator: name -> 0-dim tensor."""
        weights = self.config.image_loss
        losses = {"reconstruction": weights.reconstruction * p2i.weighted_l1(fake, real, pixel_weights)}
        if self.vgg_loss:
            with self.autocast():
                losses["vgg"] = weights.vgg * self.vgg_loss(fake, real)
        terms = {"gradient": p2i.gradient_loss, "ssim": p2i.ssim_loss, "energy": p2i.energy_loss}
        return losses | {name: weight * term(fake, real) for name, term in terms.items() if (weight := getattr(weights, name))}

    def _discriminator_losses(self, fake, fake_condition, real, real_condition):
        """The weighted losses of rendered pictures that the discriminator gives: name -> 0-dim tensor, 0 before it starts."""
        weights, factor = self.config.image_loss, self.discriminator.weight(self.iteration)
        adversarial = features = torch.zeros((), device=self.device)
        if factor and (weights.adversarial or weights.features):
            with self.autocast():
                judged, fake_features = self.discriminator(fake, fake_condition)
            adversarial = self.discriminator.generator_loss(judged)
            if weights.features:
                with torch.no_grad(), self.autocast():
                    _, real_features = self.discriminator(real, real_condition, judge=False)
                features = p2i.feature_loss(fake_features, real_features)
        return {"g_adversarial": factor * weights.adversarial * adversarial, "features": factor * weights.features * features}

    # ---- rendering ----

    def check_render_size(self, size):
        """Raise :class:`UserError` if pictures cannot be rendered in another size than their source's."""
        if size < 1 or not self.any_size:
            raise UserError(f"pictures of {size} pixels: the generator {self.config.generator.kind} renders " +
                            ("from 1 on" if self.any_size else f"those of its training, {self.config.imsize}"))

    @contextmanager
    def _rendering(self):
        """The generator in eval mode with its EMA weights, without gradients, within a `with` block."""
        with torch.no_grad(), self.ema.applied(), evaluating(self.generator) as generator, self.autocast():
            yield generator

    def prepare(self, source, source_pose, mask=None, background=None, held=None):
        """What several calls of :meth:`render` with the same sources can share; None for generators that prepare nothing.

        Arguments: see :meth:`networks.cutout_generator.CutoutGenerator.prepare`; other generators ignore the last three.
        """
        if not self.any_size:
            return None
        known = {"mask": mask, "background": background, "held": held} if self.cuts_out else {}
        with self._rendering() as generator:
            return generator.prepare(source.to(self.device), source_pose.to(self.device),
                                     **{name: value.to(self.device) for name, value in known.items() if value is not None})

    def part_layers(self, prepared):
        """The parts of prepared people, if the trainer `cuts_out`: (B, parts, 4, P, P)."""
        return self.generator.part_layers(prepared)

    def render(self, source, source_pose, poses, action, size=None, mask=None, prepared=None, alone=False):
        """Render the source's person in other poses, see :func:`training.rendering.render`; `size` is the source's by default.

        Raises:
            UserError: a size below 1, or another than the source's with a generator that renders only that.
        """
        size = source.shape[-1] if size is None else size
        if size != source.shape[-1]:
            self.check_render_size(size)
        inputs = [value.to(self.device) for value in (source, source_pose, poses, action)]
        mask = mask.to(self.device) if mask is not None and self.generator.uses_mask else None
        with self._rendering() as generator:
            return render(generator, *inputs, size, mask, prepared, alone)

    def predict(self, source, n, steps=None, seed=7, rendered=None, size=None):
        """As :meth:`BaseTrainer.predict`, and render the first `rendered` samples of each row from `source.image`."""
        poses = super().predict(source, n, steps, seed).poses                                        # (B, n, T, J, 2)
        shown = poses[:, :rendered]
        if not shown.numel():
            return Prediction(poses, None)
        videos = self.render(source.image, source.pose, shown.flatten(1, 2), source.action, size).cpu()
        return Prediction(poses, videos.unflatten(1, shown.shape[1:3]))
