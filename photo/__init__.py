"""Photos of one's own become clips: find the person, predict motions, paint them, write files and a page."""
