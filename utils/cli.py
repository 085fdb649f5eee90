"""The command line that both training scripts share (SPEC section 6)."""
import argparse
import os

from utils import processes
from utils_file import RunFolder, load_config


def run_script(description, train_module, test_module, extend=None):
    """A training script: `train_module` or `test_module`, called as `f(options, config, run)`; returns the exit status."""
    options = parse_options(description, extend)
    config = load_config(options.config, options.set)
    run = RunFolder(options.config, options.name, options.output_path)
    with processes.job():
        return (test_module if options.test else train_module)(options, config, run)


def parse_options(description, extend=None):
    """Parse the options of a training script; `extend(parser)` adds the script's own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--config", required=True, help="YAML file; every key is explained in config/")
    parser.add_argument("--name", default="", help="ending of the run's name, which is the config's base name + this")
    parser.add_argument("--output_path", default=".", help="where outputs/<run>/ and logs/<run>/ are made")
    parser.add_argument("--seed", type=int, default=7, help="of initial weights, order of rows and noise")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="override a key of the config, e.g. --set batch_size=8 --set pose_loss.kl=0.01")
    parser.add_argument("--resume", action="store_true", help="go on from (or test) the newest checkpoint of this run")
    test = parser.add_argument_group("testing")
    test.add_argument("--test", action="store_true", help="sample the test list instead of training")
    test.add_argument("--pretrain", metavar="DIR", help="test with a folder of published weights (im_encode_content.pt, ...)")
    test.add_argument("--samples", type=int, default=20, metavar="K", help="samples a row that the metrics are taken over")
    test.add_argument("--limit", type=int, metavar="N", help="a quick look: only N rows, spread over the list")
    if extend:
        extend(parser)
    options = parser.parse_args()
    if options.test and options.resume == bool(options.pretrain):
        parser.error("--test needs weights: either --resume (this run's newest checkpoint) or --pretrain DIR")
    if options.test and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        parser.error("--test runs in one process: start it without torchrun")
    if options.pretrain and not options.test:
        parser.error("--pretrain goes with --test")
    for name in ("samples", "limit"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if not 0 <= options.seed < 2 ** 31:
        parser.error("--seed must lie in 0..2147483647")
    return options
