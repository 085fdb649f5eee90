"""The test data: as the training data, and each item knows which video and frame it starts from."""
import torch

from dataset.image_loader2 import PennActionPairs


class PennActionTestPairs(PennActionPairs):
    """:class:`PennActionPairs` whose items also hold `video`, `frame` (the source's number) and `gap`, all int64."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.frame_numbers = torch.from_numpy(self.rows.frame_numbers())

    def __getitem__(self, index):
        video, frame, gap = self.frame_numbers[index]
        return {**super().__getitem__(index), "video": video, "frame": frame, "gap": gap}
