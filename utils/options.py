"""The command line that both training scripts share (published system, "Files")."""
import argparse
import os
import sys
import warnings


def parse_options(description, extend=None):
    """Parse the options of a training script; `extend(parser)` adds the script's own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--config", required=True, help="YAML file, every key is explained in config/; or a run's config.yaml")
    parser.add_argument("--name", default="", help="ending of the run's name, which is the config's base name + this")
    parser.add_argument("--output_path", default=".", help="where outputs/<run>/ and logs/<run>/ are made")
    parser.add_argument("--seed", type=int, default=7, help="of initial weights, order of rows and noise")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="override a key of the config, e.g. --set batch_size=8 --set pose_loss.kl=0.01")
    parser.add_argument("--resume", action="store_true", help="go on from (or test) the newest checkpoint of this run")
    parser.add_argument("--iteration", type=int, metavar="N", help="take the checkpoint of this iteration instead of the newest")
    parser.add_argument("--pretrain", metavar="DIR", help="start from, or test, trained weights: a run, its checkpoints, or a "
                                                          "folder like the authors' (im_encode_content.pt, ...)")
    test = parser.add_argument_group("testing")
    test.add_argument("--test", action="store_true", help="evaluate on the test list instead of training")
    test.add_argument("--samples", type=int, metavar="K", help="samples a row that the metrics are taken over (default: 20)")
    test.add_argument("--steps", type=int, metavar="T", help="steps to predict (default: what the module takes of the rows)")
    test.add_argument("--limit", type=int, metavar="N", help="a quick look: only N rows, spread over the list")
    test.add_argument("--gifs", choices=("gallery", "all"), help="which rows are drawn: those on the gallery's first page, or "
                                                                 "all, as the published system does (default: gallery)")
    add_photo_options(parser)
    if extend:
        extend(parser)
    broken = [word for word in sys.argv[1:] if not _is_text(word)]
    if broken:
        parser.error(f"bytes that are no UTF-8 text in {' '.join(map(ascii, broken))}")
    options = parser.parse_args()
    for name in ("config", "output_path", "pretrain", "vae_path", "pose", "detector_weights", "out"):
        if getattr(options, name, None):
            setattr(options, name, os.path.expanduser(getattr(options, name)))
    if options.test and options.resume == bool(options.pretrain):
        parser.error("--test needs weights: either --resume (this run's newest checkpoint) or --pretrain DIR")
    if options.test and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        parser.error("--test runs in one process: start it without torchrun")
    if options.pretrain and options.resume:
        parser.error("--pretrain starts from other weights, --resume goes on with this run's: give one of them")
    for name in ("samples", "limit", "steps", "iteration", "person"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if getattr(options, "paint_size", None) is not None and not 16 <= options.paint_size <= 4096:
        parser.error("--paint_size must lie in 16..4096")
    if not 0 <= options.seed < 2 ** 31:
        parser.error("--seed must lie in 0..2147483647")
    idle = [f"--{name}" for name in ("samples", "steps", "limit", "gifs", "paint_size")
            if getattr(options, name, None) is not None]
    if idle and not options.test:
        warnings.warn(f"without effect in training: {', '.join(idle)}", stacklevel=2)
    check_photo_options(parser, options)
    return options


def add_photo_options(parser):
    """What photos of one's own need."""
    photo = parser.add_argument_group("photos of your own (with --test)")
    photo.add_argument("--image", nargs="+", metavar="FILE", help="photos to turn into clips, instead of the test list")
    photo.add_argument("--action", metavar="NAMES", help="what the person shall do: names with commas between them, all, or list "
                                                         "to print the names that the weights know")
    photo.add_argument("--pose", metavar="FILE", help="JSON of the person's joints, pixels of the photo; a folder of such, named "
                                                      "like the photos; or edit, to place them by hand (default: a detector "
                                                      "finds them)")
    photo.add_argument("--person", type=int, metavar="K", help="of several people this one, from 1 (default: the largest)")
    photo.add_argument("--detector_weights", metavar="PATH", help="file of Keypoint R-CNN's weights (default: downloaded once)")
    photo.add_argument("--out", metavar="DIR", help="where the clips go (default: photos/ in the run's folder)")


def check_photo_options(parser, options):
    """Refuse or tell what does not go together; `options.photos` says whether photos are asked for."""
    given = [f"--{name}" for name in ("image", "action", "pose", "person", "detector_weights", "out") if getattr(options, name)]
    options.photos = bool(options.test and (options.image or options.action == "list"))
    if given and not options.test:
        parser.error(f"{given[0]} needs --test, and --pretrain DIR or --resume")
    if given and not options.photos:
        parser.error(f"{given[0]} needs --image FILE")
    if options.image and not options.action and options.pose != "edit":
        parser.error("--image needs --action NAME, several with commas between them, or all; --action list prints the names")
    idle = [f"--{name}" for name in ("limit", "gifs") if options.photos and getattr(options, name)]
    idle += [f"--{name}" for name in ("person", "detector_weights") if options.pose and getattr(options, name)]
    if idle:
        warnings.warn(f"without effect here: {', '.join(idle)}", stacklevel=3)


def _is_text(word):
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:                 # what the system handed over was no UTF-8
        return False
    return True
