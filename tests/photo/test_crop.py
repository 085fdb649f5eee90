"""The crop around the person: how it is cut, and how it goes back into the photo."""
from pathlib import Path

import cv2
import numpy as np
from studio import box_mask, draw_photo, pose_in, subject_of

from photo.clips import describe
from photo.crop import DEFAULT_MARGIN, MAX_CROP, crop_person, pose_boxes
from photo.inputs import Photo
from photo.motions import Motion, motion_crop

PIXELS = (480, 640)                    # h, w
POSE = pose_in(PIXELS)
SUBJECT = subject_of(draw_photo(PIXELS), POSE)


def test_the_crop_of_a_motion_holds_held_objects():
    left, top, right, bottom = pose_boxes(POSE).round().astype(int)
    mask = box_mask(PIXELS, (left, top, right, bottom))
    usual = motion_crop(SUBJECT, POSE[None])
    assert (motion_crop(SUBJECT._replace(mask=mask), POSE[None]).box == usual.box).all()
    mask[top + 50, right:right + 60] = 1
    held = np.where(np.arange(PIXELS[1]) >= right, mask, 0)
    crop = motion_crop(SUBJECT._replace(mask=mask, held=held), POSE[None])
    assert crop.box[2] >= right + 60 and crop.box[0] < usual.box[0] and crop.held.any() and crop.held.max() <= 1


def test_a_crop_goes_back_where_it_came_from():
    """The unchanged crop gives the photo; a changed one changes only its region, and softly at the border."""
    photo, crop = SUBJECT.pixels, crop_person(SUBJECT, POSE, 0.3)
    same, = crop.put_back(crop.inside(crop.picture)[None])
    assert np.array_equal(same, photo)
    changed, = crop.put_back(255 - crop.inside(crop.picture)[None])
    x1, y1, x2, y2 = crop.region
    outside = box_mask(PIXELS, crop.region) == 0
    assert np.array_equal(changed[outside], photo[outside])
    edge = np.abs(changed[y1:y2, x1:x2].astype(int) - photo[y1:y2, x1:x2])
    assert max(edge[0].max(), edge[-1].max(), edge[:, 0].max(), edge[:, -1].max()) <= 8
    assert np.array_equal(changed[y1 + 40:y2 - 40, x1 + 40:x2 - 40], 255 - photo[y1 + 40:y2 - 40, x1 + 40:x2 - 40])


def test_no_seam_where_the_crop_ends_with_the_photo():
    crop = crop_person(SUBJECT, POSE, 3.0)
    assert tuple(crop.box) == (0, 0, 640, 480) and crop.blend.min() == 1


def test_poses_go_to_the_crop_and_back():
    crop = crop_person(SUBJECT, POSE, 0.2)
    assert crop.to_picture(POSE[None] + 1000).min() > 1, "joints outside are not moved to the border"
    assert np.abs(crop.to_photo(crop.to_picture(POSE[None]))[0] - POSE).max() < 1e-9


def test_a_large_photo_is_shown_smaller_and_its_pose_file_says_so():
    pose = pose_in((1500, 3000))
    subject = subject_of(draw_photo((1500, 3000)), pose)
    crop = crop_person(subject, pose, DEFAULT_MARGIN)
    back, = crop.put_back(crop.inside(crop.picture)[None])
    assert back.shape == (640, 1280, 3) and np.abs(back.astype(int) - subject.shown).max() <= 6 and crop.size == MAX_CROP
    about = describe(Photo(Path("a/me.jpg"), "me"), Motion("squat", "squat", 1, pose[None], 8, crop))
    assert abs(about["whole"]["scale"] - 1280 / 3000) < 1e-4 and about["person"]["scale"] < 1
    place = crop.place()
    expected = (crop.to_picture(pose[None])[0] + 1) / 2 * crop.size - (place.dw, place.dh)
    np.testing.assert_allclose((pose - about["person"]["origin"]) * about["person"]["scale"], expected, atol=0.05)


def test_the_mask_is_cropped_like_the_picture():
    mask = cv2.GaussianBlur(box_mask(PIXELS, (250, 100, 390, 380)), (0, 0), 3)
    crop = crop_person(SUBJECT._replace(mask=mask), POSE, 0.3)
    picture = crop_person(subject_of(np.repeat(np.uint8(255 * mask)[..., None], 3, 2), POSE), POSE, 0.3).picture
    np.testing.assert_allclose(crop.inside(crop.mask[..., None]), crop.inside(picture)[..., :1] / 255, atol=0.02)
    assert crop.mask.max() > 0.99 and crop.mask[:, 0].max() == 0 and crop_person(SUBJECT, POSE, 0.3).mask is None
