"""What the trainers of both modules share: device, precision, random state, prediction and checkpoints."""
import copy
import warnings

import torch

from networks.layers import evaluating
from training.checkpoints import STATE, load_optimizer, load_part, save_snapshot
from training.ema import EMA
from training.optimizers import step
from training.prediction import Prediction, Source, predict_poses
from training.schedule import learning_rate
from training.weights import INFERENCE_KEYS, adopt, describe, find_weights
from utils import processes
from utils.errors import FailedRun, UserError
from utils.torch_files import load_torch

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name):
    """`auto`, `cpu`, `cuda`, `cuda:1`, ... -> torch.device; raises :class:`UserError` if there is no such device.

    Of several processes on one machine, each takes a CUDA device of its own, which becomes the current one.
    """
    if name.startswith("mps"):
        raise UserError(f"device {name!r} cannot be used: it has no float64; write cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if processes.world_size() > 1 and name.startswith("cuda"):
        if name != "cuda":
            raise UserError(f"device {name!r}: of several processes each takes a device of its own; write cuda")
        name = str(processes.local_device())
    try:
        device = torch.device(name)
        if device.type == "cuda":
            torch.cuda.set_device(device.index or 0)       # otherwise every process opens a context on the first device, too
        torch.zeros(1, device=device).cpu()
        return device
    except Exception as error:                     # each kind of device raises errors of its own
        raise UserError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from None


def autocast_dtype(precision, device):
    """The dtype of autocast for a `precision` of the configuration, or None for float32.

    `auto` is bf16 where the device computes it, and fp32 on processors that would emulate it several times more slowly.
    """
    if precision == "auto":
        native = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else (
            torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
        precision = "bf16" if native else "fp32"
    return AUTOCAST.get(precision)


class BaseTrainer:
    """Networks, optimizers and their files.

    A subclass sets `pose_module` and `parts` (checkpoint part -> module), calls :meth:`add_optimizer` for each part that it
    trains, has one method `update(batch)` -> losses by name, and overrides these class attributes where it differs.

    Args:
        config: :class:`utils.schema.Config`.
        seed: of the initial weights, the training noise and the frame indices.
        trains: whether it needs optimizers.
    """

    keys = ("actions", "imsize", "actvae")                 # of the configuration, which describe the networks of a snapshot
    optional = ()                                          # parts that pretrained folders may lack
    renders = False                                        # whether it renders the poses of a given pose module
    background = None                                      # see `networks.interfaces.Generator`
    draw_frame_indices = None                              # see `EpochBatches`
    unused = ("generator", "discriminator", "image_loss", "vgg_weights", "cache", "cache_dir", "channels_last", "compile",
              "sync_batchnorm", "pairs", "pairs_near", "augment_pictures", "joint_jitter")   # keys without effect

    def __init__(self, config, seed=7, trains=True):
        self.config, self.trains = config, trains
        self.device = choose_device(config.device)
        self.dtype = autocast_dtype(config.precision, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.precision == "fp16")
        self.random = torch.Generator().manual_seed(seed)  # of all noise of training; on the CPU, so that it is the same
        self.parts, self.optimizers = {}, {}               # on every device
        self.lr_factors = {}                               # part -> factor of the learning rate, where it is not 1
        self.ema = EMA(config.ema)
        self.total = None                                  # iterations of the whole training, for the learning rate
        self.iteration, self.seed = 0, seed
        self.place = {}                                    # in the training list, see `EpochBatches`
        torch.manual_seed(seed)                            # initial weights

    @classmethod
    def find_weights(cls, place, iteration=None, pose_module=True, config=None):
        """Weights for this kind of trainer, see :func:`training.weights.find_weights`; with or without those of the pose module.

        `config` names the networks of files that come without a description; None: the published ones.
        """
        keys = [key for key in cls.keys if pose_module or key != "actvae"]
        return find_weights(place, keys, iteration, cls.optional, config and describe(config, keys))

    def check_targets(self, targets):
        """Raise :class:`UserError` if windows of so many targets cannot be used."""
        if self.pose_module.steps(targets) < 1:
            raise UserError(f"windows of {targets} target cannot be used with the pose module {self.config.actvae.kind}, which "
                            "needs one more than it predicts; write longer ones with `python -m dataset.penn_action --horizon`")

    def add_optimizer(self, part, module, lr_factor=None, beta1=None):
        """Train a part: its optimizer, as `config.optimizer` says, and its EMA.

        With `lr_factor` the part has Adam without weight decay, with `beta1` and this factor of the learning rate.
        """
        if not self.trains:                                # making an optimizer costs as much time as importing PyTorch
            return
        config, kind, decay = self.config, torch.optim.Adam, 0
        if lr_factor is not None:
            self.lr_factors[part] = lr_factor
        else:
            kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
            beta1, decay = config.beta1, config.weight_decay
        self.optimizers[part] = kind(module.parameters(), config.lr, (beta1, config.beta2), weight_decay=decay, fused=True)
        self.ema.reset(module)

    def autocast(self):
        """Context in which the networks run in the configured precision."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)

    def step(self, loss, parts):
        """Back-propagate a loss and step the optimizers of some parts, see :func:`training.optimizers.step`."""
        parameters = [parameter for part in parts for parameter in self.parts[part].parameters()]
        step(loss, [self.optimizers[part] for part in parts], parameters, self.scaler, self.config.max_norm)

    def training_noise(self, rows, rollouts, steps):
        """Noise of R = `rollouts` roll-outs of this process's part of a batch, (R, L, rows, Z).

        It is drawn for all processes, so that a run does not change with their number.
        """
        everyone, module = rows * processes.world_size(), self.pose_module
        noise = torch.randn(module.noise_length(steps), rollouts * everyone, module.z_dim, generator=self.random,
                            dtype=next(module.parameters()).dtype)
        return noise.unflatten(1, (rollouts, everyone)).transpose(0, 1)[:, :, processes.shard(everyone)]

    def end_iteration(self):
        """Count the iteration, and update the EMA and then the learning rate, after the optimizers have stepped (defect D8)."""
        self.iteration += 1
        self.ema.update(self.iteration)
        self.set_learning_rate()

    def set_learning_rate(self):
        """Give the optimizers the learning rate of the next iteration."""
        rate = learning_rate(self.config, self.iteration, self.total)
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = rate * self.lr_factors.get(name, 1.0)

    @torch.no_grad()
    def predict(self, source, n, steps=None, seed=7, rendered=None):
        """Predict `n` possible futures of every row of a :class:`training.prediction.Source`: :class:`Prediction`.

        Args:
            steps: T; default: `config.steps`.
            seed: of the noise, which depends on seed, row and sample alone.
            rendered: how many samples of each row are rendered, if this module renders; default: all.
        """
        with self.ema.applied(), evaluating(self.pose_module), self.autocast():
            return Prediction(predict_poses(self.pose_module, source, n, steps or self.config.steps, seed, self.device), None)

    def sample(self, batch, n, generator=None):
        """Sample `n` futures for every row of a batch, see :meth:`predict`.

        Args:
            batch: `poses` (B, >=1, J, 2), source first, and `action` (B,); to render also `images` (B, >=1, 3, S, S).
            generator: torch.Generator that the seed of the noise is drawn from.
        Returns:
            (B, n, T, J, 2) normalised poses, or a :class:`Prediction` of a module that renders; T is as in training on such rows.
        """
        poses, image = batch["poses"], batch["images"][:, 0] if "images" in batch else None
        steps = self.pose_module.steps(poses.shape[1] - 1) if poses.shape[1] > 1 else None
        source = Source(poses[:, 0], batch["action"], torch.arange(len(poses)), image)
        found = self.predict(source, n, steps, int(torch.randint(2 ** 31, (), generator=generator)))
        return found.poses if found.videos is None else found

    def save(self, checkpoint_dir, iteration, epoch):
        """Write a snapshot: the published files and the training state. Raises :class:`FailedRun`."""
        for name, module in self.parts.items():
            if not torch.nn.utils.get_total_norm(module.parameters()).isfinite():
                raise FailedRun(f"the weights of {name} are not finite after iteration {iteration}, so they were not saved; "
                                "earlier snapshots are as they were")
        last = {part: {name: value.detach().clone() for name, value in self.parts[part].named_parameters()}
                for part in self.optimizers if self.ema.decay}
        state = {"seed": self.seed, "scaler": self.scaler.state_dict(), "random": self.random.get_state(), "place": self.place,
                 "last": last}                             # the weights that training goes on with; the parts hold the EMA
        with self.ema.applied():
            save_snapshot(checkpoint_dir, iteration, epoch, self.parts, self.optimizers, state, describe(self.config, self.keys),
                          self.config.keep_last, self.config.keep_every)

    def resume(self, checkpoint_dir):
        """Go on from the newest complete snapshot of a checkpoints folder: :class:`training.weights.Weights`.

        Folders of the published system, which lack the training state, resume with `optimizer.pt`. Raises :class:`UserError`: no
        such snapshot, one of other networks, or a damaged one.
        """
        weights = self.find_weights(checkpoint_dir)
        self.restore(weights, optimizers=True)
        return weights

    def load_pretrained(self, folder):
        """Load the weights, not the optimizers, of a run, a checkpoints folder, or a folder like the authors' `pretrain/`.

        Returns and raises as :meth:`resume`.
        """
        weights = self.find_weights(folder)
        self.restore(weights)
        return weights

    def restore(self, weights, optimizers=False):
        """Fill the networks with :class:`training.weights.Weights`, and with `optimizers` go on from their training state.

        Raises:
            UserError: weights of other networks than this trainer's.
        """
        differing = adopt(copy.deepcopy(self.config), weights.networks, weights.origin, INFERENCE_KEYS)
        if differing:
            raise UserError(f"{weights.origin}: weights of other networks than this configuration's: {'; '.join(differing)}")
        for name, path in weights.files.items():
            load_part(path, self.parts[name])
            if name in self.optimizers:
                self.ema.reset(self.parts[name])
        if optimizers:
            if weights.snapshot is None:
                raise UserError(f"{weights.origin.parent}: no training state here to go on from; --pretrain starts from these "
                                "weights")
            self.iteration = weights.iteration
            self._load_training_state(weights.snapshot, next(iter(weights.files.values())).parent)

    def _load_training_state(self, snapshot, folder):
        path = snapshot.files.get(STATE, folder / "optimizer.pt")
        if STATE not in snapshot.files and any(folder.glob(f"*_{STATE}_*.pt")):
            warnings.warn(f"{folder}: the training state of iteration {snapshot.iteration} is gone; the optimizers are those of "
                          "the newest snapshot", stacklevel=2)
        state = load_torch(path)
        try:
            saved = dict(state["optimizers"] if STATE in snapshot.files else state)
            if STATE in snapshot.files:
                self.seed, self.place = state["seed"], state.get("place", {})
                self.random.set_state(state["random"])
                if state["scaler"]:
                    self.scaler.load_state_dict(state["scaler"])
                for part in self.optimizers.keys() & state.get("last", {}).keys():
                    if self.ema.decay:
                        self.parts[part].load_state_dict(state["last"][part], strict=False)          # without buffers
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise UserError(f"{path}: not the training state of this configuration ({error})") from None
        for name, optimizer in self.optimizers.items():
            load_optimizer(path, optimizer, saved.get(name))
        self.set_learning_rate()
