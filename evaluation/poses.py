"""Evaluation of a pose module: sample sheets, the published GIFs of skeletons, and a gallery of moving figures."""
from evaluation.evaluation import Evaluation
from evaluation.gallery import FAN, Card, moving_figures
from evaluation.results import FAKE, REAL
from evaluation.sampling import sample_rows
from pose.drawing import as_sequence, draw_poses, smooth
from utils.drawing import grid
from utils.media import write_gif
from utils.pages import image
from utils.spacing import evenly_spaced

GIF_SAMPLES = 2           # samples of a row that are drawn as GIFs, as published
OVERVIEW_SIZE = 96        # pixels of a cell of overview.gif
OVERVIEW_SAMPLES = 4      # samples of a row there


class PoseEvaluation(Evaluation):
    """How well a pose module predicts motion."""

    module = "poses"
    progress_message = ": ADE {ade:.2f} px, best of 5 {ade_best:.2f}, standing still {zero_velocity_ade:.2f}"
    sheet_caption = "Each line of a sheet: the source, what really happened in the next frames, and two sampled futures."
    title = "Sampled motion"
    drawn_samples, shown_futures = GIF_SAMPLES, OVERVIEW_SAMPLES

    def sheet(self, trainer, dataset, count):
        """A picture of `count` rows of a list: source, true poses, two samples."""
        rows, steps = evenly_spaced(len(dataset), count), trainer.pose_module.steps(dataset.targets)
        lines = []
        for row, samples in zip(rows, sample_rows(trainer, dataset, rows, GIF_SAMPLES, steps)):
            sequence = draw_poses(dataset.poses[row, :steps + 1], dataset.imsize)
            lines.append([sequence[0], None, *sequence[1:], *(cell for sample in draw_poses(samples, dataset.imsize)
                                                              for cell in (None, *sample))])
        return grid(lines)

    def write_row(self, folder, row):
        paths = [folder / path for _, path in gif_paths(row.stem)]
        return write_gifs, paths, [row.poses[1:], *row.futures[:GIF_SAMPLES]], row.imsize

    def cards(self, row, highlight):
        """See :class:`Evaluation`: the GIFs, on the first page also all samples as moving figures."""
        card = Card(row.action, row.title, f"ADE {row.numbers['ade'] * row.imsize / 2:.1f} px",
                    [(caption, image(path)) for caption, path in gif_paths(row.stem)])
        if not highlight:
            return card, None
        groups = [(f"{min(FAN, len(row.futures))} samples, truth in white", row.futures[:FAN])]
        groups += [(f"stands for {share:.0%} of the futures", future[None]) for future, share in row.typical or ()]
        return card, card._replace(cells=[*card.cells, *((caption, moving_figures(as_sequence(row.poses[0], futures), row.poses))
                                                         for caption, futures in groups)])

    def overview(self, row):
        """See :class:`Evaluation`: the truth and some futures."""
        shown = row.typical or [(future, None) for future in row.futures[:OVERVIEW_SAMPLES]]
        motions = [row.poses, *(as_sequence(row.poses[0], future) for future, _ in shown)]
        captions = [row.action.replace("_", " "), *(f"sample {number}" if share is None else f"{share:.0%}"
                                                    for number, (_, share) in enumerate(shown, 1))]
        return [(caption, draw_poses(smooth(motion), OVERVIEW_SIZE)) for caption, motion in zip(captions, motions)]

    def report(self, metrics, log):
        log.info("{rows} rows, {samples} samples of each, {steps} steps, pixels of the {imsize} px crop: energy score "
                 "{energy_score:.2f}; ADE {ade:.2f}, best of {samples} {ade_best:.2f}; FDE {fde:.2f}, best {fde_best:.2f}; "
                 "diversity {apd:.1f}; standing still (zero-velocity baseline): ADE {zero_velocity_ade:.2f}, "
                 "FDE {zero_velocity_fde:.2f}"
                 .format(**{**metrics, **metrics["overall"]["pixels"]}))


def gif_paths(stem):
    """The GIFs of a row under their published names: (caption, path in the results)."""
    return [("what happened", f"{REAL}/{stem}.gif"),
            *((f"sample {number + 1}", f"{FAKE}/{stem}_{number}.gif") for number in range(GIF_SAMPLES))]


def write_gifs(paths, motions, size):
    """Draw each of some motions (T, J, 2) as a GIF."""
    for path, motion in zip(paths, motions):
        write_gif(path, draw_poses(motion, size))
