"""Read motions that the user gives instead of an action: videos, pose files, annotations, or the poses that a test saved.

Axes: T poses, J = 13 joints.
"""
import warnings
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from dataset.from_video.actions import ANIMATIONS, ENDINGS
from dataset.from_video.poses import read_csv
from dataset.from_video.reading import read_frames, read_index
from dataset.from_video.tracking import MAX_GAP, clean, interpolate, main_person
from dataset.penn_action import read_annotation
from evaluation.row_files import read_saved_poses
from photo.timing import FPS, at_times
from pose.foreign_poses import frame_numbers
from pose.missing_joints import missing
from pose.plausible import is_outside
from pose.pose_file import NobodyError, complete_poses, is_keypoint_list, read_about, read_known, read_people
from pose.skeleton import JOINTS
from utils.errors import UserError
from utils.files import file_stem, unused_name

VIDEOS = ENDINGS | ANIMATIONS
MOST_LISTED = 8           # frames named in a message
MAX_FRAME = 1280          # pixels; the detector sees larger frames of a video at this size


class SourceMotion(NamedTuple):
    """A motion of another person."""

    name: str                # in headings and names of files
    joints: np.ndarray       # (T, J, 2) float64 finite, T > 1
    fps: float | None        # poses a second; None: not known
    size: tuple | None       # (h, w) of the pictures in whose pixels the joints are; None: not known
    action: str | None = None    # that it shows; None: not known
    start: float = 0.0       # seconds in the file at which it begins


def read_motions(options, detector):
    """Read the motions that :class:`photo.options.MotionOptions` name, at their frame rate and no longer than they say.

    `detector` is a :class:`photo.inputs.LazyDetector` that finds the person in a video.

    Returns:
        list of :class:`SourceMotion` with different names.
    """
    motions = {}
    for motion in _read(options.motion, options, detector):
        if not (motion.fps or options.fps):
            warnings.warn(f"{motion.name}: the frame rate of this motion is not known: {FPS} poses a second, or --fps F",
                          stacklevel=2)
        motion = in_time(motion, options)
        if len(motion.joints) < 2:
            raise UserError(f"{options.motion}: {motion.name}: a motion needs two poses at least")
        name = unused_name(file_stem(motion.name, "motion"), motions)
        motions[name] = motion._replace(name=name)
    return list(motions.values())


def in_time(motion, options):
    """The part of a motion that the options name, at their frame rate and no longer than they say."""
    fps = motion.fps or options.fps or FPS
    times = motion.start + np.arange(len(motion.joints)) / fps
    joints = motion.joints[(times > options.motion_start - 1e-6) & (times < options.motion_end + 1e-6)]
    if options.fps and options.fps != fps and len(joints):
        count = int((len(joints) - 1) * options.fps / fps + 1e-6) + 1
        joints, fps = at_times(joints, np.arange(count) * fps / options.fps), options.fps
    return motion._replace(joints=joints[:options.steps_at(fps, len(joints) - 1) + 1], fps=fps)


def _read(path, options, detector):
    if not path.exists():
        raise UserError(f"--motion {path}: there is no such file")
    ending = path.suffix.lower()
    if path.is_dir():
        return _read_folder(path, options, detector)
    if ending == ".npz":
        return [SourceMotion(name, joints, None, None, action) for name, joints, action in read_saved_poses(path)]
    if ending == ".mat":
        annotation = read_annotation(path)
        return [SourceMotion(annotation.video, filled(known_joints(annotation), path), None, annotation.size, annotation.action)]
    if ending == ".json" or ending == ".csv" and is_keypoint_list(path):
        return [_read_json(path)]
    if ending == ".csv":
        return [SourceMotion(path.stem, filled(read_csv(path)[0], path), None, None)]
    if ending in VIDEOS:
        return [_read_video(path, options, detector)]
    raise UserError(f"--motion {path}: expected a video ({' '.join(sorted(VIDEOS))}), poses (.json, .csv), an annotation "
                    "(.mat), poses saved by a test (.npz), or a folder of them")


def _read_json(path):
    joints, about = filled(read_known(path)[0], path), read_about(path)
    fps, photo = about.get("fps"), about.get("photo")
    if fps is not None and not (isinstance(fps, (int, float)) and 0 < fps < 1000):
        raise UserError(f"{path}: fps is {fps!r}, expected frames a second")
    try:
        size = (int(photo["height"]), int(photo["width"]))
    except (TypeError, KeyError, ValueError):
        size = None
    return SourceMotion(path.stem, joints, fps, size)


def filled(joints, place):
    """Estimate missing joints of poses (T, J, 2), which are NaN, and interpolate frames without a pose; both are reported.

    Frames before the first and after the last pose are left out. Raises :class:`UserError` if there is no pose; `place` begins
    the messages.
    """
    poses = complete_poses(joints)
    present = np.isfinite(poses).all((1, 2))
    known, gaps = np.flatnonzero(present), np.flatnonzero(~present)
    if not len(known):
        raise UserError(f"{place}: nobody was found in any frame")
    counts = missing(joints[known]).sum(0)
    if counts.any():
        listed = ", ".join(f"{name} in {count}" for name, count in zip(JOINTS, counts) if count)
        warnings.warn(f"{place}: missing joints were estimated from the others: {listed} of {len(joints)} frames", stacklevel=2)
    if len(gaps):
        listed = ", ".join(map(str, gaps[:MOST_LISTED] + 1)) + (", ..." if len(gaps) > MOST_LISTED else "")
        warnings.warn(f"{place}: nobody was found in {len(gaps)} of {len(joints)} frames ({listed}); poses in between are "
                      "interpolated", stacklevel=2)
    return at_times(poses, np.arange(known[0], known[-1] + 1))


def known_joints(annotation):
    """The joints (T, J, 2) of an annotation, NaN where they are not visible and lie at the origin or outside of the frame."""
    joints, hidden = annotation.joints, ~annotation.visibility
    nowhere = hidden & ((joints <= 1).all(-1) | is_outside(joints, annotation.size))           # MATLAB's origin is (1, 1)
    return np.where(nowhere[..., None], np.nan, joints)


def _read_folder(folder, options, detector):
    """The motion of each file in a folder; or one motion of all files, if each holds the pose of one frame, or nobody.

    Single poses beside motions are those of photos.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".json", ".npz", ".mat", *VIDEOS})
    single = {path: pose for path in files if path.suffix.lower() == ".json" and (pose := _single_pose(path)) is not None}
    motions = [motion for path in files if path not in single for motion in _read(path, options, detector)]
    if not motions and len(single) > 1:
        numbers = frame_numbers(single)
        joints = np.full((max(numbers) + 1, len(JOINTS), 2), np.nan)
        joints[numbers] = list(single.values())
        motions = [SourceMotion(folder.name, filled(joints, folder), None, None)]
    if not motions:
        raise UserError(f"--motion {folder}: neither motions nor several poses in this folder")
    return motions


def _single_pose(path):
    """The pose (J, 2) in a file for one frame, NaN where joints are missing; None if it is another file."""
    try:
        pose = read_people(path)[0]
    except NobodyError:
        return np.full((len(JOINTS), 2), np.nan)
    except UserError:
        return None
    return np.where(pose.estimated[:, None], np.nan, pose.joints)


def _read_video(path, options, detector):
    """Find a person of a video in every frame, track and smooth the poses, and sample them at a constant frame rate.

    The length that the options name begins with the first frame in which somebody is found, after a title.
    """
    tracker, index = detector.get().tracker(), read_index(path)
    video_fps = (len(index.times) - 1) / index.times[-1] if len(index.times) > 1 else 0
    if not video_fps:
        raise UserError(f"{path}: a motion needs two frames at least")
    fps = min(video_fps, options.fps or video_fps)
    seconds = options.steps_at(fps, len(index.times)) / fps
    wanted = np.arange(options.motion_start, min(options.motion_end, index.times[-1]) + 1e-6, 1 / fps)     # evenly spaced
    if not len(wanted):
        raise UserError(f"{path}: --motion_start and --motion_end leave nothing of this video of {index.times[-1]:.1f} s")
    chosen = np.unique(np.abs(index.times[:, None] - wanted).argmin(0))
    found, numbers, sizes, begins = [], [], set(), None
    frames = read_frames(path, index, chosen, MAX_FRAME)
    for number, picture, ratio in tqdm(frames, f"people in {path.name}"[:40], len(chosen), leave=False, disable=None):
        sizes.add(tuple(round(side / ratio) for side in picture.shape[:2]))
        if len(sizes) > 1:
            raise UserError(f"{path}: the size of its frames changes in the middle")
        found.append(tracker.detect(picture))
        numbers.append(number)
        begins = begins if begins is not None or not found[-1] else index.times[number]
        if begins is not None and index.times[number] > begins + seconds:
            break
    times = index.times[numbers]
    track = clean(main_person(found, times, options.motion_person or 1), times)
    known = times[track.present]
    if len(known) < 2:
        number = f" with the number --motion_person {options.motion_person}" if options.motion_person else ""
        raise UserError(f"{path}: nobody{number} is found in it")
    if max(map(len, found)) > 1 and not options.motion_person:
        warnings.warn(f"{path}: several people are found; the most prominent is followed, --motion_person 2 follows the next",
                      stacklevel=2)
    gap = np.diff(known).max()
    if gap > MAX_GAP + 1 / fps:
        warnings.warn(f"{path}: nobody is found for {gap:.1f} s in the middle; poses in between are interpolated", stacklevel=2)
    wanted = wanted[(wanted > known[0] - 0.5 / fps) & (wanted < known[-1] + 0.5 / fps)]
    joints = [interpolate(wanted, known, track.joints[track.present, joint]) for joint in range(track.joints.shape[1])]
    return SourceMotion(path.stem, np.stack(joints, 1) / ratio, float(fps), sizes.pop(), start=float(wanted[0]))
