"""Convert your own videos to Penn Action's layout, see `python -m dataset.from_video --help`."""
import utils.threads  # noqa: F401  before torch is imported
