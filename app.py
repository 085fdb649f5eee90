"""Serve a page in the browser on which a photo becomes clips.

    python app.py
    python app.py --host 0.0.0.0 --port 8000
"""
import utils.errors  # first, so that Ctrl-C during the other imports prints one line

# isort: split
import argparse
import logging
import sys
from pathlib import Path

from photo.statistics import read_statistics
from photo.web.server import LOCAL, serve
from photo.web.studio import Studio
from trainer_actvae_p2inetwork import Trainer
from utils.config import load_config
from utils.options import at_home


def load_studio(folder, log):
    """The :class:`photo.web.studio.Studio` with the weights of a folder."""
    trainer = Trainer(load_config(folder / "config.yaml", ["image_loss.vgg=0"]), trains=False)
    trainer.load_pretrained(folder)
    return Studio(trainer, read_statistics(folder), log)


def main():
    parser = argparse.ArgumentParser(description="Serve a page in the browser on which a photo becomes clips.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--pretrain", default="pretrain/people", type=at_home,
                        help="folder with trained weights of both modules and their config.yaml")
    parser.add_argument("--host", default=LOCAL[0], help="address to listen on; 0.0.0.0 opens the page to other computers")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on; 0 takes a free one")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    log = logging.getLogger("app")
    log.setLevel(logging.INFO)
    return serve(lambda: load_studio(Path(options.pretrain), log), options.host, options.port, log)


if __name__ == "__main__":
    utils.errors.command(main)
