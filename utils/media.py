"""Pictures as files: JPEG, PNG, GIF, WebP, MP4."""
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from utils.files import atomic_write

GIF_FPS = 2               # published
PALETTE_SIDE = 160        # pixels; the colours of a GIF of larger photos are chosen from pictures thinned out to about this side
TWINS = 128               # most colours that are twice in the palette of a GIF, see `write_gif`


def write_image(path, picture):
    """Save one RGB picture (h, w, 3) uint8; the format follows from the file's ending."""
    with atomic_write(path, "wb", sync=False) as file:
        Image.fromarray(picture).save(file, format=Image.registered_extensions()[path.suffix], quality=92)


def write_gif(path, pictures, fps=GIF_FPS, photo=False):
    """Save pictures as a GIF that repeats forever, with as many frames as pictures.

    Pillow drops a frame that equals the one before. So the first pixel of every second frame gets an index of its own: its
    colour is in the palette twice.

    Args:
        pictures: (T, h, w, 3) uint8, any T.
        photo: take the slower, finer choice of colours.
    """
    pictures = np.asarray(pictures)
    count, height, width, _ = pictures.shape
    colours = 256 - min(TWINS, count // 2)
    strip = Image.fromarray(pictures.reshape(count * height, width, 3))
    step = 1 + min(height, width) // PALETTE_SIDE
    if photo and step == 1:
        strip = strip.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    elif photo:                                          # every step-th pixel suffices to choose the colours
        few = Image.fromarray(np.ascontiguousarray(pictures[:, ::step, ::step]).reshape(-1, len(range(0, width, step)), 3))
        strip = strip.quantize(colours, palette=few.quantize(colours, method=Image.Quantize.MEDIANCUT),
                               dither=Image.Dither.FLOYDSTEINBERG)
    else:
        strip = strip.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = strip.getpalette()[:3 * colours]
    palette += [0] * (3 * colours - len(palette))
    twins = {}                                           # index of a colour -> index of its twin
    for top in range(height, count * height, 2 * height):
        index = strip.getpixel((0, top))
        if index not in twins:
            twins[index] = colours + len(twins)
            palette += palette[3 * index:3 * index + 3]
        strip.putpixel((0, top), twins[index])
    strip.putpalette(palette)
    first, *others = (strip.crop((0, top, width, top + height)) for top in range(0, count * height, height))
    with atomic_write(path, "wb", sync=False) as file:
        first.save(file, format="GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0, optimize=False)


def write_webp(path, pictures, fps=GIF_FPS):
    """Save pictures (T, h, w, 3 or 4) uint8 as an animated WebP that repeats forever; a fourth channel is alpha."""
    first, *others = map(Image.fromarray, pictures)
    with atomic_write(path, "wb", sync=False) as file:
        first.save(file, format="WEBP", save_all=True, append_images=others, duration=round(1000 / fps), loop=0, quality=90,
                   method=2)


def write_mp4(path, pictures, fps=GIF_FPS, preset="medium"):
    """Save pictures (T, h, w, 3), h and w even, as H.264 video, which browsers play; `preset` is that of x264."""
    _, height, width, _ = pictures.shape
    with atomic_write(path, "wb", sync=False) as file, av.open(file, "w", format="mp4") as video:
        # of small pictures mbtree reads memory that was never written: the same pictures would give different files
        options = {"crf": "18", "preset": preset, "x264-params": "mbtree=0"}
        stream = video.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000), options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for picture in pictures:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        video.mux(stream.encode())
