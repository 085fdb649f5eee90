"""Draw people doing the nine actions and write them in Penn Action's layout: data to try everything on.

    python -m dataset.synthetic --out data/demo

`frames/NNNN/NNNNNN.jpg` and `labels/NNNN.mat` are what Penn Action's own folders hold; `dataset.penn_action` builds
the lists from them. A video depends on (seed, action, index) and the range of frame counts only.
"""
