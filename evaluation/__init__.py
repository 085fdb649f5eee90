"""Every number in `metrics.json`, and the pages, GIFs and videos of a test."""
import utils.errors  # noqa: F401  first: Ctrl-C is one line while the others import
