"""How networks are trained, saved and found again: the loop and its guards, the base trainer, checkpoints, weights."""
