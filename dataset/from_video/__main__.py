"""Convert your own videos to Penn Action's layout.

    python -m dataset.from_video VIDEOS... --actions actions.csv --out DIR

The CSV says what each video shows: columns `file` and `action`, and optionally `start` and `end` in seconds and `split` (train or
test). Finished clips are not converted again, so the command can be stopped and restarted at any time. Clips that the CSV no
longer names are removed from the data set.
"""
import argparse
import sys
from collections import Counter
from functools import cache, partial

import cv2
import torch
from tqdm import tqdm

from dataset.from_video.actions import find_videos, match, read_actions, with_splits
from dataset.from_video.checks import USABLE
from dataset.from_video.convert import convert
from dataset.from_video.poses import check_folder, find_poses
from dataset.from_video.records import Records
from dataset.from_video.report import write_report
from dataset.penn_action import CLIP, HORIZON
from dataset.penn_layout import RATES
from pose import DEFAULT_DETECTOR, DETECTORS, find_people
from pose.detector import DetectorError
from utils.errors import FailedRun, UserError, command
from utils.files import write_json

KEYS = ("clip", "every_frame", "longest_side", "partial", "keep_doubtful")          # options on which a clip's files depend
LAYOUT = 2                   # raise it whenever the files of a clip change
OWN_POSES = "or poses of your own: NAME.json or NAME.csv beside each video or in --poses DIR"


def run(options, detector):
    """Convert every clip of the CSV. Returns the exit status: 1 if a clip or video could not be used, 2 if none could.

    Args:
        options: of the command line, see :func:`main`.
        detector: () -> :class:`pose.detector.Detector`; first called for a clip without poses.
    """
    clips, videos = read_actions(options.actions), find_videos(options.videos)
    if options.poses:
        check_folder(options.poses, videos)
    records = Records(options.out)
    removed = records.remove_others(clips)
    problems, used, results = [], set(), {}

    def report(problem):
        problems.append(problem)
        tqdm.write(f"error: {problem}", file=sys.stderr)

    for clip in tqdm(clips, desc="videos", unit="clip", disable=len(clips) == 1):
        try:
            video = match(clip, videos)
            used.add(video)
            poses = find_poses(video, options.poses)
            key = {"layout": LAYOUT, "video": _identity(video), "part": [clip.start, str(clip.end)],
                   "poses": poses and _identity(poses), "min_score": options.min_score,
                   "detector": str(options.detector_weights or options.detector),
                   **{name: getattr(options, name) for name in KEYS}}
            record = records.finished(clip, key)
            if record is None:
                record = records.replace(clip, key, partial(convert, clip=clip, video=video, settings=options,
                                                            detect=_tracker(detector), poses=poses))
                tqdm.write(f"{clip.name}: {record['kept']} frames kept" + "".join(f"; {note}" for note in record["notes"]),
                           file=sys.stdout)
            results[clip.name] = record
            if not record["parts"]:
                report(f"{clip.place}: {video}: {'; '.join(record['notes'])}; see sheets/{clip.name}.jpg")
        except DetectorError:
            raise
        except UserError as error:
            report(str(error))
    for video in [video for video, named in videos.items() if named and video not in used]:
        report(f"{video}: " + (f"no row of {options.actions} is about it" if video.is_file() else "there is no such file"))
    usable = with_splits([clip for clip in clips if clip.name in results and results[clip.name]["parts"]])
    for clip in usable:
        records.relabel(clip, results[clip.name])
    known = [results.get(clip.name) or records.earlier(clip.name) for clip in clips]       # also of clips that failed this time
    write_json(records.out / RATES, {part: record["fps"] for record in known if record for part in record["parts"]})
    seen = {clip.name: clip for clip in (*clips, *usable) if clip.name in results}
    write_report(records.out, seen.values(), results, problems, len(clips))
    if removed:
        print(f"removed, because the CSV no longer names them: {', '.join(removed)}")
    if not usable:
        print(f"{records.out}: no clip could be used")
        return UserError.status
    print(f"{len(usable)} of {len(clips)} clips in {records.out}, {len(problems)} problem{'s' * (len(problems) != 1)}; see "
          "index.html and report.txt there")
    _print_summary(usable, records.out, max(
        record["frames"] for record in results.values()) if options.every_frame else options.clip)
    return FailedRun.status if problems else 0


def _tracker(detector):
    """A function that finds people, picture by picture in one clip; `detector` is called with the first picture."""
    tracker = cache(lambda: detector().tracker())
    return lambda picture: tracker().detect(picture)


def _identity(path):
    """Name, size and time of a file, which tell it from an earlier one of this name."""
    stat = path.stat()
    return [path.name, stat.st_size, stat.st_mtime_ns]


def _print_summary(clips, out, frames):
    """Print how many clips each action has, and the next command; clips have at most `frames` frames."""
    counts = Counter((clip.action, clip.train) for clip in clips)
    actions = list(dict.fromkeys(clip.action for clip in clips))
    for action in actions:
        print(f"{action}: {counts[action, True]} for training, {counts[action, False]} for testing")
    print(f"next: python -m dataset.penn_action --root {out} --out {out}/lists --actions {','.join(actions)}"
          + (f" --windows {frames - HORIZON}" if frames != CLIP else ""))


def main():
    parser = argparse.ArgumentParser(prog="python -m dataset.from_video",
                                     description="Convert your own videos to Penn Action's layout.")
    parser.add_argument("videos", nargs="+", help="video files, or folders of them")
    parser.add_argument("--actions", required=True, metavar="CSV",
                        help="what they show: columns file, action and optionally start, end (seconds), split (train or test)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the data set; new, empty or of an earlier run")
    parser.add_argument("--poses", metavar="DIR", help="folder of poses that replace a detector's: NAME.json or NAME.csv "
                                                      "(they may also lie beside NAME.mp4)")
    parser.add_argument("--detector", choices=DETECTORS, default=DEFAULT_DETECTOR,
                        help="which detector finds the people (default: %(default)s)")
    parser.add_argument("--detector_weights", metavar="PATH", help="weights of the detector (default: downloaded once)")
    parser.add_argument("--min_score", type=float, help="score that a person needs (default: the detector's own)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu",
                        help="device of the detector (default: %(default)s)")
    parser.add_argument("--clip", type=int, default=CLIP, help="number of frames to take of a clip: the sum of --windows "
                                                               "and --horizon of dataset.penn_action (default: %(default)s)")
    parser.add_argument("--every_frame", action="store_true", help="take all frames")
    parser.add_argument("--longest_side", type=int, default=1280,
                        help="of a frame in pixels; larger frames are made smaller (default: %(default)s)")
    parser.add_argument("--partial", action="store_true", help="keep clips whose person comes late or leaves early")
    parser.add_argument("--keep_doubtful", action="store_true",
                        help="keep clips whose poses jump or cannot be a person's, for example a skeleton on a tree")
    options = parser.parse_args()
    if options.clip < USABLE or options.longest_side < 16:
        parser.error(f"--clip must be at least {USABLE}, --longest_side at least 16")
    cv2.setNumThreads(1)                                                      # leave the cores to the detector

    @cache
    def detector():
        try:
            return find_people(options.detector, weights=options.detector_weights, device=options.device,
                               min_score=options.min_score)
        except DetectorError as error:
            raise DetectorError(f"{error}, {OWN_POSES}") from None

    return run(options, detector)


if __name__ == "__main__":
    command(main)
