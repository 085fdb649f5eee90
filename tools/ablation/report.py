"""The ablation's results as a Markdown table and as a figure."""
import statistics

import cv2
import numpy as np

HORIZONS, SCORES = (4, 16), ("energy_score", "ade", "ade_of_mean", "ade_best")
BASELINE = "zero-velocity baseline"


def table(results, baseline):
    """The Markdown table.

    Args:
        results: name of a row -> list over seeds of (scores at each horizon, iterations).
        baseline: ADE of the zero-velocity baseline at each horizon.
    """
    names = {"energy_score": "energy score", "ade": "ADE", "ade_of_mean": "mean", "ade_best": "best"}
    head = [f"{names[score]}, {steps}" for steps in HORIZONS for score in SCORES] + [
        f"bones, {HORIZONS[-1]}", f"acceleration, {HORIZONS[-1]}", "recognised", "iterations"]
    lines = ["| | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|",
             f"| {BASELINE} | " + " | ".join(f"{value:.4f}" for value in baseline for _ in SCORES) + " | 0 | 0 | | |"]

    def cell(values, form="{:.4f}"):
        mean = form.format(statistics.mean(values))
        return f"{mean} ± {form.format(statistics.stdev(values))}" if len(values) > 1 else mean

    for name, seeds in results.items():
        last = [scores[-1] for scores, _ in seeds]
        cells = [cell([scores[index][score] for scores, _ in seeds]) for index in range(len(HORIZONS)) for score in SCORES]
        cells += [cell([scores["bone_ratio"] for scores in last], "{:.2f}"),
                  cell([scores["acceleration_ratio"] for scores in last], "{:.2f}"),
                  cell([100 * scores["recognised"] for scores in last], "{:.1f}") if "recognised" in last[0] else "",
                  str(seeds[0][1])]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def figure(results, baseline):
    """Bars of the energy scores divided by the zero-velocity baseline, a colour for each horizon: (H, W, 3) uint8. Args as of
    :func:`table`."""
    height, left, width = 44, 300, 420
    picture = np.full((height * len(results) + 60, left + width + 80, 3), 255, np.uint8)
    font = (cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    for number, (name, seeds) in enumerate(results.items()):
        top = 10 + height * number
        cv2.putText(picture, name, (8, top + 22), *font)
        for index, colour in enumerate(((90, 150, 220), (240, 150, 60))):
            share = statistics.mean(scores[index]["energy_score"] for scores, _ in seeds) / max(1e-9, baseline[index])
            y = top + 4 + 16 * index
            end = left + int(width * min(share, 1.2) / 1.2)
            cv2.rectangle(picture, (left, y), (end, y + 13), colour, -1)
            cv2.putText(picture, f"{share:.2f}", (end + 4, y + 11), *font)
    bottom, one = 10 + height * len(results), left + int(width / 1.2)
    cv2.line(picture, (one, 4), (one, bottom), (120, 120, 120), 1)
    cv2.putText(picture, f"energy score / {BASELINE}: 4 steps (blue), 16 (orange)", (left - 60, bottom + 22), *font)
    return picture
