"""What the documents name exists: the README's layout, links, files, modules, and sections of docs/published_system.md."""
import re
import subprocess
from importlib import import_module

import pytest
from conftest import ROOT
from helpers import documents

CITATION = re.compile(r'published[ _]system(?:\.md)?,? \(?"([^"]+)"')
PUBLISHED = (ROOT / "docs/published_system.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\(([^)\s]+)\)")
MADE = ("data/", "outputs/", "logs/", "photos/", "videos/", "checkpoints/", "pretrain/config")      # folders of a user
CODE = re.compile(r"`([^`\n]+)`")


def tracked():
    """The files of the repository, without those that are made."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
                            text=True)
    files = [ROOT / name for name in listed.stdout.splitlines()] if listed.returncode == 0 else [
        path for path in ROOT.rglob("*") if ".venv" not in path.parts]
    return [path for path in files if path.is_file()]


def layout():
    """The rows of the README's layout table: (paths in the first cell, names of files in the second)."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n| place |")[2].partition("\n\n")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [(re.findall(r"`([^`]+)`", first), re.findall(r"`([\w/.]+(?:\.py|\.md|\.yaml|/))`", second)) for first, second in rows]


def anchors(text):
    """The anchors of a Markdown file's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_path_of_the_layout_exists():
    rows = layout()
    assert len(rows) > 7
    for paths, names in rows:
        for path in paths:
            assert (ROOT / path).is_dir() == path.endswith("/") and (ROOT / path).exists(), path
        for name in names:
            places = [ROOT, *(ROOT / path for path in paths if path.endswith("/"))]
            assert any((place / name).exists() for place in places), f"{paths[0]}: {name}"


def test_the_layout_names_every_module_and_package():
    named = {path for paths, _ in layout() for path in paths}
    packages = {f"{path.parent.relative_to(ROOT).as_posix()}/" for pattern in ("*/__init__.py", "*/*/__init__.py")
                for path in ROOT.glob(pattern) if not path.relative_to(ROOT).parts[0].startswith(".")}
    assert named >= {path.name for path in ROOT.glob("*.py")} | packages


def test_names_in_the_table_of_changes_are_in_its_files():
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| where do I change ... |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith(("| a ", "| an ", "| the "))]
    assert len(rows) == 10
    for row in rows:
        files = [ROOT / name for name in re.findall(r"[\w/]+\.(?:py|yaml)", row)]
        texts = " ".join(path.read_text(encoding="utf-8") for path in files)
        assert files and all(re.search(rf"\b{name}\b", texts) for name in re.findall(r"`(\w+)`", row) if name != "forward"), row


@pytest.mark.parametrize("document", documents())
def test_every_relative_link_resolves(document):
    path = ROOT / document
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), f"{document}: {link}"
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{document}: {link}"


@pytest.mark.parametrize("document", documents())
def test_every_file_and_module_that_is_named_exists(document):
    """In `code`: paths with a folder of the repository, and dotted names that begin with one of its packages."""
    path = ROOT / document
    folders = {entry.relative_to(ROOT).parts[0] for entry in tracked() if entry.parent != ROOT}
    for words in CODE.findall(path.read_text(encoding="utf-8")):
        for word in [] if words.startswith(("python ", "make ")) else words.split():         # commands: test_docs.py
            word = word.rstrip(".,:;)").removeprefix("(")
            if re.fullmatch(r"[\w.-]+(/[\w.-]*)+", word) and word.split("/")[0] in folders and not word.startswith(MADE):
                assert any((place / word).exists() for place in (ROOT, path.parent)), f"{document}: {word}"
            elif re.fullmatch(r"\w+\.py", word) and "/" not in word:
                assert any(entry.name == word for entry in tracked()), f"{document}: {word}"
            elif re.fullmatch(r"[a-z_]\w*(\.\w+)+(?<!\.npz)", word) and (ROOT / word.split(".")[0] / "__init__.py").exists():
                assert named_object(word), f"{document}: {word}"


def named_object(dotted):
    """Whether `package.module.Name.attribute` can be imported."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            found = getattr(found, name, None)
        return found is not None
    return False


@pytest.mark.parametrize("pattern, known", [
    (CITATION, re.findall(r"^## (.+)$", PUBLISHED, re.MULTILINE)),
    (re.compile(r"\bdefects? (D\d+)"), re.findall(r"^\| (D\d+) \|", PUBLISHED, re.MULTILINE))], ids=["sections", "defects"])
def test_every_citation_of_the_published_system_resolves(pattern, known):
    cited = {(path.relative_to(ROOT).as_posix(), name) for path in tracked() if path.suffix in (".py", ".yaml", ".md")
             for name in pattern.findall(path.read_text(encoding="utf-8"))}
    assert len(cited) > 5 and not {(path, name) for path, name in cited if name not in known}
