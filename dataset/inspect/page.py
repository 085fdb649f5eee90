"""The page of `dataset.inspect`, and the strips of pictures beside it."""
from collections import Counter
from html import escape
from pathlib import Path

import numpy as np

from dataset.image_loader2 import FrameError, read_frame
from dataset.inspect.statistics import suspicious
from dataset.penn_layout import frame_mask
from pose.drawing import draw_mask, draw_skeleton
from pose.masks import load_mask
from utils.drawing import grid
from utils.files import write_text
from utils.media import write_image
from utils.pages import image, page
from utils.spacing import evenly_spaced
from utils.transform import picture_from_frame, pose_to_picture, to_pixels

SIDE = 160                   # pixels of a picture
MOST_FRAMES = 9              # of a strip; longer windows are thinned out
GREY = 70                    # value of the background without a frame
BINS = 12                    # of a histogram, from 0 to FASTEST
FASTEST = 0.12               # mean displacement per step, as share of the person's size


def strip(pairs, row):
    """A window's frames in a row, cropped as in training, with their poses and masks, and whether all frames were found."""
    frames = evenly_spaced(pairs.targets + 1, MOST_FRAMES)
    joints = to_pixels(pose_to_picture(pairs.rows.poses[row], pairs.crop[row], SIDE), SIDE)          # (T + 1, 13, 2)
    cells, complete = [], True
    for frame in frames:
        try:
            path = pairs.frame_path(row, frame)
            picture = read_frame(path, pairs.row_name(row))
            h, w = picture.shape[:2]
            if frame_mask(path).is_file():
                picture = draw_mask(picture, load_mask(frame_mask(path), (h, w)))
            x1, y1, x2, y2 = np.minimum(pairs.crop[row], [w, h, w, h])
            picture = picture_from_frame(picture, (x1, y1, x2, y2), SIDE) if x1 < x2 and y1 < y2 else None
        except FrameError:
            picture = None
        complete = complete and picture is not None
        cells.append(draw_skeleton(np.full((SIDE, SIDE, 3), GREY, np.uint8) if picture is None else picture, joints[frame]))
    return grid([cells], background=20)[:-2, :-2], complete


def write_page(out, pairs, findings, rows=12, seed=7):
    """Write page `out` and, beside it, a folder of its pictures, `<stem>_files`.

    Args:
        out: path of the page.
        pairs: :class:`dataset.image_loader2.PennActionPairs` of the list.
        findings: :class:`dataset.inspect.statistics.Findings` of its rows.
        rows: number of random windows, and largest number of suspicious ones.
        seed: of the random choice.
    Returns:
        a summary in lines.
    """
    folder, windows, odd = out.with_name(f"{out.stem}_files"), pairs.rows.windows(), suspicious(findings)
    out.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    for path in folder.glob("[0-9]" * 6 + ".jpg"):                            # left by an earlier page
        path.unlink()
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pairs))[:rows]).tolist()
    worst = list(odd)[:rows]
    cards, missing = {}, 0
    for row in dict.fromkeys([*chosen, *worst]):
        picture, complete = strip(pairs, row)
        missing += not complete
        name = f"{row + 1:06d}.jpg"
        write_image(folder / name, picture)
        cards[row] = (f'<div class="card"><header><span>{escape(pairs.rows.actions[pairs.rows.action[row]])}, '
                      f"{escape(windows[row].stem)}, line {pairs.rows.lines[row]}</span>"
                      f"<span>{escape(', '.join(odd.get(row, ())))}</span></header>"
                      f"{image(f'{folder.name}/{name}', 'sheet')}</div>")
    counts = Counter(reason for reasons in odd.values() for reason in reasons)
    told = "".join(f"<tr><td>{escape(name)}</td><td>{counts[name]}</td><td>{counts[name] / len(pairs):.1%}</td></tr>"
                   for name in findings.reasons)
    grey = f"<p>Of {missing} of the windows shown, frames are not on this disk: their poses stand on grey.</p>" if missing else ""
    title = f"{Path(pairs.rows.path).name}: {len(pairs)} windows of {pairs.targets + 1} frames"
    style = "<style>.cards { grid-template-columns: 1fr } .bars { height: 28px; width: 140px; fill: var(--accent) }</style>"
    write_text(out, page(title, (
        f"{style}<h1>{escape(title)}</h1><p>{escape(str(pairs.rows.path))}. Orange is the person's own right side (Penn Action's "
        f"left), blue the own left one, a tint the mask. Pictures are the crops that training sees.</p>{grey}"
        f"<h2>Actions</h2>{_action_table(pairs, findings, windows, odd)}"
        f"<h2>Suspicious rows</h2><table><thead><tr><th>what</th><th>rows</th><th>share</th></tr></thead>"
        f"<tbody>{told}</tbody></table>"
        f'<div class="cards" style="margin-top:1rem">{"".join(cards[row] for row in worst)}</div>'
        f'<h2>{len(chosen)} random windows</h2><div class="cards">{"".join(cards[row] for row in chosen)}</div>')))
    return f"{out}: {len(pairs)} rows, {len(odd)} of them suspicious" + "".join(
        f"\n{name}: {number}" for name, number in counts.most_common())


def _action_table(pairs, findings, windows, odd):
    lines, odd_rows = [], np.isin(np.arange(len(pairs)), list(odd))
    videos = np.array([window.video for window in windows])
    groups = [(name, pairs.rows.action == number) for number, name in enumerate(pairs.rows.actions)]
    for name, rows in (*((name, rows) for name, rows in groups if rows.any()), ("all", np.ones(len(pairs), bool))):
        lines.append(f"<tr><td>{escape(name)}</td><td>{rows.sum()}</td><td>{len(set(videos[rows]))}</td>"
                     f"<td>{findings.displacement[rows].mean():.1f} px</td><td>{findings.relative[rows].mean():.2%}</td>"
                     f"<td>{_histogram(findings.relative[rows])}</td><td>{findings.static[rows].mean():.1%}</td>"
                     f"<td>{odd_rows[rows].sum()}</td></tr>")
    heads = ("action", "rows", "videos", "motion a step", "of the person's size", f"0 to {FASTEST:.0%}", "static windows",
             "suspicious")
    return (f"<table><thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table>")


def _histogram(values):
    """A histogram as SVG bars."""
    counts, _ = np.histogram(values.clip(0, FASTEST * (1 - 1e-9)), BINS, (0, FASTEST))
    bars = "".join(f'<rect x="{number}" y="{1 - share:.3f}" width=".86" height="{share:.3f}"/>'
                   for number, share in enumerate(counts / counts.max()))
    return f'<svg class="bars" viewBox="0 0 {BINS} 1" preserveAspectRatio="none">{bars}</svg>'
