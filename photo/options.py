"""The options for photos, and the request that they make."""
import math
from argparse import ArgumentTypeError
from pathlib import Path
from typing import NamedTuple

from photo.clip_files import FORMATS, POSES, STRIP
from photo.timing import BACK, LOOPS, STEPS
from pose import DEFAULT_DETECTOR, DETECTORS
from pose.foreign_poses import AUTO, POSE_FORMATS, SIDES
from pose.held_objects import BY_ACTION, OFF, THINGS
from pose.medoids import TYPICAL
from pose.retarget import BY_BONES, FIRST, MEAN, NONE
from utils.options import TEST, Rule, at_home, number

EDIT = "edit"             # as --pose: the user places the joints
LIST = "list"             # as --action: only print the names
DEFAULT_FORMATS = ("mp4", STRIP, POSES)
MAX_FPS = 120
MAX_SECONDS = 3600


class SubjectOptions(NamedTuple):
    """Which person of a photo is meant, and which pixels are the person."""

    pose: Path | None = None              # pose file, or a folder with one for each photo; None: a detector finds the person
    pose_format: str = AUTO               # of the pose files, see pose.foreign_poses
    sides: str | None = None              # which side the pose files call left, see pose.foreign_poses
    mask: Path | None = None              # mask file, or a folder with one for each photo; None: alpha channel or detector
    plate: Path | None = None             # background file, or a folder with one for each photo; None: it is inpainted
    held: str = BY_ACTION                 # the held objects to look for, see :func:`pose.held_objects.objects_asked_for`
    person: int | None = None             # number of the person among several, from 1; None: the most prominent
    detector: str = DEFAULT_DETECTOR      # a name in pose.DETECTORS
    detector_weights: str | None = None   # None: where the detector finds them by itself


class MotionOptions(NamedTuple):
    """What the person does."""

    actions: str = "all"                  # names with commas between them, or "all"
    samples: int = 4                      # motions of each action
    choose: str = TYPICAL                 # which futures are shown, see :mod:`pose.medoids`; or "random", the first samples
    seed: int = 7                         # the noise depends on seed, action and sample alone
    motion: Path | None = None            # somebody else's motion instead of actions, see :mod:`photo.motion_file`
    retarget: str = BY_BONES              # with the photo's bone lengths; or "none", the poses as they are
    align: str = FIRST                    # which pose of the motion corresponds to the photo's, see :mod:`pose.retarget`
    steps: int | None = None              # length of each motion; None: as `seconds` says
    seconds: float | None = None          # the same as a time; None: STEPS steps of an action, all of a motion
    fps: float | None = None              # poses a second; None: that of the training data or of the motion, else 8
    smooth: bool = False                  # whether to interpolate poses, see :func:`photo.timing.interpolated`
    loop: str | None = None               # in LOOPS: how clips repeat without a jump
    motion_start: float = 0.0             # seconds: the part of the motion that is used
    motion_end: float = math.inf
    motion_person: int | None = None      # number of the person in a video; None: the most prominent
    force: bool = False                   # whether joints outside the photo may move

    def steps_at(self, fps, default=STEPS):
        """The number of steps of a motion with this frame rate."""
        return self.steps or (default if self.seconds is None else max(1, round(self.seconds * fps)))


class ClipOptions(NamedTuple):
    """Which files are written."""

    background: str | None = None         # a picture file, a colour or "none"; None: the photo's own background
    layers: bool = False                  # whether the background and the parts of the person are written
    formats: tuple = DEFAULT_FORMATS      # names in FORMATS
    whole: bool = True                    # whether there are clips of the whole photo, too


class PhotoRequest(NamedTuple):
    """Everything that a user asks of photo mode."""

    photos: list                          # paths of photos, or of videos, which are continued from their last frames
    folder: Path                          # for everything that is written
    subject: SubjectOptions = SubjectOptions()
    motion: MotionOptions = MotionOptions()
    clips: ClipOptions = ClipOptions()


PHOTO = Rule("needs --image FILE", lambda options: asks_for_photos(options))
WHAT = Rule("needs --action NAME, several with commas between them, or all (--action list prints the names); or --motion FILE",
            lambda options: options.action or options.motion or options.pose == EDIT)
ONE_ACTION = Rule("names several actions: with --motion give at most one action",
                  lambda options: not options.motion or options.action != "all" and "," not in options.action)
MOTION = Rule("needs --motion FILE", lambda options: options.motion)
BONES = Rule("has no effect with --retarget none", lambda options: options.retarget != NONE)
POSE_FILE = Rule("needs --pose FILE", lambda options: options.pose not in (None, EDIT))
LENGTH = Rule("and --steps both say how long a clip is: give only one of them", lambda options: not options.steps)


def add_photo_options(parser):
    add, seconds = parser.adder("your own photos (with --test; docs/photo.md)", TEST, PHOTO), number(float, 0.01, MAX_SECONDS)
    add("--image", nargs="+", metavar="FILE", type=at_home, rules=[WHAT],
        help="photos to turn into clips, instead of the test list; or short videos, which are continued from their last frames")
    add("--action", metavar="NAMES", rules=[ONE_ACTION],
        help="what the person does next: names with commas between them, all, or list to print the names that the weights know")
    add("--motion", metavar="FILE", type=at_home,
        help="somebody else's motion instead of an action: a video or GIF, poses (.json), an annotation (.mat), poses saved by a "
             "test (.npz), or a folder of them")
    add("--motion_start", type=number(float, 0, MAX_SECONDS), metavar="S", rules=[MOTION],
        help="second of the motion at which to begin (default: 0)")
    add("--motion_end", type=seconds, metavar="S", rules=[MOTION], help="second at which to stop (default: the end)")
    add("--motion_person", type=number(int, 1), metavar="K", rules=[MOTION],
        help="person to follow in a video of several (default: 1, the most prominent)")
    add("--retarget", choices=(BY_BONES, NONE), rules=[MOTION],
        help="bones (default): the motion gets the photo's bone lengths; none: its poses are used as they are")
    add("--align", choices=(FIRST, MEAN), rules=[MOTION, BONES],
        help="the pose of the motion that corresponds to the photo's, its first (default) or its mean")
    add("--seconds", type=seconds, metavar="S", rules=[LENGTH], help="length of the clips, instead of --steps")
    add("--fps", type=number(float, 0.1, MAX_FPS), metavar="F",
        help="poses a second of the clips (default: as in the training data of the action, or as in the motion)")
    add("--smooth", action="store_true", help="also render pictures between the poses, for about 25 pictures a second")
    add("--loop", nargs="?", const=BACK, choices=LOOPS,
        help="clips play forwards and then backwards (default), or end at the pose nearest to the first one (close)")
    add("--force", action="store_true", help="also render motions that need joints outside the photo")
    add("--pose", metavar="FILE", type=at_home,
        help="JSON file with the person's joints, or a folder of such files; or edit, to place the joints by hand")
    add("--pose_format", choices=POSE_FORMATS, default=AUTO, rules=[POSE_FILE], help="of these files (default: recognised)")
    add("--sides", choices=SIDES, rules=[POSE_FILE],
        help="what they call left: the person's own left side, or as in Penn Action the right one")
    add("--mask", metavar="FILE", type=at_home, help="PNG file, white where the person is, or a folder of such files")
    add("--held", choices=(BY_ACTION, OFF, *THINGS), default=BY_ACTION,
        help="held object to add to the mask (default: auto, a club for golf_swing and a bat for baseball_swing)")
    add("--person", type=number(int, 1), metavar="K", help="person to take of several (default: 1, the most prominent)")
    add("--detector", choices=DETECTORS, default=DEFAULT_DETECTOR, help="which detector finds the person (default: %(default)s)")
    add("--detector_weights", metavar="PATH", type=at_home, help="weights of the detector (default: downloaded once)")
    add("--background", metavar="WHAT", type=at_home,
        help="what is behind the person: a picture file; a colour (a name or #rrggbb); or none: clips with an alpha channel")
    add("--plate", metavar="FILE", type=at_home,
        help="the photo without the person (default: inpainted); or a folder that holds NAME_layers/plate.png")
    add("--layers", action="store_true", help="also write the photo without the person and the person's parts to NAME_layers")
    add("--formats", metavar="NAMES", type=chosen_formats, default=DEFAULT_FORMATS,
        help=f"files of each clip, of {', '.join(FORMATS)}, with commas between them (default: {','.join(DEFAULT_FORMATS)})")
    add("--no_whole", action="store_true", help="write no clips of the whole photo, only of the person")
    add("--out", metavar="DIR", type=at_home, help="folder for the clips (default: photos/ in the run's folder)")


def asks_for_photos(options):
    """Whether the options ask for clips of photos, or for the names of the actions, instead of a test."""
    return bool(options.test and (options.image or options.action == LIST))


def chosen_formats(text):
    """The names in `--formats`, separated by commas."""
    names = tuple(dict.fromkeys(name.strip() for name in text.lower().split(",") if name.strip()))
    if not names or not {*names} <= {*FORMATS}:
        raise ArgumentTypeError(f"{text}: expected one or several of {', '.join(FORMATS)}, with commas between them")
    return names


def photo_request(options, folder):
    """The :class:`PhotoRequest` of parsed options; `folder` is where clips go if --out does not say."""
    given = {name: value for name, value in vars(options).items() if value not in (None, "")}
    if options.pose == EDIT:
        del given["pose"]
    given |= {name: Path(given[name]) for name in ("motion", "pose", "mask", "plate") if name in given}
    given |= {"actions": options.action or "all", "whole": not options.no_whole}
    groups = (group(**{name: given[name] for name in group._fields if name in given})
              for group in (SubjectOptions, MotionOptions, ClipOptions))
    return PhotoRequest([Path(path) for path in options.image], Path(options.out or folder), *groups)
