"""What the people in photos shall do: the actions or the motions of a request."""
import difflib
import warnings

from photo.motion_file import read_motions
from photo.motions import carry_over, closing, in_between, sample_motions
from photo.timing import CLOSE, steps_of
from utils.errors import UserError


def plan_motions(trainer, request, margins, finder, timing):
    """What the people in all photos of a request shall do.

    Args:
        trainer, request, margins, timing: see :func:`photo.make_clips.make_clips`.
        finder: :class:`photo.find_person.PersonFinder`, whose detector looks at videos of motions.
    Returns:
        a function of :class:`photo.crop.Subject` with the result {name of an action or a motion: list of
        :class:`photo.motions.Sample`}.
    """
    known = trainer.config.actions
    actions = choose_actions(request.actions, known)
    motions = read_motions(request, finder) if request.motion else []
    asked = 0 if motions else max(steps_of(request, timing.of(action, request)) for action in actions)
    if timing.steps and asked > timing.steps:
        warnings.warn(f"{asked} steps: these weights learned to look {timing.steps} steps ahead; after that motion fades or "
                      "strays", stacklevel=2)

    def motions_of(subject):
        if motions:
            samples = {motion.name: [carry_over(motion, subject, motion.action if motion.action in known else actions[0],
                                                request)] for motion in motions}
        else:
            samples = {action: sample_motions(trainer, subject, action, margins.of(action, subject.person.joints), request,
                                              timing) for action in actions}
        changes = [in_between] * request.smooth + [closing] * (request.loop == CLOSE)
        for change in changes:
            samples = {name: list(map(change, several)) for name, several in samples.items()}
        return samples

    return motions_of


def choose_actions(text, known):
    """The names in `--action`, separated by commas; `all` for all of `known`. Raises :class:`UserError` for an unknown one."""
    if text == "all":
        return list(known)
    names = list(dict.fromkeys(name.strip().replace(" ", "_") for name in text.split(",") if name.strip()))
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.4)
            raise UserError(f"--action {name}: these weights do not know it; " +
                            (f"did you mean {near[0]}?" if near else "--action list prints what they know"))
    if not names:
        raise UserError("--action: no name given; --action list prints what these weights know")
    return names
