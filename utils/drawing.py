"""Sheets of several pictures. Pictures are uint8 RGB arrays (h, w, 3)."""
import cv2
import numpy as np

FONT = cv2.FONT_HERSHEY_SIMPLEX, 0.36      # of captions, and its size
MARGIN, LINE = 4, 12                       # pixels left and right of a caption, and from one of its lines to the next


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
    for number, line in enumerate(wrapped(text, picture.shape[1] - 2 * MARGIN)):
        for light, width in ((0, 3), (235, 1)):
            cv2.putText(picture, line, (MARGIN, 12 + LINE * number), *FONT, (light,) * 3, width, cv2.LINE_AA)
    return picture


def wrapped(text, width):
    """The lines into which a text is broken between words so that each fits into `width` pixels; a longer word has its own."""
    lines = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and cv2.getTextSize(longer, *FONT, 1)[0][0] <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def contact_sheet(pictures, columns=4, cell=320, background=20):
    """Scale pictures of one size (n, h, w, 3) to fit `cell` pixels and put them into one picture, `columns` beside each other."""
    h, w = pictures[0].shape[:2]
    ratio = cell / max(h, w)
    size = max(1, round(w * ratio)), max(1, round(h * ratio))
    cells = [np.pad(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), ((2, 2), (2, 2), (0, 0)), constant_values=background)
             for picture in pictures]
    cells += [np.full_like(cells[0], background)] * (-len(cells) % min(columns, len(cells)))
    columns = min(columns, len(cells))
    return np.concatenate([np.concatenate(cells[at:at + columns], 1) for at in range(0, len(cells), columns)])
