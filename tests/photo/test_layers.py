"""The plate of a photo: where it differs from the photo, also for photos that are larger than their crop's picture."""
from types import SimpleNamespace

import numpy as np
import pytest

from networks.plate import background_plate
from photo.crop import CROP_SIDE, Subject, pose_boxes, shown_whole
from photo.layers import around_person, find_plate, put_into
from photo.pose_page import STANDING
from pose.detector import Person

TRAINER = SimpleNamespace(plate=background_plate)


def subject_of(size, masked=True):
    """A bright person on a dark ground that gets brighter from top to bottom."""
    h, w = size
    joints = STANDING * 0.6 * h + (w / 2, 0.2 * h)
    photo = np.repeat(np.linspace(20, 90, h, dtype=np.uint8)[:, None, None], w, 1).repeat(3, 2)
    mask = np.zeros(size, np.float32)
    x1, y1, x2, y2 = pose_boxes(joints).astype(int)
    mask[y1:y2, x1:x2] = 1
    photo[mask > 0] = 250
    person = Person(pose_boxes(joints), 1.0, joints, np.ones(13, bool))
    return Subject(photo, shown_whole(photo), person, mask if masked else None)


@pytest.mark.parametrize("size", [(150, 120), (2400, 1800)])
def test_the_person_is_gone_and_the_rest_stays(size):
    subject = subject_of(size)
    plate = find_plate(TRAINER, subject)
    near = np.zeros(size, bool)
    x1, y1, x2, y2 = np.rint(pose_boxes(subject.person.joints) + np.multiply((-1, -1, 1, 1), 0.08 * size[0])).astype(int)
    near[y1:y2, x1:x2] = True
    assert np.array_equal(plate[~near], subject.photo[~near])
    assert plate.max() < 130 and plate.shape == subject.photo.shape


def test_the_crop_holds_all_that_the_mask_shows():
    subject = subject_of((300, 400))
    subject.mask[20:40, 30:60] = 1
    crop, _ = around_person(subject)
    assert crop.box[0] <= 30 and crop.box[1] <= 20
    assert (around_person(subject_of((300, 400), masked=False))[0].box[:2] > (30, 20)).all()


def test_a_picture_goes_into_the_photo_by_its_share():
    subject = subject_of((2400, 1800))
    crop, _ = around_person(subject)
    assert crop.size == CROP_SIDE < max(crop.box[2:] - crop.box[:2])
    share = np.zeros((*crop.inside(crop.picture).shape[:2], 1), np.float32)
    assert np.array_equal(put_into(subject.photo, crop, crop.picture, share), subject.photo)
    share[400:500, 300:400] = 1
    changed = (put_into(subject.photo, crop, 0 * crop.picture, share) != subject.photo).any(-1)
    ratio = (crop.box[2] - crop.box[0]) / share.shape[1]
    rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
    assert abs(rows[0] - crop.box[1] - 400 * ratio) < 4 and abs(columns[-1] - crop.box[0] - 400 * ratio) < 4
