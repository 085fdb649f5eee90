"""Evaluation of P2I: sample sheets, rendered videos as GIF and MP4, strips, and a gallery."""
import cv2
import numpy as np
import torch

from evaluation.evaluation import Evaluation
from evaluation.gallery import Card, Cell
from evaluation.picture_metrics import Videos
from evaluation.registry import PICTURES, VIDEO_KINDS, listed
from evaluation.results import FAKE, REAL
from evaluation.scores import sample_rows
from pose.drawing import draw_poses
from utils.drawing import grid, label
from utils.media import write_gif, write_image, write_mp4
from utils.spacing import evenly_spaced
from utils.transform import as_image, as_pictures

STRIPS = "strips"
OVERVIEW_SIZE, OVERVIEW_FRAMES = 128, 3     # of overview.gif: pixels of a cell, frames for which a picture stays


class ImageEvaluation(Evaluation):
    """How well P2I renders."""

    module = "pictures"
    progress_message = (", true poses: PSNR {psnr_true_poses:.2f} dB, SSIM {ssim_true_poses:.3f}; "
                        "copying the source: {psnr_copy_source:.2f} dB, {ssim_copy_source:.3f}")
    sheet_caption = ("Each line of a sheet: the source, the truth, rendered with the true poses, rendered with sampled poses, "
                     "and those poses.")
    title = "Predicted videos"
    quick = "pictures"
    quick_rows, quick_samples = 64, 1
    batch_size = 8
    subfolders = (REAL, FAKE, STRIPS)

    def sheet(self, trainer, dataset, count):
        """A picture of `count` windows, see `sheet_caption`."""
        rows = evenly_spaced(len(dataset), count)
        futures = sample_rows(trainer, dataset, rows, 1, trainer.pose_module.steps(dataset.targets))[:, 0]
        rendered = {kind: as_pictures(images) for kind, images in self.render(trainer, dataset, rows, futures).items()}
        return grid([[rendered["copy_source"][index, 0], None, *rendered["truth"][index], None, *rendered["true_poses"][index],
                      None, *rendered["sampled"][index], None, *draw_poses(futures[index], dataset.imsize)]
                     for index in range(len(rows))])

    def render(self, trainer, dataset, rows, futures):
        """Render one sampled future (B, T, J, 2) of each of B windows, and their true poses.

        Returns:
            dict of (B, T, 3, S, S) pictures in [-1, 1] on the CPU: `truth`, one for each of `VIDEO_KINDS`, and `source_pose`,
            (B, 1, 3, S, S), rendered in the source's own pose.
        """
        steps = futures.shape[1]
        images = torch.stack([as_image(dataset.pictures(row, range(steps + 1))) for row in rows])
        poses, action = dataset.poses[rows], dataset.action[rows]
        wanted = torch.cat([futures, poses[:, 1:steps + 1], poses[:, :1]], 1)                       # (B, 2T + 1, J, 2)
        mask = torch.cat([dataset.person_masks(row, [0]) for row in rows]) if dataset.masked else None
        rendered = trainer.render(images[:, 0], poses[:, 0], wanted, action, mask=mask).float().cpu()
        return {"truth": images[:, 1:], "sampled": rendered[:, :steps], "true_poses": rendered[:, steps:-1],
                "source_pose": rendered[:, -1:], "copy_source": images[:, :1].expand(-1, steps, -1, -1, -1)}

    def videos(self, dataset, rows, rendered):
        boxes = torch.stack([dataset.masks(row, range(rendered["truth"].shape[1])) for row in rows])      # (B, T, 1, S, S)
        return {"source_pose": Videos(rendered["source_pose"], rendered["copy_source"][:, :1]),
                **{kind: Videos(rendered[kind], rendered["truth"], boxes) for kind in VIDEO_KINDS}}

    def write_row(self, folder, row):
        """Write the GIF and the MP4 of the truth and of the first sample, and a strip."""
        pictures, figures = pictures_of(row), draw_poses(row.futures[0], row.imsize)
        for place, kind in ((REAL, "truth"), (FAKE, "sampled")):
            write_gif(folder / place / f"{row.stem}.gif", pictures[kind], photo=True)
            write_mp4(folder / place / f"{row.stem}.mp4", pictures[kind])
        source = pictures["copy_source"][0]
        blank = np.zeros_like(source)
        lines = (("truth", source, pictures["truth"]), ("true poses", blank, pictures["true_poses"]),
                 ("sampled poses", blank, pictures["sampled"]), ("", blank, figures))
        write_image(folder / STRIPS / f"{row.stem}.jpg", grid([[first, None, label(motion[0], caption), *motion[1:]]
                                                               for caption, first, motion in lines]))

    def card(self, row, highlight):
        paths = [(REAL, "truth"), (FAKE, "predicted")]
        return Card(row.action, row.title, f"true poses: {row.numbers['psnr_true_poses']:.1f} dB",
                    [*(Cell(caption, f"{place}/{row.stem}.gif") for place, caption in paths),
                     Cell("strip", f"{STRIPS}/{row.stem}.jpg", "strip"),
                     Cell("as MP4", links=tuple((f"{place}/{row.stem}.mp4", caption) for place, caption in paths))])

    def overview(self, row):
        """See :class:`Evaluation`: the truth and the first sample, the source before each."""
        pictures, size = pictures_of(row), (OVERVIEW_SIZE, OVERVIEW_SIZE)
        return [(caption, np.repeat([cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC) for picture in
                                     (pictures["copy_source"][0], *pictures[kind])], OVERVIEW_FRAMES, axis=0))
                for caption, kind in ((row.action.replace("_", " "), "truth"), ("predicted", "sampled"))]

    def report(self, metrics, log):
        overall = metrics["overall"]["pictures"]
        for kind, caption in VIDEO_KINDS.items():
            log.info("%-14s PSNR %.2f dB  SSIM %.3f", caption, overall[f"psnr_{kind}"], overall[f"ssim_{kind}"])
        log.info("%s", "  ".join(f"{each.name} {overall[each.name]:.2f}" for each in listed(PICTURES)
                                 if not each.column and overall.get(each.name) is not None))


def pictures_of(row):
    """The videos of a tested row: kind -> (T, S, S, 3) uint8."""
    return {kind: as_pictures(video) for kind, video in row.rendered.items()}
