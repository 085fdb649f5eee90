"""Another data layout needs one class, and trains and tests like Penn Action's."""
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset import layouts
from dataset.image_loader2 import PennActionPairs
from dataset.image_loader2_test import NamedRows
from dataset.layouts import read_pairs
from dataset.mixture import Draw, TrainingPairs, training_pairs
from dataset.pair_list import PairList, Row, read_list
from utils.config import load_config
from utils.errors import UserError

CONFIG = "config/Penn_actvae_p2inetwork.yaml"


class FlatPairs(PennActionPairs):
    """Rows in a JSON file, all pictures in one folder, no annotations."""

    @staticmethod
    def read_rows(path, actions, by_name):
        data = Path(path).read_bytes()
        rows = [Row(tuple(row["frames"]), row["action"], actions.index(row["action"]),
                    *(np.array(row[name]) for name in ("crop", "persons", "poses"))) for row in json.loads(data)]
        return PairList.of(path, range(1, len(rows) + 1), rows, actions, data)

    def frame_path(self, row, frame):
        return Path(self.data_root) / self.rows.frames[row][frame].replace("/", "-")

    def annotated_size(self, video):
        return None


class FlatTestPairs(NamedRows, FlatPairs):
    pass


@pytest.fixture
def flat(monkeypatch, tmp_path, penn_root, lists):
    """Overrides that name the lists and frames of `penn_root` in another layout."""
    monkeypatch.setitem(layouts.LAYOUTS, "flat", (FlatPairs, FlatTestPairs))
    for path in lists:
        rows = read_list(path)
        (tmp_path / path.name).with_suffix(".json").write_text(json.dumps([
            {"frames": [frame.removeprefix("frames/") for frame in rows.frames[row]], "action": rows.actions[rows.action[row]],
             **{name: getattr(rows, name)[row].tolist() for name in ("crop", "persons", "poses")}}
            for row in range(0, len(rows.lines), 8)]))
    for path in (penn_root / "frames").glob("*/*.jpg"):
        (tmp_path / f"{path.parent.name}-{path.name}").symlink_to(path)
    train, test = (tmp_path / path.with_suffix(".json").name for path in lists)
    return [f"train_data_list={train}", f"test_data_list={test}", f"data_root={tmp_path}", "layout=flat", "imsize=32"]


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(torch.as_tensor(first[name]), torch.as_tensor(second[name]))
                                                 for name in first)


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("test", [True, False])
def test_another_layout_gives_the_same_items(flat, tiny, images, test):
    other = read_pairs(load_config(CONFIG, flat), images=images, test=test)
    penn = read_pairs(load_config(CONFIG, tiny), images=images, test=test)
    assert type(other) is (FlatTestPairs if test else FlatPairs)
    assert len(other) == 7 and len(penn) == 56 and ("video" in other[0]) == test
    for row in (0, 6):
        assert same(other[row], penn[8 * row])


def test_another_layout_is_cached_paired_and_mixed(flat, tiny, penn_root, lists, tmp_path):
    entries = [f"{{data_list: {lists[0]}, data_root: {penn_root}, share: 0.5}}",
               f"{{data_list: {flat[0].partition('=')[2]}, data_root: {tmp_path}, layout: flat, share: 0.5}}"]
    config = load_config(CONFIG, [*tiny, "pairs=anywhere", f"train_data=[{', '.join(entries)}]"])
    data = training_pairs(config, True)
    assert type(data) is TrainingPairs and [type(one) for one in data.sets] == [PennActionPairs, FlatPairs]
    before = [data[Draw(row, 3)] for row in (0, 60)]
    data.use_cache(tmp_path / "cache")
    assert all(same(item, data[Draw(row, 3)]) for item, row in zip(before, (0, 60)))
    assert before[1]["images"].shape == (2, 3, 32, 32)


@pytest.mark.parametrize("overrides", [["layout=flat"], ["train_data=[{data_list: a, data_root: b, layout: flat}]"]])
def test_an_unknown_layout(tiny, overrides):
    with pytest.raises(UserError, match=re.escape("layout: 'flat' is not known; known are penn_action")):
        training_pairs(load_config(CONFIG, [*tiny, *overrides]), True)
