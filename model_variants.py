"""The registry of generators and the published one: source picture, source pose and target pose -> target picture.

`config.generator.kind` names one of `GENERATORS`. To add a kind:
1. write its class in a file of its own under networks/, a subclass of :class:`networks.interfaces.Generator`;
2. name the class in `GENERATORS` below;
3. write its keys, a subclass of `NetworkConfig` in utils/schema.py, name it in `NETWORK_KINDS` there, and explain the keys in a
   YAML file in config/.
Tests then build it and check the interface; nothing else has to change.

Axes: B batch, J = 13 joints, S picture side; c is the width after the downsampling, 256 as published, and s = S / 4
its side. The names of the submodules are those of the published checkpoints. They are made in the order of the published
`optimizer.pt`, which numbers the parameters in that order.
"""
import torch
from torch import nn

from networks.cutout_generator import CutoutGenerator
from networks.interfaces import Generator
from networks.layers import init_published, norm_relu, reflect_conv
from utils.errors import UserError
from utils.heatmap import gaussian_maps


class ConditionalBatchNorm(nn.Module):
    """Batch norm with a gain and a shift per action: (B, width, S, S), action (B,) -> (B, width, S, S)."""

    def __init__(self, width, num_actions, momentum=0.001):
        super().__init__()
        self.bn = nn.BatchNorm2d(width, affine=False, momentum=momentum)
        self.embed = nn.Embedding(num_actions, 2 * width)          # gains, then shifts
        nn.init.ones_(self.embed.weight[:, :width].detach())
        nn.init.zeros_(self.embed.weight[:, width:].detach())

    def forward(self, x, action):
        x = self.bn(x)
        gain, shift = self.embed(action).to(x.dtype)[:, :, None, None].chunk(2, dim=1)       # (B, width, 1, 1) each
        return torch.addcmul(shift, gain, x)


class AttentionBlock(nn.Module):
    """One step of pose transfer: the pose stream decides where the image stream changes."""

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


class PoseAttentionGenerator(Generator):
    """The published generator, a pose-attention transfer network, whose mask blends rendered colours into the source picture.

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

    def check_size(self, size):
        factor = 2 ** self.n_downsampling
        if size % factor or size < 2 * factor:
            raise UserError(f"imsize {size} must be a multiple of {factor} from {2 * factor} on: the generator halves it "
                            f"{self.n_downsampling} times")

    @staticmethod
    def _downsampling(inputs, widths):
        layers = [*reflect_conv(inputs, widths[0], 7), *norm_relu(widths[0])]
        for narrow, wide in zip(widths, widths[1:]):
            layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1), *norm_relu(wide)]
        return nn.Sequential(*layers)

    def forward(self, source, *condition):
        """Render the source person in the target pose.

        Args:
            source: (B, 3, S, S) pictures in [-1, 1].
            condition: source_pose (B, J, 2), target_pose (B, J, 2) and action (B,) int64 ids; or, as published, the heatmaps
                (B, 2J, S, S) of the source pose followed by those of the target pose, and action.
        Returns:
            (B, 3, S, S) pictures in [-1, 1] of the source's dtype.
        """
        *poses, action = condition
        maps = [gaussian_maps(pose, source.shape[-1]) for pose in poses] if len(poses) == 2 else poses
        image = self.model_stream1_down(source)                                        # (B, c, s, s)
        pose = self.model_stream2_down(torch.cat(maps, 1))                      # (B, c, s, s)
        for number, block in enumerate(self.att):
            image, branch = block(image, pose)
            if number + 1 < len(self.att):
                pose = torch.cat([branch, image], 1)                                   # (B, 2c, s, s)
        for number in range(1, self.n_downsampling + 1):
            image = getattr(self, f"model_stream1_up_{number}")(image)
            image = torch.relu_(getattr(self, f"model_stream1_up_{number}_bn")(image, action))
        colours, mask = self.model_stream1_up(image).to(source.dtype).split((3, 1), dim=1)     # (B, 3 | 1, S, S)
        return torch.lerp(source, torch.tanh(colours), torch.sigmoid(mask))


GENERATORS = {"pose_attention": PoseAttentionGenerator, "cutout": CutoutGenerator}


def build_generator(settings, num_actions):
    """The generator that the block `generator` of a configuration describes, for `num_actions` actions."""
    return GENERATORS[settings.kind](num_actions, **settings.network())
