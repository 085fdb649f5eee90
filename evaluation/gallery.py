"""The gallery of a test: pages with its scores, curves, pictures and moving figures."""
from typing import NamedTuple

from evaluation.registry import CURVE, MOTION, PICTURES, listed
from pose.skeleton import FIGURE, SHOULDERS
from utils.pages import write_page
from utils.transform import to_pixels

FIGURE_SIZE = 128                    # pixels of a moving figure
CHART = {"left": 44, "top": 12, "right": 420, "bottom": 226}         # of the chart's axes, in pixels
COLOURS = ("#ff7b72", "#ffb454", "#7fd1ff", "#8fd98f")               # of the curves
TABLES = {MOTION: ("pixels", 2), PICTURES: ("pictures", 3)}          # place -> key of its numbers in a group, and decimals


class Cell(NamedTuple):
    """A picture, links, or a moving figure with its caption."""

    caption: str
    image: str = ""                  # path of a picture
    css: str = ""                    # class of the picture
    links: tuple = ()                # of (path, caption)
    figures: tuple = ()              # of (path data of each frame, whether it is the truth)


class Card(NamedTuple):
    """One window in a gallery."""

    action: str
    title: str
    note: str
    cells: list


def _figure_path(pose):
    """SVG path data of one pose (13, 2), normalised."""
    points = to_pixels(pose, FIGURE_SIZE).tolist()
    points.append([(left + right) / 2 for left, right in zip(*(points[joint] for joint in SHOULDERS))])        # NECK
    return "".join("M" + "L".join(f"{points[joint][0]:.1f} {points[joint][1]:.1f}" for joint in line) for line in FIGURE)


def moving_figures(caption, futures, truth):
    """A :class:`Cell` of futures (K, T, 13, 2) drawn over each other, and the truth (T, 13, 2) on top."""
    motions = [(motion, False) for motion in futures] + [(truth, True)]
    return Cell(caption, figures=tuple(([_figure_path(pose) for pose in (*motion, motion[-1])], is_truth)   # a pause at the end
                                       for motion, is_truth in motions))


def curve_chart(curves):
    """What the template needs to draw distances (name -> list of T numbers): curves, and ticks of both axes."""
    left, top, right, bottom = CHART.values()
    drawn = listed(CURVE)
    steps, highest = len(curves[drawn[0].name]), max(value or 0 for each in drawn for value in curves[each.name]) or 1.0

    def x(step):
        return round(left + (right - left) * step / steps, 1)

    def y(value):
        return round(bottom - (bottom - top) * value / highest, 1)

    lines = [(each.curve, colour, " ".join(f"{x(step)},{y(value)}" for step, value in enumerate([0.0, *curves[each.name]])
                                         if value is not None))
             for each, colour in zip(drawn, COLOURS)]
    return {**CHART, "lines": lines, "values": [(y(value), f"{value:.1f}") for value in (0, highest / 2, highest)],
            "steps": [(x(step), step) for step in sorted({1, (steps + 1) // 2, steps})]}


def metric_table(metrics, place):
    """The scores of a place of the registry as a table: (columns, lines of cells), one line for each action."""
    key, digits = TABLES[place]
    columns = [each for each in listed(place) if each.column and each.name in metrics["overall"][key]]
    lines = [[name, group["rows"], *("–" if group[key][each.name] is None else f"{group[key][each.name]:.{digits}f}"
                                     for each in columns)]
             for name, group in (*metrics["actions"].items(), ("all", metrics["overall"]))]
    return columns, lines


def write_gallery(folder, title, intro, tables, chart, cards):
    """Write `index.html` (`overview.gif`, the scores, and a few cards of each action), and a page of all cards for each action.

    `cards` is a list of (:class:`Card` for the action's own page, :class:`Card` for the first page or None).
    """
    by_action, sections = {}, []
    for full, highlight in cards:
        by_action.setdefault(full.action, []).append((full, highlight))
    for number, (action, entries) in enumerate(by_action.items()):
        page, heading = f"action_{number:02d}.html", action.replace("_", " ")
        write_page(folder / page, "gallery_action.html", title=f"{title}: {heading}", heading=heading,
                   cards=[full for full, _ in entries])
        sections.append((page, heading, len(entries), [highlight for _, highlight in entries if highlight]))
    write_page(folder / "index.html", "gallery.html", title=title, intro=intro, tables=tables, chart=chart, sections=sections)
