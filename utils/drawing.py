"""Sheets of several pictures. Pictures are uint8 RGB arrays (h, w, 3)."""
import textwrap

import cv2
import numpy as np

LINE, LETTER = 12, 7                       # height and greatest usual width of a letter of a caption, in pixels


def grid(rows, gap=2, background=40):
    """Put rows of pictures into one picture; None in a row leaves a wide gap. `gap` is in pixels, `background` a grey value."""
    lines = []
    for row in rows:
        height = next(cell.shape[0] for cell in row if cell is not None)
        cells = [cell if cell is not None else np.full((height, 4 * gap, 3), background, np.uint8) for cell in row]
        lines.append(np.concatenate([np.pad(cell, ((0, gap), (0, gap), (0, 0)), constant_values=background)
                                     for cell in cells], 1))
    return np.concatenate(lines)


def label(picture, text):
    """A copy of a picture with small text in its upper left corner, wrapped at its right side, readable on any background."""
    picture = picture.copy()
    for number, line in enumerate(textwrap.wrap(text, max(1, picture.shape[1] // LETTER), break_long_words=False)):
        for light, width in ((0, 3), (235, 1)):
            cv2.putText(picture, line, (4, LINE + LINE * number), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (light,) * 3, width,
                        cv2.LINE_AA)
    return picture


def contact_sheet(pictures, columns=4, cell=320):
    """Scale pictures of one size (n, h, w, 3) to fit `cell` pixels and put them into one picture, `columns` beside each other."""
    h, w = pictures[0].shape[:2]
    size, columns = [max(1, round(side * cell / max(h, w))) for side in (w, h)], min(columns, len(pictures))
    cells = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    return grid([cells[at:at + columns] for at in range(0, len(cells), columns)], gap=4)
