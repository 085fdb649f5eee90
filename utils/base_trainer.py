"""What the trainers of both modules share: device, precision, optimizers, checkpoints."""
import warnings
from pathlib import Path

import torch
from torch.optim import Adam

from utils import processes
from utils.checkpoint import STATE, load_optimizer, load_part, load_torch, newest_snapshot, save_snapshot
from utils.errors import FailedRun, UserError

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
SMALLEST_SCALE = 1.0      # of the loss in fp16; gradients that overflow even so are no matter of the scale


def check_seed(seed):
    """`seed` as it is; ValueError where it is none."""
    if not isinstance(seed, int) or not 0 <= seed < 2 ** 31:
        raise ValueError("its seed is no number from 0 to 2147483647")
    return seed


class NotFinite(Exception):
    """A loss or a gradient is infinite or not a number."""


def choose_device(name):
    """`auto`, `cpu`, `cuda`, `cuda:1`, ... -> torch.device; raises :class:`UserError` if it is not there.

    Of several processes on one machine, each takes a CUDA device of its own.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if processes.count() > 1 and name.startswith("cuda"):
        if name != "cuda":
            raise UserError(f"device {name!r}: of several processes each takes a device of its own; write cuda")
        name = str(processes.local_device())
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
        self.parts, self.optimizers = {}, {}
        self.iteration, self.seed = 0, seed
        torch.manual_seed(seed)                                              # initial weights

    def add_optimizer(self, name, module):
        """Adam with the published numbers (SPEC section 3)."""
        config = self.config
        self.optimizers[name] = Adam(module.parameters(), lr=config.lr, betas=(config.beta1, config.beta2),
                                     weight_decay=config.weight_decay, fused=True)

    def _learning_rate(self):
        """The learning rate of the next iteration."""
        config = self.config
        return config.lr * (config.gamma ** (self.iteration // config.step_size) if config.lr_policy == "step" else 1)

    def autocast(self):
        """Context in which the networks run in the configured precision."""
        return torch.autocast(self.device.type, self.autocast_type, enabled=self.autocast_type is not None)

    def step(self, loss, names):
        """Back-propagate `loss` and step the optimizers `names`.

        Raises:
            NotFinite: in any of the processes; the optimizers have not been stepped. In fp16 gradients may overflow: then
                the scaler leaves out the step by itself and scales the next loss less.
        """
        for name in names:
            self.optimizers[name].zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        finite = loss.isfinite()
        if not self.scaler.is_enabled():
            finite = finite & torch.nn.utils.get_total_norm(self._gradients(names)).isfinite()
        if processes.greatest(int(not finite)):
            raise NotFinite("the loss is not finite" if not loss.isfinite() else "a gradient is not finite")
        for name in names:
            self.scaler.step(self.optimizers[name])
        scale = self.scaler.get_scale()
        self.scaler.update()
        if self.scaler.get_scale() < scale <= SMALLEST_SCALE:
            self.scaler.update(SMALLEST_SCALE)
            raise NotFinite("gradients overflow however little the loss is scaled")

    def _gradients(self, names):
        return [parameter.grad for name in names for group in self.optimizers[name].param_groups
                for parameter in group["params"] if parameter.grad is not None]

    def buffers(self):
        """Copies of the networks' buffers, which a bad batch spoils even if no optimizer steps; for :meth:`skip`."""
        return [(buffer, buffer.clone()) for module in self.parts.values() for buffer in module.buffers()]

    def skip(self, buffers):
        """Leave out what is left of an iteration and put back what :meth:`buffers` kept."""
        for buffer, value in buffers:
            buffer.copy_(value)
        self.end_iteration()

    def own_noise(self, noise, rows):
        """Of the whole batch's noise (T, n * B, Z), for n roll-outs, the share of this process: (T, n * `rows`, Z)."""
        everyone = rows * processes.count()
        return noise.unflatten(1, (-1, everyone))[:, :, processes.share(everyone)].flatten(1, 2)

    def end_iteration(self):
        """Count the iteration; the learning rate follows, after the optimizers have stepped (defect D8)."""
        self.iteration += 1
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self._learning_rate()

    def save(self, checkpoint_dir, iteration, epoch):
        """Write a snapshot: the published files and the training state. Raises :class:`FailedRun`."""
        for name, module in self.parts.items():
            if not torch.nn.utils.get_total_norm(module.parameters()).isfinite():
                raise FailedRun(f"the weights of {name} are not finite after iteration {iteration}, so they were not saved; "
                                "earlier snapshots are as they were")
        save_snapshot(checkpoint_dir, iteration, epoch, self.parts, self.optimizers, {
            "seed": self.seed,
            "scaler": self.scaler.state_dict(),
            "random": self.random.get_state(),
        }, self.config.keep_last, self.config.keep_every)

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
        self.iteration = snapshot.iteration
        if not weights_only:
            self._load_training_state(snapshot, Path(checkpoint_dir))
        return snapshot

    def _load_training_state(self, snapshot, folder):
        path = snapshot.files.get(STATE, folder / "optimizer.pt")
        if STATE not in snapshot.files and any(folder.glob(f"*_{STATE}_*.pt")):
            warnings.warn(f"{folder}: the training state of iteration {snapshot.iteration} is gone; the optimizers are those of "
                          "the newest snapshot", stacklevel=2)
        state = load_torch(path)
        try:
            saved = dict(state["optimizers"] if STATE in snapshot.files else state)
            if STATE in snapshot.files:
                self.seed = check_seed(state["seed"])
                self.random.set_state(state["random"])
                if state["scaler"]:
                    self.scaler.load_state_dict({name: type(value)(state["scaler"][name])
                                                 for name, value in self.scaler.state_dict().items()})
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise UserError(f"{path}: not the training state of this configuration ({error})") from None
        for name, optimizer in self.optimizers.items():
            load_optimizer(path, optimizer, saved.get(name))
            for group in optimizer.param_groups:
                group["lr"] = self._learning_rate()

    def load_pretrained(self, folder):
        """Load a folder like the authors' `pretrain/`: `<part>.pt` for every part that it is made of."""
        if not Path(folder).is_dir():
            raise UserError(f"{folder}: there is no such folder with pretrained weights")
        for name, module in self.parts.items():
            load_part(Path(folder) / f"{name}.pt", module)
