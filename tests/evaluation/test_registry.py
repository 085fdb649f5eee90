"""Every registered metric is measured by the tests of both modules and explained."""
import json
import weakref
from html import unescape

import pytest
from helpers import P2I_CONFIG, SMALL_P2I

import trainer_actvae
import trainer_actvae_p2inetwork
from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from dataset.pair_list import Columns
from evaluation import picture_metrics, recognition
from evaluation.images import ImageEvaluation
from evaluation.metric import BETTER, CALIBRATION, CURVE, METRICS, MOTION, PICTURES, RATIOS, RECOGNITION
from evaluation.poses import PoseEvaluation
from evaluation.registry import HEADER, WHERE, listed, markdown
from evaluation.results import Request
from utils_file import RunFolder, load_config


def names(place):
    return {each.name for each in listed(place)}


def check(metrics):
    """`metrics.json` has every registered metric of motion where it belongs, and nothing else."""
    without = [metrics["without_frozen"]] if metrics["rows_frozen"] else []
    assert metrics.keys() == HEADER.keys() - (set() if without else {"without_frozen"})
    for group in (metrics["overall"], *without, *metrics["actions"].values()):
        assert group["normalised"].keys() == group["pixels"].keys() == names(MOTION) and group["ratios"].keys() == names(RATIOS)
        assert group["curve"]["normalised"].keys() == group["curve"]["pixels"].keys() == names(CURVE)
        assert all(len(curve) == metrics["steps"] for curve in group["curve"]["pixels"].values())
    assert metrics["calibration"].keys() == names(CALIBRATION)
    assert metrics["recognition"]["iterations"] == recognition.ITERATIONS


@pytest.fixture
def scene(tmp_path, tiny, lists, penn_root, monkeypatch):
    """`test(module, config, overrides, evaluation, lines)`: tests untrained networks on these lines of a list -> metrics.json."""
    monkeypatch.setattr(recognition, "LEAST_ROWS", 20)
    monkeypatch.setattr(recognition, "ITERATIONS", 3)
    monkeypatch.setattr(picture_metrics, "lpips_network", lambda: lambda fake, real: (fake - real).abs().mean())

    def test(module, config, overrides, evaluation, lines):
        (tmp_path / "list.txt").write_text("\n".join(lines) + "\n")
        config = load_config(config, [*tiny, *overrides])
        data = PennActionTestPairs(tmp_path / "list.txt", penn_root, 32, images=module.Trainer.paints)
        request = Request(tmp_path / "test", "weights", 3,
                          read_training=lambda: PennActionPairs(lists[0], penn_root, 32, images=False))
        trainer = module.Trainer(config)
        predict, futures = trainer.predict, []

        def watched(*args, **kwargs):
            assert sum(future() is not None for future in futures) <= 2, "futures of earlier rows are still in memory"
            prediction = predict(*args, **kwargs)
            futures.append(weakref.ref(prediction.poses))
            return prediction

        monkeypatch.setattr(trainer, "predict", watched)
        evaluation.test(trainer, data, request, RunFolder("c.yaml", "", tmp_path).log)
        assert len(futures) > 2
        return json.loads((tmp_path / "test/metrics.json").read_text())
    return test


def test_the_pose_modules_test_has_every_metric_of_motion(scene, lists):
    lines = 3 * lists[1].read_text().splitlines()              # more rows than the classifier has features
    found = [scene(trainer_actvae, "config/Penn_actvae.yaml", (), PoseEvaluation(), lines) for _ in range(2)]
    check(found[0])
    assert found[0]["recognition"].keys() == names(RECOGNITION) and found[0]["rows"] == 168
    assert found[0] == found[1], "the same test gives the same numbers"


def frozen(line):
    """A row of a list of five targets that repeats its first frame."""
    fields, columns = line.split(","), Columns(5)
    fields[1:columns.action] = fields[:1] * 5
    source = fields[columns.joints + 26 * 5:]
    return ",".join([*fields[:columns.joints], *source * 6])


def test_rows_that_repeat_one_frame_are_told_and_left_out_in_a_group_of_their_own(scene, lists):
    lines = 3 * lists[1].read_text().splitlines()
    plain = scene(trainer_actvae, "config/Penn_actvae.yaml", (), PoseEvaluation(), lines[:120])
    mixed = scene(trainer_actvae, "config/Penn_actvae.yaml", (), PoseEvaluation(), [*lines[:120], *map(frozen, lines[120:150])])
    check(mixed)
    assert plain["rows_frozen"] == 0 and mixed["rows_frozen"] == 30 and mixed["without_frozen"]["rows"] == 120
    assert mixed["overall"]["pixels"]["zero_velocity_ade"] == pytest.approx(0.8 * plain["overall"]["pixels"]["zero_velocity_ade"])
    assert mixed["without_frozen"]["pixels"]["ade"] == pytest.approx(plain["overall"]["pixels"]["ade"])


def test_p2is_test_has_them_too_and_every_metric_of_pictures(scene, lists, tmp_path):
    lines = lists[1].read_text().splitlines()[::3]
    metrics = scene(trainer_actvae_p2inetwork, P2I_CONFIG, SMALL_P2I, ImageEvaluation(), lines)
    check(metrics)
    for group in (metrics["overall"], *metrics["actions"].values()):
        assert group["pictures"].keys() == names(PICTURES)
    page = unescape((tmp_path / "test/index.html").read_text())
    assert all(each.column in page for each in METRICS) and all(each.curve in page for each in METRICS)


def test_every_metric_has_a_unit_a_direction_and_a_sentence_and_is_listed():
    assert set(WHERE) == {each.place for each in METRICS}
    for each in METRICS:
        assert each.unit and each.better in BETTER and len(each.meaning) > 20 and each.meaning[-1] == "."
    table = markdown()
    keys = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert keys == {*HEADER, *(f"{path}.{name}" for place, (path, _) in WHERE.items() for name in names(place))}
    assert "| `pixels.ade` | length | lower | Average displacement error:" in table
    assert "| `pictures.sharpness_true_poses` | ratio | near 1 |" in table
