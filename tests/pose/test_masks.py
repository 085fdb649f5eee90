"""Masks: edges that follow the picture, one per person, mask files and their checks, holes."""
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.detector import Person
from pose.masks import alpha_mask, body_region, check_near, far_joints, fill_holes, mask_of, read_mask, refine, write_mask
from pose.regions import Region
from pose.skeleton import STANDING
from utils.errors import UserError


def disc(middle, radius, size=(120, 160)):
    return cv2.circle(np.zeros(size, np.float32), middle, radius, 1, -1)


def iou(one, other):
    one, other = one > 0.5, other > 0.5
    return (one & other).sum() / (one | other).sum()


def test_the_edge_follows_the_picture():
    truth = disc((80, 60), 40)
    photo = np.where(truth[..., None] > 0, (200, 60, 40), (40, 90, 180)).astype(np.uint8)
    rough = cv2.GaussianBlur(disc((81, 61), 41), (0, 0), 4)
    box = np.array([40, 20, 121, 101])
    refined = refine(photo, rough, box)
    assert iou(refined, truth) > 0.975 > 0.955 > iou(rough, truth) and refined.dtype == np.float32
    assert np.abs(refined - truth).mean() < 0.4 * np.abs(rough - truth).mean(), "no haze remains around the person"
    assert refined.min() >= 0 and refined.max() <= 1 and (refined[:5] == 0).all()
    large = cv2.resize(photo, (1600, 1200), interpolation=cv2.INTER_NEAREST)
    blurred, sharp = (cv2.resize(mask, (1600, 1200)) for mask in (rough, truth))
    assert iou(refine(large, blurred, 10 * box), sharp) > 0.96 > iou(blurred, sharp)


def test_without_edges_in_the_picture_the_mask_does_not_change():
    mask = disc((80, 60), 40)
    assert iou(refine(np.full((120, 160, 3), 90, np.uint8), mask, np.array([40, 20, 121, 101])), mask) > 0.98
    assert (refine(np.zeros((9, 9, 3), np.uint8), np.ones((9, 9), np.float32), np.array([20, 20, 21, 21])) == 0).all()


def person(middle, radius):
    """A person whose mask is a disc in the middle of a region of 100 pixels."""
    soft = cv2.circle(np.zeros((100, 100), np.float32), (50, 50), radius, 1, -1)
    x, y = middle
    return Person(np.array([x - radius, y - radius, x + radius, y + radius], float), 1.0, np.zeros((13, 2)), np.ones(13, bool),
                  Region(x, y, 100), soft)


def test_what_belongs_more_to_another_person_is_left_out():
    photo = np.full((120, 160, 3), 90, np.uint8)
    left, right = person((60, 60), 30), person((100, 60), 30)
    right = right._replace(soft=0.9 * right.soft)
    alone, together = mask_of(photo, right), mask_of(photo, right, [left])
    assert alone[60, 80] > 0.9 and together[60, 80] < 0.5 and together[60, 115] > 0.9
    assert mask_of(photo, right._replace(region=None, soft=None)) is None
    far = person((10, 10), 5)
    np.testing.assert_array_equal(mask_of(photo, right, [far]), alone)


def test_a_mask_is_written_and_read(tmp_path):
    mask = cv2.GaussianBlur(disc((80, 60), 40), (0, 0), 2)
    write_mask(tmp_path / "me_mask.png", mask)
    np.testing.assert_allclose(read_mask(tmp_path / "me_mask.png", (120, 160)), mask, atol=0.5 / 255 + 1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["me_mask.png"]
    sixteen = np.round(mask * 65535).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), sixteen)
    np.testing.assert_allclose(read_mask(tmp_path / "deep.png", (120, 160)), mask, atol=1e-4)


def test_alpha_counts_unless_it_is_constant(tmp_path):
    mask = disc((80, 60), 40)
    picture = np.dstack([*[np.uint8(mask * 0)] * 3, np.uint8(mask * 255)])
    cv2.imwrite(str(tmp_path / "alpha.png"), picture)
    np.testing.assert_array_equal(read_mask(tmp_path / "alpha.png", (120, 160)), mask)
    white = np.dstack([*[np.uint8(mask * 255)] * 3, np.full(mask.shape, 255, np.uint8)])
    cv2.imwrite(str(tmp_path / "opaque.png"), white)
    np.testing.assert_array_equal(read_mask(tmp_path / "opaque.png", (120, 160)), mask)
    assert alpha_mask(white[..., 3]) is None and alpha_mask(0 * white[..., 3]) is None
    corners = np.full(mask.shape, 255, np.uint8)
    corners[:8, :8] = 0
    assert alpha_mask(corners) is None, "rounded corners are no mask"
    np.testing.assert_array_equal(alpha_mask(picture[..., 3]), mask)


def test_bad_mask_files_are_reported_in_one_line(tmp_path):
    write_mask(tmp_path / "empty.png", np.zeros((120, 160)))
    write_mask(tmp_path / "full.png", np.ones((120, 160)))
    write_mask(tmp_path / "small.png", disc((8, 6), 4, (12, 16)))
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "nothing.png").write_bytes(b"")
    for name, message in (("empty", "is empty"), ("full", "white everywhere"),
                          ("small", "16 x 12 pixels, the photo is 160 x 120"),
                          ("text", "not a readable picture"), ("nothing", "not a readable"), ("none", "is missing")):
        with pytest.raises(UserError, match=message) as error:
            read_mask(tmp_path / f"{name}.png", (120, 160))
        assert f"{name}.png" in str(error.value) and "\n" not in str(error.value)


def test_a_mask_must_be_where_the_pose_is():
    mask, visible = disc((80, 60), 40), np.ones(13, bool)
    near = np.array([80, 60]) + np.linspace(-38, 38, 13)[:, None] * (1, 0)
    check_near(mask, near, visible, "me_mask.png")
    with pytest.raises(UserError, match="me_mask.png: this mask is not where the pose is: 0 of 13"):
        check_near(disc((20, 20), 10), near + (30, 30), visible, "me_mask.png")
    with pytest.raises(UserError, match="0 of 13 joints are in it"):
        check_near(disc((20, 20), 10), near + (30, 30), ~visible, "me_mask.png")           # without visible joints all count
    check_near(disc((20, 20), 10), near + 1000, visible, "me_mask.png")                    # nothing to compare in the picture
    far = far_joints(mask, np.where(np.arange(13)[:, None] < 2, (150, 110), near))
    assert np.flatnonzero(far).tolist() == [0, 1]
    assert not far_joints(mask, near + 1000).any()


BODY = STANDING * 200 + (120, 20)


def test_holes_in_the_body_are_filled_and_those_beside_it_are_not():
    mask = cv2.GaussianBlur(body_region(BODY, (240, 240)).astype(np.float32), (0, 0), 1)
    assert fill_holes(mask, BODY)[0] is mask
    cut = mask.copy()
    cut[80:100, 110:130] = 0                                          # in the torso
    cv2.circle(cut, tuple(np.rint((BODY[9] + BODY[11]) / 2).astype(int).tolist()), 2, 0, -1)       # in a shin
    filled, holes = fill_holes(cut, BODY)
    assert holes == 2 and (filled > 0.5)[mask > 0.5].all() and np.abs(filled - mask).mean() < 0.002
    ring = cv2.circle(np.zeros_like(mask), (120, 120), 100, 1, 12)    # what it encloses is mostly not the body
    assert fill_holes(ring, BODY)[1] == 0
    open_side = mask.copy()
    open_side[:, 118:122] = 0                                         # a cut from head to toe is not a hole
    assert fill_holes(open_side, BODY)[1] == 0


@given(st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)), min_size=13, max_size=13), st.integers(0, 100))
def test_any_mask_and_pose_give_a_mask(joints, seed):
    mask = np.random.default_rng(seed).random((20, 30), np.float32)
    filled, holes = fill_holes(mask, np.array(joints))
    assert np.isfinite(filled).all() and (filled >= mask).all() and filled.max() <= 1 and holes >= 0
    far_joints(mask, np.array(joints))
