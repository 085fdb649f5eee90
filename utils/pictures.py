"""Pictures as arrays and as tensors: uint8 (..., S, S, 3) RGB, and (..., 3, S, S) in [-1, 1] for the networks."""
import torch


def as_image(pictures):
    """uint8 pictures (..., S, S, 3) -> float32 images (..., 3, S, S) in [-1, 1] (mean and deviation 0.5)."""
    return torch.from_numpy(pictures).movedim(-1, -3).float().div_(127.5).sub_(1)


def as_pictures(images):
    """Images (..., 3, S, S) in [-1, 1] -> uint8 pictures (..., S, S, 3)."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).movedim(-3, -1).cpu().numpy()
