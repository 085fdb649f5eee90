"""The keys of a configuration: their types, published defaults and limits. The YAML files in config/ explain what each key does.

The blocks `actvae`, `generator` and `discriminator` have the keys of the network that their `kind` names. The published networks
are explained in `Penn_actvae.yaml` and `Penn_actvae_p2inetwork.yaml`, `mixture` in `mixture.yaml`, `cutout` in
pretrain/people/config.yaml.
"""
from dataclasses import dataclass, field

ACTIONS = ("tennis_serve", "pullup", "clean_and_jerk", "tennis_forehand", "baseball_pitch", "jumping_jacks",
           "golf_swing", "squat", "baseball_swing")


def limited(default, **limits):
    """A field with a default and limits: `low <= value <= high`, `above < value < below`, or one of `choices`."""
    return field(default=default, metadata=limits)


class NetworkConfig:
    """The keys of one kind of network.

    Class attributes, names of keys where nothing else is said:
        parts: names of its checkpoint files.
        tunable: used in training only; the configuration's value counts, whatever that of the weights is.
        inference: inference settings, taken from the weights unless the user overrides them.
        masks: whether it learns from the data's masks of people.
    """

    parts = tunable = inference = ()
    masks = False

    def network(self):
        """The keyword arguments of the network's constructor, besides the number of actions."""
        return {name: value for name, value in vars(self).items() if name != "kind"}


@dataclass
class LSTMVAEConfig(NetworkConfig):
    """The published pose module, :class:`network_actvae.ActVAE`."""

    parts = ("im_encode_content", "im_encode_vae")
    kind: str = "lstm_vae"
    z_dim: int = limited(512, low=1)


@dataclass
class MixtureMotionConfig(NetworkConfig):
    """The pose module :class:`networks.mixture_motion.MixtureMotion`."""

    parts = ("motion", "retrieval")
    tunable = ("samples", "dropout", "jitter", "path_weight", "speed_weight", "decay", "library_frames", "retrieval_rows")
    inference = ("temperature", "real")
    kind: str = "mixture"
    networks: int = limited(4, low=1)
    horizon: int = limited(32, low=1)
    noise_dim: int = limited(4, low=1)
    terms: int = limited(32, low=1)
    trunk: int = limited(256, low=1)
    head: int = limited(128, low=1)
    trunk_blocks: int = limited(2, low=0)
    head_blocks: int = limited(1, low=0)
    samples: int = limited(4, low=2)
    dropout: float = limited(0.2, low=0, high=0.99)
    jitter: float = limited(0.03, low=0)
    path_weight: float = limited(0.3, low=0)
    speed_weight: float = limited(0.7, low=0)
    decay: float = limited(0.8, low=0)
    temperature: float = limited(1.0, low=0)
    library: int = limited(0, low=0)
    neighbours: int = limited(28, low=2)
    library_frames: int = limited(0, low=0)
    retrieval_rows: int = limited(32, low=1)
    real: float = limited(0.5, low=0, high=1)


@dataclass
class AugmentConfig:
    """Random changes of the pose module's training windows; none by default, as published."""

    mirror: bool = False
    rotate: float = limited(0.0, low=0)
    stretch: float = limited(0.0, low=0)
    recrop: bool = False
    zoom: float = limited(0.0, low=0)
    shift: float = limited(0.0, low=0)
    speed: float = limited(0.0, low=0)


@dataclass
class PoseLossConfig:
    """Weights of the pose module's losses."""

    reconstruction: float = limited(200.0, low=0)
    kl: float = limited(0.002, low=0)


@dataclass
class PoseAttentionConfig(NetworkConfig):
    """The published generator, :class:`model_variants.PoseAttentionGenerator`."""

    parts = ("generator",)
    tunable = ("norm_momentum",)
    kind: str = "pose_attention"
    ngf: int = limited(64, low=1)
    n_blocks: int = limited(9, low=1)
    n_downsampling: int = limited(2, low=1)
    norm_momentum: float = limited(0.001, above=0, high=1)


@dataclass
class CutoutConfig(NetworkConfig):
    """The generator :class:`networks.cutout_generator.CutoutGenerator`."""

    parts, masks, inference = ("generator",), True, ("sharpening",)
    kind: str = "cutout"
    size: int = limited(64, low=16)
    segmentation_widths: list[int] = field(default_factory=lambda: [16, 32, 64, 96], metadata={"low": 8})
    compositing_widths: list[int] = field(default_factory=lambda: [24, 48, 96, 128], metadata={"low": 8})
    sharpening: float = limited(0.8, low=0)


@dataclass
class PoseDiscriminatorConfig(NetworkConfig):
    """The published discriminator, :class:`network_actvae_p2inetwork.PoseDiscriminator`."""

    parts = ("classifier",)
    kind: str = "pose"
    ndf: int = limited(64, low=1)
    n_blocks: int = limited(3, low=0)
    n_downsampling: int = limited(3, low=1)


@dataclass
class PatchDiscriminatorConfig(NetworkConfig):
    """The discriminator :class:`networks.patch_discriminator.PatchDiscriminator`."""

    parts = ("classifier",)
    tunable = ("start_iter", "ramp_iter", "lr_factor", "beta1")
    kind: str = "patch"
    width: int = limited(32, low=1)
    start_iter: int = limited(0, low=0)
    ramp_iter: int = limited(150, low=0)
    lr_factor: float = limited(0.3, above=0)
    beta1: float = limited(0.5, low=0, below=1)


NETWORK_KINDS = {"actvae": {"lstm_vae": LSTMVAEConfig, "mixture": MixtureMotionConfig},
                 "generator": {"pose_attention": PoseAttentionConfig, "cutout": CutoutConfig},
                 "discriminator": {"pose": PoseDiscriminatorConfig, "patch": PatchDiscriminatorConfig}}


@dataclass
class ImageLossConfig:
    """Weights of the pose-to-image module's losses."""

    adversarial: float = limited(5.0, low=0)
    reconstruction: float = limited(30.0, low=0)
    mask: float = limited(10.0, low=0)
    gradient: float = limited(0.0, low=0)
    ssim: float = limited(0.0, low=0)
    person: float = limited(0.0, low=0)
    silhouette: float = limited(0.0, low=0)
    arms: float = limited(0.0, low=0)
    energy: float = limited(0.0, low=0)
    vgg: float = limited(5.0, low=0)
    features: float = limited(1.0, low=0)


@dataclass
class TrainDataConfig:
    """One of several data sets that training mixes."""

    data_list: str = ""
    data_root: str = ""
    layout: str = "penn_action"
    share: float = limited(1.0, above=0, high=1)
    actions: list = field(default_factory=list, metadata={"may_be_empty": True})


@dataclass
class Config:
    """Every key of a configuration, with its published default."""

    data_root: str = "data/Penn_Action"
    train_data_list: str = "data_lists/training_pair_penn5.txt"
    test_data_list: str = "data_lists/testing_pair_penn5.txt"
    layout: str = "penn_action"
    train_data: list[TrainDataConfig] = field(default_factory=list)
    pairs: str = limited("windows", choices=("windows", "anywhere"))
    pairs_near: float = limited(0.5, low=0, high=1)
    augment_pictures: bool = False
    joint_jitter: float = limited(0.0, low=0)
    actions: list = field(default_factory=lambda: list(ACTIONS))
    actions_by: str = limited("id", choices=("id", "name"))
    data_fps: float = limited(30.0, low=1)
    imsize: int = limited(128, low=16)
    steps: int = limited(4, low=1)

    actvae: NetworkConfig = field(default_factory=LSTMVAEConfig)
    pose_loss: PoseLossConfig = field(default_factory=PoseLossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    generator: NetworkConfig = field(default_factory=PoseAttentionConfig)
    discriminator: NetworkConfig = field(default_factory=PoseDiscriminatorConfig)
    image_loss: ImageLossConfig = field(default_factory=ImageLossConfig)
    vgg_weights: str = "imagenet"

    batch_size: int = limited(24, low=1)
    train_epoch: int = limited(100, low=1)
    train_minutes: float = limited(0.0, low=0)
    workers: int = limited(8, low=0)
    cache: bool = True
    cache_dir: str = "data/cache"
    lr: float = limited(0.0002, above=0)
    beta1: float = limited(0.5, low=0, below=1)
    beta2: float = limited(0.999, low=0, below=1)
    weight_decay: float = limited(0.0001, low=0)
    optimizer: str = limited("adam", choices=("adam", "adamw"))
    lr_policy: str = limited("step", choices=("step", "constant", "cosine"))
    warmup_iter: int = limited(0, low=0)
    max_norm: float = limited(0.0, low=0)
    ema: float = limited(0.0, low=0, high=0.99999)
    step_size: int = limited(100000, low=1)
    gamma: float = limited(0.5, above=0)

    device: str = "auto"
    precision: str = limited("fp32", choices=("fp32", "bf16", "fp16", "auto"))
    channels_last: bool = False
    compile: bool = False

    log_iter: int = limited(10, low=1)
    image_save_iter: int = limited(1000, low=1)
    display_size: int = limited(8, low=1)
    snapshot_save_iter: int = limited(1000, low=1)
    keep_last: int = limited(0, low=0)
    keep_every: int = limited(0, low=0)
    on_nan: str = limited("stop", choices=("stop", "skip"))
    sync_batchnorm: bool = False
