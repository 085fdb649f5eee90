"""The gallery of a test: web pages with its numbers, curves, pictures and moving figures."""
from html import escape
from typing import NamedTuple

from evaluation.registry import CURVE, MOTION, PICTURES, listed
from pose.skeleton import FIGURE, SHOULDERS
from utils.files import write_text
from utils.pages import image, page
from utils.transform import to_pixels

FAN = 20                             # most samples that are drawn over each other
SECONDS, STEP_SECONDS = 2.5, 0.2     # least duration of a moving figure and of one of its steps
COLOURS = ("#ff7b72", "#ffb454", "#7fd1ff", "#8fd98f", "#9aa4b2", "#c297ff", "#e8eaed")       # of the curves, in turn
TABLES = {MOTION: ("pixels", 2), PICTURES: ("pictures", 3)}        # place -> key of its numbers in a group, and decimals


class Card(NamedTuple):
    """One row of a list in a gallery. Texts are escaped when they are written."""

    action: str
    title: str
    note: str
    cells: list                      # of (caption, markup)


def _figure_path(pose, size):
    """SVG path data of one pose (13, 2), normalised."""
    points = to_pixels(pose, size).tolist()
    points.append([(left + right) / 2 for left, right in zip(*(points[joint] for joint in SHOULDERS))])        # NECK
    return "".join("M" + "L".join(f"{points[joint][0]:.1f} {points[joint][1]:.1f}" for joint in line) for line in FIGURE)


def moving_figures(futures, truth, size=128):
    """An animated SVG: sampled futures (K, T, 13, 2) drawn over each other, and the truth (T, 13, 2) in white. Returns markup."""
    lines, seconds = [], max(SECONDS, STEP_SECONDS * len(truth))
    for motion, style in (*((motion, 'stroke="#ffb454" stroke-opacity=".35"') for motion in futures),
                          (truth, 'stroke="#fff"')):
        keys = [_figure_path(pose, size) for pose in (*motion, motion[-1])]         # the last pose stays for a step
        lines.append(f'<path d="{keys[0]}" {style}><animate attributeName="d" dur="{seconds:.1f}s" values="{";".join(keys)}" '
                     'repeatCount="indefinite"/></path>')
    return (f'<svg viewBox="0 0 {size} {size}" fill="none" stroke-width="1.6" stroke-linecap="round" '
            f'stroke-linejoin="round">{"".join(lines)}</svg>')


def curve_chart(curves, width=620, height=260):
    """An SVG of distances in pixels at each step.

    Args:
        curves: name -> list of T numbers, at least those that the registry draws.
    Returns:
        markup.
    """
    left, top, right, bottom = 44, 12, width - 200, height - 34
    drawn = listed(CURVE)
    steps, highest = len(curves[drawn[0].name]), max(max(curves[each.name]) for each in drawn) or 1.0

    def place(step, value):
        return f"{left + (right - left) * step / max(1, steps):.1f},{bottom - (bottom - top) * value / highest:.1f}"

    parts = [f'<path d="M{left},{top}V{bottom}H{right}" stroke="#2b2f36"/>']
    for number, each in enumerate(drawn):
        points = " ".join(place(step, value) for step, value in enumerate([0.0, *curves[each.name]]))
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline points="{points}" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{right + 14}" y="{top + 10 + 20 * number}" fill="{colour}">{escape(each.curve)}</text>')
    for value in (0, highest / 2, highest):
        parts.append(f'<text x="{left - 6}" y="{bottom - (bottom - top) * value / highest + 4:.1f}" text-anchor="end" '
                     f'fill="#9aa4b2">{value:.1f}</text>')
    for step in sorted({1, (steps + 1) // 2, steps}):
        parts.append(f'<text x="{place(step, 0).partition(",")[0]}" y="{bottom + 16}" text-anchor="middle" fill="#9aa4b2">'
                     f'{step}</text>')
    return (f'<p>Distance to what happened, in pixels, at each step.</p><svg viewBox="0 0 {width} {height}" width="{width}" '
            f'fill="none" font-size="12" class="curve">{"".join(parts)}</svg>')


def metric_table(metrics, place=MOTION):
    """The numbers of `metrics.json` in a place of the registry as a table, a line for each action; returns markup."""
    key, digits = TABLES[place]
    columns = [each for each in listed(place) if each.column and each.name in metrics["overall"][key]]

    def cell(number):
        return "<td>–</td>" if number is None else f"<td>{number:.{digits}f}</td>"

    head = "".join(f'<th title="{escape(each.meaning)}">{escape(each.column)}</th>' for each in columns)
    lines = "".join(f"<tr><td>{escape(name)}</td><td>{group['rows']}</td>"
                    + "".join(cell(group[key][each.name]) for each in columns) + "</tr>"
                    for name, group in (*metrics["actions"].items(), ("all", metrics["overall"])))
    return f"<table><thead><tr><th>action</th><th>rows</th>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _cards(cards):
    def card(entry):
        cells = "".join(f"<figure>{markup}<figcaption>{escape(caption)}</figcaption></figure>"
                        for caption, markup in entry.cells)
        return (f'<div class="card"><header><span>{escape(entry.title)}</span><span>{escape(entry.note)}</span></header>'
                f'<div class="cells">{cells}</div></div>')
    return f'<div class="cards">{"".join(map(card, cards))}</div>'


def write_gallery(folder, title, intro, table, cards):
    """Write `index.html` (`overview.gif`, the numbers, and a few cards of each action), and a page of all cards for each action.

    Args:
        folder: holds the pictures that the cards show.
        title, intro: heading and a sentence, as text.
        table: markup of the numbers.
        cards: list of (:class:`Card` for the action's own page, :class:`Card` for the first page, or None if it is not there).
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
