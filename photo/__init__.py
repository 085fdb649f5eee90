"""Your own photos become clips: find the person, predict motions, render them, write files and a page (`make_clips.py`)."""
import utils.errors  # noqa: F401  first: Ctrl-C is one line while the others import
