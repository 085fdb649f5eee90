"""Convert your own videos to Penn Action's layout, see `python -m dataset.from_video --help`."""
