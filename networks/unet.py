"""A small U-Net of residual blocks."""
import torch
import torch.nn.functional as F
from torch import nn


def group_norm(width):
    return nn.GroupNorm(width // 8, width)


class UNetBlock(nn.Module):
    """Residual block of two convolutions, the identity at first: (B, width, s, s) -> (B, width, s, s)."""

    def __init__(self, width):
        super().__init__()
        self.block = nn.Sequential(group_norm(width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
                                   nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
        nn.init.zeros_(self.block[-1].weight)
        nn.init.zeros_(self.block[-1].bias)

    def forward(self, x):
        return x + self.block(x)


class UNet(nn.Module):
    """Maps (B, inputs, s, s) to (B, outputs, s, s), s divisible by 8. `widths` at s, s/2, s/4 and s/8 are multiples of 8."""

    def __init__(self, inputs, outputs, widths):
        super().__init__()
        levels = list(zip(widths, widths[1:]))
        self.stem = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Sequential(nn.Conv2d(narrow, wide, 3, stride=2, padding=1), UNetBlock(wide))
                                  for narrow, wide in levels)
        self.middle = UNetBlock(widths[-1])
        self.lift = nn.ModuleList(nn.Conv2d(wide, narrow, 1) for narrow, wide in levels)
        self.up = nn.ModuleList(UNetBlock(narrow) for narrow, _ in levels)
        self.head = nn.Sequential(group_norm(widths[0]), nn.SiLU(), nn.Conv2d(widths[0], outputs, 3, padding=1))
        nn.init.normal_(self.head[-1].weight, 0, 1e-3)
        nn.init.zeros_(self.head[-1].bias)
        self.to(memory_format=torch.channels_last)                   # faster convolutions

    def forward(self, x):
        dtype, x = x.dtype, self.stem(x.contiguous(memory_format=torch.channels_last))
        skips = [x]
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.middle(x)
        for level in range(len(self.up) - 1, -1, -1):
            x = self.up[level](skips[level] + F.interpolate(self.lift[level](x), scale_factor=2.0, mode="nearest"))
        return self.head(x).to(dtype, memory_format=torch.contiguous_format)
