"""Convert your own videos to Penn Action's layout.

    python -m dataset.from_video VIDEOS... --actions actions.csv --out DIR
"""
