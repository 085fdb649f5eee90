"""The README's layout table is the tree, and what comments cite of docs/published_system.md is there."""
import re

import pytest
from conftest import ROOT

CITATION = re.compile(r'published[ _]system(?:\.md)?,? \(?"([^"]+)"')
DOCUMENT = (ROOT / "docs/published_system.md").read_text(encoding="utf-8")


def layout():
    """The rows of the layout table: (paths in the first cell, names of files in the second)."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Layout\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [(re.findall(r"`([^`]+)`", first), re.findall(r"`([\w/.]+(?:\.py|\.md|\.yaml|/))`", second)) for first, second in rows]


def sources():
    folders = ("config", "dataset", "data_lists", "docs", "tests", "utils")
    files = [*ROOT.glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    return [path for path in files if path.suffix in (".py", ".yaml", ".md")]


def test_every_path_of_the_layout_exists():
    rows = layout()
    assert len(rows) > 10
    for paths, names in rows:
        for path in paths:
            assert (ROOT / path).is_dir() == path.endswith("/") and (ROOT / path).exists(), path
        folder = ROOT / paths[0] if paths[0].endswith("/") else ROOT
        for name in names:
            assert (folder / name).exists(), f"{paths[0]}: {name}"


def test_the_layout_names_every_module_and_package():
    named = {path for paths, _ in layout() for path in paths}
    packages = {f"{path.parent.relative_to(ROOT).as_posix()}/" for pattern in ("*/__init__.py", "*/*/__init__.py")
                for path in ROOT.glob(pattern) if not path.relative_to(ROOT).parts[0].startswith(".")}
    assert named >= {path.name for path in ROOT.glob("*.py")} | packages


@pytest.mark.parametrize("pattern, known", [
    (CITATION, re.findall(r"^## (.+)$", DOCUMENT, re.MULTILINE)),
    (re.compile(r"\bdefects? (D\d+)"), re.findall(r"^\| (D\d+) \|", DOCUMENT, re.MULTILINE))], ids=["sections", "defects"])
def test_every_citation_of_the_published_system_resolves(pattern, known):
    cited = {(path.relative_to(ROOT).as_posix(), name) for path in sources()
             for name in pattern.findall(path.read_text(encoding="utf-8"))}
    assert len(cited) > 5 and not {(path, name) for path, name in cited if name not in known}
