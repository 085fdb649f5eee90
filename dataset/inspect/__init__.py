"""Inspect a data set: `python -m dataset.inspect LIST --data_root DIR --out page.html`."""
