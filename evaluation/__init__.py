"""Every number in `metrics.json`, and the pages, GIFs and videos of a test."""
