"""What the trainers of both modules share: device, precision, optimizers, checkpoints."""
import copy
import math
import warnings
from contextlib import contextmanager

import torch
from torch.optim import Adam, AdamW

from networks.layers import evaluating
from training.checkpoints import STATE, load_optimizer, load_part, save_snapshot
from training.muon import Muon
from training.prediction import Prediction, Source, row_noise
from training.weights import find_weights, part_names
from utils import processes
from utils.config import INFERENCE_KEYS, adopt, describe
from utils.errors import FailedRun, UserError
from utils.torch_files import load_torch

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
FUTURES_CHUNK, NOISE_CHUNK = 2048, 1 << 22       # futures and numbers of noise that a prediction works on at once
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
    if processes.world_size() > 1 and name.startswith("cuda"):
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

    A subclass names the blocks of the configuration that its networks come from, sets `pose_module` and `parts` (published
    checkpoint name -> module), calls :meth:`add_optimizer` for each part that is trained, and has one `update`.
    """

    keys = ("actions", "imsize", "actvae")                 # what a snapshot says of its networks
    blocks = ("actvae",)                                   # whose parts a snapshot holds
    optional = ()                                          # parts that pretrained folders may lack
    paints = False                                         # whether it needs pictures
    plate = None                                           # function that makes pictures without their person, if it needs such
    draw_frame_indices = None                                      # see `EpochBatches`
    unused = ("generator", "discriminator", "image_loss", "vgg_weights", "cache", "cache_dir", "channels_last", "compile",
              "sync_batchnorm", "pairs", "pairs_near", "augment_pictures")      # keys of the configuration without effect here

    def __init__(self, config, seed=7, trains=True):
        self.config, self.trains = config, trains
        self.device = choose_device(config.device)
        self.autocast_type = AUTOCAST.get(config.precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.precision == "fp16")
        self.random = torch.Generator().manual_seed(seed)                    # all noise of training; on the CPU, so
        # that a run is the same on every device
        self.parts, self.optimizers = {}, {}
        self.averages, self._averaged = {}, 0                                # part -> name -> mean; whether they are in place
        self.total = None                                                    # iterations, which a cosine policy must know
        self.iteration, self.seed = 0, seed
        self.place = {}                                                      # in the training list, see `EpochBatches`
        torch.manual_seed(seed)                                              # initial weights

    @classmethod
    def find_weights(cls, folder, iteration=None):
        """Weights for this kind of trainer, see :func:`training.weights.find_weights`."""
        return find_weights(folder, cls.keys, lambda networks: part_names(networks, cls.blocks), iteration, cls.optional)

    @staticmethod
    def find_pose_module(options):
        """Weights of a pose module of its own that the options name, or None."""

    def check_targets(self, targets):
        """Raise :class:`UserError` if rows with so many targets cannot be used."""
        if self.pose_module.steps(targets) < 1:
            raise UserError(f"rows of {targets} target cannot be used with the pose module {self.config.actvae.kind}, which "
                            "wants one more than it predicts; write longer ones with `python -m dataset.penn_action --horizon`")

    def add_optimizer(self, part, module):
        """An optimizer for a part: Adam with the published numbers (published system, "ACT-VAE"), or what `optimizer` names.

        `muon` takes the inner matrices and convolutions, see :mod:`training.muon`, and Adam the rest; the network's
        `outer` names its first and last layers.
        """
        if not self.trains:                     # making one costs as much time as importing PyTorch
            return
        config, parameters = self.config, list(module.parameters())
        if config.optimizer == "muon" and getattr(module, "stacked", False):
            raise UserError(f"optimizer: muon takes single matrices, and a tensor of {part} holds those of several networks; "
                            "write adamw")
        if config.optimizer == "muon":
            outer = getattr(module, "outer", ())
            inner = [value for name, value in module.named_parameters()
                     if value.ndim > 1 and name.partition(".")[0] not in outer]
            self.optimizers[f"{part}.muon"] = Muon(inner, config.lr)
            parameters = [value for value in parameters if not any(value is other for other in inner)]
        kind = AdamW if config.optimizer == "adamw" else Adam
        self.optimizers[part] = kind(parameters, lr=config.lr, betas=(config.beta1, config.beta2),
                                     weight_decay=config.weight_decay, fused=True)
        if config.ema:
            self.averages[part] = {name: value.detach().clone() for name, value in module.named_parameters()}

    def optimizers_of(self, parts):
        """The optimizers of some parts."""
        return [optimizer for name, optimizer in self.optimizers.items() if name.partition(".")[0] in parts]

    @contextmanager
    def averaged(self):
        """The trained parts with the mean of their weights (`ema`) instead of the last ones, for the time of a `with` block."""
        last = {}
        if not self._averaged:
            for part, averages in self.averages.items():
                for name, value in self.parts[part].named_parameters():
                    last[value], value.data = value.data, averages[name]
        self._averaged += 1
        try:
            yield
        finally:
            self._averaged -= 1
            for value, data in last.items():
                value.data = data

    def _learning_rate(self):
        """The learning rate of the next iteration."""
        config, factor = self.config, 1.0
        if config.lr_policy == "step":
            factor = config.gamma ** (self.iteration // config.step_size)
        elif config.lr_policy == "cosine" and self.total:
            factor = (1 + math.cos(math.pi * min(1, self.iteration / self.total))) / 2
        return config.lr * factor * min(1, (self.iteration + 1) / (config.warmup_iter + 1))

    def autocast(self):
        """Context in which the networks run in the configured precision."""
        return torch.autocast(self.device.type, self.autocast_type, enabled=self.autocast_type is not None)

    def step(self, loss, names):
        """Back-propagate `loss` and step the optimizers `names`.

        Raises:
            NotFinite: in any of the processes; the optimizers have not been stepped. In fp16 gradients may overflow: then
                the scaler leaves out the step by itself and scales the next loss less.
        """
        optimizers = self.optimizers_of(names)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        norm = None
        if self.config.max_norm:
            for optimizer in optimizers:
                self.scaler.unscale_(optimizer)
            norm = torch.nn.utils.clip_grad_norm_([value for name in names for value in self.parts[name].parameters()],
                                                  self.config.max_norm)
        finite = loss.isfinite()
        if not self.scaler.is_enabled():
            finite = finite & (torch.nn.utils.get_total_norm(self._gradients(names)) if norm is None else norm).isfinite()
        if processes.all_reduce_max(int(not finite)):
            raise NotFinite("the loss is not finite" if not loss.isfinite() else "a gradient is not finite")
        for optimizer in optimizers:
            self.scaler.step(optimizer)
        scale = self.scaler.get_scale()
        self.scaler.update()
        if self.scaler.get_scale() < scale <= SMALLEST_SCALE:
            self.scaler.update(SMALLEST_SCALE)
            raise NotFinite("gradients overflow however little the loss is scaled")

    def _gradients(self, names):
        return [parameter.grad for optimizer in self.optimizers_of(names) for group in optimizer.param_groups
                for parameter in group["params"] if parameter.grad is not None]

    def buffers(self):
        """Copies of the networks' buffers, which a bad batch spoils even if no optimizer steps; for :meth:`skip`."""
        return [(buffer, buffer.clone()) for module in self.parts.values() for buffer in module.buffers()]

    def skip(self, buffers):
        """Leave out what is left of an iteration and put back what :meth:`buffers` kept."""
        for buffer, value in buffers:
            buffer.copy_(value)
        self.end_iteration()

    def training_noise(self, rows, rollouts, steps):
        """Noise of `rollouts` roll-outs of this process's rows, (R, L, rows, Z).

        It is drawn for the rows of all processes, so that a run goes on the same with another number of them.
        """
        everyone, module = rows * processes.world_size(), self.pose_module
        noise = torch.randn(module.noise_length(steps), rollouts * everyone, module.z_dim, generator=self.random,
                            dtype=next(module.parameters()).dtype)
        return noise.unflatten(1, (rollouts, everyone)).transpose(0, 1)[:, :, processes.shard(everyone)].to(self.device)

    @torch.no_grad()
    def predict(self, source, n, steps=None, seed=7, painted=None):
        """Predict `n` possible futures of every source.

        Memory does not grow with rows and samples, but for the result: they are worked on in chunks.

        Args:
            source: :class:`training.prediction.Source` of B rows.
            n: samples a row.
            steps: T; default: `config.steps`.
            seed: of the noise, which follows from seed, row and sample alone.
            painted: how many of a row's samples become pictures, where this module paints; default: all.
        Returns:
            :class:`training.prediction.Prediction`.
        """
        module, steps = self.pose_module, steps or self.config.steps
        shape = (module.noise_length(steps), module.z_dim)
        chunk = max(1, min(FUTURES_CHUNK, NOISE_CHUNK // (shape[0] * shape[1])) // n)
        poses = []
        for pose, action, rows in zip(*(value.split(chunk) for value in (source.pose, source.action, source.rows))):
            noise = row_noise(seed, rows.tolist(), n, shape).to(self.device, pose.dtype)              # (b, n, L, Z)
            pose, action = (value.to(self.device).repeat_interleave(n, 0) for value in (pose, action))
            with self.averaged(), evaluating(module), self.autocast():
                predicted = module.predict(pose, action, steps, noise.flatten(0, 1))                 # (b * n, T, J, 2)
            poses.append(predicted.to(pose.dtype).unflatten(0, (len(rows), n)).cpu())
        return Prediction(torch.cat(poses), None)

    def sample(self, batch, n, generator=None):
        """Draw `n` possible futures for every row of a batch, see :meth:`predict`.

        Args:
            batch: `poses` (B, >=1, J, 2), source first, and `action` (B,); for pictures also `images` (B, >=1, 3, S, S).
            n: samples a row.
            generator: torch.Generator that the noise's seed is drawn from; training's random state stays as it is.
        Returns:
            (B, n, T, J, 2) normalised poses, or of a module that paints a :class:`Prediction`; T is as in training on such rows.
        """
        poses = batch["poses"]
        image = batch["images"][:, 0] if "images" in batch else None
        source = Source(poses[:, 0], batch["action"], torch.arange(len(poses)), image)
        seed = int(torch.randint(2 ** 31, (), generator=generator))
        found = self.predict(source, n, self.pose_module.steps(poses.shape[1] - 1) if poses.shape[1] > 1 else None, seed)
        return found.poses if found.videos is None else found

    def end_iteration(self):
        """Count the iteration; the learning rate follows, after the optimizers have stepped (defect D8)."""
        self.iteration += 1
        for part, averages in self.averages.items():
            last = dict(self.parts[part].named_parameters())
            torch._foreach_lerp_(list(averages.values()), [last[name].detach() for name in averages],
                                 1 - min(self.config.ema, self.iteration / (self.iteration + 9)))
        self.set_learning_rate()

    def set_learning_rate(self):
        """Give the optimizers the learning rate of the next iteration."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self._learning_rate()

    def save(self, checkpoint_dir, iteration, epoch):
        """Write a snapshot: the published files and the training state. Raises :class:`FailedRun`."""
        for name, module in self.parts.items():
            if not torch.nn.utils.get_total_norm(module.parameters()).isfinite():
                raise FailedRun(f"the weights of {name} are not finite after iteration {iteration}, so they were not saved; "
                                "earlier snapshots are as they were")
        last = {part: {name: value.detach().clone() for name, value in self.parts[part].named_parameters()}
                for part in self.averages}
        state = {"seed": self.seed, "scaler": self.scaler.state_dict(), "random": self.random.get_state(), "place": self.place,
                 "last": last}
        with self.averaged():
            save_snapshot(checkpoint_dir, iteration, epoch, self.parts, self.optimizers, state, describe(self.config, self.keys),
                          self.config.keep_last, self.config.keep_every)

    def resume(self, checkpoint_dir, weights_only=False, iteration=None):
        """Go on from the newest complete snapshot of a folder, or from that of an iteration.

        Folders of the published system, which lack the training state, resume with `optimizer.pt`.

        Args:
            checkpoint_dir: the folder.
            weights_only: for testing: leave the optimizers alone.
        Returns:
            the :class:`training.weights.Weights` that were loaded.
        Raises:
            UserError: no such snapshot, one of other networks than this trainer's, or a damaged one.
        """
        weights = self.find_weights(checkpoint_dir, iteration)
        self.restore(weights, optimizers=not weights_only)
        self.iteration = weights.iteration
        return weights

    def restore(self, weights, optimizers=False):
        """Fill the networks with :class:`training.weights.Weights`, and with `optimizers` go on from there.

        What they mean must be what this trainer's networks mean; how they are used (:data:`utils.config.INFERENCE_KEYS`) is up to the
        configuration.
        """
        differing = adopt(copy.deepcopy(self.config), weights.networks, weights.origin, INFERENCE_KEYS)
        if differing:
            raise UserError(f"{weights.origin}: weights of other networks than this configuration's: {'; '.join(differing)}")
        for name, path in weights.files.items():
            load_part(path, self.parts[name])
        self._restore_last_weights({})
        if optimizers:
            self.iteration = weights.iteration
            self._load_training_state(weights.snapshot, weights.snapshot.files[next(iter(self.parts))].parent)

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
                self.place = dict(state.get("place", {}))
                self._restore_last_weights(state.get("last", {}))
                if state["scaler"]:
                    self.scaler.load_state_dict({name: type(value)(state["scaler"][name])
                                                 for name, value in self.scaler.state_dict().items()})
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise UserError(f"{path}: not the training state of this configuration ({error})") from None
        for name, optimizer in self.optimizers.items():
            load_optimizer(path, optimizer, saved.get(name))
        self.set_learning_rate()

    @torch.no_grad()
    def _restore_last_weights(self, last):
        """What the parts' files hold is the mean of the weights, where there is one; training goes on with the last weights."""
        for part, averages in self.averages.items():
            for name, value in self.parts[part].named_parameters():
                averages[name] = value.detach().clone()
                if part in last:
                    value.copy_(last[part][name])

    def load_pretrained(self, folder, iteration=None):
        """Load trained weights, not the optimizers: of a run, a checkpoints folder, or a folder like the authors' `pretrain/`.

        Returns:
            the :class:`training.weights.Weights` that were loaded.
        Raises:
            UserError: nothing of the kind there, or of other networks.
        """
        weights = self.find_weights(folder, iteration)
        self.restore(weights)
        return weights
