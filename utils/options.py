"""The command line that both training scripts share (published system, "Files")."""
import argparse
import os
import sys
import warnings
from collections.abc import Callable
from typing import NamedTuple

at_home = os.path.expanduser                   # `type` of options that name files: ~ is the user's home folder


class OptionGroup(NamedTuple):
    """Options that belong together, declared and checked by the part of the program that needs them."""

    add: Callable            # (parser): declares them
    check: Callable          # (parser, options): refuses what does not fit together, or warns
    needs_weights: Callable = lambda options: True      # (options): whether --test needs trained weights


def parse_options(description, *groups):
    """The options of a training script: the shared ones, and those of some :class:`OptionGroup` s."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    _add_shared_options(parser)
    for group in groups:
        group.add(parser)
    broken = [word for word in sys.argv[1:] if word != word.encode("utf-8", "ignore").decode()]
    if broken:
        parser.error(f"bytes that are no UTF-8 text in {' '.join(map(ascii, broken))}")
    options = parser.parse_args()
    _check_shared_options(parser, options, all(group.needs_weights(options) for group in groups))
    for group in groups:
        group.check(parser, options)
    return options


def at_least_one(parser, options, *names):
    """Refuse numbers below 1 in the named options; options that are not given are None."""
    for name in names:
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")


def given_options(options, *names):
    """The named options that the user has given, as they are written: `["--samples", ...]`."""
    return [f"--{name}" for name in names if getattr(options, name)]


def _add_shared_options(parser):
    parser.add_argument("--config", required=True, type=at_home,
                        help="YAML file, every key is explained in config/; or the config.yaml of a run")
    parser.add_argument("--name", default="", help="suffix of the run's name, which is the config's base name + this")
    parser.add_argument("--output_path", default=".", type=at_home, help="folder for outputs/<run>/ and logs/<run>/")
    parser.add_argument("--seed", type=int, default=7, help="seed of the initial weights, the order of the rows and the noise")
    parser.add_argument("--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE",
                        help="override keys of the config, e.g. --set batch_size=8 pose_loss.kl=0.01")
    parser.add_argument("--resume", action="store_true", help="continue (or test) this run from its newest checkpoint")
    parser.add_argument("--iteration", type=int, metavar="N", help="use the checkpoint of this iteration instead of the newest")
    parser.add_argument("--pretrain", metavar="DIR", type=at_home,
                        help="start from these trained weights, or test them: a run, its checkpoints, a folder like the "
                             "authors' (im_encode_content.pt, ...), or a file in one of them")
    test = parser.add_argument_group("testing")
    test.add_argument("--test", action="store_true", help="evaluate on the test list instead of training")
    test.add_argument("--samples", type=int, metavar="K", help="number of sampled futures for each row (default: 20; photos: 4)")
    test.add_argument("--steps", type=int, metavar="T",
                      help="number of steps to predict (default: as many as in training; photos: 16)")
    test.add_argument("--limit", type=int, metavar="N", help="evaluate only N rows, evenly spaced over the list")
    test.add_argument("--choose", choices=("typical", "random"), default="typical",
                      help="which futures are shown in galleries and of photos: of 64 those that stand for most others, with "
                           "their shares, or the first ones drawn; numbers are always those of the latter")
    test.add_argument("--save_poses", metavar="FILE.npz", type=at_home,
                      help="also write the samples, the true poses and what the rows are (docs/metrics.md)")
    test.add_argument("--gifs", choices=("gallery", "all"), help="which rows are drawn: those on the first page of the gallery, "
                                                                 "or all, as in the published system (default: gallery)")


def _check_shared_options(parser, options, needs_weights):
    if options.test and options.resume == bool(options.pretrain) and (needs_weights or options.resume):
        parser.error("--test needs weights: either --resume (this run's newest checkpoint) or --pretrain DIR")
    if options.test and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        parser.error("--test runs in one process: start it without torchrun")
    if options.pretrain and options.resume:
        parser.error("--pretrain starts from other weights, --resume continues this run: give only one of them")
    at_least_one(parser, options, "samples", "limit", "steps", "iteration")
    if not 0 <= options.seed < 2 ** 31:
        parser.error("--seed must lie in 0..2147483647")
    if options.save_poses and not options.save_poses.endswith(".npz"):
        parser.error(f"--save_poses {options.save_poses}: the name of the file must end with .npz")
    idle = given_options(options, "samples", "steps", "limit", "gifs", "save_poses")
    if idle and not options.test:
        warnings.warn(f"without effect in training: {', '.join(idle)}", stacklevel=3)
