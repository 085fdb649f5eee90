"""The documents: commands parse, docs/python.md runs, docs/metrics.md is up to date, every YAML key is explained."""
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
from utils.errors import UserError
from utils.schema import NETWORK_KINDS, Config, TrainDataConfig
from utils_file import load_config

PROGRAMS = ("python", "torchrun", "make")


class Parsed(BaseException):
    """The options of a command, raised where the command would begin to work."""


def parse(words, monkeypatch):
    """The options that a command `python ...` makes of its arguments; nothing is run."""
    main, arguments = entry_point(words)
    script = words[1] != "-m"
    parse_args = argparse.ArgumentParser.parse_args

    def stop(options, *_):
        raise Parsed(options)

    monkeypatch.setattr(sys, "argv", ["script.py", *arguments])
    if script:                                              # it also checks that the options fit together
        monkeypatch.setattr(experiment, "run_module", stop)
    else:
        monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda parser: stop(parse_args(parser)))
    with pytest.raises(Parsed) as parsed, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)     # the module may have been imported already
        main()
    return parsed.value.args[0]


def commands(document):
    """The commands of a document, in its `sh` blocks and in `code`."""
    text = (ROOT / document).read_text(encoding="utf-8")
    inline = [command for command in re.findall(r"`([^`\n]+)`", text) if command.split()[0] in PROGRAMS and " " in command]
    return [*shell_commands(document), *inline]


COMMANDS = [(document, command) for document in documents() for command in commands(document)]


@pytest.mark.parametrize("document, command", COMMANDS, ids=[command[:70] for _, command in COMMANDS])
def test_every_command_parses(document, command, monkeypatch):
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


def test_commands_stand_in_sh_blocks():
    """A command in another kind of block would not be tested. docs/published_system.md shows a pattern, not a command."""
    assert len(COMMANDS) > 60
    for document in documents():
        text = (ROOT / document).read_text(encoding="utf-8")
        others = [block for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if kind != "sh"]
        if document != "docs/published_system.md":
            assert not [block for block in others if re.search(r"^(python|torchrun|make) ", block, re.MULTILINE)], document


def test_commands_that_do_not_parse_are_noticed(monkeypatch):
    with pytest.raises(SystemExit):
        test_every_command_parses("", "python -m dataset.penn_action --rot data", monkeypatch)
    with pytest.raises(UserError, match="unknown key 'lrr'"):
        test_every_command_parses("", "python train_actvae.py --config config/motion.yaml --set lrr=1", monkeypatch)


def test_python_examples_run(tmp_path, monkeypatch):
    for name in ("pretrain", "config"):
        (tmp_path / name).symlink_to(ROOT / name)
    own_photo(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(examples) == 2
    spaces = []
    for example in examples:
        spaces.append({})
        exec(compile(example, "docs/python.md", "exec"), spaces[-1])
    futures = spaces[0]["futures"]
    assert futures.poses.shape == (1, 2, 16, 13, 2) and futures.videos.shape == (1, 2, 16, 3, 128, 128)
    assert futures.videos[0, 0].std() > 0.1 and not futures.videos[0, 0, 0].equal(futures.videos[0, 0, -1])
    assert Path("golf_swing.mp4").stat().st_size > 1000
    assert {path.name for path in Path("photos/clips").iterdir()} >= {"me_golf_swing_1.mp4", "me_golf_swing_1.json", "index.html"}


def test_the_table_of_metrics_is_up_to_date():
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    begin, end = "<!-- begin: python -m evaluation.registry -->\n", "<!-- end -->"
    assert text.partition(begin)[2].partition(end)[0].strip() == registry.markdown().strip(), \
        "put what `python -m evaluation.registry` prints between the two comments of docs/metrics.md"


def explained(path):
    """The keys of a YAML file that have a comment on their line, blocks with dots: `actvae.kind`."""
    block, found = "", set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"( *)([a-z_0-9]+):(.*)", line):
            indent, key, rest = match.groups()
            if not indent and not rest.partition("#")[0].strip():
                block = key
            name = f"{block}.{key}" if indent else key
            if "#" in rest:
                found.add(name)
    return found


def keys(kind, prefix=""):
    """All keys of a dataclass of the configuration."""
    for field in dataclasses.fields(kind):
        default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        name = prefix + field.name
        yield from (keys(type(default), name + ".") if dataclasses.is_dataclass(default) else [name])


def test_every_key_of_a_configuration_is_explained_in_a_yaml():
    known = set().union(*(explained(path) for path in (ROOT / "config").glob("*.yaml")))
    wanted = {*keys(Config), *(key for block, kinds in NETWORK_KINDS.items() for kind in kinds.values()
                               for key in keys(kind, f"{block}."))}
    assert len(wanted) > 80 and not wanted - known
    texts = (ROOT / "config/Penn_actvae.yaml").read_text(encoding="utf-8").partition("train_data:")[2].partition("actions:\n")[0]
    assert all(field.name in texts for field in dataclasses.fields(TrainDataConfig))
