"""Training and painting of P2I, the pose-to-image module, on top of a frozen pose module (published system, "P2I")."""
from contextlib import contextmanager

import torch

from model_variants import build_generator
from network_actvae import build_pose_module
from network_actvae_p2inetwork import (
    arm_weights,
    build_discriminator,
    energy_loss,
    feature_loss,
    gradient_loss,
    near_weights,
    person_loss,
    silhouette_loss,
    ssim_loss,
    weighted_l1,
)
from networks.layers import at_least_float32, evaluating
from training.batchnorm import synchronise
from training.painting import paint
from training.prediction import Prediction
from training.trainer import BaseTrainer
from utils import processes
from utils.errors import UserError
from utils.heatmap import gaussian_maps

LOSSES = ("d_real", "d_sampled", "reconstruction", "vgg", "g_adversarial", "features", "g_sampled")
ADVERSARIAL = ("d_real", "d_sampled", "g_adversarial", "g_sampled")      # of these, the weight is `image_loss.adversarial`


def draw_frame_indices(generator, targets, steps):
    """Indices (k1, r, k3) from 0: target of the first update, step of the roll-outs, target of the third update."""
    return tuple(int(torch.randint(limit, (), generator=generator)) for limit in (targets, steps, targets))


@contextmanager
def without_gradient(*modules):
    """Freeze the weights of some modules for the time of a `with` block; gradients still flow through them."""
    for module in modules:
        module.requires_grad_(False)
    try:
        yield
    finally:
        for module in modules:
            module.requires_grad_(True)


class Trainer(BaseTrainer):
    """Generator, discriminator and their optimizers; the pose module and VGG are frozen.

    Raises:
        UserError: a picture size that the networks cannot halve, or no VGG weights.
    """

    keys = (*BaseTrainer.keys, "generator", "discriminator")
    optional = ("classifier",)                               # the authors' `pretrain/` lacks the discriminator
    paints = True
    unused = ("pose_loss", "augment")
    draw_frame_indices = staticmethod(draw_frame_indices)

    def __init__(self, config, seed=7, trains=True):
        super().__init__(config, seed, trains)
        actions, weights = len(config.actions), config.image_loss
        self.actvae = self.pose_module = build_pose_module(config.actvae, actions).to(self.device).eval().requires_grad_(False)
        self.generator = self._place(build_generator(config.generator, actions))
        self.plate, self.any_size = self.generator.plate, self.generator.any_size
        self.cuts_out = self.any_size and self.generator.uses_mask
        self.judges_person = bool(weights.person or weights.silhouette)       # in front of the true surroundings, without a plate
        self.training_plate = None if self.judges_person else self.plate
        if config.pairs == "anywhere":
            self.draw_frame_indices = None                   # all pictures of a pair are needed
        self.discriminator = self._place(build_discriminator(config.discriminator))
        for network in (self.generator, self.discriminator):
            network.check_size(config.imsize)
        if weights.colours and not self.generator.tells_colours:
            raise UserError(f"image_loss.colours: the generator {config.generator.kind} does not tell its share of own colours; "
                            "leave it 0")
        if self.judges_person and not self.generator.uses_mask:
            raise UserError(f"image_loss.person, image_loss.silhouette: the generator {config.generator.kind} does not cut the "
                            "person out; leave them 0")
        if self.discriminator.cut_out and weights.adversarial and not (weights.person and weights.silhouette):
            raise UserError(f"image_loss.adversarial: the discriminator {config.discriminator.kind} judges cut-out people, which "
                            "image_loss.person and image_loss.silhouette train; give them weights, too")
        self.vgg_loss = None
        if weights.vgg:
            from vgg import VGGLoss  # torchvision is slow to import and not needed otherwise
            self.vgg_loss = self._place(VGGLoss(config.vgg_weights))
        self.parts = {**self.actvae.parts, "generator": self.generator, "classifier": self.discriminator}
        self.add_optimizer("generator", self.generator, self.generator.outer, self.generator.stacked)
        self.add_optimizer("classifier", self.discriminator, lr_factor=self.discriminator.lr_factor,
                           beta1=self.discriminator.beta1)
        # for the passes whose gradients all processes share
        self.trained_generator, self.trained_discriminator = map(processes.ddp, (self.generator, self.discriminator))

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

    def _rollouts(self, pose, before, action, step, steps, noise):
        """The poses at one step of the two roll-outs, (2, B, J, 2); they run as one batch, no further than needed."""
        if noise is None:
            noise = self.training_noise(len(pose), 2, steps)
        noise = noise.to(self.device)[:, :self.actvae.noise_length(step + 1)].transpose(1, 2).flatten(0, 1)     # (2B, L, Z)
        seen = {"before": before.to(self.device).repeat(2, 1, 1)} if self.actvae.history > 1 else {}
        with torch.no_grad(), self.autocast():
            poses = self.actvae.predict(pose.repeat(2, 1, 1), action.repeat(2), step + 1, noise, **seen)
        return poses[:, step].to(pose.dtype).unflatten(0, (2, len(pose)))

    def update(self, batch, picks=None, noise=None):
        """One training iteration: two steps of the discriminator and two of the generator.

        Losses whose weight is 0 are not computed: without the adversarial loss only the first step of the generator remains. With
        a discriminator of cut-out people, that step is followed by one of the discriminator on the same pictures.

        Args:
            batch: `poses` (B, T + 1, J, 2), `action` (B,), `images` (B, T + 1, 3, S, S) and `masks` (B, T, 1, S, S), the
                targets' person boxes. If the data chose the frames already, it has `frame_indices` (B, 3), and `images`
                (B, 4, 3, S, S) and `masks` (B, 1, 1, S, S) of these frames only, see
                :class:`dataset.image_loader2.PennActionPairs`. With pairs from anywhere in a video T is 1, see
                :class:`dataset.mixture.TrainingPairs`. Optionally `plates` (B, 3, S, S), see
                :class:`networks.interfaces.Generator`, and `person_masks`, one for each of the images, which are masks of people.
                For a pose module with a history of 2 also `before` (B, J, 2).
            picks: frame indices (k1, r, k3), see :func:`draw_frame_indices`; None takes the batch's or draws them.
            noise: (2, L, B, Z) of the two roll-outs, or None to draw it.
        Returns:
            dict of the weighted losses as detached 0-dim tensors, without those whose weight is 0.
        Raises:
            NotFinite: see :meth:`step`; steps before the bad one have been done.
        """
        config, weights = self.config, self.config.image_loss
        images, boxes, frames, step, steps = self._chosen_frames(batch, picks)
        images, boxes, poses, action = (value.to(self.device, non_blocking=True)
                                        for value in (images, boxes, batch["poses"], batch["action"]))
        # in one memory layout, whether or not a worker collected them: layouts round differently
        source, *reals = images.contiguous().unbind(1)                                              # (B, 3, S, S) each
        sampled = self._rollouts(poses[:, 0], batch.get("before"), action, step, steps, noise)      # (2, B, J, 2)
        source_pose, *real_poses = poses[:, frames].unbind(1)                                       # (B, J, 2) each
        known = {"plate": batch["plates"].to(self.device, non_blocking=True)} if "plates" in batch else {}
        if self.judges_person:
            known["plate"] = source                          # any: it is not seen
        if self.generator.uses_mask and "person_masks" in batch:
            chosen = slice(None) if "frame_indices" in batch else frames
            person_masks = batch["person_masks"][:, chosen].to(self.device, non_blocking=True)      # (B, 4, 1, S, S)
            known["mask"] = person_masks[:, 0]

        def paint(pose, **options):
            generator = self.trained_generator if torch.is_grad_enabled() else self.generator
            with self.autocast():
                return generator(source, source_pose, pose, action, **known, **options)

        def maps(pose):
            return gaussian_maps(pose, config.imsize)                                               # (B, J, S, S)

        judges_poses = weights.adversarial and not self.discriminator.cut_out
        losses = dict.fromkeys([name for name in LOSSES if judges_poses or not name.endswith("_sampled")],
                               torch.zeros((), device=self.device))
        if judges_poses:
            for name, real, real_pose, fake_pose in (("d_real", reals[0], real_poses[0], real_poses[0]),
                                                     ("d_sampled", reals[1], real_poses[1], sampled[0])):
                # in train mode as published: these passes, too, count in the generator's running statistics
                with torch.no_grad():
                    fake = paint(fake_pose)
                losses[name] = self._step_discriminator(fake, maps(fake_pose), real, maps(real_pose))
        with without_gradient(self.discriminator):
            colours, cut_out, conditions = None, {}, (maps(real_poses[2]),) * 2
            if weights.colours:
                fake, colours = paint(real_poses[2], tell_colours=True)
            elif self.judges_person:
                _, person, silhouette = paint(real_poses[2], tell_person=True)
                fake, cut_out = self._judge_cut_out(person, silhouette, reals[2], person_masks[:, 3], real_poses[2])
                if self.discriminator.cut_out:
                    shown = source * person_masks[:, 0]
                    conditions = [torch.cat([shown, share], 1) for share in (silhouette.detach(), person_masks[:, 3])]
            else:
                fake = paint(real_poses[2])
            if weights.near:
                pixel_weights = near_weights(source_pose, real_poses[2], config.imsize, weights.near)
            else:
                pixel_weights = 1 + weights.mask * boxes[:, 0].to(source.dtype)
            losses.update(self._step_generator(fake, reals[2], pixel_weights, conditions, colours, cut_out))
            if judges_poses:
                adversarial = self._generator_adversarial_loss(paint(sampled[1]), maps(sampled[1]))[0]
                losses["g_sampled"] = weights.adversarial * adversarial
                self.step(losses["g_sampled"], ["generator"])
        if weights.adversarial and self.discriminator.cut_out and self.discriminator.share(self.iteration):
            losses["d_real"] = self._step_discriminator(fake.detach(), conditions[0], reals[2], conditions[1])
        self.end_iteration()
        return {name: loss.detach() for name, loss in losses.items()
                if getattr(weights, "adversarial" if name in ADVERSARIAL else name)}

    def _chosen_frames(self, batch, picks):
        """The frames that an iteration looks at; arguments as of :meth:`update`.

        Returns:
            images (B, 4, 3, S, S): the source and a real picture for each of the first three steps; person boxes (B, 1, 1, S, S)
            of the last one; their four frame numbers; the step r of the roll-outs; the number of steps of a training roll-out.
        """
        images, boxes, targets = batch["images"], batch["masks"], batch["poses"].shape[1] - 1
        steps = self.config.steps if self.config.pairs == "anywhere" else self.actvae.steps(targets)
        if "frame_indices" in batch:
            picks = batch["frame_indices"][0].tolist()
        elif picks is None:
            picks = draw_frame_indices(self.random, targets, steps)
        first, step, third = map(int, picks)
        frames = [0, first + 1, min(step + 1, targets), third + 1]          # a pair has one target, for all updates
        if "frame_indices" not in batch:
            images, boxes = images[:, frames], boxes[:, third:third + 1]
        return images, boxes, frames, step, steps

    def _step_discriminator(self, fake, fake_condition, real, real_condition):
        """One step on painted and real pictures (B, 3, S, S), each judged with its condition (B, ., S, S)."""
        with self.autocast():
            judged_fake = self.trained_discriminator(fake, fake_condition)[0]    # apart: each has its own batch statistics
            judged_real = self.trained_discriminator(real, real_condition)[0]
        loss = self.config.image_loss.adversarial * self.discriminator.loss(judged_fake, judged_real)
        self.step(loss, ["classifier"])
        return loss.detach()

    def _generator_adversarial_loss(self, fake, condition):
        """The generator's adversarial loss on painted pictures, 0-dim, and the discriminator's features of them."""
        with self.autocast():
            judged, features = self.discriminator(fake, condition)
        return self.discriminator.generator_loss(judged), features

    def _judge_cut_out(self, person, silhouette, real, mask, pose):
        """What the losses look at if the person is cut out.

        Args:
            person, real: (B, 3, S, S).
            silhouette, mask: (B, 1, S, S).
            pose: (B, J, 2), the person's in `real`.
        Returns:
            (B, 3, S, S), the person in front of the true surroundings, so that nothing but the person is judged; and the
            weighted losses of the person alone. The silhouette learns from its own loss only, see :func:`person_loss`.
        """
        weights, share = self.config.image_loss, at_least_float32(silhouette).detach()
        return torch.lerp(real, at_least_float32(person), share), {
            "person": weights.person * person_loss(person, real, mask, share),
            "silhouette": weights.silhouette * silhouette_loss(silhouette, mask, arm_weights(pose, real.shape[-1], weights.arms))}

    def _step_generator(self, fake, real, pixel_weights, conditions, colours=None, others=None):
        """One step towards real pictures.

        Args:
            fake, real: (B, 3, S, S).
            pixel_weights: (B, 1, S, S): larger inside the person box or, with `image_loss.near`, on the person's parts.
            conditions: (B, ., S, S) of the discriminator for `fake` and for `real`.
            colours: (B, 1, S, S), the share of the generator's own colours, or None.
            others: dict of further weighted losses.
        Returns:
            dict of the weighted losses.
        """
        weights = self.config.image_loss
        adversarial = vgg = features = torch.zeros((), device=self.device)        # of losses whose weight is 0
        share = self.discriminator.share(self.iteration)
        if share and (weights.adversarial or weights.features):
            adversarial, fake_features = self._generator_adversarial_loss(fake, conditions[0])
        if share and weights.features:
            with torch.no_grad(), self.autocast():
                real_features = self.discriminator(real, conditions[1], judge=False)[1]
            features = feature_loss(fake_features, real_features)
        if self.vgg_loss:
            with self.autocast():
                vgg = self.vgg_loss(fake, real)
        losses = {"reconstruction": weights.reconstruction * weighted_l1(fake, real, pixel_weights),
                  "vgg": weights.vgg * vgg,
                  "g_adversarial": share * weights.adversarial * adversarial,
                  "features": share * weights.features * features}
        if weights.gradient:
            losses["gradient"] = weights.gradient * gradient_loss(fake, real)
        if weights.ssim:
            losses["ssim"] = weights.ssim * ssim_loss(fake, real)
        if weights.energy:
            losses["energy"] = weights.energy * energy_loss(fake, real)
        if weights.colours:
            losses["colours"] = weights.colours * (pixel_weights * at_least_float32(colours)).mean()
        losses |= others or {}
        self.step(sum(losses.values()), ["generator"])
        return losses

    # ---------------------------------------------------------------------------------------------- sampling

    @contextmanager
    def _painting(self):
        """The generator in eval mode with its EMA's weights, for the time of a `with` block without gradients."""
        with torch.no_grad(), self.ema.applied(), evaluating(self.generator) as generator, self.autocast():
            yield generator

    def _used_mask(self, mask):
        return {"mask": mask.to(self.device)} if mask is not None and self.generator.uses_mask else {}

    def prepare(self, source, source_pose, mask=None, plate=None, held=None):
        """What several calls of :meth:`paint` with the same sources can share; None for generators that prepare nothing.

        `plate` is that of the sources for generators that use one, see :class:`networks.interfaces.Generator`, or None.
        `held` is the part of the mask that the hands hold, for generators that use masks, or None.
        """
        if not self.any_size:
            return None
        known = self._used_mask(mask) | ({} if plate is None or self.plate is None else {"plate": plate.to(self.device)})
        known |= {} if held is None or not self.generator.uses_mask else {"held": held.to(self.device)}
        with self._painting() as generator:
            return generator.prepare(source.to(self.device), source_pose.to(self.device), **known)

    def take_apart(self, prepared):
        """The parts of prepared people, with a generator of which `cuts_out` says that it has them: (B, parts, 4, P, P)."""
        return self.generator.take_apart(prepared)

    def paint(self, source, source_pose, poses, action, size=None, mask=None, prepared=None, alone=False):
        """Paint poses with a source picture, with the generator in eval mode.

        Args:
            source: (B, 3, S, S) pictures in [-1, 1]; of a generator that paints pictures of any side, of any side P.
            source_pose: (B, J, 2) normalised.
            poses: (B, T, J, 2) normalised.
            action: (B,) int64 ids.
            size: side of the result; None: that of the source.
            mask: None or (B, 1, P, P) in [0, 1], 1 where the source shows its person; generators that use none ignore it.
            prepared: of :meth:`prepare` for these sources, which then are not prepared again; None prepares them.
            alone: whether people are painted without a background, with a generator of which `cuts_out` says that it can.
        Returns:
            (B, T, 3, size, size) pictures in [-1, 1]; with `alone` (B, T, 4, size, size), colours and silhouette.
        Raises:
            UserError: a side below 1, or another than the source's with a generator that paints only that.
        """
        size = source.shape[-1] if size is None else size
        if size != source.shape[-1]:
            self.check_paint_size(size)
        inputs = [value.to(self.device) for value in (source, source_pose, poses, action)]
        with self._painting() as generator:
            return paint(generator, *inputs, size, **self._used_mask(mask), prepared=prepared, alone=alone)

    def predict(self, source, n, steps=None, seed=7, painted=None, size=None):
        """As :meth:`BaseTrainer.predict`, and paint the first `painted` samples of each row in `size`, see :meth:`paint`, which
        needs `source.image`."""
        poses = super().predict(source, n, steps, seed).poses                                        # (B, n, T, J, 2)
        shown = poses[:, :painted]
        if not shown.numel():
            return Prediction(poses, None)
        videos = self.paint(source.image, source.pose, shown.flatten(1, 2), source.action, size).cpu()
        return Prediction(poses, videos.unflatten(1, shown.shape[1:3]))
