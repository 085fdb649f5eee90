"""Convert your own videos to Penn Action's layout.

    python -m dataset.from_video VIDEOS... --actions actions.csv --out DIR

The CSV says what each video shows: columns `file` and `action`, and optionally `start` and `end` in seconds and `split` (train or
test). Finished clips are not converted again, so the command can be stopped and started at any time.
"""
import argparse
import sys
from collections import Counter
from functools import cache

import cv2
import torch
from tqdm import tqdm

from dataset.from_video.actions import find_videos, match, read_actions
from dataset.from_video.convert import USABLE, Settings, convert
from dataset.from_video.poses import find_poses
from dataset.from_video.records import FoundPeople, Records, identity
from dataset.penn_action import CLIP, HORIZON
from pose import DEFAULT_DETECTOR, DETECTORS, detector_class, find_people
from pose.detector import DetectorError
from utils.errors import FailedRun, UserError, command

WAYS_OUT = "or poses of your own: NAME.json or NAME.csv beside each video or in --poses DIR"


def run(options, detector):
    """Convert every clip of the CSV. Returns the exit status: 1 if a clip or video could not be used, 2 if none could.

    Args:
        options: of the command line, see :func:`main`.
        detector: () -> :class:`pose.detector.Detector`; first called when a frame without poses comes.
    """
    clips, videos = read_actions(options.actions), find_videos(options.videos)
    settings = Settings(options.clip, options.every_frame, options.longest_side, options.partial)
    records = Records(options.out)
    left_out = records.leave_out(clips)
    kind = detector_class(options.detector)
    origin = {"longest_side": settings.longest_side, "detector": str(options.detector_weights or kind.default_weights),
              "min_score": kind.min_score if options.min_score is None else options.min_score}

    problems, used, results = [], set(), {}
    for clip in tqdm(clips, desc="videos", unit="clip", disable=len(clips) == 1):
        try:
            video = match(clip, videos)
            used.add(video)
            poses = find_poses(video, options.poses)
            seen = origin | {"video": identity(video), "part": [clip.start, str(clip.end)]}
            key = seen | {"settings": settings._asdict(), "poses": poses and identity(poses)}
            results[clip.name] = (records.finished(clip, key) or
                                  convert_anew(clip, video, records, settings, seen, key, poses, detector))
        except DetectorError:
            raise
        except UserError as error:
            problems.append(str(error))
            tqdm.write(f"error: {error}", file=sys.stderr)
    for video in [video for video, named in videos.items() if named and video not in used]:
        reason = f"no row of {options.actions} is about it" if video.is_file() else "there is no such file"
        problems.append(f"{video}: {reason}")
        tqdm.write(f"error: {problems[-1]}", file=sys.stderr)
    records.report(clips, results, problems)
    print(summary(clips, results, problems, records.out, left_out, settings))
    if not results:
        return UserError.status
    return FailedRun.status if problems else 0


def convert_anew(clip, video, records, settings, seen, key, poses, detector):
    """Convert a clip. If it cannot be used, none of its files stays.

    Args:
        clip, video, settings, poses: see :func:`dataset.from_video.convert.convert`.
        records: :class:`dataset.from_video.records.Records`.
        seen, key: what the people that are found in it, and its record, depend on.
        detector: see :func:`run`.
    Returns:
        its record.
    Raises:
        UserError: the clip cannot be used.
    """
    records.drop(clip)                                    # files that an interrupted run, or one with other settings, left
    tracker = cache(lambda: detector().tracker())
    people = FoundPeople(records.found(clip), seen, lambda picture: tracker().detect(picture))
    try:
        notes, numbers = convert(clip, video, records.out, settings, people.detect, poses)
    except DetectorError:
        raise
    except UserError:
        records.drop(clip)
        raise
    finally:
        people.save()                                     # interrupted or not
    tqdm.write(f"{clip.name}: {numbers['kept']} frames kept, {numbers['looked']} looked at"
               + "".join(f"; {note}" for note in notes), file=sys.stdout)
    return records.finish(clip, key, notes, numbers)


def summary(clips, results, problems, out, left_out, settings):
    """The result of a run, and the next command, as text.

    Args:
        clips: of the CSV.
        results: name -> record of those that could be used.
        problems: list of texts.
        out: folder of the data set.
        left_out: names of clips that the CSV does not name any more.
        settings: :class:`dataset.from_video.convert.Settings`.
    """
    done = [clip for clip in clips if clip.name in results]
    if not done:
        return f"{out}: no clip could be used"
    counts = Counter((clip.action, clip.train) for clip in done)
    actions = list(dict.fromkeys(clip.action for clip in done))
    longest = max(results[clip.name]["numbers"]["frames"] for clip in done) if settings.every_frame else settings.clip
    lines = [f"{action}: {counts[action, True]} for training, {counts[action, False]} for testing" for action in actions]
    return "\n".join([f"{len(done)} of {len(clips)} clips in {out}, {len(problems)} problem{'s' * (len(problems) != 1)}; "
                      f"see index.html and report.txt there", *lines,
                      *([f"left out, because the CSV does not name them any more: {', '.join(left_out)}"] if left_out else []),
                      f"next: python -m dataset.penn_action --root {out} --out {out}/lists --actions {','.join(actions)}"
                      + (f" --windows {longest - HORIZON}" if longest != CLIP else "")])


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
            raise DetectorError(f"{error}, {WAYS_OUT}") from None

    return run(options, detector)


if __name__ == "__main__":
    command(main)
