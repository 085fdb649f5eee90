"""Web pages that open from the disk: the parts that all pages share, and the page of a run. All links are relative."""
from html import escape

from utils.files import write_text

STYLE = """
:root { color-scheme: dark; --line: #2b2f36; --soft: #9aa4b2; --accent: #ffb454; }
body { margin: 0 auto; max-width: 1500px; padding: 1.5rem; background: #14161a; color: #e8eaed;
       font: 16px/1.5 system-ui, sans-serif; }
a { color: var(--accent); } h1 { margin: 0; } h2 { margin: 2.5rem 0 .8rem; } p { max-width: 60rem; color: var(--soft); }
nav { position: sticky; top: 0; padding: .6rem 0; background: #14161aee; } nav a { margin-right: 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line); font-weight: 400; }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--soft); vertical-align: bottom; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 1rem; }
.card { padding: .8rem; border: 1px solid var(--line); border-radius: 10px; background: #1a1d22; overflow-x: auto; }
.card header { display: flex; justify-content: space-between; margin-bottom: .5rem; color: var(--soft); font-size: .85rem; }
.cells { display: flex; gap: .5rem; } figure { margin: 0; } figcaption { color: var(--soft); font-size: .75rem; }
.cells img, .cells svg { width: 128px; height: 128px; border-radius: 6px; background: #000; display: block; }
.cells img.strip { width: auto; }
.sheet { max-width: 100%; border-radius: 6px; }
.clips { display: flex; flex-wrap: wrap; gap: 1rem; } .clips > * { max-width: 100%; max-height: 420px; border-radius: 6px; }
"""


def page(title, body):
    """A whole HTML page with a title (text) and a body (markup)."""
    return (f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n'
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>\n{body}\n</html>\n')


def image(path, css=""):
    """The markup that shows a picture file."""
    return f'<img src="{escape(str(path))}" loading="lazy" alt="{escape(str(path))}"' + (f' class="{css}">' if css else ">")


def write_run_page(run, caption):
    """Write the `index.html` of a :class:`utils_file.RunFolder`: its files and its sample sheets, the newest first. `caption`
    says what a line of a sheet shows."""
    links = [(name, label) for name, label in (("test/index.html", "test gallery"), ("test/overview.gif", "test overview"),
                                               ("test/metrics.json", "test metrics"),
                                               ("log.txt", "log"), ("config.yaml", "configuration"))
             if (run.path / name).exists()]
    iterations = sorted({path.stem.rpartition("_")[2] for path in run.images.glob("t*_*.jpg")
                         if path.stem.rpartition("_")[2].isdecimal()}, key=int, reverse=True)
    sheets = [f"<h2>iteration {int(iteration)}</h2>" + "".join(
        f"<p>{label}</p>{image(f'images/{part}_{iteration}.jpg', 'sheet')}"
        for part, label in (("train", "training rows"), ("test", "test rows"))
        if (run.images / f"{part}_{iteration}.jpg").exists()) for iteration in iterations]
    write_text(run.path / "index.html", page(run.name, (
        f"<h1>{escape(run.name)}</h1><p>" + " · ".join(f'<a href="{name}">{label}</a>' for name, label in links)
        + f"</p><p>{escape(caption)}</p>{''.join(sheets)}")))
