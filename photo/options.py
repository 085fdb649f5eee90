"""What a user can ask for: the options for photos, and the request that they make."""
import warnings
from pathlib import Path
from typing import NamedTuple

from photo.clip_files import FORMATS, POSES, STRIP
from photo.scene import Scene, read_scene
from photo.timing import BACK, LOOPS
from pose import DEFAULT_DETECTOR, DETECTORS
from pose.foreign_poses import AUTO, POSE_FORMATS, SIDES
from pose.held_things import BY_ACTION, OFF, THINGS
from pose.retarget import BY_BONES, FIRST, MEAN, NONE
from utils.options import OptionGroup, at_home, at_least_one, given_options

EDIT = "edit"             # as --pose: the user places the joints
LIST = "list"             # as --action: only print the names
DEFAULT_FORMATS = ("mp4", STRIP, POSES)
FASTEST = 120             # frames a second
LONGEST = 3600            # seconds


class PhotoRequest(NamedTuple):
    """The photos, where the person is in them, what the person shall do, and where the clips go."""

    photos: list                          # paths of the photo files, or of videos, see :mod:`photo.video_end`
    folder: Path                          # for everything that is written
    actions: str = "all"                  # names of actions with commas between them, or "all"
    pose: Path | None = None              # a pose file, or a folder with one for each photo; None: a detector finds the person
    mask: Path | None = None              # a mask file, or a folder with one for each photo; None: alpha channel or detector
    person: int | None = None             # of several people the one with this number, from 1; None: the most prominent
    detector: str = DEFAULT_DETECTOR      # a name in pose.DETECTORS
    detector_weights: str | None = None   # where the detector's weights are; None: where it finds them by itself
    samples: int = 4                      # n, sampled motions of each action
    steps: int | None = None              # T, steps of each motion; None: as `seconds` says
    seconds: float | None = None          # the same as a time; None: photo.timing.STEPS steps of an action, all of a motion
    motion: Path | None = None            # somebody else's motion instead of actions, see :mod:`photo.motion_file`
    retarget: str = BY_BONES              # with the photo's bone lengths; or "none", the poses as they are
    align: str = FIRST                    # which of its poses corresponds to the photo's, see :mod:`pose.retarget`
    seed: int = 7                         # of the noise, which follows from seed, action and sample alone
    scene: Scene | None = None            # what is shown behind the person; None: the photo's own background
    plate: Path | None = None             # a plate file, or a folder with one for each photo; None: it is filled in
    layers: bool = False                  # whether plate and parts are written
    choose: str = "typical"               # which futures are shown, see :mod:`pose.medoids`; or "random", the first n drawn
    formats: tuple = DEFAULT_FORMATS      # names in photo.clip_files.FORMATS: the files of each clip
    whole: bool = True                    # whether there are clips of the whole photo, too
    fps: float | None = None              # poses a second; None: what the action's data or the motion had, or photo.timing.FPS
    smooth: bool = False                  # poses in between, see :func:`photo.timing.with_between`
    loop: str | None = None               # in photo.timing.LOOPS: how clips repeat without a jump
    pose_format: str = AUTO               # of the pose files, see pose.foreign_poses
    sides: str | None = None              # which side the pose files call left, see pose.foreign_poses
    held: str = BY_ACTION                 # what is looked for in the hands, see :func:`pose.held_things.things_asked_for`


def add_photo_options(parser):
    """Declare the options."""
    photo = parser.add_argument_group("your own photos (with --test)")
    _add_what_happens(photo)
    _add_the_person(photo)
    _add_the_clips(photo)


def _add_what_happens(photo):
    photo.add_argument("--image", nargs="+", metavar="FILE", type=at_home,
                       help="photos to turn into clips, instead of the test list; or short videos, which are continued")
    photo.add_argument("--action", metavar="NAMES", help="what the person shall do: names with commas between them, all, or list "
                                                         "to print the names that the weights know")
    photo.add_argument("--motion", metavar="FILE", type=at_home,
                       help="instead of an action, somebody else's motion: a video, poses of photo mode (.json), an annotation "
                            "(.mat), poses saved by a test (.npz), or a folder of them")
    photo.add_argument("--retarget", choices=(BY_BONES, NONE),
                       help="bones: the motion gets the bone lengths of the photo's person; none: its poses are used as they "
                            "are, in pixels of the photo (default: bones)")
    photo.add_argument("--align", choices=(FIRST, MEAN),
                       help="the pose of the motion that corresponds to the photo's, its first or its mean (default: first)")
    photo.add_argument("--seconds", type=float, metavar="S", help="length of the clips, instead of --steps")


def _add_the_person(photo):
    photo.add_argument("--pose", metavar="FILE", type=at_home,
                       help="JSON file with the person's joints, in pixels of the photo; a folder of such files, named like the "
                            "photos, or a COCO file that names them; or edit, to place the joints by hand (default: a detector "
                            "finds the person)")
    photo.add_argument("--pose_format", choices=POSE_FORMATS, default=AUTO,
                       help="whose joints the file has: Penn Action's 13, COCO's 17, OpenPose's 18 or 25 (default: as it looks)")
    photo.add_argument("--sides", choices=SIDES,
                       help="what the file calls left: the person's own left side, or as Penn Action the right one (default: "
                            "mirrored for Penn Action's 13 joints, own for the others)")
    photo.add_argument("--mask", metavar="FILE", type=at_home,
                       help="PNG file of the photo's size, white where the person is; or a folder of such files, NAME_mask.png "
                            "or NAME.png (default: the photo's alpha channel, or else what the detector finds)")
    photo.add_argument("--held", choices=(BY_ACTION, OFF, *THINGS), default=BY_ACTION,
                       help="what is looked for in the hands and added to the mask that a detector finds (default: auto: a club "
                            "for golf_swing, a bat for baseball_swing)")
    photo.add_argument("--person", type=int, metavar="K", help="number of the person to take if there are several, from 1 "
                                                               "(default: the most prominent, as a rule the largest)")
    photo.add_argument("--detector", choices=DETECTORS, default=DEFAULT_DETECTOR,
                       help="which detector finds the person (default: %(default)s)")
    photo.add_argument("--detector_weights", metavar="PATH", type=at_home,
                       help="weights of the detector, for blazepose a wheel or a folder (default: downloaded once)")


def _add_the_clips(photo):
    photo.add_argument("--background", metavar="WHAT", type=at_home,
                       help="what is behind the person: a picture file; a colour (a name or #rrggbb); or none: clips with an "
                            "alpha channel, as animated WebP and PNG frames (default: the photo's own background)")
    photo.add_argument("--layers", action="store_true", help="also write the photo without the person (plate.png) and the "
                                                             "person's parts (head.png, ...), in a folder NAME_layers")
    photo.add_argument("--plate", metavar="FILE", type=at_home,
                       help="the photo without the person, of the photo's size, perhaps a mended plate.png; or a folder that "
                            "holds NAME_layers/plate.png (default: what the person hides is filled in)")
    photo.add_argument("--fps", type=float, metavar="F", help="poses a second of the clips (default: as in the data that "
                                                                 "the action was learned from, or as in the motion)")
    photo.add_argument("--smooth", action="store_true", help="paint pictures between the poses, about 25 a second together")
    photo.add_argument("--loop", nargs="?", const=BACK, choices=LOOPS,
                       help="clips repeat without a jump: they go back to their beginning (default), or end where they close, at "
                            "the pose nearest to the first one")
    photo.add_argument("--formats", metavar="NAMES", default=",".join(DEFAULT_FORMATS),
                       help=f"what is written for each clip, of {', '.join(FORMATS)}, with commas between them "
                            "(default: %(default)s)")
    photo.add_argument("--no_whole", action="store_true", help="write no clips of the whole photo, only of the person")
    photo.add_argument("--out", metavar="DIR", type=at_home, help="folder for the clips (default: photos/ in the run's folder)")


def check_photo_options(parser, options):
    """Refuse options that do not fit together, and warn of those without effect."""
    at_least_one(parser, options, "person")
    given = given_options(options, "image", "action", "motion", "seconds", "pose", "mask", "person", "detector_weights",
                          "background", "layers", "plate", "fps", "smooth", "loop", "no_whole", "out")
    if given and not options.test:
        parser.error(f"{given[0]} needs --test, and --pretrain DIR or --resume")
    if given and not asks_for_photos(options):
        parser.error(f"{given[0]} needs --image FILE")
    if options.image and not (options.action or options.motion) and options.pose != EDIT:
        parser.error("--image needs --action NAME, several with commas between them, or all (--action list prints the names); or "
                     "--motion FILE")
    if options.motion and options.action and (options.action == "all" or "," in options.action):
        parser.error(f"--action {options.action}: with --motion give one action at most, which the generator is told")
    _check_time_and_formats(parser, options)
    idle = given_options(options, "limit", "gifs", "save_poses") if asks_for_photos(options) else []
    idle += given_options(options, "sides") if options.pose in (None, EDIT) else []
    idle += given_options(options, "samples") if options.motion else given_options(options, "retarget", "align")
    if idle:
        warnings.warn(f"without effect here: {', '.join(idle)}", stacklevel=3)


def _check_time_and_formats(parser, options):
    for name, unit, most in (("fps", "frames a second", FASTEST), ("seconds", "seconds", LONGEST)):
        value = getattr(options, name)
        if value is not None and not 0 < value <= most:
            parser.error(f"--{name} {value:g}: expected more than 0 and at most {most} {unit}")
    if options.seconds and options.steps:
        parser.error("--seconds and --steps both say how long a clip is: give only one of them")
    unknown = [name for name in chosen_formats(options.formats) if name not in FORMATS]
    if unknown or not chosen_formats(options.formats):
        parser.error(f"--formats {options.formats}: expected one or several of {', '.join(FORMATS)}, with commas between them")


PHOTO_OPTIONS = OptionGroup(add_photo_options, check_photo_options, lambda options: not options.motion)


def asks_for_photos(options):
    """Whether photos shall become clips, or the names of the actions be printed, instead of a test."""
    return bool(options.test and (options.image or options.action == LIST))


def chosen_formats(text):
    """The names in `--formats`, separated by commas."""
    return tuple(dict.fromkeys(name.strip() for name in text.lower().split(",") if name.strip()))


def photo_request(options, folder):
    """The :class:`PhotoRequest` of some options; `folder` is where clips go if --out does not say."""
    same = {name: value for name, value in vars(options).items() if name in PhotoRequest._fields and value not in (None, "")}
    if options.pose == EDIT:
        del same["pose"]
    same |= {name: Path(same[name]) for name in ("motion", "pose", "mask", "plate") if name in same}
    if options.background:
        same["scene"] = read_scene(options.background)
    return PhotoRequest(**same | {
        "photos": [Path(path) for path in options.image], "folder": Path(options.out or folder),
        "actions": options.action or "all", "formats": chosen_formats(options.formats), "whole": not options.no_whole})
