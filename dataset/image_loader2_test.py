"""The test data: as the training data, and each item knows which video and frame it starts from."""
from collections import Counter

import torch

from dataset.image_loader2 import PennActionPairs


class PennActionTestPairs(PennActionPairs):
    """:class:`PennActionPairs` whose items also hold `video`, `frame` (the source's number) and `gap`, all int64.

    Of names without a number, `video` and `frame` are -1 and `gap` 0.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.windows = self.rows.windows()
        self.frame_numbers = torch.from_numpy(self.rows.frame_numbers())
        seen = Counter(window.stem for window in self.windows)
        self._stems = [window.stem + (f"_gap{window.numbers[2]}" if seen[window.stem] > 1 else "") for window in self.windows]
        seen = Counter()
        for row, stem in enumerate(self._stems):               # even so the same: an own list with a row twice
            seen[stem] += 1
            if seen[stem] > 1:
                self._stems[row] = f"{stem}_{seen[stem]}"

    def __getitem__(self, index):
        video, frame, gap = self.frame_numbers[index]
        return {**super().__getitem__(index), "video": video, "frame": frame, "gap": gap}

    def row_stem(self, row):
        """What the files of a row are called, as published `<video:04d>_<frame:04d>`; rows that would share it get more."""
        return self._stems[row]

    def row_title(self, row):
        """A row in words."""
        window = self.windows[row]
        return f"video {window.video}, frame {window.frame}, gap {window.numbers[2]}"
