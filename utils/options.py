"""The command line that both training scripts share (published system, "Files")."""
import argparse
import math
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

from utils.errors import UserError

at_home = os.path.expanduser                   # `type` of options that name files: ~ is the user's home folder


class Rule(NamedTuple):
    """A condition under which an option has an effect; without it, the message is `--OPTION TEXT`."""

    text: str
    met: Callable            # (options)


TEST = Rule("needs --test, and --pretrain DIR or --resume", lambda options: options.test)
LISTED = Rule("has no effect with --image", lambda options: not options.image)
SAMPLED = Rule("has no effect with --motion", lambda options: not options.motion)
TRAINED = Rule("needs --resume, --pretrain DIR or --vae_path DIR",
               lambda options: options.resume or options.pretrain or getattr(options, "vae_path", None))
WEIGHTS = Rule("needs weights: either --resume (this run's newest checkpoint) or --pretrain DIR",        # a motion does without
               lambda options: options.resume != bool(options.pretrain) or not options.resume and options.motion)
ONE_PROCESS = Rule("runs in one process: start it without torchrun", lambda options: int(os.environ.get("WORLD_SIZE", 1)) == 1)
ONE_START = Rule("starts from other weights, --resume continues this run: give only one of them",
                 lambda options: not options.resume)
NPZ = Rule("FILE.npz: the name of the file must end with .npz", lambda options: options.save_poses.endswith(".npz"))


class Parser(argparse.ArgumentParser):
    """Options that declare the rules they follow; every error is one line."""

    def __init__(self, description):
        super().__init__(description=description)
        self.rules = {}

    def error(self, message):
        raise UserError(f"{message} (--help explains the options)")

    def adder(self, title, *common):
        """A function that adds options to a group of the help, with :class:`Rule` s of each and those in common."""
        group = self.add_argument_group(title)

        def add(*names, rules=(), **settings):
            self.rules[group.add_argument(*names, **settings).dest] = (*common, *rules)
        return add

    def parse(self):
        """The options of the command line. Raises :class:`UserError` if one is wrong or would have no effect."""
        broken = [word for word in sys.argv[1:] if word != word.encode("utf-8", "ignore").decode()]
        if broken:
            self.error(f"bytes that are no UTF-8 text in {' '.join(map(ascii, broken))}")
        options = self.parse_args()
        for name, rules in self.rules.items():
            for rule in rules if getattr(options, name) != self.get_default(name) else ():
                if not rule.met(options):
                    self.error(f"--{name} {rule.text}")
        return options


def number(kind, least, most=math.inf):
    """The `type` of options that take a number in a range."""
    def parse(text):
        value = kind(text)
        if not least <= value <= most:
            limits = f"be at least {least}" if most == math.inf else f"lie in {least}..{most}"
            raise argparse.ArgumentTypeError(f"{text} must {limits}")
        return value
    parse.__name__ = kind.__name__                       # argparse calls it so in messages
    return parse


def parse_options(description, *groups):
    """The options of a training script: the shared ones, and those that the functions `groups` add to a :class:`Parser`."""
    parser = Parser(description)
    _add_shared_options(parser)
    for add_group in groups:
        add_group(parser)
    return parser.parse()


def _add_shared_options(parser):
    add, count = parser.adder("training and testing"), number(int, 1)
    add("--config", required=True, type=at_home,
        help="YAML file, every key is explained in config/; or the config.yaml of a run")
    add("--name", default="", help="suffix of the run's name, which is the config's base name + this")
    add("--output_path", default=".", type=at_home, help="folder for outputs/<run>/ and logs/<run>/ (default: this folder)")
    add("--seed", type=number(int, 0, 2 ** 31 - 1), default=7,
        help="seed of the initial weights, the order of the rows and the noise (default: %(default)s)")
    add("--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE",
        help="override keys of the config, e.g. --set batch_size=8 pose_loss.kl=0.01")
    add("--test", action="store_true", rules=[WEIGHTS, ONE_PROCESS], help="evaluate on the test list instead of training")
    add("--resume", action="store_true", help="continue (or test) this run from its newest checkpoint")
    add("--iteration", type=count, metavar="N", rules=[TRAINED],
        help="use the checkpoint of this iteration instead of the newest")
    add("--pretrain", metavar="DIR", type=at_home, rules=[ONE_START],
        help="start from these trained weights, or test them: a run, its checkpoints, a folder like the authors' "
             "(im_encode_content.pt, ...), or a file in one of them")
    add = parser.adder("testing", TEST)
    add("--samples", type=count, metavar="K", rules=[SAMPLED],
        help="number of sampled futures of each row or photo (default: 20; photos: 4)")
    add("--steps", type=count, metavar="T", help="number of steps to predict (default: as many as in training; photos: 16)")
    add("--choose", choices=("typical", "random"), default="typical", rules=[SAMPLED],
        help="which futures are shown in galleries and of photos: typical (default), of 64 those that represent most others; or "
             "random, the first ones sampled. Metrics always use the latter")
    add("--limit", type=count, metavar="N", rules=[LISTED], help="evaluate only N rows, evenly spaced over the list")
    add("--save_poses", metavar="FILE.npz", type=at_home, rules=[LISTED, NPZ],
        help="also write the samples, the true poses and what the rows are (docs/metrics.md)")
    add("--gifs", choices=("gallery", "all"), rules=[LISTED],
        help="which rows are drawn: those on the first page of the gallery (default), or all, as in the published system")
