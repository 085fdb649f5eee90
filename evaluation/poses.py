"""Evaluation of a pose module: sample sheets, the published GIFs of skeletons, and a gallery of moving figures."""
from evaluation.evaluation import Evaluation
from evaluation.gallery import Card, Cell, moving_figures
from evaluation.results import FAKE, REAL
from evaluation.scores import sample_rows
from pose.drawing import as_sequence, draw_poses, smooth
from utils.drawing import grid
from utils.media import write_gif
from utils.spacing import evenly_spaced

GIF_SAMPLES = 2           # samples of a window that are drawn as GIFs, as published
FAN = 20                  # most samples in one moving figure
OVERVIEW_SIZE = 96        # pixels of a cell of overview.gif


class PoseEvaluation(Evaluation):
    """How well a pose module predicts motion."""

    module = "poses"
    progress_message = ": ADE {ade:.2f} px, best of 5 {ade_best:.2f}, zero-velocity baseline {zero_velocity_ade:.2f}"
    sheet_caption = "Each line of a sheet: the source, the true poses of the next frames, and two sampled futures."
    title = "Sampled motion"
    drawn_samples, shown_futures = GIF_SAMPLES, 4

    def sheet(self, trainer, dataset, count):
        """A picture of `count` windows, see `sheet_caption`."""
        rows, steps = evenly_spaced(len(dataset), count), trainer.pose_module.steps(dataset.targets)
        lines = []
        for row, samples in zip(rows, sample_rows(trainer, dataset, rows, GIF_SAMPLES, steps)):
            sequence = draw_poses(dataset.poses[row, :steps + 1], dataset.imsize)
            lines.append([sequence[0], None, *sequence[1:], *(cell for sample in draw_poses(samples, dataset.imsize)
                                                              for cell in (None, *sample))])
        return grid(lines)

    def write_row(self, folder, row):
        """Write GIFs of the truth and of two samples."""
        for (_, path), motion in zip(gif_paths(row.stem), (row.poses[1:], *row.futures)):
            write_gif(folder / path, draw_poses(motion, row.imsize))

    def card(self, row, highlight):
        """The GIFs, on the first page also moving figures of all samples and of the shown futures."""
        cells = [Cell(caption, path) for caption, path in gif_paths(row.stem)]
        if highlight:
            groups = [(f"{min(FAN, len(row.futures))} samples, truth in white", row.futures[:FAN]),
                      *((caption, future[None]) for caption, future in captioned(row.shown))]
            cells += [moving_figures(caption, as_sequence(row.poses[0], futures), row.poses) for caption, futures in groups]
        return Card(row.action, row.title, f"ADE {row.numbers['ade'] * row.imsize / 2:.1f} px", cells)

    def overview(self, row):
        """See :class:`Evaluation`: the truth and the shown futures."""
        motions = [(row.action.replace("_", " "), row.poses),
                   *((caption, as_sequence(row.poses[0], future)) for caption, future in captioned(row.shown))]
        return [(caption, draw_poses(smooth(motion), OVERVIEW_SIZE)) for caption, motion in motions]

    def report(self, metrics, log):
        log.info("{rows} windows, {samples} samples of each, {steps} steps, pixels of the {imsize} px crop: energy score "
                 "{energy_score:.2f}; ADE {ade:.2f}, best of {samples} {ade_best:.2f}; FDE {fde:.2f}, best {fde_best:.2f}; "
                 "diversity {apd:.1f}; zero-velocity baseline: ADE {zero_velocity_ade:.2f}, FDE {zero_velocity_fde:.2f}"
                 .format(**{**metrics, **metrics["overall"]["pixels"]}))


def gif_paths(stem):
    """The GIFs of a window under their published names: (caption, path in the results)."""
    return [("truth", f"{REAL}/{stem}.gif"),
            *((f"sample {number + 1}", f"{FAKE}/{stem}_{number}.gif") for number in range(GIF_SAMPLES))]


def captioned(shown):
    """The shown futures of a window with their captions."""
    return [(f"sample {number}" if fraction is None else f"{fraction:.0%} of futures", future)
            for number, (future, fraction) in enumerate(shown, 1)]
