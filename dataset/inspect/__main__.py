"""Inspect a data set: random windows with their poses, how much people move, and which rows look wrong.

    python -m dataset.inspect LIST --data_root DIR --out page.html
"""
import argparse
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from dataset.frames import FrameError, read_frame
from dataset.inspect.statistics import measure, suspicious
from dataset.layouts import read_pairs
from dataset.pair_list import ACTIONS, Columns
from dataset.penn_layout import frame_mask
from pose.drawing import draw_mask, draw_skeleton
from pose.masks import load_mask
from utils.config import load_config
from utils.drawing import grid
from utils.errors import UserError, command
from utils.media import write_image
from utils.pages import write_page
from utils.schema import Config, TrainDataConfig
from utils.spacing import evenly_spaced
from utils.transform import picture_from_frame, pose_to_picture, to_pixels

SIDE = 160                   # pixels of a picture
MOST_FRAMES = 9              # of a strip; longer windows are thinned out
GREY = 70                    # value of the background without a frame
BINS, FASTEST = 12, 0.12     # of a histogram: bins, and its largest displacement per step as a fraction of the person's size


def actions_of(path):
    """The action names in a list, by id; ids without rows get a made-up name. The nine actions of the paper for other files."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError):
        return ACTIONS                       # reading the list reports the error
    names = {}
    for fields in (line.split(",") for line in lines):
        columns = Columns.of(len(fields))
        number = fields[columns.action + 1].strip() if columns else ""
        if number.isdecimal() and len(number) < 5:
            names.setdefault(int(number), fields[columns.action])
    return tuple(names.get(number, f"(id {number})") for number in range(max(names) + 1)) if names else ACTIONS


def strip(pairs, row):
    """A window's frames side by side, cropped as in training, with poses and masks, and whether all frames were found."""
    joints = to_pixels(pose_to_picture(pairs.rows.poses[row], pairs.crop[row], SIDE), SIDE)          # (T + 1, 13, 2)
    cells, complete = [], True
    for frame in evenly_spaced(pairs.targets + 1, MOST_FRAMES):
        path, picture = pairs.frame_path(row, frame), np.full((SIDE, SIDE, 3), GREY, np.uint8)
        try:
            found = read_frame(path, pairs.row_name(row))
            h, w = found.shape[:2]
            if frame_mask(path).is_file():
                found = draw_mask(found, load_mask(frame_mask(path), (h, w)))
            crop = np.minimum(pairs.crop[row], [w, h, w, h])
            if complete := complete and (crop[2:] > crop[:2]).all():       # not of a frame that was shrunk
                picture = picture_from_frame(found, crop, SIDE)
        except FrameError:
            complete = False
        cells.append(draw_skeleton(picture, joints[frame]))
    return grid([cells], background=20)[:-2, :-2], complete


def inspect(path, data_root, out, rows=12, seed=7, config=None):
    """Write page `out` about a list and, beside it, a folder of its pictures, `<stem>_files`. Returns a summary in lines.

    Args:
        path: of the list.
        data_root: folder of its data; None: that of the configuration.
        out: path of the page.
        rows: number of random windows, and largest number of suspicious ones.
        seed: of the random choice.
        config: :class:`utils.schema.Config` with layout and actions; None: Penn Action's layout, and the list's actions.
    Raises:
        UserError: a list that cannot be read.
    """
    out = Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {out}: the page must be called something.html")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config = config or Config(actions=list(actions_of(path)))
        entry = TrainDataConfig(str(path), config.data_root if data_root is None else data_root, config.layout)
        pairs = read_pairs(config, entry, images=False, size=SIDE)
    known = pairs.image_size < np.iinfo(np.int32).max
    same = np.array([len(set(frames)) < len(frames) for frames in pairs.rows.frames])
    findings = measure(pairs.rows.poses, np.where(known, pairs.image_size, np.nan), same)
    odd, folder = suspicious(findings), out.with_name(f"{out.stem}_files")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9]" * 6 + ".jpg"):                             # of an earlier page
        old.unlink()
    worst, chosen = list(odd)[:rows], np.sort(np.random.default_rng(seed).permutation(len(pairs))[:rows]).tolist()
    windows, cards, missing = pairs.rows.windows(), {}, 0
    for row in dict.fromkeys([*chosen, *worst]):
        picture, complete = strip(pairs, row)
        missing += not complete
        name = f"{folder.name}/{row + 1:06d}.jpg"
        write_image(out.parent / name, picture)
        cards[row] = (f"{pairs.rows.actions[pairs.rows.action[row]]}, {windows[row].stem}, line {pairs.rows.lines[row]}",
                      ", ".join(odd.get(row, ())), name)
    counts = Counter(reason for reasons in odd.values() for reason in reasons)
    write_page(out, "inspect.html", title=f"{Path(path).name}: {len(pairs)} windows of {pairs.targets + 1} frames",
               list_path=pairs.rows.path, missing=missing, table=_action_table(pairs, findings, windows, odd), bins=BINS,
               fastest=FASTEST, reasons=[(name, counts[name], counts[name] / len(pairs)) for name in findings.reasons],
               worst=[cards[row] for row in worst], chosen=[cards[row] for row in chosen])
    return "\n".join([*(f"note: {warning.message}" for warning in caught),
                      f"{out}: {len(pairs)} rows, {len(odd)} of them suspicious",
                      *(f"{name}: {number}" for name, number in counts.most_common())])


def _action_table(pairs, findings, windows, odd):
    """A dict of numbers and a histogram (in fractions of its highest bar) for each action, and for all together."""
    odd, videos = np.isin(np.arange(len(pairs)), list(odd)), np.array([window.video for window in windows])
    groups = [(name, pairs.rows.action == number) for number, name in enumerate(pairs.rows.actions)]
    table = []
    for name, rows in (*groups, ("all", np.ones(len(pairs), bool))):
        if rows.any():
            bars, _ = np.histogram(findings.relative[rows].clip(0, FASTEST * (1 - 1e-9)), BINS, (0, FASTEST))
            table.append({"name": name, "rows": rows.sum(), "videos": len(set(videos[rows])), "bars": bars / bars.max(),
                          "pixels": findings.displacement[rows].mean(), "relative": findings.relative[rows].mean(),
                          "static": findings.static[rows].mean(), "odd": odd[rows].sum()})
    return table


def main():
    parser = argparse.ArgumentParser(prog="python -m dataset.inspect", description="Inspect a data set.")
    parser.add_argument("list", help="list of windows, e.g. data_lists/training_pair_penn5.txt")
    parser.add_argument("--data_root", help="folder that holds frames/ and labels/; without frames, poses are drawn on grey "
                                            "(default: that of --config, or here)")
    parser.add_argument("--config", help="configuration of the list: its layout, data_root and actions")
    parser.add_argument("--out", default="inspect.html",
                        help="page to write, with a folder of pictures beside it (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=12,
                        help="number of random windows, and largest number of suspicious ones (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the random choice (default: %(default)s)")
    options = parser.parse_args()
    if options.rows < 1 or options.seed < 0:
        parser.error("--rows must be at least 1, --seed not negative")
    config = load_config(options.config) if options.config else None
    root = options.data_root if options.data_root or config else "."
    print(inspect(options.list, root, options.out, options.rows, options.seed, config))


if __name__ == "__main__":
    command(main)
