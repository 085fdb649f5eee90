"""The rows of the ablation's table."""
from typing import NamedTuple

from network_actvae import ActVAE, Rollout
from networks.residual_motion import ResidualMotion

MOTION, PUBLISHED = "config/motion.yaml", "config/Penn_actvae.yaml"


class ResidualVAE(ActVAE):
    """The published module, whose decoder gives the change of the pose, half its hidden state, instead of the pose."""

    def rollout(self, pose, action, steps=4, noise=None):
        """As :meth:`ActVAE.rollout`."""
        changes = super().rollout(pose, action, steps, noise)
        return Rollout(pose[:, None] + changes.pose.cumsum(1) / 2, changes.mu, changes.logvar)


class BestOfMany(ResidualMotion):
    """Trained on the distance of each row's best sample instead of the energy score."""

    def score(self, samples, truth, weight, rms):
        """As :meth:`ResidualMotion.score`; `rms` is not used."""
        distance = ((samples - truth).square().sum(-3) + 1e-8).sqrt().mean(-1)           # (N, m, B, T)
        return (distance * weight).sum(-1).amin(1).sum() / weight.sum().clamp(min=1e-8) / self.networks


class Row(NamedTuple):
    """One row of the table."""

    config: str
    overrides: tuple
    targets: int = 32            # number of targets that it is trained on
    every_frame: bool = True     # whether it is also trained on sources between the frames of the clip
    variant: type | None = None  # a subclass of the configured pose module, whose methods replace that module's


SMALL = ("lr=0.002", "actvae.z_dim=16")
EIGHT = ("actvae.noise_dim=8",)
TRAINING_NOISE = (*EIGHT, "actvae.temperature=1")
SINGLE = ("actvae.networks=1", *TRAINING_NOISE)
PLAIN = (*SINGLE, "actvae.path_weight=0", "actvae.speed_weight=0", "actvae.jitter=0", "actvae.dropout=0")
WHOLE = ("actvae.speed_weight=0", "actvae.jitter=0", "actvae.dropout=0.1")
AS_CROPPED = ("augment.zoom=0", "augment.recrop=false")
UNSTRETCHED = ("augment.stretch=0", "augment.shift=0", *AS_CROPPED)
TURNED = ("augment.rotate=0.1", "augment.speed=0.25", *UNSTRETCHED)
STILL_CAMERA = ("augment.rotate=0", "augment.speed=0", *UNSTRETCHED)
AS_FILMED = (*STILL_CAMERA, "augment.mirror=false")
NO_EMA = ("ema=0", "lr_policy=cosine")                      # instead, the learning rate falls
ROWS = {
    "faithful (z 512, 4 steps)": Row(PUBLISHED, (), 5, False),
    "z 16, 16 steps": Row(PUBLISHED, SMALL, 17, False),
    "+ residual": Row(PUBLISHED, SMALL, 17, False, ResidualVAE),
    "energy score, sine basis": Row(MOTION, (*PLAIN, *AS_FILMED, *NO_EMA), 32, False),
    "best of many instead": Row(MOTION, (*PLAIN, *AS_FILMED, *NO_EMA), 32, False, BestOfMany),
    "energy score + EMA": Row(MOTION, (*PLAIN, *AS_FILMED), 32, False),
    "+ mirror, every frame a source": Row(MOTION, (*PLAIN, *STILL_CAMERA)),
    "+ rotation, speed": Row(MOTION, (*PLAIN, *TURNED)),
    "+ dropout 0.1, whole motions": Row(MOTION, (*SINGLE, *WHOLE, *TURNED)),
    "+ stretch, shift, jitter, more of all": Row(MOTION, (*SINGLE, "actvae.speed_weight=0", *AS_CROPPED)),
    "+ score of velocities": Row(MOTION, (*SINGLE, *AS_CROPPED)),
    "+ cropped again": Row(MOTION, SINGLE),
    "+ four networks": Row(MOTION, TRAINING_NOISE),
    "+ temperature of the noise": Row(MOTION, EIGHT),
    "+ four numbers of noise, not eight": Row(MOTION, ()),
}
