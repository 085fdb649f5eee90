"""The registry of data layouts, named by the key `layout` of a configuration or of an entry of its `train_data`.

A layout is a format of lists and the folders of their frames. To add one, write a subclass of
:class:`dataset.image_loader2.PennActionPairs` that overrides what differs,

- `read_rows(path, actions, by_name)`: the list as a :class:`dataset.pair_list.PairList`, which `PairList.of` makes of rows,
- `frame_path(row, frame)`: the picture file of a frame,
- `annotated_size(video)`: the frame size (h, w) that the data set stores for a video, or None,

and name it in `LAYOUTS`, with its test version `class MyTestPairs(NamedRows, MyPairs)`, see :mod:`dataset.image_loader2_test`.
"""
from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import PennActionTestPairs
from utils.errors import UserError

LAYOUTS = {"penn_action": (PennActionPairs, PennActionTestPairs)}        # name -> class for training, class for tests


def read_pairs(config, entry=None, images=True, test=False, size=None):
    """Read the training list or the test list of a configuration, or one of its `train_data`.

    Args:
        config: :class:`utils.schema.Config`.
        entry: one of `config.train_data`, whose list is read; None: `train_data_list` or `test_data_list`.
        images: whether the items have pictures.
        test: whether to read the test list; its items also have video and frame.
        size: side of the pictures in pixels; None: `imsize`.
    Returns:
        an object of the layout's class, see :class:`dataset.image_loader2.PennActionPairs`.
    Raises:
        UserError: an unknown layout, or a list that cannot be used.
    """
    where = entry or config
    if where.layout not in LAYOUTS:
        raise UserError(f"layout: {where.layout!r} is not known; known are {', '.join(LAYOUTS)}")
    path = entry.data_list if entry else config.test_data_list if test else config.train_data_list
    return LAYOUTS[where.layout][test](path, where.data_root, size or config.imsize, images, config.actions,
                                       config.actions_by == "name", entry and tuple(entry.actions) or None,
                                       config.generator.masks)
