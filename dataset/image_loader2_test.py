"""The test data: items as in training, which also name the video and the frame that they start from."""
from collections import Counter

import torch

from dataset.image_loader2 import PennActionPairs


class NamedRows:
    """Mixin for the class of a layout: its items also hold `video`, `frame` (number of the source) and `gap`, all int64.

    For names without a number, `video` and `frame` are -1 and `gap` is 0.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.windows = self.rows.windows()
        self.frame_numbers = torch.from_numpy(self.rows.frame_numbers())
        seen = Counter(window.stem for window in self.windows)
        self._stems = [window.stem + (f"_gap{window.numbers[2]}" if seen[window.stem] > 1 else "") for window in self.windows]
        seen = Counter()
        for row, stem in enumerate(self._stems):               # a list may hold the same row twice
            seen[stem] += 1
            if seen[stem] > 1:
                self._stems[row] = f"{stem}_{seen[stem]}"

    def __getitem__(self, index):
        video, frame, gap = self.frame_numbers[index]
        return {**super().__getitem__(index), "video": video, "frame": frame, "gap": gap}

    def row_stem(self, row):
        """A unique name for a row's files, as published `<video:04d>_<frame:04d>`, with a suffix where that is not unique."""
        return self._stems[row]

    def row_title(self, row):
        """The title of a row on pages."""
        window = self.windows[row]
        return f"video {window.video}, frame {window.frame}, gap {window.numbers[2]}"


class PennActionTestPairs(NamedRows, PennActionPairs):
    """:class:`dataset.image_loader2.PennActionPairs` of a test list."""
