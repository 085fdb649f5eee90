"""Web pages that open from the disk, written from the Jinja2 templates in `templates/`. All links are relative."""
import functools
from pathlib import Path

from utils.files import write_text

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


@functools.cache
def _environment():
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # not needed where no page is written
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                       lstrip_blocks=True, keep_trailing_newline=True)


def fill_template(name, **values):
    """The text of a template in `templates/`, with its values escaped for HTML; pages extend `base.html`, which needs `title`."""
    return _environment().get_template(name).render(**values)


def write_page(path, template, **values):
    """Write a page, see :func:`fill_template`."""
    write_text(path, fill_template(template, **values))


def write_run_page(run, caption):
    """Write the `index.html` of a :class:`utils_file.RunFolder`: its files and its captioned sample sheets, the newest first."""
    files = (("test/index.html", "test gallery"), ("test/overview.gif", "test overview"), ("test/metrics.json", "test metrics"),
             ("log.txt", "log"), ("config.yaml", "configuration"))
    numbers = sorted({path.stem.rpartition("_")[2] for path in run.images.glob("t*_*.jpg")}, key=int, reverse=True)
    iterations = [(int(number), [(label, f"images/{part}_{number}.jpg")
                                 for part, label in (("train", "training rows"), ("test", "test rows"))
                                 if (run.images / f"{part}_{number}.jpg").exists()]) for number in numbers]
    write_page(run.path / "index.html", "run.html", title=run.name, caption=caption, iterations=iterations,
               links=[(name, label) for name, label in files if (run.path / name).exists()])
