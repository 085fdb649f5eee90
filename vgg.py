"""Perceptual loss: L1 distances of VGG-19 features (published system, "P2I")."""
import logging
import re
from pathlib import Path

import torch
from torch import nn
from torchvision.models import VGG19_Weights
from torchvision.models.vgg import cfgs, make_layers

from networks.layers import at_least_float32
from utils.errors import UserError
from utils.torch_files import download_weights, load_weights

# layer of torchvision's vgg19().features (each a ReLU) -> weight of its L1 distance
LAYER_WEIGHTS = {1: 1 / 32, 6: 1 / 16, 11: 1 / 8, 20: 1 / 4, 29: 1.0}
DEPTH = max(LAYER_WEIGHTS) + 1
WAYS_OUT = "give a file with `vgg_weights: PATH`, or do without: `image_loss.vgg=0`, or `vgg_weights: random`"


class VGGFeatures(nn.Sequential):
    """The first layers of torchvision's VGG-19: (B, 3, S, S) -> list of the five maps after the layers in `LAYER_WEIGHTS`."""

    def __init__(self):
        super().__init__(*make_layers(cfgs["E"])[:DEPTH])

    def forward(self, x):
        maps = []
        for number, layer in enumerate(self):
            x = layer(x)                       # ReLUs work in place, but the layer after a chosen ReLU does not
            if number in LAYER_WEIGHTS:
                maps.append(x)
        return maps


class VGGLoss(nn.Module):
    """Weighted L1 distances of VGG-19 features of pictures in [-1, 1]; frozen, without ImageNet normalisation, as published.

    Args:
        weights: `imagenet` (torchvision's, downloaded once); a file with the state dict of torchvision's vgg19 or of its
            features; or `random`, for trying out the code.
    Raises:
        UserError: the weights cannot be found or read.
    """

    def __init__(self, weights="imagenet"):
        super().__init__()
        self.features = VGGFeatures()
        if weights == "random":
            self._randomise()
        else:
            self._load(download_weights(VGG19_Weights.IMAGENET1K_V1, "VGG-19's ImageNet", WAYS_OUT) if weights == "imagenet"
                       else _read_weights(weights), weights)
        self.requires_grad_(False)

    def forward(self, x, y):
        """Distance (0-dim) of pictures x (B, 3, S, S) from targets y (B, 3, S, S), which get no gradient."""
        with torch.no_grad():
            targets = self.features(y)
        return sum(weight * (at_least_float32(got) - wanted).abs().mean()
                   for weight, got, wanted in zip(LAYER_WEIGHTS.values(), self.features(x), targets))

    def _randomise(self):
        logging.getLogger("actvae").warning("the perceptual loss uses RANDOM VGG weights (vgg_weights: random)")
        random = torch.Generator().manual_seed(0)            # the same in a resumed run, as checkpoints do not hold them
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=random)
                nn.init.zeros_(layer.bias)

    def _load(self, weights, origin):
        try:
            self.load_state_dict(weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split("\n")[1:2]).strip()
            raise UserError(f"vgg_weights: {origin}: not the weights of torchvision's vgg19 ({reason})") from None

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        """Accept state dicts of the whole vgg19 and of its features alone; ignore layers that are not used."""
        for key in [key for key in state_dict if key.startswith(prefix)]:
            match = re.fullmatch(r"(?:features\.)?(\d+)\.(\w+)", key[len(prefix):])
            if match:
                value = state_dict.pop(key)
                if int(match[1]) < DEPTH:
                    state_dict[f"{prefix}features.{match[1]}.{match[2]}"] = value
            elif key.startswith(f"{prefix}classifier."):
                del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _read_weights(path):
    if not Path(path).is_file():
        raise UserError(f"vgg_weights: {path}: there is no such file; {WAYS_OUT}")
    return load_weights(path)
