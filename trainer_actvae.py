"""Training and sampling of ACT-VAE (SPEC section 3)."""
import torch

from network_actvae import ActVAE
from utils import processes
from utils.base_trainer import BaseTrainer

STEPS = 4                                                   # frames that a roll-out predicts
ROLLOUT_TARGETS = ((1, 2, 3, 4), (1, 2, 3, 5), (2, 3, 4, 5))


class Trainer(BaseTrainer):
    """ACT-VAE, its two Adam optimizers, one update and one sample.

    Args:
        config: :class:`utils.config.Config`.
        seed: of the initial weights and of the training noise.
    """

    def __init__(self, config, seed=7):
        super().__init__(config, seed)
        self.model = ActVAE(len(config.actions), z_dim=config.actvae.z_dim).to(self.device)
        self.parts = {"im_encode_content": self.model.decoder, "im_encode_vae": self.model.encoder}
        for name, module in self.parts.items():
            self.add_optimizer(name, module)
        self.rollout = processes.together(self.model)

    def losses(self, batch, noise=None):
        """The loss terms of a batch, already weighted.

        The three roll-outs start from the same source and are compared with different targets; they run as one batch.

        Args:
            batch: `poses` (B, 6, 13, 2) and `action` (B,); of several processes, each has its share.
            noise: (3, 5, B, Z) of the three roll-outs, or None to draw it.
        Returns:
            dict of 0-dim tensors, `kl` (first roll-out only) and `reconstruction` (sum over the three).
            Their mean over the processes is the loss of the whole batch.
        """
        poses, action = (batch[key].to(self.device, non_blocking=True) for key in ("poses", "action"))
        count, rollouts = len(poses), len(ROLLOUT_TARGETS)
        if noise is None:
            noise = self.model.draw_noise(rollouts * count * processes.count(), STEPS, self.random)
            noise = self.own_noise(noise, count)                                                  # (5, 3B, Z)
        else:
            noise = noise.to(self.device).transpose(0, 1).flatten(1, 2)
        target = torch.cat([poses[:, list(frames)] for frames in ROLLOUT_TARGETS])                  # (3B, 4, 13, 2)
        with self.autocast():
            rollout = self.rollout(poses[:, 0].repeat(rollouts, 1, 1), action.repeat(rollouts), STEPS, noise)
        # every roll-out has equally many values, so three means are three times the mean of all
        reconstruction = rollouts * (rollout.pose - target).abs().mean()
        mu, logvar = (value[:, :count].to(poses.dtype) for value in (rollout.mu, rollout.logvar))
        kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum() * processes.count()    # a sum over all rows, not a mean
        return {"kl": self.config.pose_loss.kl * kl, "reconstruction": self.config.pose_loss.reconstruction * reconstruction}

    def update(self, batch, noise=None):
        """One training iteration; returns the weighted losses as detached 0-dim tensors."""
        losses = self.losses(batch, noise)
        self.step(sum(losses.values()), self.optimizers)
        self.end_iteration()
        return {name: loss.detach() for name, loss in losses.items()}

    def sample(self, batch, n, generator=None):
        """Draw `n` possible futures for every row.

        Args:
            batch: `poses` (B, >=1, 13, 2), source first, and `action` (B,).
            n: samples a row.
            generator: torch.Generator of the noise; the default leaves training's random state alone.
        Returns:
            (B, n, 4, 13, 2) normalised poses.
        """
        with self.autocast():
            return self.model.sample(batch["poses"][:, 0].to(self.device), batch["action"].to(self.device), n, STEPS, generator)
