"""Pictures as files: JPEG, PNG, GIF, WebP, MP4; and as RGB."""
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from utils.files import atomic_write

GIF_FPS = 2               # published
PALETTE_SIDE = 160        # the colours of a GIF of photos are chosen from pictures thinned out to about so many pixels
TWINS = 128               # most colours with a second entry in the palette of a GIF, see `write_gif`


def write_image(path, picture):
    """Save one RGB picture (h, w, 3) uint8; the format follows from the file's ending."""
    with atomic_write(path, "wb", sync=False) as file:
        Image.fromarray(picture).save(file, format=Image.registered_extensions()[path.suffix], quality=92)


def write_gif(path, pictures, fps=GIF_FPS, photo=False):
    """Save pictures as a GIF that repeats forever, with as many frames as pictures.

    Pillow drops a frame that equals the one before. So the first pixel of every second frame takes its colour from a second entry
    of the palette.

    Args:
        pictures: (T, h, w, 3) uint8, any T.
        photo: choose colours more finely, which is slower.
    """
    pictures = np.asarray(pictures)
    count, height, width, _ = pictures.shape
    colours = 256 - min(TWINS, count // 2)
    strip = Image.fromarray(pictures.reshape(count * height, width, 3))
    if photo:
        step = 1 + min(height, width) // PALETTE_SIDE
        few = Image.fromarray(np.ascontiguousarray(pictures[:, ::step, ::step]).reshape(-1, len(range(0, width, step)), 3))
        strip = strip.quantize(colours, palette=few.quantize(colours, method=Image.Quantize.MEDIANCUT),
                               dither=Image.Dither.FLOYDSTEINBERG)
    else:
        strip = strip.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = (strip.getpalette() + [0] * (3 * colours))[:3 * colours]
    twins = {}                                           # index of a colour -> index of its second entry
    for top in range(height, count * height, 2 * height):
        index = strip.getpixel((0, top))
        if index not in twins:
            twins[index] = colours + len(twins)
            palette += palette[3 * index:3 * index + 3]
        strip.putpixel((0, top), twins[index])
    strip.putpalette(palette)
    first, *others = (strip.crop((0, top, width, top + height)) for top in range(0, count * height, height))
    ends = np.rint(np.arange(count + 1) * 100 / fps)         # GIF counts in hundredths of a second
    with atomic_write(path, "wb", sync=False) as file:
        first.save(file, format="GIF", save_all=True, append_images=others, duration=(10 * np.diff(ends)).astype(int).tolist(),
                   loop=0, optimize=False)


def write_webp(path, pictures, fps=GIF_FPS):
    """Save pictures (T, h, w, 3 or 4) uint8 as an animated WebP that repeats forever; a fourth channel is alpha."""
    first, *others = map(Image.fromarray, pictures)
    with atomic_write(path, "wb", sync=False) as file:
        first.save(file, format="WEBP", save_all=True, append_images=others, duration=round(1000 / fps), loop=0, quality=90,
                   method=2)


def write_mp4(path, pictures, fps=GIF_FPS, preset="medium"):
    """Save pictures (T, h, w, 3) as H.264 video, which browsers play; `preset` is that of x264.

    Its sides are even, so an odd one is extended by repeating the last row or column.
    """
    pictures = np.pad(pictures, ((0, 0), *((0, side % 2) for side in pictures.shape[1:3]), (0, 0)), mode="edge")
    _, height, width, _ = pictures.shape
    with atomic_write(path, "wb", sync=False) as file, av.open(file, "w", format="mp4") as video:
        # with mbtree, x264 reads uninitialised memory for small pictures: the same pictures would give different files
        options = {"crf": "18", "preset": preset, "x264-params": "mbtree=0"}
        stream = video.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000), options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for picture in pictures:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        video.mux(stream.encode())


def as_rgb(image):
    """Convert a Pillow picture of any mode to RGB. Grey of more than 8 bits is scaled, and transparent pixels become white."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):            # `convert` would clip these at 255
        grey = np.asarray(image)
        top = float(grey.max())
        white = 65535 if top > 255 or image.mode.startswith("I;16") else 255 if top > 1 or image.mode != "F" else 1
        image = Image.fromarray(np.uint8(np.rint((grey * np.float32(255 / white)).clip(0, 255))))
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
