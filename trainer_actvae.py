"""Training and sampling of the pose modules (published system, "ACT-VAE")."""
import torch

from network_actvae import build_pose_module
from training.augment import Views, augment, draw_views
from training.trainer import BaseTrainer
from utils import processes
from utils.errors import UserError
from utils.schema import PoseLossConfig


class Trainer(BaseTrainer):
    """A pose module and an optimizer for each of its parts."""

    def __init__(self, config, seed=7, trains=True):
        super().__init__(config, seed, trains)
        self.model = self.pose_module = build_pose_module(config.actvae, len(config.actions)).to(self.device)
        idle = [name for name, value in vars(config.pose_loss).items()
                if name not in self.model.weighted and value != getattr(PoseLossConfig, name)]
        if idle and trains:
            raise UserError(f"pose_loss.{idle[0]}: the pose module {config.actvae.kind} has no such loss; leave this key out")
        self.parts = dict(self.model.parts)
        for name, module in self.parts.items():
            self.add_optimizer(name, module)
        self.losses_of = processes.ddp(self.model)

    def losses(self, batch, noise=None):
        """The weighted loss terms of a batch.

        Args:
            batch: `poses` (B, T + 1, J, 2), `action` (B,), `valid_steps` (B,) if windows repeat their last pose, and with
                `augment.recrop` also `extent` (B, 2). Each process has its part of the batch.
            noise: (R, L, B, Z) of the R roll-outs of a window, published (3, 5, B, 512), or None to draw it.
        Returns:
            dict of 0-dim tensors. Their mean over the processes is the loss of the whole batch; with `mixture` only nearly,
            since each process normalises the weights of its own windows and draws its own steps.
        """
        poses, valid_steps, targets = batch["poses"], batch.get("valid_steps"), batch["poses"].shape[1] - 1
        if any(vars(self.config.augment).values()):
            everyone = len(poses) * processes.world_size()       # drawn for the windows of all processes, like noise
            views = draw_views(everyone, self.config.augment, self.random, poses.dtype)
            views = Views(*(value[processes.shard(everyone)] for value in views))
            valid_steps = torch.full((len(poses),), targets) if valid_steps is None else valid_steps
            poses, valid_steps = augment(poses, valid_steps, views, batch["extent"] if self.config.augment.recrop else None)
        poses, action = (value.to(self.device, non_blocking=True) for value in (poses, batch["action"]))
        valid_steps = valid_steps if valid_steps is None else valid_steps.to(self.device, non_blocking=True)
        if noise is None:
            noise = self.training_noise(len(poses), self.model.rollouts(targets), self.model.steps(targets))
        if self.model.random:                                    # so that dropout, too, depends on the run's own random state
            torch.manual_seed(int(torch.randint(2 ** 62, (), generator=self.random)) + processes.rank())
        with self.autocast():
            losses = self.losses_of(poses, action, noise.to(self.device, non_blocking=True), valid_steps)
        weights = vars(self.config.pose_loss)
        # DDP averages over the processes; a term that is a sum over the batch must stay a sum
        return {name: weights.get(name, 1) * (loss * processes.world_size() if name in self.model.summed else loss)
                for name, loss in losses.items()}

    def update(self, batch, noise=None):
        """One training iteration; returns the weighted losses as detached 0-dim tensors, without those whose weight is 0."""
        losses = self.losses(batch, noise)
        self.step(sum(losses.values()), self.parts)
        self.end_iteration()
        weights = vars(self.config.pose_loss)
        return {name: loss.detach() for name, loss in losses.items() if weights.get(name, 1)}
