"""Web pages that open from disk: the page of a run and the gallery of a test. Every link is relative and resolves."""
from html import escape
from typing import NamedTuple

from utils.files import write_text
from utils.skeleton import FIGURE, SHOULDERS, to_pixels

STYLE = """
:root { color-scheme: dark; --line: #2b2f36; --soft: #9aa4b2; --accent: #ffb454; }
body { margin: 0 auto; max-width: 1500px; padding: 1.5rem; background: #14161a; color: #e8eaed;
       font: 16px/1.5 system-ui, sans-serif; }
a { color: var(--accent); } h1 { margin: 0; } h2 { margin: 2.5rem 0 .8rem; } p { max-width: 60rem; color: var(--soft); }
nav { position: sticky; top: 0; padding: .6rem 0; background: #14161aee; } nav a { margin-right: 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line); font-weight: 400; }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--soft); vertical-align: bottom; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 1rem; }
.card { padding: .8rem; border: 1px solid var(--line); border-radius: 10px; background: #1a1d22; overflow-x: auto; }
.card header { display: flex; justify-content: space-between; margin-bottom: .5rem; color: var(--soft); font-size: .85rem; }
.cells { display: flex; gap: .5rem; } figure { margin: 0; } figcaption { color: var(--soft); font-size: .75rem; }
.cells img, .cells svg { width: 128px; height: 128px; border-radius: 6px; background: #000; display: block; }
.cells img.strip { width: auto; }
.sheet { max-width: 100%; border-radius: 6px; }
.clips { display: flex; flex-wrap: wrap; gap: 1rem; } .clips video { max-width: 100%; max-height: 420px; border-radius: 6px; }
"""
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


def page(title, body):
    """A whole HTML page."""
    return (f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>\n{body}\n</html>\n')


def image(path, css=""):
    """Markup of a picture file."""
    return f'<img src="{escape(str(path))}" loading="lazy" alt="{escape(str(path))}"' + (f' class="{css}">' if css else ">")


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


def write_run_page(run, legend):
    """The run's `index.html`: its files and its sample sheets, newest first; `legend` says what a line of a sheet shows."""
    links = [(name, label) for name, label in (("test/index.html", "test gallery"), ("test/overview.gif", "test overview"),
                                               ("test/metrics.json", "test metrics"),
                                               ("log.txt", "log"), ("config.yaml", "configuration"))
             if (run.path / name).exists()]
    iterations = sorted({path.stem.rpartition("_")[2] for path in run.images.glob("t*_*.jpg")
                         if path.stem.rpartition("_")[2].isdecimal()}, key=int, reverse=True)
    sheets = [f"<h2>iteration {int(iteration)}</h2>" + "".join(
        f"<p>{label}</p>{image(f'images/{part}_{iteration}.jpg', 'sheet')}"
        for part, label in (("train", "training rows"), ("test", "test rows"))
        if (run.images / f"{part}_{iteration}.jpg").exists()) for iteration in iterations]
    write_text(run.path / "index.html", page(run.name, (
        f"<h1>{escape(run.name)}</h1><p>" + " · ".join(f'<a href="{name}">{label}</a>' for name, label in links)
        + f"</p><p>{escape(legend)}</p>{''.join(sheets)}")))


class Clip(NamedTuple):
    """A sample on the page of photos; files beside the page."""

    photo: str               # the heading under which it stands
    action: str
    title: str
    videos: list             # MP4s that are shown
    strip: str
    links: list              # (caption, file)


def write_photo_page(folder, intro, clips, shown):
    """Write `index.html` of photos that became clips.

    Args:
        folder: where the files lie.
        intro: a sentence, as text.
        clips: list of :class:`Clip`, those of a photo together.
        shown: photo -> picture file of the pose that was found in it.
    """
    body = [f"<h1>Photos in motion</h1><p>{escape(intro)}</p>"]
    for photo in dict.fromkeys(clip.photo for clip in clips):
        body.append(f"<h2>{escape(photo)}</h2>{image(shown[photo], 'sheet')}")
        for clip in (clip for clip in clips if clip.photo == photo):
            videos = "".join(f'<video src="{escape(name)}" autoplay loop muted playsinline controls></video>'
                             for name in clip.videos)
            links = " · ".join(f'<a href="{escape(name)}">{escape(caption)}</a>' for caption, name in clip.links)
            body.append(f'<h3>{escape(clip.action.replace("_", " "))}, {escape(clip.title)}</h3><div class="clips">{videos}</div>'
                        f"<p>{links}</p>{image(clip.strip, 'sheet')}")
    write_text(folder / "index.html", page("Photos in motion", "".join(body)))
