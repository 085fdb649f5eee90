"""Your own photos become clips: find the person, predict motions, paint them, write files and a page (`make_clips.py`)."""
