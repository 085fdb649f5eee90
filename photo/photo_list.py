"""The photos of a request: their names in files, and work on one after the other."""
import sys
from pathlib import Path
from typing import NamedTuple

from pose.pose_file import is_of_several_pictures
from utils.errors import FailedRun, UserError
from utils.files import file_stem, unused_name

# how the names of files go on that belong to a photo, in a folder that the user gives
POSE_FILES = ("_keypoints.json", ".json")                # OpenPose's name first
MASK_FILES = ("_mask.png", ".png")
PLATE, LAYERS = "plate.png", "_layers"                   # the plate lies in the folder of the layers


class Photo(NamedTuple):
    """A photo file, and the stem of the names of what is written for it, which no other photo has."""

    path: Path
    stem: str

    @property
    def heading(self):
        """What the page calls it."""
        return self.stem + self.path.suffix


def name_photos(request):
    """The :class:`Photo` s of a request, whose folder is made.

    Raises:
        UserError: one file is given where several photos need one each, or the folder cannot be made.
    """
    photos = {}
    for path in request.photos:
        stem = unused_name(file_stem(path.stem, "photo"), photos)
        photos[stem] = Photo(path, stem)
    photos = list(photos.values())
    for option, given, ending in (("--pose", request.pose, ".json, or a COCO file that names them"),
                                  ("--mask", request.mask, "_mask.png"), ("--plate", request.plate, f"{LAYERS}/{PLATE}")):
        if given and len(photos) > 1 and not given.is_dir() and not (
                option == "--pose" and is_of_several_pictures(given, request.pose_format)):
            raise UserError(f"{option} {given}: for {len(photos)} photos give a folder with a file for each, like "
                            f"{photos[0].path.stem}{ending}")
    try:
        request.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{request.folder}: this folder for the clips cannot be made ({error.strerror})") from None
    return photos


def file_for(path, *names):
    """A file itself, or of a folder the first file that has one of these names; the last one if it has none."""
    files = [path / name for name in names] if path.is_dir() else [path]
    return next((file for file in files if file.is_file()), files[-1])


def work_on_each(photos, work):
    """Call `work(photo)` for all photos; of several, those that cannot be used are told. Returns the exit status."""
    bad = 0
    for photo in photos:
        try:
            work(photo)
        except FailedRun:
            raise
        except UserError as error:
            if len(photos) == 1:
                raise
            print(f"error: {error}", file=sys.stderr, flush=True)
            bad += 1
    return 0 if not bad else 1 if bad < len(photos) else 2
