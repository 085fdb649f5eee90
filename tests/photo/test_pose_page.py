"""The page on which a skeleton is dragged onto a photo, driven in a real browser from disk."""
import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from browser import chromium, drag, place_of

from dataset.synthetic.people import draw_video
from photo.inputs import Photo
from photo.pose_page import MAX_SIDE, standing_pose, write_pose_page
from pose.detector import Person
from pose.pose_file import read_pose
from pose.skeleton import MIRROR


def write_page(folder, pixels, joints=None, mask=None, name="me & <you>.jpg"):
    """Write the page of a photo; returns its path."""
    person = None if joints is None else Person(None, 1.0, joints, np.ones(13, bool))
    write_pose_page(folder, SimpleNamespace(photo=Photo(Path(name), "me"), pixels=pixels), person, mask)
    return folder / "me_pose.html"


@pytest.fixture(scope="module")
def photo():
    """A drawn person, (h, w, 3), and his joints."""
    pictures, joints, _, _ = draw_video(7, "jumping_jacks", 0, (12, 12))
    return next(iter(pictures))[..., ::-1].copy(), joints[0]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser")) as chrome:
        yield chrome


class Page:
    """The open page, by what a user sees and does."""

    def __init__(self, browser, path):
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.by import By
        self.browser, self.actions, self.by = browser, lambda **kind: ActionChains(browser, duration=20, **kind), By
        browser.get(path.as_uri())

    def find(self, css):
        return self.browser.find_element(self.by.CSS_SELECTOR, css)

    def click(self, css):
        self.find(css).click()

    def pose(self):
        """The text field's joints (13, 2) and visible (13,)."""
        content = json.loads(self.find("#json").get_property("value"))
        return np.array([point[:2] for point in content], float), np.array([point[2] for point in content])

    def scale(self):
        """Pixels of the screen a pixel of the photo."""
        return self.browser.execute_script("return scale")

    def place(self, joint):
        """Where a joint is on the screen."""
        return place_of(self.browser, joint)

    def drag(self, start, way, kind="mouse"):
        """Press at a place of the screen, move by `way`, let go."""
        drag(self.browser, start, way, kind)


@pytest.fixture
def page(browser, photo, tmp_path):
    page = Page(browser, write_page(tmp_path, *photo))
    yield page
    loud = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert not loud


def test_a_joint_is_dragged_undone_and_dragged_again(page, photo):
    joints, visible = page.pose()
    assert np.abs(joints - photo[1]).max() < 0.01 and visible.all()
    page.drag(page.place(5), (40, -30))
    moved, _ = page.pose()
    np.testing.assert_allclose(moved[5] - joints[5], np.array([40, -30]) / page.scale(), atol=0.6 / page.scale())
    assert np.array_equal(np.delete(moved, 5, 0), np.delete(joints, 5, 0))
    page.click("#undo")
    assert np.array_equal(page.pose()[0], joints) and not page.find("#undo").is_enabled()
    page.click("#redo")
    assert np.array_equal(page.pose()[0], moved) and not page.find("#redo").is_enabled()
    page.click("#undo")
    page.drag(page.place(11), (0, 15))
    assert not page.find("#redo").is_enabled()


def test_touch_drags_too(page):
    before, _ = page.pose()
    page.drag(page.place(9), (-25, 10), "touch")
    after, _ = page.pose()
    np.testing.assert_allclose(after[9] - before[9], np.array([-25, 10]) / page.scale(), atol=0.6 / page.scale())


def test_zoom_and_pan_leave_the_pose_alone(page):
    before, scale, place = page.pose()[0], page.scale(), page.place(0)
    page.click("#zoom-in")
    assert page.scale() == pytest.approx(1.25 * scale)
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
    page.actions().scroll_from_origin(ScrollOrigin.from_viewport(*map(int, page.place(3))), 0, -400).perform()
    assert page.scale() > 1.8 * scale
    fixed = page.place(3)
    page.drag((20, 20), (70, 50))
    np.testing.assert_allclose(page.place(3) - fixed, (70, 50), atol=1)
    assert np.array_equal(page.pose()[0], before)
    page.drag(page.place(3), (30, 0))                             # finer now: fewer pixels of the photo
    assert page.pose()[0][3][0] - before[3][0] == pytest.approx(30 / page.scale(), abs=0.6 / page.scale())
    page.click("#fit")
    assert page.scale() == pytest.approx(scale)
    np.testing.assert_allclose(page.place(0), place, atol=0.5)


def test_visible_or_not(page):
    page.click("#visible-6")
    assert np.flatnonzero(~page.pose()[1]).tolist() == [6]
    page.click("#undo")
    assert page.pose()[1].all()
    page.actions().double_click(page.find("[data-joint='11'] .dot")).perform()
    assert np.flatnonzero(~page.pose()[1]).tolist() == [11]
    page.click("#visible-11")
    assert page.pose()[1].all()
    page.drag(page.place(12), (0, page.browser.execute_script("return view.clientHeight") - 8 - page.place(12)[1]))
    joints, visible = page.pose()
    assert not visible[12] and not page.find("#visible-12").is_enabled()           # nobody sees what is outside the photo


def test_sides_are_explained_and_swapped(page):
    text = page.find(".sides").text
    assert "The person's own right side (Penn Action's “left”): on the left of the photo when the person faces you" in text
    assert "The person's own left side (Penn Action's “right”)" in text
    before, _ = page.pose()
    page.click("#swap")
    assert np.array_equal(page.pose()[0], before[list(MIRROR)])
    assert "me & <you>.jpg" in page.find("h1").text


def test_the_whole_figure_moves_as_one(page):
    before, _ = page.pose()
    page.click("#whole")
    page.drag(page.place(0), (16, 8))
    after, _ = page.pose()
    way = np.array([16, 8]) / page.scale()
    np.testing.assert_allclose(after - before, np.broadcast_to(way, (13, 2)), atol=0.6 / page.scale())
    page.click("#undo")
    page.drag(page.place(5), (16, 8))
    page.click("#reset")
    assert np.array_equal(page.pose()[0], before)


def test_what_is_saved_is_read(page, photo):
    page.drag(page.place(1), (8, 8))
    page.click("#visible-2")
    page.click("#save")
    end = time.time() + 10
    while not (saved := list(page.browser.downloads.glob("me*.json"))) and time.time() < end:        # < and > become _
        time.sleep(0.05)
    joints, visible = read_pose(saved[0], photo[0].shape[:2])
    assert np.array_equal(joints, page.pose()[0]) and np.flatnonzero(~visible).tolist() == [2]


def test_a_large_photo_is_embedded_small_in_its_own_coordinates(browser, tmp_path):
    photo = np.full((3000, 4000, 3), 90, np.uint8)
    path = write_page(tmp_path, photo)
    assert path.stat().st_size < 200_000
    page = Page(browser, path)
    width = page.browser.execute_async_script("const i = new Image(); i.src = S.photo;"
                                              "i.onload = () => arguments[0](i.naturalWidth)")
    assert width == MAX_SIDE
    joints, _ = page.pose()
    np.testing.assert_allclose(joints, standing_pose((3000, 4000)), atol=0.01)
    page.drag(page.place(5), (-20, 0))
    assert page.pose()[0][5][0] - joints[5][0] == pytest.approx(-20 / page.scale(), abs=0.6 / page.scale())


def test_a_mask_tints_the_photo(browser, photo, tmp_path):
    h, w = photo[0].shape[:2]
    mask = np.zeros((h, w), np.float32)
    mask[:, :w // 2] = 1
    for shown in (None, mask):
        page = Page(browser, write_page(tmp_path, *photo, shown))
        assert ("The tint shows the mask" in page.find("aside").text) == (shown is not None)
        box, tint = (browser.execute_script("const e = document.getElementById(arguments[0]); if (!e) return null;"
                                            "const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]", name)
                     for name in ("photo", "mask"))
        assert tint == (box if shown is not None else None)
    before, _ = page.pose()
    page.drag(page.place(5), (20, 0))
    assert not np.array_equal(page.pose()[0], before), "joints can be dragged over it"


def test_the_page_needs_nothing_from_elsewhere(tmp_path, photo):
    text = write_page(tmp_path, photo[0], name="<script>alert(1)<script>").read_text()
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "") and "alert(1)<script>" not in text
    assert text.count("</script>") == 2
