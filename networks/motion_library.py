"""A library of real motions, and the motions in it that begin with the pose most like a given one.

The library holds every frame of the training rows once. Each frame knows the frame that follows it in its video, so that the
windows of a video, which overlap, share their frames. A window is named by its first frame.

Axes: B rows, T steps, J = 13 joints, F frames, W windows of an action, V videos of an action, k neighbours of a row. Poses are
normalised picture coordinates in [-1, 1].
"""
from typing import NamedTuple

import torch
from torch import nn

from pose.skeleton import body_size, mirror_pose

LEAST_STEPS = 16          # targets that a window needs
PLACE = 0.15              # weight of a person's place and size in the distance of two poses, against that of its joints
QUERIES = 256             # rows whose distances are in memory together


class Neighbours(NamedTuple):
    """Windows of the library for each of B rows, the nearest first."""

    first: torch.Tensor      # (B, k) int64, number of the window's first frame
    mirrored: torch.Tensor   # (B, k) bool, whether the window is seen in a mirror
    distance: torch.Tensor   # (B, k), infinite where the action has fewer than k videos


def in_body_units(pose):
    """Poses (B, J, 2) -> (centred and scaled poses (B, J, 2), centre (B, 1, 2), logarithm of the body size (B, 1, 1))."""
    centre, size = pose.mean(1, keepdim=True), body_size(pose)[..., 0].clamp(min=1e-6)
    return (pose - centre) / size, centre, size.log()


def descriptor(pose):
    """What two poses are compared by: (B, J, 2) -> (B, 2 J + 3), whose Euclidean distance is the distance of the poses."""
    body, centre, size = in_body_units(pose)
    place = PLACE * pose.shape[1] ** 0.5 * torch.cat([centre, size], -1)             # (B, 1, 3)
    return torch.cat([body.flatten(1), place.flatten(1)], 1)


def mirrored_where(flags, poses):
    """Poses (..., J, 2), mirrored where `flags`, whose shape begins like that of the poses, is true."""
    return torch.where(flags.view(*flags.shape, *[1] * (poses.ndim - flags.ndim)), mirror_pose(poses), poses)


class MotionLibrary(nn.Module):
    """Real motions as buffers, so that they are a part of the weights.

    Args:
        frames: F; 0: empty, until :meth:`fill`.
        num_joints: J.
    """

    def __init__(self, frames=0, num_joints=13):
        super().__init__()
        self.register_buffer("poses", torch.zeros(frames, num_joints, 2, dtype=torch.float16))
        self.register_buffer("following", torch.zeros(frames, dtype=torch.int32))        # the last frame is followed by itself
        self.register_buffer("video", torch.zeros(frames, dtype=torch.int32))
        self.register_buffer("action", torch.zeros(frames, dtype=torch.uint8))
        self.register_buffer("starts", torch.zeros(frames, dtype=torch.bool))            # whether a window begins here

    def __len__(self):
        return len(self.poses)

    def fill(self, data):
        """Take the motions of the training rows in place of those that are here.

        Args:
            data: :class:`dataset.image_loader2.PennActionPairs` or :class:`dataset.mixture.TrainingPairs`.
        """
        parts = [frames_of(rows) for rows in getattr(data, "sets", [data])]
        frames = videos = 0
        for part in parts:
            part["following"] += frames
            part["video"] += videos
            frames, videos = frames + len(part["poses"]), int(part["video"].max()) + 1
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, torch.cat([part[name] for part in parts]).to(buffer))

    def knows(self, action):
        """Whether there are windows of the actions (B,): (B,) bool."""
        return torch.isin(action, self.action[self.starts].unique().to(action.dtype))

    def windows(self, first, mirrored, steps):
        """The poses of windows whose numbers are `first` (...): (..., T + 1, J, 2) float32; the last frame of a video repeats."""
        numbers = [first]
        for _ in range(steps):
            numbers.append(self.following[numbers[-1]].long())
        return mirrored_where(mirrored, self.poses[torch.stack(numbers, -1)].float())

    def nearest(self, pose, action, count, own=None):
        """The nearest windows of the same action, the best one of each video.

        Args:
            pose: (B, J, 2).
            action: (B,) int64 ids.
            count: k.
            own: (B,) numbers of videos that are left out, one for each row, or None.
        Returns:
            :class:`Neighbours`.
        """
        shape = len(pose), count
        first, distance = action.new_zeros(shape), pose.new_full(shape, float("inf"))
        mirrored = torch.zeros(shape, dtype=torch.bool, device=pose.device)
        for number in action.unique().tolist():
            windows = (self.starts & (self.action == number)).nonzero()[:, 0]        # (W,)
            if not len(windows):
                continue
            by_video, videos = grouped(windows, self.video[windows])                 # (V, most windows of a video), (V,)
            known = descriptor(self.poses[windows].float())                          # (W, 2 J + 3)
            place = torch.full((len(self) + 1,), len(windows), device=pose.device)   # of a frame among the windows
            place[windows] = torch.arange(len(windows), device=pose.device)
            columns = place[by_video]                                                # as by_video, W where there is none
            for rows in (action == number).nonzero()[:, 0].split(QUERIES):
                both = torch.stack([torch.cdist(descriptor(seen), known) for seen in (pose[rows], mirror_pose(pose[rows]))], -1)
                both = torch.cat([both, both.new_full((len(rows), 1, 2), float("inf"))], 1)              # (b, W + 1, 2)
                best, which = both[:, columns].flatten(2).min(-1)                    # (b, V) each
                if own is not None:
                    best = best.masked_fill(own[rows, None] == videos, float("inf"))
                near, video = best.topk(min(count, len(videos)), largest=False)      # (b, <= k)
                which = which.gather(1, video)
                some = rows[:, None], torch.arange(near.shape[1], device=pose.device)
                first[some], mirrored[some], distance[some] = by_video[video, which // 2], which % 2 == 1, near
        return Neighbours(first.clamp(max=max(0, len(self) - 1)), mirrored, distance)


def grouped(windows, video):
    """Windows (W,) by their videos (W,): (V, most of a video) numbers, filled up with -1, and the videos (V,)."""
    videos, inverse, counts = video.unique(return_inverse=True, return_counts=True)
    order = inverse.argsort(stable=True)
    column = torch.arange(len(windows), device=windows.device) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    table = windows.new_full((len(videos), int(counts.max())), -1)
    table[inverse[order], column] = windows[order]
    return table, videos


def frames_of(data):
    """The frames of the rows of one list as the buffers of :class:`MotionLibrary`, a dict."""
    numbers = torch.from_numpy(data.cached)                                          # (N, T + 1)
    count = int(numbers.max()) + 1
    found = {"poses": torch.zeros(count, *data.poses.shape[2:]), "following": torch.arange(count),
             "video": torch.zeros(count, dtype=torch.int64), "action": torch.zeros(count, dtype=torch.int64),
             "starts": torch.zeros(count, dtype=torch.bool)}
    known = {}
    video = torch.tensor([known.setdefault((paths[0].rpartition("/")[0], tuple(crop)), len(known))
                          for paths, crop in zip(data.rows.frames, data.crop.tolist())])
    found["poses"][numbers] = data.poses
    found["video"][numbers] = video[:, None].expand_as(numbers)
    found["action"][numbers] = data.action[:, None].expand_as(numbers)
    before, after = numbers[:, :-1].flatten(), numbers[:, 1:].flatten()
    moving = before != after                                                         # a padded row repeats its last frame
    found["following"][before[moving]] = after[moving]
    found["starts"][numbers[data.valid_steps >= LEAST_STEPS, 0]] = True
    return found
