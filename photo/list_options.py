"""The command line of modules that measure training lists, :mod:`photo.margins` and :mod:`photo.timing`."""
import argparse

from dataset.pair_list import read_list
from utils.config import load_config
from utils.schema import Config


def list_parser(description, out):
    """A parser for the names of lists, of the file to write (default: `out`), and of a configuration with the actions' names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("lists", nargs="+", metavar="LIST", help="training list")
    parser.add_argument("--out", default=out, help="file to write (default: %(default)s)")
    parser.add_argument("--config", help="configuration with the lists' action names (default: the published ones)")
    return parser


def read_lists(options):
    """The :class:`dataset.pair_list.PairList` s that options of :func:`list_parser` name."""
    config = load_config(options.config) if options.config else Config()
    return [read_list(path, config.actions, config.actions_by == "name") for path in options.lists]
