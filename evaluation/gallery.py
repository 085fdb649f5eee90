"""The gallery of a test: web pages with its numbers, curves, pictures and moving figures."""
from html import escape
from typing import NamedTuple

from pose.skeleton import FIGURE, SHOULDERS
from utils.files import write_text
from utils.pages import image, page
from utils.transform import to_pixels

FAN = 20                  # most samples drawn over each other
SECONDS, STEP_SECONDS = 2.5, 0.2     # of one turn of a drawn motion, at least; of a step of a long one
CURVES = (("zero_velocity_ade", "standing still", "#9aa4b2"), ("ade", "a sample", "#ffb454"),
          ("ade_of_mean", "mean of the samples", "#7fd1ff"), ("ade_best", "best sample of each step", "#8fd98f"),
          ("energy_score", "energy score", "#ff7b72"))
METRIC_COLUMNS = (("energy_score", "energy score"), ("ade", "ADE of a sample"), ("ade_of_mean", "ADE of the samples' mean"),
                  ("ade_best", "ADE, best sample"), ("zero_velocity_ade", "ADE, standing still"),
                  ("fde", "FDE of a sample"), ("fde_best", "FDE, best sample"),
                  ("zero_velocity_fde", "FDE, standing still"), ("apd", "diversity (APD)"))


class Card(NamedTuple):
    """One row of a list in a gallery. `cells` are (caption, markup) pairs; all texts are escaped here, markup is not."""

    action: str
    title: str
    note: str
    cells: list


def _figure_path(pose, size):
    """SVG path data of one pose (13, 2), normalised."""
    points = to_pixels(pose, size).tolist()
    points.append([(left + right) / 2 for left, right in zip(*(points[joint] for joint in SHOULDERS))])        # NECK
    return "".join("M" + "L".join(f"{points[joint][0]:.1f} {points[joint][1]:.1f}" for joint in line) for line in FIGURE)


def moving_figures(futures, truth, size=128):
    """An animated SVG: sampled futures (K, T, 13, 2) drawn over each other, and the truth (T, 13, 2) in white."""
    lines, seconds = [], max(SECONDS, STEP_SECONDS * len(truth))
    for motion, style in (*((motion, 'stroke="#ffb454" stroke-opacity=".35"') for motion in futures),
                          (truth, 'stroke="#fff"')):
        keys = [_figure_path(pose, size) for pose in (*motion, motion[-1])]         # the last pose is held
        lines.append(f'<path d="{keys[0]}" {style}><animate attributeName="d" dur="{seconds:.1f}s" values="{";".join(keys)}" '
                     'repeatCount="indefinite"/></path>')
    return (f'<svg viewBox="0 0 {size} {size}" fill="none" stroke-width="1.6" stroke-linecap="round" '
            f'stroke-linejoin="round">{"".join(lines)}</svg>')


def curve_chart(curves, width=620, height=260):
    """An SVG of distances in pixels over the steps.

    Args:
        curves: name -> list of T numbers, those of `CURVES` are drawn.
    """
    left, top, right, bottom = 44, 12, width - 200, height - 34
    steps, highest = len(curves["ade"]), max(max(curves[name]) for name, *_ in CURVES) or 1.0

    def place(step, value):
        return f"{left + (right - left) * step / max(1, steps):.1f},{bottom - (bottom - top) * value / highest:.1f}"

    parts = [f'<path d="M{left},{top}V{bottom}H{right}" stroke="#2b2f36"/>']
    for number, (name, label, colour) in enumerate(CURVES):
        points = " ".join(place(step, value) for step, value in enumerate([0.0, *curves[name]]))
        parts.append(f'<polyline points="{points}" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{right + 14}" y="{top + 10 + 20 * number}" fill="{colour}">{escape(label)}</text>')
    for value in (0, highest / 2, highest):
        parts.append(f'<text x="{left - 6}" y="{bottom - (bottom - top) * value / highest + 4:.1f}" text-anchor="end" '
                     f'fill="#9aa4b2">{value:.1f}</text>')
    for step in sorted({1, (steps + 1) // 2, steps}):
        parts.append(f'<text x="{place(step, 0).partition(",")[0]}" y="{bottom + 16}" text-anchor="middle" fill="#9aa4b2">'
                     f'{step}</text>')
    return (f'<p>Distance to what happened over time: pixels by step.</p><svg viewBox="0 0 {width} {height}" width="{width}" '
            f'fill="none" font-size="12" class="curve">{"".join(parts)}</svg>')


def metric_table(metrics, columns=METRIC_COLUMNS, unit="pixels", digits=2):
    """The numbers of `metrics.json` as a table, an action a line."""
    groups = [*metrics["actions"].items(), ("all", metrics["overall"])]
    head = "".join(f"<th>{escape(label)}</th>" for _, label in columns)
    lines = "".join(f"<tr><td>{escape(name)}</td><td>{group['rows']}</td>"
                    + "".join(f"<td>{group[unit][key]:.{digits}f}</td>" for key, _ in columns) + "</tr>"
                    for name, group in groups)
    return f"<table><thead><tr><th>action</th><th>rows</th>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _cards(cards):
    def card(entry):
        cells = "".join(f"<figure>{markup}<figcaption>{escape(caption)}</figcaption></figure>"
                        for caption, markup in entry.cells)
        return (f'<div class="card"><header><span>{escape(entry.title)}</span><span>{escape(entry.note)}</span></header>'
                f'<div class="cells">{cells}</div></div>')
    return f'<div class="cards">{"".join(map(card, cards))}</div>'


def write_gallery(folder, title, intro, table, cards):
    """Write `index.html` (`overview.gif`, numbers, and a few cards an action) and a page for each action with all of its cards.

    Args:
        folder: where the pictures that the cards link lie.
        title, intro: heading and a sentence, as text.
        table: markup of the numbers.
        cards: list of (:class:`Card` for the action's own page, :class:`Card` for the first page or None).
    """
    by_action = {}
    for full, highlight in cards:
        by_action.setdefault(full.action, []).append((full, highlight))
    sections = []
    for number, (action, entries) in enumerate(by_action.items()):
        name = f"action_{number:02d}.html"
        heading = action.replace("_", " ")
        write_text(folder / name, page(f"{title}: {heading}", f'<a href="index.html">back</a><h1>{escape(heading)}</h1>'
                                       f"<p>All {len(entries)} rows.</p>{_cards(full for full, _ in entries)}"))
        sections.append((f"a{number}", heading, _cards(highlight for _, highlight in entries if highlight)
                         + f'<p><a href="{name}">all {len(entries)} rows of {escape(heading)}</a></p>'))
    menu = "".join(f'<a href="#{anchor}">{escape(heading)}</a>' for anchor, heading, _ in sections)
    body = "".join(f'<h2 id="{anchor}">{escape(heading)}</h2>{markup}' for anchor, heading, markup in sections)
    write_text(folder / "index.html", page(title, (
        f"<h1>{escape(title)}</h1><p>{escape(intro)}</p>{image('overview.gif', 'sheet')}{table}<nav>{menu}</nav>{body}")))
