"""ACT-VAE, the pose module: two LSTMs that roll a pose out in time (SPEC section 3).

Axes: B batch, T steps, J = 13 joints, C actions, Z latent size. Poses are normalised picture coordinates in [-1, 1].
"""
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn


class Rollout(NamedTuple):
    pose: torch.Tensor       # (B, T, J, 2)
    mu: torch.Tensor         # (T, B, Z)
    logvar: torch.Tensor     # (T, B, Z)


class RecurrentCell(nn.Module):
    """One LSTM layer, stepped by hand.

    `nn.LSTM` holds the parameters (its names are the checkpoint's, its initialisation the paper's); the step itself is
    two matrix products and the gates, because calling `nn.LSTM` for one step at a time costs several times as much.
    """

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.LSTM(input_size, hidden_size)

    def forward(self, x, state=None):
        """x (B, input), state (h, c) of (B, hidden) each or None for zeros -> the next (h, c)."""
        rnn = self.rnn
        gates = F.linear(x, rnn.weight_ih_l0, rnn.bias_ih_l0 + rnn.bias_hh_l0)          # (B, 4 * hidden)
        if state is not None:
            gates = torch.addmm(gates, state[0].to(gates.dtype), rnn.weight_hh_l0.t())
        take_in, forget, candidate, give_out = gates.chunk(4, dim=1)
        cell = torch.sigmoid(take_in) * torch.tanh(candidate)
        if state is not None:
            cell = cell + torch.sigmoid(forget) * state[1]
        return torch.sigmoid(give_out) * torch.tanh(cell), cell


class ActVAE(nn.Module):
    """Conditional temporal VAE: each step's latent depends on the one before.

    Args:
        num_actions: C.
        num_joints: J.
        z_dim: Z; the encoder's hidden state holds mu and logvar, so it is 2 Z wide.
    """

    def __init__(self, num_actions=9, num_joints=13, z_dim=512):
        super().__init__()
        self.num_actions, self.num_joints, self.z_dim = num_actions, num_joints, z_dim
        condition = 2 * num_joints + num_actions
        self.encoder = RecurrentCell(condition + z_dim, 2 * z_dim)
        self.decoder = RecurrentCell(condition + z_dim, 2 * num_joints)

    def draw_noise(self, batch, steps=4, generator=None):
        """Noise for a roll-out, (steps + 1, B, Z): z_0 first, then eps of each step."""
        weight = self.encoder.rnn.weight_ih_l0
        noise = torch.randn(steps + 1, batch, self.z_dim, generator=generator, dtype=weight.dtype,
                            device=generator.device if generator is not None else weight.device)
        return noise.to(weight.device)

    def rollout(self, pose, action, steps=4, noise=None):
        """Predict the next poses; from the second step on the model sees its own previous pose.

        Args:
            pose: (B, J, 2) source pose.
            action: (B,) int64 ids.
            steps: T.
            noise: (T + 1, B, Z) or None to draw it.
        Returns:
            :class:`Rollout` of the T poses after the source and the latents' parameters.
        """
        noise = self.draw_noise(len(pose), steps) if noise is None else noise
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

    forward = rollout

    @torch.no_grad()
    def sample(self, pose, action, n, steps=4, generator=None):
        """Draw `n` possible futures of poses (B, J, 2) with actions (B,): (B, n, T, J, 2) of the poses' dtype.

        `generator` is the noise's torch.Generator; the default leaves training's random state alone.
        """
        noise = self.draw_noise(len(pose) * n, steps, generator)
        rollout = self.rollout(pose.repeat_interleave(n, 0), action.repeat_interleave(n), steps, noise)
        return rollout.pose.to(pose.dtype).unflatten(0, (len(pose), n))
