"""Pictures as files: JPEG and PNG, GIF, MP4."""
import av
import numpy as np
from PIL import Image

from utils.files import atomic_write

GIF_FPS = 2               # published
ENOUGH = 160              # pixels of a side that are looked at for the colours of a photo


def write_image(path, picture):
    """Save one RGB picture; the format follows the file's ending."""
    with atomic_write(path, "wb", sync=False) as file:
        Image.fromarray(picture).save(file, format=Image.registered_extensions()[path.suffix], quality=92)


def write_gif(path, pictures, fps=GIF_FPS, photo=False):
    """Save pictures (T, S, S, 3) as an endless GIF of T frames; `photo` takes the slower, finer choice of colours."""
    pictures = np.asarray(pictures)
    count, height, width, _ = pictures.shape
    colours = 256 - count // 2
    strip = Image.fromarray(pictures.reshape(count * height, width, 3))
    step = 1 + min(height, width) // ENOUGH
    if photo and step == 1:
        strip = strip.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    elif photo:                                          # every step-th pixel tells the colours as well
        few = Image.fromarray(np.ascontiguousarray(pictures[:, ::step, ::step]).reshape(-1, len(range(0, width, step)), 3))
        strip = strip.quantize(colours, palette=few.quantize(colours, method=Image.Quantize.MEDIANCUT),
                               dither=Image.Dither.FLOYDSTEINBERG)
    else:
        strip = strip.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = strip.getpalette()[:3 * colours]
    palette += [0] * (3 * colours - len(palette))
    for twin, top in enumerate(range(height, count * height, 2 * height), colours):
        # Pillow drops a frame that equals the one before: every second frame's first pixel gets an index of its own
        colour = 3 * strip.getpixel((0, top))
        strip.putpixel((0, top), twin)
        palette += palette[colour:colour + 3]
    strip.putpalette(palette)
    first, *others = (strip.crop((0, top, width, top + height)) for top in range(0, count * height, height))
    with atomic_write(path, "wb", sync=False) as file:
        first.save(file, format="GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0, optimize=False)


def write_mp4(path, pictures, fps=GIF_FPS, preset="medium"):
    """Save pictures (T, h, w, 3), h and w even, as H.264 video that browsers play; `preset` is x264's."""
    _, height, width, _ = pictures.shape
    with atomic_write(path, "wb", sync=False) as file, av.open(file, "w", format="mp4") as video:
        # mbtree reads memory that was never written when pictures are small: the same pictures gave other files
        stream = video.add_stream("libx264", rate=fps, options={"crf": "18", "preset": preset, "x264-params": "mbtree=0"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for picture in pictures:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        video.mux(stream.encode())
