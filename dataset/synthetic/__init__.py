"""Draw people doing the nine actions and write them in Penn Action's layout: a data set for trying everything out.

    python -m dataset.synthetic --out data/demo

It writes `frames/NNNN/NNNNNN.jpg` and `labels/NNNN.mat` like Penn Action; `dataset.penn_action` then makes the lists. A video
depends only on (seed, action, index) and on the range of frame counts.
"""
