"""Pictures and pages that a person judges a run by."""
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import torch

from dataset.image_loader2_test import PennActionTestPairs
from dataset.pair_list import TEST_LIST
from dataset.penn_action import build
from evaluation.gallery import Card, write_gallery
from evaluation.poses import PoseEvaluation
from evaluation.registry import MOTION, listed
from evaluation.results import Request
from evaluation.row_files import ROWS
from pose.drawing import JOINT_COLOURS, draw_poses
from trainer_actvae import Trainer
from utils.drawing import grid
from utils.media import write_image
from utils.pages import write_run_page
from utils.transform import to_normalised
from utils_file import RunFolder, load_config

# ---- pictures ----

SPREAD = torch.tensor([[x, y] for y in (-0.75, -0.25, 0.25, 0.75) for x in (-0.75, -0.25, 0.25, 0.75)])[:13]


def test_pose_picture_is_black_with_each_joint_in_its_colour():
    size = 128                                         # the joints lie in the middle of pixels
    picture = draw_poses(SPREAD, size)
    assert picture.shape == (size, size, 3) and picture.dtype == np.uint8
    assert (picture[:4] == 0).all() and (picture[:, :4] == 0).all(), "black turned grey (defect D3)"
    pixels = ((SPREAD + 1) / 2 * size).round().long()
    colours = 255 * JOINT_COLOURS
    for joint, (x, y) in enumerate(pixels.tolist()):
        seen = picture[y, x].astype(float)
        assert (seen >= colours[joint] - 1.5).all(), "a joint is as bright as its colour"
        assert np.abs(colours - seen).sum(1).argmin() == joint
    assert len(np.unique(colours.round(), axis=0)) == 13


@pytest.mark.parametrize("pixel", [3, 40, 63])
def test_a_joint_is_drawn_where_the_data_put_it(pixel):
    pose = torch.full((13, 2), -1.0)
    pose[:] = to_normalised(torch.tensor(float(pixel)), 64)             # as the data normalise
    picture = draw_poses(pose, 64).sum(-1)
    assert np.unravel_index(picture.argmax(), picture.shape) == (pixel, pixel)


def test_pose_pictures_of_a_sequence_are_one_by_one():
    poses = torch.rand(2, 3, 13, 2) * 2 - 1
    pictures = draw_poses(poses, 32)
    assert pictures.shape == (2, 3, 32, 32, 3)
    np.testing.assert_array_equal(pictures[1, 2], draw_poses(poses[1, 2].numpy(), 32))


def test_joints_outside_the_picture_do_no_harm():
    assert draw_poses(SPREAD * 50, 32).max() <= 255


def test_grid_keeps_every_cell():
    cells = np.random.RandomState(0).randint(0, 256, (3, 8, 8, 3)).astype(np.uint8)
    sheet = grid([[cells[0], None, cells[1]], [cells[2], None, cells[0]]], gap=2)
    assert sheet.shape == (20, 30, 3)
    np.testing.assert_array_equal(sheet[:8, 20:28], cells[1])
    np.testing.assert_array_equal(sheet[10:18, :8], cells[2])


# ---- pages ----

class Page(HTMLParser):
    """What a browser would follow, show and run."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.tags, self.text = [], set(), set(), ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]
        self.ids |= {value for name, value in attrs if name == "id"}

    def handle_data(self, data):
        self.text += data


def check_pages(folder):
    """Every link of every page in `folder` resolves and no text became markup; returns {file name: Page}."""
    pages = {path: Page(path) for path in folder.rglob("*.html")}
    for path, page in pages.items():
        assert not page.tags & {"script", "b", "i"}, "a name became markup"
        for link in page.links:
            url = urlsplit(link)
            assert not url.scheme and not url.netloc and not url.path.startswith("/"), f"{link} is not relative"
            target = path.parent / unquote(url.path) if url.path else path
            assert target.is_file(), f"{path.name}: {link} leads nowhere"
            if url.fragment:
                assert url.fragment in Page(target).ids, f"{path.name}: {link} has no anchor"
    return {path.name: page for path, page in pages.items()}


@pytest.fixture
def quiet_log(tmp_path):
    return RunFolder("c.yaml", "", tmp_path).log


def test_test_mode_writes_published_gifs_numbers_and_a_gallery(tmp_path, tiny, write_label, quiet_log):
    actions = ("<script>alert(1)</script>", "b & \"c\"")
    for number, train in ((1, True), (2, False), (3, False)):
        write_label(tmp_path / "penn", f"{number:04d}", actions[number % 2], 70, train)
    build(tmp_path / "penn", tmp_path, actions=actions, count=4)
    data = PennActionTestPairs(tmp_path / TEST_LIST, tmp_path / "penn", 32, images=False, actions=actions)
    config = load_config("config/Penn_actvae.yaml", tiny)
    config.actions = list(actions)
    out = tmp_path / "test"
    request = Request(out, "<b>weights</b>", samples=3, gifs="all")
    metrics = PoseEvaluation().test(Trainer(config), data, request, quiet_log)
    pages = check_pages(out)
    assert set(pages) == {"index.html", "action_00.html", "action_01.html"}
    assert "<script>alert(1)</script>" in pages["index.html"].text and "<b>weights</b>" in pages["index.html"].text
    names = {f"{video:04d}_{frame:04d}" for video, frame, _ in data.frame_numbers.tolist()}
    assert len(names) == len(data) == 8
    assert {path.name for path in (out / "results_gif_real").iterdir()} == {f"{name}.gif" for name in names}
    fake = {path.name: path.read_bytes() for path in (out / "results_gif_fake").iterdir()}
    assert set(fake) == {f"{name}_{sample}.gif" for name in names for sample in (0, 1)}
    assert all(fake[f"{name}_0.gif"] != fake[f"{name}_1.gif"] for name in names), "a copy (defect D2)"
    assert metrics["rows"] == 8 and metrics["samples"] == 3 and metrics["list_sha256"] == data.rows.sha256
    assert set(metrics["overall"]["pixels"]) == {each.name for each in listed(MOTION)}
    assert set(metrics["overall"]["ratios"]) == {"bone_drift", "bone_drift_true", "amplitude_in_range", "onset", "onset_true"}
    assert "recognition" not in metrics and pages["index.html"].text.count("of the futures") == 8 * 4
    assert (out / ROWS).is_file()
    for group in (metrics["overall"], *metrics["actions"].values()):
        for unit in ("normalised", "pixels"):
            assert np.mean(group["curve"][unit]["energy_score"]) == pytest.approx(group[unit]["energy_score"], rel=1e-5)
            assert len(group["curve"][unit]["zero_velocity_ade"]) == metrics["steps"] == 4
    assert sum(metrics["calibration"]["rank_histogram"]) == pytest.approx(1) and metrics["rows_too_short"] == 0
    assert "standing still" in pages["index.html"].text and "polyline" in pages["index.html"].tags
    assert metrics["overall"]["pixels"]["ade"] == pytest.approx(16 * metrics["overall"]["normalised"]["ade"])
    assert sum(group["rows"] for group in metrics["actions"].values()) == 8


def test_gallery_escapes_every_text(tmp_path):
    (tmp_path / "overview.gif").touch()
    card = Card("<i>act</i>", "<i>title</i>", "<i>note</i>", [("<i>caption</i>", "")])
    write_gallery(tmp_path, "<i>heading</i>", "<i>intro</i>", "", [(card, card)])
    page = check_pages(tmp_path)["index.html"]
    for word in ("act", "title", "note", "caption", "heading", "intro"):
        assert f"<i>{word}</i>" in page.text


def test_run_page_links_what_there_is(tmp_path):
    run = RunFolder("c.yaml", "_<i>&", tmp_path)
    run.images.mkdir(parents=True)
    write_run_page(run, "<b>legend</b>")
    assert check_pages(run.path)["index.html"].links == []
    sheets = [f"{part}_{iteration:08d}.jpg" for iteration in (90, 1000) for part in ("train", "test")]
    for name in sheets:
        write_image(run.images / name, draw_poses(SPREAD, 32))
    (run.images / "other.jpg").touch()
    for name in ("log.txt", "config.yaml"):
        (run.path / name).touch()
    write_run_page(run, "<b>legend</b>")
    page = check_pages(run.path)["index.html"]
    newest_first = [f"images/{name}" for name in sheets[2:] + sheets[:2]]
    assert page.links == ["log.txt", "config.yaml", *newest_first]
    assert "c_<i>&" in page.text
