"""Training and sampling of the pose modules (published system, "ACT-VAE")."""
from network_actvae import build_pose_module
from utils import processes
from utils.training.trainer import BaseTrainer


class Trainer(BaseTrainer):
    """A pose module, an Adam optimizer for each of its parts, and one update.

    Args:
        config: :class:`utils.config.Config`.
        seed: of the initial weights and of the training noise.
    """

    def __init__(self, config, seed=7):
        super().__init__(config, seed)
        self.model = self.pose_module = build_pose_module(config.actvae, len(config.actions)).to(self.device)
        self.parts = dict(self.model.parts)
        for name, module in self.parts.items():
            self.add_optimizer(name, module)
        self.losses_of = processes.ddp(self.model)

    def losses(self, batch, noise=None):
        """The loss terms of a batch, already weighted.

        Args:
            batch: `poses` (B, T + 1, J, 2) and `action` (B,); of several processes, each has its share.
            noise: (R, L, B, Z) of the R roll-outs of a row, published (3, 5, B, 512), or None to draw it.
        Returns:
            dict of 0-dim tensors. Their mean over the processes is the loss of the whole batch.
        """
        poses, action = (batch[key].to(self.device, non_blocking=True) for key in ("poses", "action"))
        targets = poses.shape[1] - 1
        if noise is None:
            noise = self.training_noise(len(poses), self.model.rollouts(targets), self.model.steps(targets))
        with self.autocast():
            losses = self.losses_of(poses, action, noise.to(self.device))
        weights = vars(self.config.pose_loss)
        # DDP takes the mean over the processes; what adds up over the rows must not become a mean
        return {name: weights.get(name, 1) * (loss * processes.world_size() if name in self.model.summed else loss)
                for name, loss in losses.items()}

    def update(self, batch, noise=None):
        """One training iteration; returns the weighted losses as detached 0-dim tensors."""
        losses = self.losses(batch, noise)
        self.step(sum(losses.values()), self.optimizers)
        self.end_iteration()
        return {name: loss.detach() for name, loss in losses.items()}
