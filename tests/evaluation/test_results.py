"""What a test writes: scores, GIFs, pages, and files for one's own evaluation."""
import json
import weakref
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import torch
from helpers import P2I_CONFIG, SMALL_P2I

import train_actvae
import trainer_actvae
import trainer_actvae_p2inetwork
from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from dataset.pair_list import TEST_LIST, Columns
from dataset.penn_action import build
from evaluation import picture_metrics, recognition
from evaluation.images import ImageEvaluation
from evaluation.poses import PoseEvaluation
from evaluation.registry import BETTER, CURVE, HEADER, METRICS, MOTION, PICTURES, RATIOS, SECTIONS, listed, markdown
from evaluation.results import Request
from evaluation.row_files import ROWS
from pose.drawing import JOINT_COLOURS, draw_poses
from utils.media import write_image
from utils.pages import write_run_page
from utils.transform import to_normalised
from utils_file import RunFolder, load_config

SPREAD = torch.tensor([[x, y] for y in (-0.75, -0.25, 0.25, 0.75) for x in (-0.75, -0.25, 0.25, 0.75)])[:13]


def names(place):
    return {each.name for each in listed(place)}


class Page(HTMLParser):
    """What a browser would follow and show."""

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
            assert not url.fragment or url.fragment in Page(target).ids, f"{path.name}: {link} has no anchor"
    return {path.name: page for path, page in pages.items()}


@pytest.fixture
def run_test(tmp_path, tiny, lists, penn_root, monkeypatch):
    """`run_test(module, config, overrides, evaluation, lines)`: tests untrained networks on these lines -> metrics.json."""
    monkeypatch.setattr(recognition, "LEAST_ROWS", 20)
    monkeypatch.setattr(recognition, "ITERATIONS", 3)
    monkeypatch.setattr(picture_metrics, "lpips_network", lambda: lambda fake, real: (fake - real).abs().mean())

    def run(module, config, overrides, evaluation, lines):
        (tmp_path / "list.txt").write_text("\n".join(lines) + "\n")
        data = PennActionTestPairs(tmp_path / "list.txt", penn_root, 32, images=module.Trainer.renders)
        request = Request(tmp_path / "test", "weights", 3,
                          read_training=lambda: PennActionPairs(lists[0], penn_root, 32, images=False))
        trainer = module.Trainer(load_config(config, [*tiny, *overrides]))
        predict, futures = trainer.predict, []

        def watched(*args, **kwargs):
            assert sum(future() is not None for future in futures) <= 3, "futures of earlier windows are still in memory"
            prediction = predict(*args, **kwargs)
            futures.append(weakref.ref(prediction.poses))
            return prediction

        monkeypatch.setattr(trainer, "predict", watched)
        evaluation.test(trainer, data, request, RunFolder("c.yaml", "", tmp_path).log)
        return json.loads((tmp_path / "test/metrics.json").read_text())
    return run


def check_metrics(metrics):
    """`metrics.json` has every registered metric of motion where it belongs, and nothing else."""
    assert metrics.keys() == HEADER.keys()
    for group in (metrics["overall"], *metrics["actions"].values()):
        assert group["normalised"].keys() == group["pixels"].keys() == names(MOTION) and group["ratios"].keys() == names(RATIOS)
        assert group["pixels"]["ade"] == pytest.approx(16 * group["normalised"]["ade"])
        for unit in ("normalised", "pixels"):
            assert group["curve"][unit].keys() == names(CURVE)
            assert all(len(curve) == metrics["steps"] for curve in group["curve"][unit].values())
            assert np.mean(group["curve"][unit]["energy_score"]) == pytest.approx(group[unit]["energy_score"], rel=1e-5)
    assert sum(group["rows"] for group in metrics["actions"].values()) == metrics["overall"]["rows"] == metrics["rows"]


def frozen(line):
    """A line of a list of five targets that repeats its first frame."""
    fields, columns = line.split(","), Columns(5)
    fields[1:columns.action] = fields[:1] * 5
    return ",".join([*fields[:columns.joints], *fields[columns.joints + 26 * 5:] * 6])


def test_the_pose_modules_test_measures_every_metric_of_motion(run_test, lists):
    lines = lists[1].read_text().splitlines()
    found = [run_test(trainer_actvae, "config/Penn_actvae.yaml", (), PoseEvaluation(), [*lines[:40], *map(frozen, lines[40:50])])
             for _ in range(2)]
    check_metrics(found[0])
    assert found[0] == found[1], "the same test gives the same numbers"
    assert found[0]["rows"] == 50 and found[0]["rows_frozen"] == 10 and found[0]["rows_too_short"] == 0


def test_p2is_test_measures_them_too_and_every_metric_of_pictures(run_test, lists, tmp_path):
    lines = lists[1].read_text().splitlines()[::3]
    metrics = run_test(trainer_actvae_p2inetwork, P2I_CONFIG, SMALL_P2I, ImageEvaluation(), lines)
    check_metrics(metrics)
    assert all(group["pictures"].keys() == names(PICTURES) for group in (metrics["overall"], *metrics["actions"].values()))
    page = check_pages(tmp_path / "test")["index.html"]
    assert all(each.column in page.text and each.curve in page.text for each in METRICS)


def test_test_mode_writes_the_published_gifs_and_a_gallery(tmp_path, tiny, write_label):
    actions = ("<script>alert(1)</script>", "b & \"c\"")
    for number, train in ((1, True), (2, False), (3, False)):
        write_label(tmp_path / "penn", f"{number:04d}", actions[number % 2], 70, train)
    build(tmp_path / "penn", tmp_path, actions=actions, count=4)
    data = PennActionTestPairs(tmp_path / TEST_LIST, tmp_path / "penn", 32, images=False, actions=actions)
    config = load_config("config/Penn_actvae.yaml", tiny)
    config.actions = list(actions)
    out = tmp_path / "test"
    metrics = PoseEvaluation().test(trainer_actvae.Trainer(config), data, Request(out, "<b>weights</b>", samples=3, gifs="all"),
                                    RunFolder("c.yaml", "", tmp_path).log)
    pages = check_pages(out)
    assert set(pages) == {"index.html", "action_00.html", "action_01.html"}
    index = pages["index.html"]
    assert "<script>alert(1)</script>" in index.text and "<b>weights</b>" in index.text and "polyline" in index.tags
    assert index.text.count("of futures") == 8 * 4 and "recognised" not in metrics["overall"]["ratios"]
    stems = {f"{video:04d}_{frame:04d}" for video, frame, _ in data.frame_numbers.tolist()}
    assert len(stems) == len(data) == metrics["rows"] == 8
    assert {path.name for path in (out / "results_gif_real").iterdir()} == {f"{stem}.gif" for stem in stems}
    fake = {path.name: path.read_bytes() for path in (out / "results_gif_fake").iterdir()}
    assert set(fake) == {f"{stem}_{sample}.gif" for stem in stems for sample in (0, 1)}
    assert all(fake[f"{stem}_0.gif"] != fake[f"{stem}_1.gif"] for stem in stems), "a copy (defect D2)"


def test_run_page_links_existing_files_newest_first(tmp_path):
    run = RunFolder("c.yaml", "_<i>&", tmp_path)
    run.images.mkdir(parents=True)
    write_run_page(run, "<b>legend</b>")
    assert check_pages(run.path)["index.html"].links == []
    sheets = [f"{part}_{iteration:08d}.jpg" for iteration in (90, 1000) for part in ("train", "test")]
    for name in sheets:
        write_image(run.images / name, draw_poses(SPREAD, 32))
    for name in ("images/other.jpg", "log.txt", "config.yaml"):
        (run.path / name).touch()
    write_run_page(run, "<b>legend</b>")
    page = check_pages(run.path)["index.html"]
    assert page.links == ["log.txt", "config.yaml", *(f"images/{name}" for name in sheets[2:] + sheets[:2])]
    assert "c_<i>&" in page.text


def test_every_metric_is_explained():
    for each in METRICS:
        assert each.unit and each.better in BETTER and len(each.meaning) > 20 and each.meaning[-1] == "."
    keys = {line.split("`")[1] for line in markdown().splitlines() if line.startswith("| `")}
    assert keys == {*HEADER, *(f"{path}.{name}" for place, (path, _) in SECTIONS.items() for name in names(place))}


def test_saved_poses_give_the_same_scores_as_the_test(tmp_path, tiny, run_script):
    argv = ["--config", "config/Penn_actvae.yaml", "--output_path", tmp_path]
    assert run_script(train_actvae.main, *argv, overrides=[*tiny, "batch_size=28"]).status == 0
    test = [*argv, "--test", "--resume", "--samples", "3", "--limit", "20", "--save_poses"]
    outcome = run_script(train_actvae.main, *test, tmp_path / "poses.csv", overrides=tiny)
    assert outcome.status == 2 and "must end with .npz" in outcome.err
    assert run_script(train_actvae.main, *test, tmp_path / "poses.npz", overrides=tiny).status == 0
    poses, rows = (dict(np.load(path)) for path in (tmp_path / "poses.npz", next(tmp_path.glob(f"outputs/*/test*/{ROWS}"))))
    assert poses["samples"].shape == (20, 3, 4, 13, 2) and poses["truth"].shape == (20, 5, 13, 2)
    distance = np.linalg.norm(poses["samples"] - poses["truth"][:, None, 1:], axis=-1)
    np.testing.assert_allclose(rows["ade"], distance.mean((1, 2, 3)), rtol=1e-5)
    assert poses["visible"].shape == (20, 5, 13) and poses["visible"].all() and (rows["joints_counted"] == 1).all()
    for name in ("video", "frame", "row", "action"):
        np.testing.assert_array_equal(rows[name], poses[name])
    assert set(poses["video"]) == {"0003", "0004"} and (poses["valid_steps"] >= 4).all()


# ---- drawn poses ----

def test_a_pose_picture_is_black_with_each_joint_in_its_colour():
    picture, colours = draw_poses(SPREAD, 128), 255 * JOINT_COLOURS                    # the joints lie in the middle of pixels
    assert (picture[:4] == 0).all() and (picture[:, :4] == 0).all(), "black turned grey (defect D3)"
    for joint, (x, y) in enumerate(((SPREAD + 1) / 2 * 128).round().long().tolist()):
        seen = picture[y, x].astype(float)
        assert (seen >= colours[joint] - 1.5).all() and np.abs(colours - seen).sum(1).argmin() == joint
    assert len(np.unique(colours.round(), axis=0)) == 13


@pytest.mark.parametrize("pixel", [3, 40, 63])
def test_a_joint_is_drawn_at_its_pixel(pixel):
    picture = draw_poses(torch.full((13, 2), float(to_normalised(torch.tensor(float(pixel)), 64))), 64).sum(-1)
    assert np.unravel_index(picture.argmax(), picture.shape) == (pixel, pixel)
