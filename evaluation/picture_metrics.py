"""How painted pictures compare with the real ones: near, sharp, steady, and the person the same.

Axes: B clips, T pictures of each, S picture side; pictures are in [-1, 1] and are compared in [0, 1]. Every function
returns (B,) float tensors.
"""
import torch

from networks.layers import at_least_float32

BEST = 100.0                   # dB, of pictures that are the same to the last bit
NOTHING = 1e-12                # no gradient energy, no flicker: a picture of one colour, a clip that stands still


def unit(pictures):
    """(B, T, 3, S, S) in [-1, 1] -> [0, 1], clamped, at least float32."""
    return ((at_least_float32(pictures) + 1) / 2).clamp(0, 1)


def decibel(error):
    """Mean squared error of values in [0, 1] -> dB, `-10 log10`, at most `BEST`."""
    return (-10 * torch.log10(error.clamp(min=NOTHING))).clamp(max=BEST)


def psnr_by_region(pictures, truth, boxes):
    """PSNR of whole pictures, inside the person's box and outside it, each a mean over the T pictures.

    Args:
        pictures, truth: (B, T, 3, S, S).
        boxes: (B, T, 1, S, S), 1 inside the person's box. Pictures that are all box or without one count on the other side only.
    Returns:
        {"psnr", "psnr_inside", "psnr_outside"}; NaN where no picture of the clip has such pixels.
    """
    square = (unit(pictures) - unit(truth)).square().mean(2, keepdim=True)                   # (B, T, 1, S, S)

    def mean(weight):
        count = weight.sum((2, 3, 4))                                                        # (B, T)
        error = (square * weight).sum((2, 3, 4)) / count.clamp(min=1)
        return torch.where(count > 0, decibel(error), torch.nan).nanmean(1)                  # (B,)
    boxes = boxes.to(square)
    return {"psnr": mean(torch.ones_like(boxes)), "psnr_inside": mean(boxes), "psnr_outside": mean(1 - boxes)}


def share(value, whole):
    """(B,) value / whole, NaN where there is no whole."""
    return torch.where(whole > NOTHING, value / whole.clamp(min=NOTHING), torch.nan)


def gradient_energy(pictures):
    """(B,) mean squared difference of neighbouring pixels, across and down: how much fine detail there is."""
    pictures = unit(pictures)
    across, down = pictures.diff(dim=-1), pictures.diff(dim=-2)
    return across.square().mean((1, 2, 3, 4)) + down.square().mean((1, 2, 3, 4))


def sharpness(pictures, truth):
    """(B,) gradient energy of the pictures in shares of the truth's: 1 as sharp, less blurred, more noisy; NaN if that is 0."""
    return share(gradient_energy(pictures), gradient_energy(truth))


def flicker(pictures, truth):
    """(B,) how much pixels change from picture to picture, in shares of how much the truth's do.

    The second difference in time, |x_{t-1} - 2 x_t + x_{t+1}| / 2, meaned over pixels: steady motion counts little,
    jumping back and forth fully. Needs three pictures; NaN where the truth stands still.
    """
    def jumps(clip):
        clip = unit(clip)                                                                    # (B, T, 3, S, S)
        return (clip[:, :-2] - 2 * clip[:, 1:-1] + clip[:, 2:]).abs().mean((1, 2, 3, 4)) / 2

    return share(jumps(pictures), jumps(truth))


def identity(pictures, source):
    """(B,) PSNR of what is painted for the source's own pose (B, 3, S, S) against the source (B, 3, S, S)."""
    return decibel((unit(pictures) - unit(source)).square().mean((1, 2, 3)))
