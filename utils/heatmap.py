"""Joint heatmaps (published system, "Heatmaps")."""
import torch

INV_STD = 14.3          # published width; a joint's blob has a standard deviation of 0.049, 3.2 pixels of 128


def gaussian_maps(pose, size, inv_std=INV_STD):
    """Make one heatmap per joint, `exp(-((y - mu_y)^2 + (x - mu_x)^2) * inv_std^2)` on a grid `linspace(-1, 1, size)`.

    Args:
        pose: (..., J, 2) x, y normalised.
        size: S, side of the maps in pixels.
    Returns:
        (..., J, S, S) of the pose's dtype, rows are y.
    """
    grid = torch.linspace(-1, 1, size, dtype=pose.dtype, device=pose.device)
    profiles = torch.exp(-((grid - pose[..., None]) * inv_std) ** 2)      # (..., J, 2, S); a Gaussian is separable
    return profiles[..., 1, :, None] * profiles[..., 0, None, :]
