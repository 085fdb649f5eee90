"""The registry of pose modules and the published one: from one pose and an action to the poses that follow.

`config.actvae.kind` names one of `POSE_MODULES`. To add a kind:
1. write its class, a subclass of :class:`networks.interfaces.PoseModule`, under networks/, and name it in `POSE_MODULES` below;
2. write its keys, a subclass of `NetworkConfig` in utils/schema.py, name it in `NETWORK_KINDS` there, and explain the keys in a
   YAML file in config/; weights of new loss terms go to `PoseLossConfig`.

Axes: B batch, T steps, J = 13 joints, C actions, L noise vectors of one roll-out, Z their size. Poses are normalised picture
coordinates in [-1, 1].
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from networks.interfaces import PoseModule
from networks.layers import constant
from networks.mixture_motion import MixtureMotion


class Rollout(NamedTuple):
    pose: torch.Tensor       # (B, T, J, 2)
    mu: torch.Tensor         # (T, B, Z)
    logvar: torch.Tensor     # (T, B, Z)


class RecurrentCell(nn.Module):
    """One step of an LSTM layer.

    `nn.LSTM` holds the parameters, under the names of the published checkpoints, but takes several times as long for one step.
    """

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.LSTM(input_size, hidden_size)

    def forward(self, x, state=None):
        """x (B, input) and state (h, c), (B, hidden) each, or None for zeros -> the next (h, c)."""
        rnn = self.rnn
        gates = F.linear(x, rnn.weight_ih_l0, rnn.bias_ih_l0 + rnn.bias_hh_l0)          # (B, 4 * hidden)
        if state is not None:
            gates = torch.addmm(gates, state[0].to(gates.dtype), rnn.weight_hh_l0.t())
        take_in, forget, candidate, give_out = gates.chunk(4, dim=1)
        cell = torch.sigmoid(take_in) * torch.tanh(candidate)
        if state is not None:
            cell = cell + torch.sigmoid(forget) * state[1]
        return torch.sigmoid(give_out) * torch.tanh(cell), cell


class ActVAE(PoseModule):
    """The published pose module, a conditional temporal VAE: each step's latent depends on the previous one.

    It consists of two LSTMs and no other layers (published system, "ACT-VAE"). The encoder's hidden state holds mu and logvar.
    """

    summed, weighted = ("kl",), ("reconstruction", "kl")

    def __init__(self, num_actions=9, num_joints=13, z_dim=512):
        super().__init__()
        self.num_actions, self.num_joints, self.z_dim = num_actions, num_joints, z_dim
        condition = 2 * num_joints + num_actions
        self.encoder = RecurrentCell(condition + z_dim, 2 * z_dim)
        self.decoder = RecurrentCell(condition + z_dim, 2 * num_joints)
        self.parts = {"im_encode_content": self.decoder, "im_encode_vae": self.encoder}

    def noise_length(self, steps):
        return steps + 1                                         # z_0, and eps of each step

    @staticmethod
    def rollout_targets(targets):
        """The numbers (from 1) of the targets of the three training roll-outs: of five targets 1234, 1235 and 2345."""
        first, second = list(range(1, targets)), list(range(2, targets + 1))
        return [first, [*first[:-1], targets], second]

    def rollouts(self, targets):
        return len(self.rollout_targets(targets))

    def forward(self, poses, action, noise, valid_steps=None):
        """The loss terms `reconstruction` and `kl`; arguments as in :class:`networks.interfaces.PoseModule`.

        Three roll-outs start from the same source and are compared with different targets; they run as one batch.
        `reconstruction` is the sum of their mean L1 distances, `kl` the divergence of the first, summed over the batch. Steps
        after `valid_steps` count too, as published.
        """
        count, targets = len(poses), self.rollout_targets(poses.shape[1] - 1)
        frames = constant(tuple(map(tuple, targets)), poses.device)                                 # (3, T)
        target = poses[:, frames].transpose(0, 1).flatten(0, 1)                                     # (3B, T, J, 2)
        noise = noise.transpose(0, 1).flatten(1, 2)                                                 # (L, 3B, Z)
        rollout = self.rollout(poses[:, 0].repeat(len(targets), 1, 1), action.repeat(len(targets)), target.shape[1], noise)
        # all roll-outs have the same number of values, so the sum of three means is three times the mean over all
        reconstruction = len(targets) * (rollout.pose - target).abs().mean()
        mu, logvar = (value[:, :count].to(poses.dtype) for value in (rollout.mu, rollout.logvar))
        return {"kl": -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum(), "reconstruction": reconstruction}

    def predict(self, pose, action, steps, noise):
        """See :class:`networks.interfaces.PoseModule`; L = T + 1."""
        return self.rollout(pose, action, steps, noise.transpose(0, 1)).pose

    def rollout(self, pose, action, steps=4, noise=None):
        """Predict the next poses. From the second step on, the input is the model's own previous pose.

        Args:
            pose: (B, J, 2) source pose.
            action: (B,) int64 ids.
            steps: T.
            noise: (T + 1, B, Z), or None to draw it.
        Returns:
            :class:`Rollout`: the T poses after the source and the parameters of the latents' distributions.
        """
        if noise is None:
            noise = torch.randn(steps + 1, len(pose), self.z_dim, dtype=pose.dtype, device=pose.device)
        noise = noise.to(pose.device, non_blocking=True)
        label = F.one_hot(action, self.num_actions).to(pose.dtype)                       # (B, C)
        pose, z = pose.flatten(1), noise[0]                                              # (B, 2J), (B, Z)
        encoder_state = decoder_state = None
        poses, mus, logvars = [], [], []
        for eps in noise[1:]:
            condition = torch.cat([pose, label], 1)                                      # (B, 2J + C)
            encoder_state = self.encoder(torch.cat([condition, z], 1), encoder_state)
            mu, logvar = encoder_state[0].chunk(2, dim=1)                                # (B, Z) each
            z = mu + eps * torch.exp(logvar / 2)
            decoder_state = self.decoder(torch.cat([condition, z], 1), decoder_state)
            pose = decoder_state[0]                                                      # the hidden state is the pose
            poses.append(pose.unflatten(1, (self.num_joints, 2)))
            mus.append(mu)
            logvars.append(logvar)
        return Rollout(torch.stack(poses, 1), torch.stack(mus), torch.stack(logvars))


POSE_MODULES = {"lstm_vae": ActVAE, "mixture": MixtureMotion}


def build_pose_module(settings, num_actions):
    """The pose module that the block `actvae` of a configuration describes, for `num_actions` actions."""
    return POSE_MODULES[settings.kind](num_actions, **settings.network())
