"""The worth of each part of the generator `cutout`: its trained weights paint people with one part after another switched off.

    python -m tools.painter_ablation --root data/people --pretrain pretrain/people_cutout
    python -m tools.painter_ablation --root data/people --pretrain pretrain/people_cutout --videos kept.txt \\
        --beside pretrain/people --out docs/painter_ablation.md --strip docs/painter_ablation.jpg

The first frame of each video is painted in the true poses of some later ones. Only people whom the weights have not seen tell
something: `--videos` names theirs. Without it, if the data set has a table clips.csv with the columns number and person, every
tenth person is taken, or else the videos that are annotated as test videos.

Axes: T pictures of a video, S their side, K parts.
"""
import argparse
import copy
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from evaluation.picture_metrics import Videos, flicker, identity, psnr, psnr_where, ratio, ssim
from model_variants import build_generator
from networks.plate import along_lines, background_plate, telea
from tools.painter_clips import drawn_clips, kept_videos, read_clip
from training.checkpoints import load_part
from training.weights import adopt, find_weights
from utils.drawing import label
from utils.errors import UserError, command
from utils.files import write_text
from utils.media import write_image
from utils.schema import Config
from utils.transform import as_pictures

PERSON, LEFT = 0.5, 0.3                # a mask of more is the person; where the target's has less, the person has left
COLUMNS = {"psnr": ("PSNR", "{:.2f}"), "person": ("person's pixels", "{:.2f}"), "uncovered": ("uncovered", "{:.2f}"),
           "ssim": ("SSIM", "{:.3f}"), "energy": ("gradient energy of the person", "{:.2f}"), "flicker": ("flicker", "{:.2f}"),
           "iou": ("IoU of the silhouette", "{:.3f}"), "own": ("own pose", "{:.1f}")}


class Painted(NamedTuple):
    """What a variant painted of a clip."""

    pictures: torch.Tensor             # (T, 3, S, S) in the target poses
    own: torch.Tensor                  # (1, 3, S, S) in the source's pose
    silhouettes: torch.Tensor | None   # (T, 1, S, S), of generators that cut the person out


class Silent(nn.Module):
    """Stands in for a network and says 0 of everything."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return torch.zeros_like(self.network(x))


# ---- variants ----

def all_parts(network, clip):
    return network, network.prepare(clip.pictures[:1], clip.poses[:1], mask=clip.masks[:1])


def no_mask(network, clip):
    return network, network.prepare(clip.pictures[:1], clip.poses[:1])


def telea_plate(network, clip, fill=telea):
    plate = background_plate(clip.pictures[:1], clip.poses[:1], clip.masks[:1], fill)
    return network, network.prepare(clip.pictures[:1], clip.poses[:1], plate, clip.masks[:1])


def no_patches(network, clip):
    return telea_plate(network, clip, lambda picture, hole: np.rint(along_lines(picture, hole)).astype(np.uint8))


def no_completion(network, clip):
    """Parts show the photo's own pixels also where others hide them, and at the mask's edge."""
    _, prepared = all_parts(network, clip)
    layers = [torch.cat([source[:, None].expand_as(layers[:, :, :3]), layers[:, :, 3:]], 2) for source, layers in (
        (prepared.source, prepared.layers), (nn.functional.interpolate(prepared.source, prepared.small.shape[-2:], mode="area"),
                                             prepared.small))]
    return network, prepared._replace(layers=layers[0], small=layers[1])


def no_second_network(network, clip):
    """Parts are moved and laid over each other in their learned order, and no more."""
    network = copy.copy(network)
    network._modules = {**network._modules, "join": Silent(network.join)}
    return all_parts(network, clip)


def no_sharpening(network, clip):
    network = copy.copy(network)
    network.sharpening = 0
    return all_parts(network, clip)


VARIANTS = {"all parts": all_parts, "no mask": no_mask, "Telea's plate": telea_plate, "plate without patches": no_patches,
            "without completion": no_completion, "without the second network": no_second_network,
            "without sharpening": no_sharpening}


@torch.no_grad()
def paint(network, clip, variant=None):
    """Paint the first picture of a :class:`Clip` in the poses of the others; a `variant` is a function of VARIANTS, or None for
    a generator of any kind. Returns :class:`Painted`."""
    action, painted, silhouettes = torch.zeros(1, dtype=torch.long), [], []
    network, prepared = variant(network, clip) if variant else (network, network.prepare(clip.pictures[:1], clip.poses[:1]))
    for pose in (*clip.poses[1:], clip.poses[0]):
        if variant:
            person, silhouette, gate = network.cut_out_finely(prepared, pose[None])
            silhouettes.append(silhouette)
            painted.append(network.composite(prepared, person, silhouette, gate))
        else:
            painted.append(network.paint(prepared, pose[None], action))
    return Painted(torch.cat(painted[:-1]), painted[-1], torch.cat(silhouettes[:-1]) if variant else None)


# ---- numbers ----

def measure(clip, painted):
    """The numbers of :class:`Painted`: name -> float, NaN where there is nothing to measure."""
    truth, masks = clip.pictures[None, 1:], clip.masks[None, 1:]
    videos, person = Videos(painted.pictures[None], truth), (masks > PERSON).float()
    left = ((clip.masks[:1] > PERSON) & (masks < LEFT)).float()
    energy = ratio(videos, lambda pictures: sum((pictures.diff(dim=axis, append=pictures.narrow(axis, -1, 1)).square() * person)
                                                .mean((1, 2, 3, 4)) for axis in (-1, -2)))
    found = {"psnr": psnr(videos), "person": psnr_where(videos, person), "uncovered": psnr_where(videos, left),
             "ssim": ssim(videos), "energy": energy, "flicker": flicker(videos),
             "own": identity(Videos(painted.own[None], clip.pictures[None, :1]))}
    if painted.silhouettes is not None:
        ours, true = painted.silhouettes > PERSON, masks[0] > PERSON
        found["iou"] = ((ours & true).sum((1, 2, 3)) / (ours | true).sum((1, 2, 3)).clamp(min=1)).mean()
    return {name: float(value) for name, value in found.items() if value is not None}


def table(rows):
    """The Markdown table of {name: list over clips of what :func:`measure` returned}."""
    lines = ["| | " + " | ".join(heading for heading, _ in COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, found in rows.items():
        cells = []
        for key, (_, form) in COLUMNS.items():
            values = [one[key] for one in found if np.isfinite(one.get(key, np.nan))]
            cells.append(form.format(np.mean(values)) if values else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def load_generator(folder):
    """The generator of trained weights, in eval mode; see :func:`training.weights.find_weights`."""
    weights, config = find_weights(folder, ("actions", "generator"), optional=("classifier",)), Config()
    adopt(config, weights.networks, weights.origin)
    network = build_generator(config.generator, len(config.actions)).eval()
    load_part(weights.files["generator"], network)
    if not network.any_size:
        raise UserError(f"{folder}: the generator {config.generator.kind} paints only the size that it was trained on")
    return network


def strip(clips, painters):
    """A sheet of all clips, (H, W, 3) uint8: a row with the sources and true pictures, and one for each painter.

    Args:
        clips: list of :class:`tools.painter_clips.Clip`.
        painters: name of the row -> (generator, variant), see :func:`paint`.
    """
    rows = {"source, truth": [clip.pictures for clip in clips]}
    for name, (painter, variant) in painters.items():
        painted = [paint(painter, clip, variant) for clip in clips]
        rows[name] = [torch.cat([one.own, one.pictures]) for one in painted]
    return np.concatenate([label(np.concatenate([picture for clip in pictures for picture in as_pictures(clip)], 1), name)
                           for name, pictures in rows.items()])


def scores(clips, painters):
    """The rows of :func:`table`, of which the first copies the source; args as of :func:`strip`."""
    rows = {}
    for clip in clips:
        copied = Painted(clip.pictures[:1].expand_as(clip.pictures[1:]), clip.pictures[:1], None)
        rows.setdefault("source copied", []).append(measure(clip, copied))
        for name, (painter, variant) in painters.items():
            rows.setdefault(name, []).append(measure(clip, paint(painter, clip, variant)))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, help="data set with labels/, frames/ and masks/")
    parser.add_argument("--pretrain", required=True, help="weights of the generator cutout")
    parser.add_argument("--videos", type=Path, metavar="FILE", help="names of the videos, one a line")
    parser.add_argument("--beside", nargs="*", default=[], metavar="DIR", help="other weights, each of which gets a row")
    parser.add_argument("--pictures", type=int, default=12, help="painted pictures of each video (default: %(default)s)")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="also write the table")
    parser.add_argument("--strip", type=Path, metavar="FILE", help="also write a strip of drawn people")
    options = parser.parse_args()
    if not options.root and not options.strip:
        raise UserError("give --root, --strip or both")
    cv2.setNumThreads(1)
    network = load_generator(options.pretrain)
    if not network.uses_mask:
        raise UserError(f"--pretrain {options.pretrain}: these are no weights of the generator cutout")
    others = {folder: load_generator(folder) for folder in options.beside}
    painters = {folder: (other, all_parts if other.uses_mask else None) for folder, other in others.items()}
    painters |= {name: (network, variant) for name, variant in VARIANTS.items()}
    if options.strip:
        write_image(options.strip, strip(list(drawn_clips()), painters))
    if options.root:
        names = kept_videos(options.root, options.videos)
        if not names:
            raise UserError(f"{options.root}: no video to paint; name some with --videos")
        clips = (read_clip(options.root, name, options.size, options.pictures) for name in tqdm(names, unit="video"))
        rows = scores(clips, painters)
        print(table(rows))
        if options.out:
            write_text(options.out, table(rows))


if __name__ == "__main__":
    command(main)
