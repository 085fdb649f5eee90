"""The pose-attention generator: source picture + source and target pose -> target picture (SPEC section 5).

Axes: B batch, J = 13 joints, S picture side; c is the width after the downsampling, 256 as published, and s = S / 4
its side. The names of the submodules are those of the published checkpoints, and the order in which they are made is
that of the published `optimizer.pt`, which knows parameters by number.
"""
import torch
from torch import nn


def reflect_conv(inputs, outputs, kernel, bias=True):
    """Convolution that keeps the side, its border reflected: a list of two layers."""
    return [nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, bias=bias)]


def norm_relu(width):
    """Batch norm and ReLU: a list of two layers. In place: a norm's backward does not read its output."""
    return [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]


def init_published(module):
    """Published initial weights (SPEC section 5), for `nn.Module.apply`."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1, 0.02)
        nn.init.zeros_(module.bias)


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose gain and shift belong to the action."""

    def __init__(self, width, num_actions, momentum=0.001):
        super().__init__()
        self.bn = nn.BatchNorm2d(width, affine=False, momentum=momentum)
        self.embed = nn.Embedding(num_actions, 2 * width)          # gains, then shifts
        nn.init.ones_(self.embed.weight[:, :width].detach())
        nn.init.zeros_(self.embed.weight[:, width:].detach())

    def forward(self, x, action):
        """x (B, width, S, S), action (B,) -> (B, width, S, S)."""
        x = self.bn(x)
        gain, shift = self.embed(action).to(x.dtype)[:, :, None, None].chunk(2, dim=1)       # (B, width, 1, 1) each
        return torch.addcmul(shift, gain, x)


class AttentionBlock(nn.Module):
    """One step of pose transfer: the pose stream says where the image stream changes."""

    def __init__(self, width, pose_width):
        super().__init__()
        self.conv_block_stream1 = nn.Sequential(*reflect_conv(width, width, 3), *norm_relu(width),
                                                *reflect_conv(width, width, 3), nn.BatchNorm2d(width))
        self.conv_block_stream2 = nn.Sequential(*reflect_conv(pose_width, pose_width, 3), *norm_relu(pose_width),
                                                *reflect_conv(pose_width, width, 3))

    def forward(self, image, pose):
        """image (B, c, s, s), pose (B, pose_width, s, s) -> image stream and pose branch, (B, c, s, s) each."""
        branch = self.conv_block_stream2(pose)
        return torch.addcmul(image, self.conv_block_stream1(image), torch.sigmoid(branch)), branch


class PoseAttentionGenerator(nn.Module):
    """Pose-attention transfer network that paints over the source where its mask says so.

    Args:
        num_actions: C.
        num_joints: J.
        ngf: width after the first convolution; doubled by every downsampling.
        n_blocks: attention blocks.
        n_downsampling: halvings of the side, which must be divisible by 2 ** n_downsampling.
    """

    def __init__(self, num_actions=9, num_joints=13, ngf=64, n_blocks=9, n_downsampling=2, norm_momentum=0.001):
        super().__init__()
        widths = [ngf * 2 ** level for level in range(n_downsampling + 1)]             # 64, 128, 256
        ups = list(zip(range(1, n_downsampling + 1), widths[:0:-1], widths[-2::-1]))   # (1, 256, 128), (2, 128, 64)
        for number, _, outputs in ups:
            setattr(self, f"model_stream1_up_{number}_bn", ConditionalBatchNorm(outputs, num_actions, norm_momentum))
        self.model_stream1_down = self._downsampling(3, widths)
        self.model_stream2_down = self._downsampling(2 * num_joints, widths)
        # from the second block on the pose stream also carries the image stream
        self.att = nn.ModuleList(AttentionBlock(widths[-1], widths[-1] * (1 if block == 0 else 2))
                                 for block in range(n_blocks))
        for number, inputs, outputs in ups:
            setattr(self, f"model_stream1_up_{number}", nn.Sequential(
                nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)))
        self.model_stream1_up = nn.Sequential(*reflect_conv(ngf, 4, 7))                # colours and the mask
        self.n_downsampling = n_downsampling
        self.apply(init_published)

    @staticmethod
    def _downsampling(inputs, widths):
        layers = [*reflect_conv(inputs, widths[0], 7), *norm_relu(widths[0])]
        for narrow, wide in zip(widths, widths[1:]):
            layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1), *norm_relu(wide)]
        return nn.Sequential(*layers)

    def forward(self, source, pose_maps, action):
        """Paint the source person in the target pose.

        Args:
            source: (B, 3, S, S) pictures in [-1, 1].
            pose_maps: (B, 2J, S, S) heatmaps, source pose ++ target pose.
            action: (B,) int64 ids.
        Returns:
            (B, 3, S, S) pictures in [-1, 1] of the source's dtype.
        """
        image = self.model_stream1_down(source)                                        # (B, c, s, s)
        pose = self.model_stream2_down(pose_maps)                                      # (B, c, s, s)
        for number, block in enumerate(self.att):
            image, branch = block(image, pose)
            if number + 1 < len(self.att):
                pose = torch.cat([branch, image], 1)                                   # (B, 2c, s, s)
        for number in range(1, self.n_downsampling + 1):
            image = getattr(self, f"model_stream1_up_{number}")(image)
            image = torch.relu_(getattr(self, f"model_stream1_up_{number}_bn")(image, action))
        colours, mask = self.model_stream1_up(image).to(source.dtype).split((3, 1), dim=1)     # (B, 3 | 1, S, S)
        return torch.lerp(source, torch.tanh(colours), torch.sigmoid(mask))
