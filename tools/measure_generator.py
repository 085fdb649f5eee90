"""Measure how well generators render people: the first frame of each video in the true poses of some later ones.

    python -m tools.measure_generator --root data/people --pretrain pretrain/people
    python -m tools.measure_generator --root data/people --pretrain pretrain/people outputs/mine --videos kept.txt \\
        --out table.md --sheet sheet.png

Only people whom the weights have not seen say something: `--videos` names them. Without it, if the data set has a table clips.csv
with the columns number and person, every tenth person is taken, or else the videos that are annotated as test videos.

Axes: T pictures of a video, S their side.
"""
import argparse
import csv
import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from tqdm import tqdm

from dataset.frames import frame_files, frame_names, read_frame
from dataset.penn_action import find_labels, read_annotation, read_test_videos
from dataset.penn_layout import frame_mask
from evaluation.picture_metrics import Videos, flicker, psnr, psnr_where, ratio, ssim
from model_variants import build_generator
from networks.body_parts import NAMES
from pose.masks import read_mask
from training.checkpoints import load_part
from training.weights import adopt, find_weights
from utils.errors import UserError, command
from utils.files import write_text
from utils.media import write_image
from utils.schema import Config
from utils.spacing import evenly_spaced
from utils.transform import as_image, as_pictures, letterboxed, picture_from_frame, pose_to_picture

FIRST, EVERY = 4, 10                   # of the persons in clips.csv: every tenth, from the fifth on
PERSON, LEFT = 0.5, 0.3                # mask values above PERSON are the person; below LEFT the person has left
COLUMNS = {"psnr": ("PSNR", "{:.2f}"), "person": ("person's pixels", "{:.2f}"), "uncovered": ("uncovered", "{:.2f}"),
           "ssim": ("SSIM", "{:.3f}"), "energy": ("gradient energy of the person", "{:.2f}"), "flicker": ("flicker", "{:.2f}"),
           "iou": ("IoU of the silhouette", "{:.3f}")}


class Clip(NamedTuple):
    """Some frames of a video, the source first."""

    name: str
    pictures: torch.Tensor             # (T + 1, 3, S, S) in [-1, 1]
    masks: torch.Tensor                # (T + 1, 1, S, S) in [0, 1]
    poses: torch.Tensor                # (T + 1, J, 2) normalised


def kept_videos(root, path):
    """The names of the videos to render, see the module; `path` is a file with one name a line, or None."""
    if path is not None:
        return sorted(read_test_videos(path))
    if (root / "clips.csv").is_file():
        with open(root / "clips.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        persons = sorted({row["person"] for row in rows})[FIRST::EVERY]
        return [row["number"] for row in rows if row["person"] in persons]
    return [label.stem for label in find_labels(root) if not read_annotation(label).train]


def read_clip(root, name, size, count):
    """The :class:`Clip` of a video: its first frame, and `count` of the later ones."""
    annotation = read_annotation(root / "labels" / f"{name}.mat")
    files = frame_files(frame_names(root / "frames" / name), len(annotation.joints))
    numbers = np.array([1, *(2 + evenly_spaced(len(annotation.joints) - 1, count))])
    paths = [root / "frames" / name / files[number] for number in numbers]
    box = np.array([0, 0, *annotation.size[::-1]])
    pictures = np.stack([picture_from_frame(read_frame(path, path), box, size) for path in paths])
    masks = [np.uint8(255 * read_mask(frame_mask(path), annotation.size))[..., None] for path in paths]
    masks = np.stack([letterboxed(mask, box, size) for mask in masks])
    poses = pose_to_picture(annotation.joints[numbers - 1], box, size).astype(np.float32)
    return Clip(name, as_image(pictures), torch.from_numpy(masks).movedim(-1, 1) / 255, torch.from_numpy(poses))


@torch.no_grad()
def outline_iou(network, root, path, size):
    """Intersection over union (N,) of parts that the generator segments with outlines in a JSON file, data_lists/README.md."""
    found = []
    for row in json.loads(Path(path).read_text(encoding="utf-8")):
        annotation = read_annotation(root / "labels" / f"{row['video']}.mat")
        folder = root / "frames" / row["video"]
        frame = folder / frame_files(frame_names(folder), len(annotation.joints))[row["frame"]]
        box, number = np.array([0, 0, *annotation.size[::-1]]), NAMES.index(row["part"])
        mask = letterboxed(np.uint8(255 * read_mask(frame_mask(frame), annotation.size))[..., None], box, size)[..., 0] / 255
        pose, outline = (torch.from_numpy(pose_to_picture(points[None], box, size)).float()
                         for points in (annotation.joints[row["frame"] - 1], np.array(row["polygon"])))
        ownership, _, mask = network.segment_parts(as_image(picture_from_frame(read_frame(frame, frame), box, size)[None]), pose,
                                                   torch.from_numpy(mask).float()[None, None])
        true = np.zeros((size, size), np.uint8)
        cv2.fillPoly(true, [np.round(((outline[0].numpy() + 1) * size / 2 - 0.5) * 16).astype(np.int32)], 1, shift=4)
        ours, true = ((ownership.argmax(1) == number) & (mask[:, 0] > PERSON))[0].numpy(), true > 0
        found.append((ours & true).sum() / max(1, (ours | true).sum()))
    return np.array(found)


def load_generator(folder):
    """The generator of trained weights, in eval mode; see :func:`training.weights.find_weights`."""
    weights, config = find_weights(folder, ("actions", "generator"), optional=("classifier",)), Config()
    adopt(config, weights.networks, weights.origin)
    network = build_generator(config.generator, len(config.actions)).eval()
    load_part(weights.files["generator"], network)
    if not network.uses_mask:
        raise UserError(f"{folder}: the generator {config.generator.kind} does not cut the person out")
    return network


@torch.no_grad()
def render(network, clip):
    """Render the source of a :class:`Clip` in its other poses: pictures (T, 3, S, S) and silhouettes (T, 1, S, S) in [0, 1]."""
    prepared = network.prepare(clip.pictures[:1], clip.poses[:1], mask=clip.masks[:1])
    action = torch.zeros(1, dtype=torch.long)
    pictures = [network.render(prepared, pose[None], action) for pose in clip.poses[1:]]
    silhouettes = [(network.render_person(prepared, pose[None])[:, 3:] + 1) / 2 for pose in clip.poses[1:]]
    return torch.cat(pictures), torch.cat(silhouettes)


def measure(clip, pictures, silhouettes=None):
    """The numbers of what :func:`render` returned: name -> float, NaN where there is nothing to measure."""
    truth, masks = clip.pictures[None, 1:], clip.masks[None, 1:]
    videos, person = Videos(pictures[None], truth), (masks > PERSON).float()
    left = ((clip.masks[:1] > PERSON) & (masks < LEFT)).float()
    energy = ratio(videos, lambda pictures: sum((pictures.diff(dim=axis, append=pictures.narrow(axis, -1, 1)).square() * person)
                                                .mean((1, 2, 3, 4)) for axis in (-1, -2)))
    found = {"psnr": psnr(videos), "person": psnr_where(videos, person), "uncovered": psnr_where(videos, left),
             "ssim": ssim(videos), "energy": energy, "flicker": flicker(videos)}
    if silhouettes is not None:
        ours, true = silhouettes > PERSON, masks[0] > PERSON
        found["iou"] = ((ours & true).sum((1, 2, 3)) / (ours | true).sum((1, 2, 3)).clamp(min=1)).mean()
    return {name: float(value) for name, value in found.items() if value is not None}


def table(rows):
    """The Markdown table of {name: numbers of :func:`measure`}."""
    lines = ["| | " + " | ".join(heading for heading, _ in COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, found in rows.items():
        cells = [form.format(found[key]) if np.isfinite(found.get(key, np.nan)) else "" for key, (_, form) in COLUMNS.items()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def mean(numbers):
    """The means of a list of what :func:`measure` returned, where finite."""
    keys = dict.fromkeys(key for each in numbers for key in each)
    return {key: np.mean([each[key] for each in numbers if np.isfinite(each.get(key, np.nan))] or [np.nan]) for key in keys}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, required=True, help="data set with labels/, frames/ and masks/")
    parser.add_argument("--pretrain", nargs="+", required=True, metavar="DIR", help="weights of the generator cutout")
    parser.add_argument("--videos", type=Path, metavar="FILE", help="names of the videos, one a line")
    parser.add_argument("--pictures", type=int, default=12, help="rendered pictures of each video (default: %(default)s)")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures (default: %(default)s)")
    parser.add_argument("--outlines", type=Path, metavar="FILE.json", help="also measure how well parts are segmented")
    parser.add_argument("--clips", action="store_true", help="also a table of each weights' clips")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="also write the tables")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="also write a sheet: of each clip a row of true pictures, and "
                        "below it one of rendered ones for each weights")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    generators = {folder: load_generator(folder) for folder in options.pretrain}
    names = kept_videos(options.root, options.videos)
    if not names:
        raise UserError(f"{options.root}: no video to render; name some with --videos")
    rows, strips = {name: {} for name in ("source copied", *generators)}, []
    for name in tqdm(names, unit="video"):
        clip = read_clip(options.root, name, options.size, options.pictures)
        rows["source copied"][name] = measure(clip, clip.pictures[:1].expand_as(clip.pictures[1:]))
        strips.append(clip.pictures)
        for folder, network in generators.items():
            pictures, silhouettes = render(network, clip)
            rows[folder][name] = measure(clip, pictures, silhouettes)
            strips.append(torch.cat([clip.pictures[:1], pictures]))
    text = table({name: mean(list(clips.values())) for name, clips in rows.items()})
    if options.clips:
        text += "".join(f"\n{folder}\n\n{table(rows[folder])}" for folder in generators)
    for folder, network in generators.items() if options.outlines else ():
        found = outline_iou(network, options.root, options.outlines, options.size)
        text += f"\n{folder}: mean IoU {found.mean():.3f} of the parts with {len(found)} outlines\n"
    print(text)
    if options.out:
        write_text(options.out, text)
    if options.sheet:
        write_image(options.sheet, np.concatenate([np.concatenate(as_pictures(strip), 1) for strip in strips]))


if __name__ == "__main__":
    command(main)
