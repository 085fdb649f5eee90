"""The documents: commands parse, links resolve, docs/python.md runs, docs/metrics.md is up to date."""
import argparse
import dataclasses
import re
import shlex
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT
from helpers import documents, entry_point, own_photo, shell_commands

import experiment
from evaluation import registry
from utils.schema import NETWORK_KINDS, Config, TrainDataConfig
from utils_file import load_config

MADE = ("data/", "outputs/", "logs/", "photos/", "videos/", "checkpoints/", "pretrain/config")      # folders of a user


def read(document):
    return (ROOT / document).read_text(encoding="utf-8")


# ---- commands ----

class Parsed(BaseException):
    """The options of a command, raised where the command would begin to work."""


def parse(words, monkeypatch):
    """The options that a command `python ...` makes of its arguments; nothing is run."""
    main, arguments = entry_point(words)
    parse_args = argparse.ArgumentParser.parse_args

    def stop(options, *_):
        raise Parsed(options)

    monkeypatch.setattr(sys, "argv", ["script.py", *arguments])
    if words[1] != "-m":                                    # a script also checks that the options fit together
        monkeypatch.setattr(experiment, "run_module", stop)
    else:
        monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda parser: stop(parse_args(parser)))
    with pytest.raises(Parsed) as parsed, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)     # the module may have been imported already
        main()
    return parsed.value.args[0]


def commands(document):
    """The commands of a document, in its `sh` blocks and in `code`."""
    inline = [command for command in re.findall(r"`([^`\n]+)`", read(document)) if re.match(r"(python|torchrun|make) ", command)]
    return [*shell_commands(document), *inline]


COMMANDS = list(dict.fromkeys(command for document in documents() for command in commands(document)))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[:70])
def test_every_command_parses(command, monkeypatch):
    words = shlex.split(command)
    while "=" in words[0]:                                  # variables of the environment
        words.pop(0)
    if words[0] == "make":
        made = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        return
    if words[0] == "torchrun":
        words = ["python", *(word for word in words[1:] if not word.startswith("--nproc"))]
    assert words[0] == "python", command
    if words[1] == "-m" and len(words) == 3:                # a module that is only named
        assert find_spec(words[2]), command
        return
    options = parse(words, monkeypatch)
    config = getattr(options, "config", None)
    if config and not config.startswith("outputs/"):
        load_config(config, options.set)                    # the configuration is there and knows these keys


def test_python_examples_run(tmp_path, monkeypatch):
    for name in ("pretrain", "config"):
        (tmp_path / name).symlink_to(ROOT / name)
    own_photo(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    examples, spaces = re.findall(r"^```python\n(.*?)^```", read("docs/python.md"), re.DOTALL | re.MULTILINE), []
    for example in examples:
        spaces.append({})
        exec(compile(example, "docs/python.md", "exec"), spaces[-1])
    futures = spaces[0]["futures"]
    assert futures.poses.shape == (1, 2, 16, 13, 2) and futures.videos.shape == (1, 2, 16, 3, 128, 128)
    assert futures.videos[0, 0].std() > 0.1 and not futures.videos[0, 0, 0].equal(futures.videos[0, 0, -1])
    assert Path("golf_swing.mp4").stat().st_size > 1000
    assert {path.name for path in Path("photos/clips").iterdir()} >= {"me_golf_swing_1.mp4", "me_golf_swing_1.json", "index.html"}


# ---- links and names ----

def anchors(text):
    """The anchors of a Markdown file's headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("document", documents())
def test_links_and_named_files_exist(document):
    path, text = ROOT / document, read(document)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert "://" in link or target.exists(), link
        assert "://" in link or not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link
    folders = {entry.name for entry in ROOT.iterdir() if entry.is_dir()}
    for name in re.findall(r"`([\w.-]+(?:/[\w.-]*)+)`", text):
        if name.split("/")[0] in folders and not name.startswith(MADE):
            assert (ROOT / name).exists() or (path.parent / name).exists(), name


def test_the_readme_s_layout_names_every_package():
    rows = [line.split("|")[1] for line in read("README.md").partition("\n| place |")[2].partition("\n\n")[0].splitlines()[2:]]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    packages = {f"{path.parent.relative_to(ROOT).as_posix()}/" for pattern in ("*/__init__.py", "*/*/__init__.py")
                for path in ROOT.glob(pattern) if not path.relative_to(ROOT).parts[0].startswith(".")}
    assert named >= {path.name for path in ROOT.glob("*.py")} | packages and all((ROOT / name).exists() for name in named)


def test_the_tables_of_metrics_are_up_to_date():
    begin, end = "<!-- begin: python -m evaluation.registry -->\n", "<!-- end -->"
    assert read("docs/metrics.md").partition(begin)[2].partition(end)[0].strip() == registry.markdown().strip(), \
        "put what `python -m evaluation.registry` prints between the two comments of docs/metrics.md"


# ---- configuration keys ----

def explained(path):
    """The keys of a YAML file that have a comment on their line, blocks with dots: `actvae.kind`."""
    block, found = "", set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"( *)([a-z_0-9]+):(.*)", line):
            indent, key, rest = match.groups()
            if not indent and not rest.partition("#")[0].strip():
                block = key
            if "#" in rest:
                found.add(f"{block}.{key}" if indent else key)
    return found


def keys(kind, prefix=""):
    """All keys of a dataclass of the configuration."""
    for field in dataclasses.fields(kind):
        default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        yield from keys(type(default), f"{prefix}{field.name}.") if dataclasses.is_dataclass(default) else [prefix + field.name]


def test_every_key_of_a_configuration_is_explained_in_a_yaml():
    known = set().union(*(explained(path) for path in [*(ROOT / "config").glob("*.yaml"), ROOT / "pretrain/people/config.yaml"]))
    wanted = {*keys(Config), *(key for block, kinds in NETWORK_KINDS.items() for kind in kinds.values()
                               for key in keys(kind, f"{block}."))}
    assert len(wanted) > 60 and not wanted - known
    texts = read("config/Penn_actvae.yaml").partition("train_data:")[2].partition("actions:\n")[0]
    assert all(field.name in texts for field in dataclasses.fields(TrainDataConfig))
