"""Crop and letterbox, at home in :mod:`utils.transform`: own photos are prepared as the data set's frames are."""
from utils.transform import PAD_RGB, Letterbox, clamp_box, letterbox, person_masks, picture_from_frame, pose_to_picture

__all__ = ["PAD_RGB", "Letterbox", "clamp_box", "letterbox", "person_masks", "picture_from_frame", "pose_to_picture"]
