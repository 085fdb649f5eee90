"""Pictures as files."""
import numpy as np
import pytest
import torch
from PIL import Image

from pose.drawing import draw_poses
from utils.drawing import label, wrapped
from utils.media import write_gif, write_image

SPREAD = torch.tensor([[x, y] for y in (-0.75, -0.25, 0.25, 0.75) for x in (-0.75, -0.25, 0.25, 0.75)])[:13]


@pytest.mark.parametrize("step", [
    pytest.param(0.1, id="moving"),
    pytest.param(0.0, id="standing still")])              # Pillow would merge equal frames
@pytest.mark.parametrize("photo", [False, True])
def test_gif_holds_every_frame_at_two_a_second_for_ever(tmp_path, step, photo):
    pictures = draw_poses(torch.stack([SPREAD * 0.6 + step * t for t in range(4)]), 64)
    write_gif(tmp_path / "a.gif", pictures, photo=photo)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 4 and gif.info["loop"] == 0 and gif.size == (64, 64)
        for number, picture in enumerate(pictures):
            gif.seek(number)
            assert gif.info["duration"] == 500
            assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - picture).mean() < 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_image_is_written_in_the_format_of_its_name(tmp_path, name):
    write_image(tmp_path / name, draw_poses(SPREAD, 32))
    with Image.open(tmp_path / name) as image:
        assert image.format == {"a.jpg": "JPEG", "a.png": "PNG"}[name] and image.size == (32, 32)




@pytest.mark.parametrize("photo", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_short_gif_may_use_every_colour(tmp_path, count, photo):
    pictures = np.random.RandomState(0).randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
    write_gif(tmp_path / "a.gif", pictures, photo=photo)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == count
        first = np.asarray(gif.convert("RGB")).astype(int)
        assert np.abs(first - pictures[0]).mean() < 60 and len(np.unique(first.reshape(-1, 3), axis=0)) > 200


@pytest.mark.parametrize("photo", [False, True])
@pytest.mark.parametrize("moving", [True, False])
def test_a_gif_of_many_frames_holds_them_all(tmp_path, photo, moving):
    pictures = np.zeros((600, 4, 6, 3), np.uint8)
    times = np.arange(600) if moving else np.zeros(600)
    pictures[..., 0], pictures[..., 1] = (times % 256)[:, None, None], (times // 3)[:, None, None]          # 600 colours
    write_gif(tmp_path / "a.gif", pictures, photo=photo)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 600
        for number in range(0, 600, 7):
            gif.seek(number)
            assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - pictures[number]).max() < (60 if moving else 1)


def test_captions_wrap_at_the_picture_s_side():
    assert wrapped("what happened", 120) == ["what happened"] and wrapped("what happened", 56) == ["what", "happened"]
    assert wrapped("painted with the true poses", 90) == ["painted with the", "true poses"] and wrapped("", 50) == []
    dark = np.zeros((64, 64, 3), np.uint8)
    told = label(dark, "what happened")
    assert not dark.any() and not told[:, 62:].any()                          # the dark picture stays, nothing is cut off
    assert (told > 100).any(2)[:14].any() and (told > 100).any(2)[15:28].any() and not told[32:].any()
