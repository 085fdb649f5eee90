"""The layers of a photo: the background without the person, and the parts of the person. All clips of a photo share them."""
import cv2
import numpy as np
import torch

from photo.crop import crop_person
from photo.inputs import PLATE
from utils.media import write_image
from utils.transform import as_image, as_pictures, resized

MARGIN = 0.25             # around the person, from which the background is inpainted, as a fraction of the longer side of the box


def prepare_crop(trainer, crop, picture, pose):
    """The arguments `source`, `source_pose` and `prepared` of `trainer.render` for a crop, with a batch of one.

    `picture` (S, S, 3) uint8 is the crop's at the size that is rendered, `pose` (J, 2) is normalised.
    """
    source, pose = as_image(picture[None]), _batch(pose)
    background = None if crop.background is None else as_image(crop.background[None])
    return source, pose, trainer.prepare(source, pose, _batch(crop.mask, 2), background, _batch(crop.held, 2))


def _batch(values, axes=1):
    return None if values is None else torch.from_numpy(values.astype(np.float32))[(None,) * axes]


def crop_around(subject):
    """The :class:`photo.crop.Crop` of a :class:`photo.subject.Subject` and the surroundings, and the pose (J, 2) in it."""
    points = subject.person.joints
    if subject.mask is not None:
        x, y, w, h = cv2.boundingRect((subject.mask > 0.1).astype(np.uint8))
        points = np.concatenate([points, np.array([(x, y), (x + w, y + h)])])
    crop = crop_person(subject, points, MARGIN)
    return crop, crop.to_picture(subject.person.joints[None])[0]


def inpaint_photo(trainer, subject):
    """The photo of a :class:`photo.subject.Subject`, (h, w, 3) uint8, with the person inpainted by the trainer's generator."""
    crop, pose = crop_around(subject)
    background = as_pictures(trainer.background(as_image(crop.picture[None]), _batch(pose), _batch(crop.mask, 2)))[0]
    changed = (background != crop.picture).any(-1, keepdims=True).astype(np.float32)
    (x1, y1, x2, y2), photo = crop.box, subject.pixels.copy()
    size = y2 - y1, x2 - x1
    weight = resized(crop.inside(changed), size).reshape(size).clip(0, 1)              # unchanged pixels stay the photo's
    photo[y1:y2, x1:x2] = cv2.blendLinear(resized(crop.inside(background), size), photo[y1:y2, x1:x2], weight, 1 - weight)
    return photo


def write_layers(folder, trainer, subject):
    """Write the background of a :class:`photo.subject.Subject` and the parts of its person as PNG files of the photo's size.

    The parts have an alpha channel, and colours also where another part hides them.
    """
    folder.mkdir(exist_ok=True)
    write_image(folder / PLATE, subject.background)
    crop, pose = crop_around(subject)
    parts = trainer.part_layers(prepare_crop(trainer, crop, crop.picture, pose)[-1])
    x1, y1, x2, y2 = crop.box
    for name, part in zip(trainer.generator.parts, as_pictures(parts[0])):
        picture = np.zeros((*subject.pixels.shape[:2], 4), np.uint8)
        picture[y1:y2, x1:x2] = resized(crop.inside(part), (y2 - y1, x2 - x1))
        write_image(folder / f"{name}.png", picture)
