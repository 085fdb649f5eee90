"""What the trainers of both modules share: device, precision, optimizers, checkpoints."""
from pathlib import Path

import torch
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR, StepLR

from utils.checkpoint import STATE, load_part, load_torch, newest_snapshot, save_snapshot
from utils.errors import UserError

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name):
    """`auto`, `cpu`, `cuda`, `cuda:1`, ... -> torch.device; raises :class:`UserError` if it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).cpu()
        return torch.device(name)
    except Exception as error:                     # every kind of device fails in a way of its own
        raise UserError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from None


class BaseTrainer:
    """Networks, optimizers and their files.

    A subclass sets `parts` (published checkpoint name -> module) and calls :meth:`add_optimizer` for each of them that
    is trained.
    """

    def __init__(self, config, seed=7):
        self.config = config
        self.device = choose_device(config.device)
        self.autocast_type = AUTOCAST.get(config.precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.precision == "fp16")
        self.random = torch.Generator().manual_seed(seed)                    # all noise of training; on the CPU, so
        # that a run is the same on every device
        self.parts, self.optimizers, self.schedulers = {}, {}, {}
        self.iteration, self.seed = 0, seed
        self.notices = []                                                    # for the log of a run
        torch.manual_seed(seed)                                              # initial weights

    def add_optimizer(self, name, module):
        """Adam and its learning-rate schedule with the published numbers (SPEC section 3)."""
        config = self.config
        optimizer = Adam(module.parameters(), lr=config.lr, betas=(config.beta1, config.beta2),
                         weight_decay=config.weight_decay, fused=True)
        self.optimizers[name] = optimizer
        self.schedulers[name] = (StepLR(optimizer, config.step_size, config.gamma) if config.lr_policy == "step"
                                 else LambdaLR(optimizer, lambda iteration: 1.0))

    def autocast(self):
        """Context in which the networks run in the configured precision."""
        return torch.autocast(self.device.type, self.autocast_type, enabled=self.autocast_type is not None)

    def step(self, loss, names):
        """Back-propagate `loss` and step the optimizers `names`."""
        for name in names:
            self.optimizers[name].zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        for name in names:
            self.scaler.step(self.optimizers[name])
        self.scaler.update()

    def end_iteration(self):
        """Advance the schedules, after the optimizers (defect D8)."""
        self.iteration += 1
        for name, scheduler in self.schedulers.items():
            if self.optimizers[name].state:                  # else it has no part in this run (a loss of weight 0)
                scheduler.step()

    def save(self, checkpoint_dir, iteration, epoch):
        """Write a snapshot: the published files and the training state."""
        save_snapshot(checkpoint_dir, iteration, epoch, self.parts, self.optimizers, {
            "seed": self.seed,
            "scaler": self.scaler.state_dict(),
            "random": self.random.get_state(),
        })

    def resume(self, checkpoint_dir, weights_only=False):
        """Load the newest complete snapshot of a folder.

        Folders of the published system, which lack the training state, resume with `optimizer.pt`.

        Args:
            checkpoint_dir: the folder.
            weights_only: for testing: leave the optimizers alone.
        Returns:
            the :class:`utils.checkpoint.Snapshot` that was loaded.
        """
        snapshot = newest_snapshot(checkpoint_dir, self.parts)
        for name, module in self.parts.items():
            load_part(snapshot.files[name], module)
        if not weights_only:
            self._load_training_state(snapshot, Path(checkpoint_dir))
        self.iteration = snapshot.iteration
        return snapshot

    def _load_training_state(self, snapshot, folder):
        config, path = self.config, snapshot.files.get(STATE, folder / "optimizer.pt")
        decay = config.gamma ** (snapshot.iteration // config.step_size) if config.lr_policy == "step" else 1
        state = load_torch(path)
        try:
            for name, optimizer in self.optimizers.items():
                saved = (state["optimizers"] if STATE in snapshot.files else state)[name]
                for group in saved["param_groups"]:                      # numbers are the configuration's
                    group.update(lr=config.lr * decay, betas=(config.beta1, config.beta2), weight_decay=config.weight_decay,
                                 fused=True, foreach=None)
                optimizer.load_state_dict(saved)
            if STATE in snapshot.files:
                self.seed = state["seed"]
                if state["scaler"]:
                    self.scaler.load_state_dict(state["scaler"])
                self.random.set_state(state["random"])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise UserError(f"{path}: not the training state of this configuration ({error})") from None
        for scheduler in self.schedulers.values():
            scheduler.last_epoch = snapshot.iteration
            scheduler._last_lr = [group["lr"] for group in scheduler.optimizer.param_groups]

    def load_pretrained(self, folder):
        """Load a folder like the authors' `pretrain/`: `<part>.pt` for every part that it is made of."""
        if not Path(folder).is_dir():
            raise UserError(f"{folder}: there is no such folder with pretrained weights")
        for name, module in self.parts.items():
            load_part(Path(folder) / f"{name}.pt", module)
