"""Evaluation of P2I: sample sheets, painted videos as GIF and MP4, strips, and a gallery."""
import cv2
import numpy as np
import torch

from evaluation.evaluation import Evaluation
from evaluation.gallery import Card
from evaluation.picture_metrics import VIDEO_KINDS, Videos
from evaluation.registry import PICTURES, listed
from evaluation.results import FAKE, REAL
from evaluation.sampling import sample_rows
from pose.drawing import draw_poses
from utils.drawing import grid, label
from utils.media import write_gif, write_image, write_mp4
from utils.pages import image
from utils.spacing import evenly_spaced
from utils.transform import as_image, as_pictures

STRIPS = "strips"
OVERVIEW_SIZE, OVERVIEW_FRAMES = 128, 3     # of overview.gif: pixels of a cell, frames for which a picture stays


class ImageEvaluation(Evaluation):
    """How well P2I paints."""

    module = "pictures"
    progress_message = (", true poses: PSNR {psnr_true_poses:.2f} dB, SSIM {ssim_true_poses:.3f}; "
                        "copying the source: {psnr_copy_source:.2f} dB, {ssim_copy_source:.3f}")
    sheet_caption = ("Each line of a sheet: the source, what really happened, painted with the true poses, painted with sampled "
                     "poses, and those poses.")
    title = "Predicted videos"
    quick = "pictures"
    quick_rows, quick_samples = 64, 1
    at_once = 8
    subfolders = (REAL, FAKE, STRIPS)

    def sheet(self, trainer, dataset, count):
        """A picture of `count` rows of a list: source, truth, painted with true poses, with sampled poses, those poses."""
        rows = evenly_spaced(len(dataset), count)
        futures = sample_rows(trainer, dataset, rows, 1, trainer.pose_module.steps(dataset.targets))[:, 0]
        painted = {kind: as_pictures(images) for kind, images in self.paint(trainer, dataset, rows, futures).items()}
        return grid([[painted["copy_source"][index, 0], None, *painted["truth"][index], None, *painted["true_poses"][index], None,
                      *painted["sampled"][index], None, *draw_poses(futures[index], dataset.imsize)]
                     for index in range(len(rows))])

    def paint(self, trainer, dataset, rows, futures):
        """Paint rows of a list with sampled and with true poses.

        Args:
            trainer: :class:`trainer_actvae_p2inetwork.Trainer`.
            rows: B row numbers.
            futures: (B, T, J, 2), one sampled future of each.
        Returns:
            dict of (B, T, 3, S, S) pictures in [-1, 1] on the CPU: `truth`, one for each of `VIDEO_KINDS`, and `source_pose`,
            painted in the source's own pose, (B, 1, 3, S, S).
        """
        steps = futures.shape[1]
        images = torch.stack([as_image(dataset.pictures(row, range(steps + 1))) for row in rows])
        poses, action = dataset.poses[rows], dataset.action[rows]
        wanted = torch.cat([futures, poses[:, 1:steps + 1], poses[:, :1]], 1)                       # (B, 2T + 1, J, 2)
        mask = torch.cat([dataset.person_masks(row, [0]) for row in rows]) if dataset.masked else None
        painted = trainer.paint(images[:, 0], poses[:, 0], wanted, action, mask=mask).float().cpu()
        return {"truth": images[:, 1:], "sampled": painted[:, :steps], "true_poses": painted[:, steps:-1],
                "source_pose": painted[:, -1:], "copy_source": images[:, :1].expand(-1, steps, -1, -1, -1)}

    def videos(self, dataset, rows, painted):
        boxes = torch.stack([dataset.masks(row, range(painted["truth"].shape[1])) for row in rows])      # (B, T, 1, S, S)
        return {"source_pose": Videos(painted["source_pose"], painted["copy_source"][:, :1]),
                **{kind: Videos(painted[kind], painted["truth"], boxes) for kind in VIDEO_KINDS}}

    def write_row(self, folder, row):
        return write_videos, folder, row.stem, pictures_of(row), draw_poses(row.futures[0], row.imsize)

    def cards(self, row, highlight):
        stem = row.stem
        links = "<br>".join(f'<a href="{place}/{stem}.mp4">{caption}</a>'
                            for place, caption in ((REAL, "what happened"), (FAKE, "predicted")))
        card = Card(row.action, row.title, f"true poses: {row.numbers['psnr_true_poses']:.1f} dB",
                    [("what happened", image(f"{REAL}/{stem}.gif")), ("predicted", image(f"{FAKE}/{stem}.gif")),
                     ("strip", f'<a href="{STRIPS}/{stem}.jpg">{image(f"{STRIPS}/{stem}.jpg", "strip")}</a>'), ("as MP4", links)])
        return card, card if highlight else None

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
    return {kind: as_pictures(video) for kind, video in row.painted.items()}


def write_videos(folder, stem, pictures, figures):
    """Write the files of one row.

    Args:
        folder: of the results.
        stem: the files' name.
        pictures: kind of video -> (T, S, S, 3).
        figures: (T, S, S, 3), the sampled poses drawn.
    """
    for place, kind in ((REAL, "truth"), (FAKE, "sampled")):
        write_gif(folder / place / f"{stem}.gif", pictures[kind], photo=True)
        write_mp4(folder / place / f"{stem}.mp4", pictures[kind])
    source = pictures["copy_source"][0]
    blank = np.zeros_like(source)
    lines = (("what happened", source, pictures["truth"]), ("true poses", blank, pictures["true_poses"]),
             ("sampled poses", blank, pictures["sampled"]), ("", blank, figures))
    write_image(folder / STRIPS / f"{stem}.jpg", grid([[first, None, label(motion[0], caption), *motion[1:]]
                                                       for caption, first, motion in lines]))
