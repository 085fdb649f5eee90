"""The poses one step before the sources of rows, for pose modules that see two poses."""
import warnings

from dataset.pair_list import Window


def earlier_poses(rows):
    """The pose one step before each source of a list.

    It is that of the frame which is as far before the source as the first target is after it. Another row of the same video holds
    it. If none does, as for the first frame of a video, the source takes its place. A warning tells if that is so for most rows.

    Args:
        rows: :class:`dataset.pair_list.PairList` of N rows.
    Returns:
        (N, J, 2) float64 pixels.
    """
    paths = {path: (row, frame) for row, frames in enumerate(rows.frames) for frame, path in enumerate(frames)}
    places = {(path.rpartition("/")[0], Window.of(path, path).numbers[1]): place for path, place in paths.items()}
    before, missing = rows.poses[:, 0].copy(), 0
    for row, (_, number, gap) in enumerate(rows.frame_numbers().tolist()):
        place = places.get((rows.frames[row][0].rpartition("/")[0], number - gap)) if 0 < gap <= number else None
        if place is None:
            missing += 1
        else:
            before[row] = rows.poses[place]
    if missing > len(before) / 2:
        warnings.warn(f"{rows.path}: {missing} of its {len(before)} rows seem to begin at rest, because no row of the same video "
                      "holds the frame one step before the source", stacklevel=2)
    return before
