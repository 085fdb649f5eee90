"""The ablation: the worth of each part of the pose module `residual`, see `python -m tools.ablation --help`."""
