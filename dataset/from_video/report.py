"""What the user sees of a converted data set: a contact sheet of each clip, `index.html` and `report.txt`."""
import numpy as np

from pose.drawing import draw_skeleton
from utils.drawing import contact_sheet
from utils.files import write_text
from utils.media import write_image
from utils.pages import write_page
from utils.transform import resized

SHEET_FRAMES = 12            # frames on a contact sheet
CELL = 320                   # longer side of a frame on it, pixels


def write_sheet(path, pictures, joints, visible, present):
    """Write the contact sheet of a clip, cropped to the person.

    Args:
        path: JPEG file.
        pictures: frame -> (h, w, 3) uint8 RGB.
        joints: (n, 13, 2) in pixels.
        visible: (n, 13) bool.
        present: (n,) bool, whether the person is in a frame; at least once. The others are darkened.
    """
    part = surroundings(joints[present], next(iter(pictures.values())).shape[:2])
    write_image(path, contact_sheet([_cell(picture, part, joints[number], visible[number]) if present[number]
                                     else _cell(picture, part) // 3 for number, picture in sorted(pictures.items())], cell=CELL))


def surroundings(joints, size):
    """The box `x1, y1, x2, y2` in frames of size (h, w) that extends half a body's size beyond all poses (n, 13, 2)."""
    margin = np.ptp(joints, axis=1).max() / 2
    box = np.concatenate([joints.min((0, 1)) - margin, joints.max((0, 1)) + margin + 1])
    return box.clip(0, np.tile(size[::-1], 2)).astype(int)


def _cell(picture, part, joints=None, visible=None):
    """The part `x1, y1, x2, y2` of a frame, its longer side CELL pixels, with the skeleton of a pose if there is one."""
    x1, y1, x2, y2 = part
    ratio = CELL / max(x2 - x1, y2 - y1)
    cell = resized(picture[y1:y2, x1:x2], [max(1, round(side * ratio)) for side in (y2 - y1, x2 - x1)])
    return cell if joints is None else draw_skeleton(cell, (joints - (x1, y1)) * ratio, visible)


def write_report(out, clips, results, problems, total):
    """Write `report.txt` and `index.html` into the folder `out`.

    Args:
        clips: those that could be read, with their splits.
        results: name -> record of each of these clips.
        problems: list of texts.
        total: number of clips in the CSV.
    """
    lines = []
    for clip in clips:
        record = results[clip.name]
        gap = f", one in {record['gap']}" if record["gap"] > 1 else ""
        text = [f"{record['kept']} frames kept of {record['frames']}{gap}", f"poses from {record['poses']}",
                f"{record['filled']} filled", f"{record['visible']:.0%} of the joints visible", *record["notes"]]
        kind = ("train" if clip.train else "test") if record["parts"] else "left out"
        lines.append((clip.name, f"{clip.action}, {kind}", "; ".join(text)))
    write_text(out / "report.txt", "".join(f"{name} ({kind}): {text}\n" for name, kind, text in lines)
               + "".join(f"not used: {problem}\n" for problem in problems))
    write_page(out / "index.html", "own_videos.html", title="own videos", lines=lines, problems=problems, total=total)
