"""Every number of `metrics.json`. `python -m evaluation.registry` prints it as Markdown, for docs/metrics.md.

To add a metric, add a :class:`evaluation.metric.Metric` to METRICS in motion_metrics.py or recognition.py, or write a function
with the decorator `metric` there or `picture_metric` in picture_metrics.py. The tests of both modules then measure it, and it
appears in `metrics.json`, in the tables and here.
"""
from evaluation import motion_metrics, picture_metrics, recognition  # noqa: F401 (their metrics register themselves)
from evaluation.metric import CALIBRATION, CURVE, METRICS, MOTION, PICTURES, RATIOS, RECOGNITION

HEADER = {
    "module": "which test it was: `poses` or `pictures`",
    "weights": "where the weights come from",
    "iteration": "of training, after which they were saved",
    "list": "the test list",
    "list_sha256": "the check sum of its content",
    "rows": "number of rows that were scored; also in each group, of its rows",
    "rows_in_list": "number of rows of the list",
    "rows_too_short": "number of rows that were not scored, because their clip ends before the last step",
    "rows_frozen": "number of scored rows that repeat one frame in every step, because their video is shorter than the clip",
    "samples": "K, sampled futures of each row",
    "seed": "of the samples' noise",
    "steps": "T, predicted poses of each sample",
    "imsize": "S, side of the picture in pixels",
    "overall": "the group of all rows",
    "without_frozen": "the group of the rows that do not repeat one frame, where there are rows that do",
    "actions": "a group for each action, by its name",
    "calibration": "metrics of all rows together",
    "recognition": "metrics of all rows together, where there is true motion to train the classifier with",
}
WHERE = {
    MOTION: ("pixels", "Motion, in `overall` and each of `actions`, under `normalised` ([-1, 1] is the whole picture) and "
                       "`pixels` (times S / 2): means over rows"),
    CURVE: ("curve.pixels", "The same at each step, under `curve.normalised` and `curve.pixels`: lists of T numbers"),
    RATIOS: ("ratios", "Motion, in `overall` and each of `actions`, under `ratios`: means over rows"),
    PICTURES: ("pictures", "Painted videos of the first sample, in `overall` and each of `actions` of P2I's test, under "
                           "`pictures`: means over rows, `null` where none counts"),
    CALIBRATION: ("calibration", "Calibration, of all rows"),
    RECOGNITION: ("recognition", "Recognition, of all rows: whether a small classifier of true motion knows the action"),
}


def listed(place):
    """The metrics of a place. Curves are the metrics of `MOTION` that have one, and those of `CURVE` itself."""
    found = [each for each in METRICS if each.place == place or (place == CURVE and each.curve)]
    return sorted(found, key=lambda each: each.function.__module__)        # whichever module was imported first


def measure(place, data):
    """The metrics of a place that can be measured on `data`, see :func:`evaluation.metric.metric`: name -> value; values of
    `MOTION` are means over the steps."""
    found = {each.name: each.function(data) for each in listed(place)}
    return {name: value.mean(1) if place == MOTION and value.ndim > 1 else value for name, value in found.items()
            if value is not None}


def markdown():
    """The registry as Markdown tables, one for each place."""
    lines = ["| key | what it is |", "|---|---|", *(f"| `{key}` | {meaning} |" for key, meaning in HEADER.items())]
    for place, (path, title) in WHERE.items():
        lines += ["", f"{title}.", "", "| key | unit | better | what it is |", "|---|---|---|---|",
                  *(f"| `{path}.{each.name}` | {each.unit} | {each.better} | {each.meaning.replace('|', chr(92) + '|')} |"
                    for each in listed(place))]
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
