"""Time in clips: the frame rate, the number of steps, what is shown between two poses, and how a clip ends."""
FPS = 8                   # frames a second of clips whose action's or motion's frame rate is not known
STEPS = 16                # of an action, where the user asks for no length


def steps_of(request, fps, default=STEPS):
    """The number of steps that a request asks for, of poses that follow at `fps` a second."""
    return request.steps or (default if request.seconds is None else max(1, round(request.seconds * fps)))
