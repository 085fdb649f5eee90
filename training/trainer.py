"""What the trainers of both modules share: device, precision, random state, prediction and checkpoints."""
import copy
import dataclasses
import warnings

import torch

from networks.layers import evaluating
from training.checkpoints import STATE, load_optimizer, load_part, save_snapshot
from training.ema import EMA
from training.optimizers import build_optimizers, step
from training.prediction import Prediction, Source, predict_poses
from training.schedule import learning_rate
from training.weights import INFERENCE_KEYS, adopt, describe, find_weights
from utils import processes
from utils.errors import FailedRun, UserError
from utils.torch_files import load_torch

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name):
    """`auto`, `cpu`, `cuda`, `cuda:1`, ... -> torch.device; raises :class:`UserError` if there is no such device.

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

    A subclass sets `pose_module` and `parts` (checkpoint part -> module), calls :meth:`add_optimizer` for each part that it
    trains, has one method `update(batch)` -> losses by name, and overrides these class attributes where it differs.

    Args:
        config: :class:`utils.schema.Config`.
        seed: of the initial weights, the training noise and the frame indices.
        trains: whether it needs optimizers.
    """

    keys = ("actions", "imsize", "actvae")                 # of the configuration, which describe the networks of a snapshot
    optional = ()                                          # parts that pretrained folders may lack
    paints = False                                         # whether it paints the poses of a given pose module
    plate = training_plate = None                          # see `networks.interfaces.Generator`; what the data compute of it
    draw_frame_indices = None                              # see `EpochBatches`
    unused = ("generator", "discriminator", "image_loss", "vgg_weights", "cache", "cache_dir", "channels_last", "compile",
              "sync_batchnorm", "pairs", "pairs_near", "augment_pictures", "joint_jitter")   # keys without effect

    def __init__(self, config, seed=7, trains=True):
        self.config, self.trains = config, trains
        self.device = choose_device(config.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.precision == "fp16")
        self.random = torch.Generator().manual_seed(seed)  # of all noise of training; on the CPU, so that it is the same
        self.parts, self.optimizers = {}, {}               # on every device
        self.lr_factors = {}                               # optimizer -> times the learning rate, where it is not 1
        self.ema = EMA(config.ema)
        self.total = None                                  # iterations of the whole training, for the learning rate
        self.iteration, self.seed = 0, seed
        self.place = {}                                    # in the training list, see `EpochBatches`
        torch.manual_seed(seed)                            # initial weights

    @classmethod
    def find_weights(cls, place, iteration=None, pose_module=True, config=None):
        """Weights for this kind of trainer, see :func:`training.weights.find_weights`.

        Args:
            place: folder or file.
            pose_module: whether those of the pose module are wanted, too.
            config: names the networks of files that come without a description; None: the published ones.
        """
        keys = [key for key in cls.keys if pose_module or key != "actvae"]
        return find_weights(place, keys, iteration, cls.optional, config and describe(config, keys))

    def check_targets(self, targets):
        """Raise :class:`UserError` if rows with so many targets cannot be used."""
        if self.pose_module.steps(targets) < 1:
            raise UserError(f"rows of {targets} target cannot be used with the pose module {self.config.actvae.kind}, which "
                            "wants one more than it predicts; write longer ones with `python -m dataset.penn_action --horizon`")

    def add_optimizer(self, part, module, outer=(), stacked=False, lr_factor=None, beta1=None):
        """Train a part: its optimizers, see :func:`training.optimizers.build_optimizers`, and its EMA.

        With `lr_factor` the part has Adam without weight decay, with `beta1` and this share of the learning rate.
        """
        if self.trains:                                    # making an optimizer costs as much time as importing PyTorch
            config = self.config
            if lr_factor is not None:
                config = dataclasses.replace(config, optimizer="adam", beta1=beta1, weight_decay=0)
                self.lr_factors[part] = lr_factor
            self.optimizers |= build_optimizers(part, module, config, outer, stacked)
            self.ema.add(part, module)

    def autocast(self):
        """Context in which the networks run in the configured precision."""
        dtype = AUTOCAST.get(self.config.precision)
        return torch.autocast(self.device.type, dtype, enabled=dtype is not None)

    def step(self, loss, parts):
        """Back-propagate `loss` and step the optimizers of some parts, see :func:`training.optimizers.step`."""
        optimizers = [optimizer for name, optimizer in self.optimizers.items() if name.partition(".")[0] in parts]
        parameters = [parameter for part in parts for parameter in self.parts[part].parameters()]
        step(loss, optimizers, parameters, self.scaler, self.config.max_norm)

    def training_noise(self, rows, rollouts, steps):
        """Noise of `rollouts` roll-outs of this process's rows, (R, L, rows, Z).

        It is drawn for the rows of all processes, so that a run does not change with their number.
        """
        everyone, module = rows * processes.world_size(), self.pose_module
        noise = torch.randn(module.noise_length(steps), rollouts * everyone, module.z_dim, generator=self.random,
                            dtype=next(module.parameters()).dtype)
        return noise.unflatten(1, (rollouts, everyone)).transpose(0, 1)[:, :, processes.shard(everyone)].to(self.device)

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
    def predict(self, source, n, steps=None, seed=7, painted=None):
        """Predict `n` possible futures of every row.

        Args:
            source: :class:`training.prediction.Source` of B rows.
            n: samples of each row.
            steps: T; default: `config.steps`.
            seed: of the noise, which depends on seed, row and sample alone.
            painted: how many samples of each row become pictures, if this module paints; default: all.
        Returns:
            :class:`training.prediction.Prediction`.
        """
        with self.ema.applied(), evaluating(self.pose_module), self.autocast():
            return Prediction(predict_poses(self.pose_module, source, n, steps or self.config.steps, seed, self.device), None)

    def sample(self, batch, n, generator=None):
        """Draw `n` possible futures for every row of a batch, see :meth:`predict`.

        Args:
            batch: `poses` (B, >=1, J, 2), source first, and `action` (B,); for pictures also `images` (B, >=1, 3, S, S); for
                a history of 2 also `before` (B, J, 2).
            n: samples of each row.
            generator: torch.Generator that the seed of the noise is drawn from.
        Returns:
            (B, n, T, J, 2) normalised poses, or a :class:`Prediction` of a module that paints; T is as in training on such rows.
        """
        poses = batch["poses"]
        image = batch["images"][:, 0] if "images" in batch else None
        steps = self.pose_module.steps(poses.shape[1] - 1) if poses.shape[1] > 1 else None
        seed = int(torch.randint(2 ** 31, (), generator=generator))
        source = Source(poses[:, 0], batch["action"], torch.arange(len(poses)), image, batch.get("before"))
        found = self.predict(source, n, steps, seed)
        return found.poses if found.videos is None else found

    def save(self, checkpoint_dir, iteration, epoch):
        """Write a snapshot: the published files and the training state. Raises :class:`FailedRun`."""
        for name, module in self.parts.items():
            if not torch.nn.utils.get_total_norm(module.parameters()).isfinite():
                raise FailedRun(f"the weights of {name} are not finite after iteration {iteration}, so they were not saved; "
                                "earlier snapshots are as they were")
        state = {"seed": self.seed, "scaler": self.scaler.state_dict(), "random": self.random.get_state(), "place": self.place,
                 "last": self.ema.trained_weights()}
        with self.ema.applied():
            save_snapshot(checkpoint_dir, iteration, epoch, self.parts, self.optimizers, state, describe(self.config, self.keys),
                          self.config.keep_last, self.config.keep_every)

    def resume(self, checkpoint_dir, weights_only=False, iteration=None):
        """Go on from a snapshot of a folder: the newest complete one, or that of an iteration.

        Folders of the published system, which lack the training state, resume with `optimizer.pt`. `weights_only` leaves the
        optimizers alone, for testing.

        Returns:
            the :class:`training.weights.Weights` that were loaded.
        Raises:
            UserError: no such snapshot, one of other networks, or a damaged one.
        """
        weights = self.find_weights(checkpoint_dir, iteration)
        self.restore(weights, optimizers=not weights_only)
        self.iteration = weights.iteration
        return weights

    def load_pretrained(self, folder, iteration=None):
        """Load trained weights, not the optimizers: of a run, a checkpoints folder, or a folder like the authors' `pretrain/`.

        Returns and raises as :meth:`resume`.
        """
        weights = self.find_weights(folder, iteration)
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
            self.ema.reset(name)
        if optimizers:
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
                self.seed = state["seed"]
                if not isinstance(self.seed, int) or not 0 <= self.seed < 2 ** 31:
                    raise ValueError("its seed is no number from 0 to 2147483647")
                self.random.set_state(state["random"])
                self.place = dict(state.get("place", {}))
                self.ema.load_trained_weights(state.get("last", {}))
                if state["scaler"]:
                    self.scaler.load_state_dict({name: type(value)(state["scaler"][name])
                                                 for name, value in self.scaler.state_dict().items()})
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise UserError(f"{path}: not the training state of this configuration ({error})") from None
        for name, optimizer in self.optimizers.items():
            load_optimizer(path, optimizer, saved.get(name))
        self.set_learning_rate()
