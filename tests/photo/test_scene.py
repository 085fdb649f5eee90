"""Other backgrounds: what the option names, and how a person is put in front of them."""
import numpy as np
import pytest
from PIL import Image

from photo.crop import Subject, crop_person, pose_boxes, shown_whole
from photo.pose_page import STANDING
from photo.scene import Scene, in_front, opaque, read_scene
from pose.detector import Person
from utils.errors import UserError
from utils.media import write_webp

SIZE = (240, 320)
POSE = STANDING * 120 + (160, 60)


@pytest.fixture(scope="module")
def crop():
    photo = np.full((*SIZE, 3), 90, np.uint8)
    return crop_person(Subject(photo, shown_whole(photo), Person(pose_boxes(POSE), 1.0, POSE, np.ones(13, bool))), POSE,
                       np.full(4, 0.3))


def person_in(crop):
    """A white square in the middle of the crop, (1, h, w, 4)."""
    people = np.zeros((1, *crop.inside(crop.picture).shape[:2], 4), np.uint8)
    h, w = people.shape[1:3]
    people[:, h // 2 - 10:h // 2 + 10, w // 2 - 10:w // 2 + 10] = 255
    return people


def views(scene, crop, people):
    return scene.behind(crop, people), scene.behind_whole(crop, people)


def test_what_the_option_names(tmp_path):
    picture = np.arange(40 * 64 * 3, dtype=np.uint8).reshape(40, 64, 3)
    Image.fromarray(picture).save(tmp_path / "beach.png")
    np.testing.assert_array_equal(read_scene(str(tmp_path / "beach.png")).picture, picture)
    assert read_scene("#20a060").colour == read_scene("#20A060").colour == (32, 160, 96)
    assert read_scene("white").colour == (255, 255, 255) and read_scene("none") == Scene()
    for text in ("nowhere.jpg", "#12345", "#zzzzzz"):
        with pytest.raises(UserError, match="neither a picture file, nor a colour like white or #20a060, nor none"):
            read_scene(text)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match="not a photo that can be read"):
        read_scene(str(tmp_path / "text.png"))


def test_a_picture_covers_the_photo_with_its_middle():
    picture = np.zeros((100, 400, 3), np.uint8)
    picture[:, 150:200, 0], picture[:, 200:250, 1], picture[:50, :, 2] = 255, 255, 255
    whole = Scene(picture=picture).ground((100, 100), (0, 0, 100, 100), (200, 200))
    assert whole.shape == (200, 200, 3)
    assert whole[:, 5:95, 0].min() == 255 and whole[:, 105:, 0].max() == 0 and whole[:, 105:195, 1].min() == 255
    assert whole[:95, :, 2].min() == 255 and whole[105:, :, 2].max() == 0
    part = Scene(picture=picture).ground((100, 100), (50, 50, 100, 100), (50, 50))
    assert part[:, :, 1].min() == 255 and part[:, :, 0].max() == part[:, :, 2].max() == 0


def test_the_person_stands_in_front_of_the_background(crop):
    people = person_in(crop)
    near, whole = views(Scene(colour=(10, 20, 30)), crop, people)
    assert near.shape == (*people.shape[:3], 3) and whole.shape == (1, *SIZE, 3)
    assert (near[people[..., 3] == 0] == (10, 20, 30)).all() and (near[people[..., 3] == 255] == 255).all()
    x1, y1, x2, y2 = crop.region
    np.testing.assert_array_equal(whole[:, y1:y2, x1:x2], near)
    assert (np.delete(whole[0].reshape(-1, 3), np.flatnonzero(whole[0].reshape(-1, 3).min(1) == 255), 0) == (10, 20, 30)).all()


def test_crop_and_whole_photo_show_the_same_part_of_a_picture(crop):
    y, x = np.mgrid[:SIZE[0] * 2, :SIZE[1] * 2].astype(np.float32)
    picture = np.stack([x / 3, y / 3, 0 * x], -1).astype(np.uint8)
    near, whole = views(Scene(picture=picture), crop, 0 * person_in(crop))
    x1, y1, x2, y2 = crop.region
    assert np.abs(whole[:, y1:y2, x1:x2].astype(int) - near).max() <= 1


def test_nothing_behind_the_person_keeps_the_alpha_channel(crop, tmp_path):
    near, whole = views(Scene(), crop, person_in(crop))
    assert near.shape[-1] == whole.shape[-1] == 4 and whole.shape[1:3] == SIZE
    assert (whole[..., 3] == 255).sum() == 400 and whole[..., 3].sum() == 400 * 255
    board = opaque(near)
    assert board.shape[-1] == 3 and {*np.unique(board)} == {224, 255}
    write_webp(tmp_path / "clip.webp", np.concatenate([whole, 0 * whole]), 8)
    with Image.open(tmp_path / "clip.webp") as clip:
        assert clip.n_frames == 2 and clip.size == SIZE[::-1]
        np.testing.assert_array_equal(np.asarray(clip.convert("RGBA"))[..., 3], whole[0, ..., 3])


def test_half_transparent_pixels_are_mixed():
    people = np.array([[[[200, 100, 0, 51]]]], np.uint8)
    assert in_front(people, np.full((1, 1, 3), 100, np.uint8)).tolist() == [[[[120, 100, 80]]]]
