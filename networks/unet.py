"""A small U-Net of residual blocks, which keeps the size of what it reads."""
import torch
import torch.nn.functional as F
from torch import nn

GROUP = 8                      # channels that group norm takes together


def norm(width):
    return nn.GroupNorm(width // GROUP, width)


class UNetBlock(nn.Module):
    """Residual block of two convolutions."""

    def __init__(self, width):
        super().__init__()
        self.block = nn.Sequential(norm(width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
                                   nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
        nn.init.zeros_(self.block[-1].weight)
        nn.init.zeros_(self.block[-1].bias)

    def forward(self, x):
        """(B, width, s, s) -> (B, width, s, s)."""
        return x + self.block(x)


class UNet(nn.Module):
    """Reads pictures of a side s that three halvings divide, and writes pictures of the same side.

    Args:
        inputs, outputs: numbers of channels.
        widths: of the features at s, s/2, s/4 and s/8, multiples of 8.
    """

    def __init__(self, inputs, outputs, widths):
        super().__init__()
        levels = list(zip(widths, widths[1:]))
        self.stem = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Sequential(nn.Conv2d(narrow, wide, 3, stride=2, padding=1), UNetBlock(wide))
                                  for narrow, wide in levels)
        self.middle = UNetBlock(widths[-1])
        self.lift = nn.ModuleList(nn.Conv2d(wide, narrow, 1) for narrow, wide in levels)
        self.up = nn.ModuleList(UNetBlock(narrow) for narrow, _ in levels)
        self.head = nn.Sequential(norm(widths[0]), nn.SiLU(), nn.Conv2d(widths[0], outputs, 3, padding=1))
        nn.init.normal_(self.head[-1].weight, 0, 1e-3)
        nn.init.zeros_(self.head[-1].bias)
        self.to(memory_format=torch.channels_last)                   # convolutions are faster so

    def forward(self, x):
        """(B, inputs, s, s) -> (B, outputs, s, s) of the same dtype."""
        dtype, x = x.dtype, self.stem(x.contiguous(memory_format=torch.channels_last))
        skips = [x]
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.middle(x)
        for level in range(len(self.up) - 1, -1, -1):
            x = self.up[level](skips[level] + F.interpolate(self.lift[level](x), scale_factor=2.0, mode="nearest"))
        return self.head(x).to(dtype, memory_format=torch.contiguous_format)
