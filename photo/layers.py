"""The layers of a photo: the plate, which is the photo without its person, and the parts of the person.

They belong to the photo and not to a motion. So the plate is made once for all clips, and whoever wants can have the layers as
files and mend them.
"""
import cv2
import numpy as np
import torch

from photo.crop import crop_person
from photo.photo_file import read_photo
from photo.photo_list import LAYERS, PLATE, file_for
from utils.errors import UserError
from utils.media import write_image
from utils.transform import as_image, as_pictures, pose_to_picture, resized

MARGIN = 0.25             # around the person: what the plate is filled with, as a share of the longer side of the person's box
FAINT = 0.1               # pixels of which the mask holds less say nothing of where the person is


def prepare_crop(trainer, crop, picture, pose):
    """What all pictures of a crop's person share.

    Args:
        trainer: with loaded weights.
        crop: :class:`photo.crop.Crop`.
        picture: (S, S, 3) uint8, the crop's picture at the size that is painted.
        pose: (J, 2) normalised.
    Returns:
        the arguments `source` and `source_pose` of `trainer.paint`, each of one row, and its `prepared`.
    """
    source, pose = as_image(picture[None]), torch.from_numpy(pose.astype(np.float32))[None]
    plate = None if crop.plate is None else as_image(crop.plate[None])
    return source, pose, trainer.prepare(source, pose, _one(crop.mask), plate, _one(crop.held))


def _one(mask):
    """A mask (S, S) as a batch (1, 1, S, S) of one; None stays."""
    return None if mask is None else torch.from_numpy(mask)[None, None]


def around_person(subject):
    """The :class:`photo.crop.Crop` of a person and what is near, and the pose (J, 2) in it, normalised."""
    points = subject.person.joints
    if subject.mask is not None:
        x, y, w, h = cv2.boundingRect((subject.mask > FAINT).astype(np.uint8))
        points = np.concatenate([points, np.array([(x, y), (x + w, y + h)])])
    crop = crop_person(subject, points, np.full(4, MARGIN))
    return crop, pose_to_picture(subject.person.joints[None], crop.box, crop.size)[0]


def find_plate(trainer, subject):
    """The photo of a :class:`photo.crop.Subject` without its person, (h, w, 3) uint8, as the trainer's generator fills it."""
    crop, pose = around_person(subject)
    pose = torch.from_numpy(pose.astype(np.float32))[None]
    plate = as_pictures(trainer.plate(as_image(crop.picture[None]), pose, _one(crop.mask)))[0]
    changed = (plate != crop.picture).any(-1, keepdims=True)
    return put_into(subject.photo, crop, plate, crop.inside(changed.astype(np.float32)))


def put_into(photo, crop, picture, share):
    """A copy of a photo (h, w, 3) with a picture (P, P, 3) of its crop, of which the inside counts with `share` (., ., 1)."""
    x1, y1, x2, y2 = crop.box
    size, result = (y2 - y1, x2 - x1), photo.copy()
    share, ground = resized(share, size).reshape(*size, 1).clip(0, 1), photo[y1:y2, x1:x2].astype(np.float32)
    result[y1:y2, x1:x2] = np.rint(ground + share * (resized(crop.inside(picture), size) - ground))
    return result


def read_plate(path, photo, size):
    """Read a plate that the user gives.

    Args:
        path: picture file, or a folder that :func:`write_layers` wrote for this photo, or in which it wrote it.
        photo: :class:`photo.photo_list.Photo`.
        size: (h, w) of the photo.
    Raises:
        UserError: no such picture, or one of another size.
    """
    path = file_for(path, f"{photo.stem}{LAYERS}/{PLATE}", PLATE)
    plate = read_photo(path)
    if plate.shape[:2] != tuple(size):
        raise UserError(f"{path}: this plate is {plate.shape[1]} x {plate.shape[0]} pixels, the photo is {size[1]} x {size[0]}; "
                        "save it at the photo's size")
    return plate


def write_layers(folder, trainer, subject):
    """Write the plate of a :class:`photo.crop.Subject` and its person's parts as PNG files of the photo's size, into a folder.

    The parts have an alpha channel. Where one part hides another, the hidden one has colours there, too.
    """
    folder.mkdir(exist_ok=True)
    write_image(folder / PLATE, subject.plate)
    crop, pose = around_person(subject)
    parts = trainer.take_apart(prepare_crop(trainer, crop, crop.picture, pose)[-1])
    x1, y1, x2, y2 = crop.box
    for name, part in zip(trainer.generator.parts, as_pictures(parts[0])):
        picture = np.zeros((*subject.photo.shape[:2], 4), np.uint8)
        picture[y1:y2, x1:x2] = resized(crop.inside(part), (y2 - y1, x2 - x1))
        write_image(folder / f"{name}.png", picture)
