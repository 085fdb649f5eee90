"""A library of real motions, and the motions in it that begin with the pose most like a given one.

The library holds every frame of the training windows once, smoothed a little in time, because half of the acceleration of
annotated joints is jitter. The frames of a video follow each other, so overlapping windows share their frames. A window is named
by its first frame.

Axes: B rows, T steps, J = 13 joints, F frames, W windows of an action, V videos of an action, k neighbours of a row. Poses are
normalised picture coordinates in [-1, 1].
"""
from typing import NamedTuple

import torch
from torch import nn

from pose.skeleton import body_size, mirror_pose

PLACE = 0.15              # weight of a person's place and size in the distance of two poses, against that of its joints
QUERIES = 256             # rows whose distances are in memory together


class Neighbours(NamedTuple):
    """Windows of the library for each of B rows, the nearest first."""

    first: torch.Tensor      # (B, k) int64, number of the window's first frame
    mirrored: torch.Tensor   # (B, k) bool
    distance: torch.Tensor   # (B, k), infinite where the action has fewer than k videos


def in_body_units(pose):
    """Poses (B, J, 2) -> (centred and scaled poses (B, J, 2), centre (B, 1, 2), logarithm of the body size (B, 1, 1))."""
    centre, size = pose.mean(1, keepdim=True), body_size(pose)[..., 0].clamp(min=1e-6)
    return (pose - centre) / size, centre, size.log()


def descriptor(pose):
    """Poses (B, J, 2) -> (B, 2 J + 3), whose Euclidean distance is the distance of two poses."""
    body, centre, size = in_body_units(pose)
    place = PLACE * pose.shape[1] ** 0.5 * torch.cat([centre, size], -1)             # (B, 1, 3)
    return torch.cat([body.flatten(1), place.flatten(1)], 1)


class MotionLibrary(nn.Module):
    """Real motions as buffers, so that they are a part of the weights; `frames` is F, 0 until :meth:`fill`."""

    def __init__(self, frames=0, num_joints=13):
        super().__init__()
        self.register_buffer("poses", torch.zeros(frames, num_joints, 2, dtype=torch.float16))
        self.register_buffer("following", torch.zeros(frames, dtype=torch.uint8))        # frames of the same video after this one
        self.register_buffer("video", torch.zeros(frames, dtype=torch.int32))
        self.register_buffer("action", torch.zeros(frames, dtype=torch.uint8))
        self.register_buffer("starts", torch.zeros(frames, dtype=torch.bool))            # whether a training window begins here

    def __len__(self):
        return len(self.poses)

    def fill(self, data, most=0):
        """Replace the library by the motions of training data, at most about `most` frames (0: all), see :func:`thinned`."""
        parts, videos = [frames_of(windows) for windows in getattr(data, "sets", [data])], 0
        for part in parts:
            part["video"] += videos
            videos = int(part["video"].max()) + 1
        whole = {name: torch.cat([part[name] for part in parts]) for name, _ in self.named_buffers()}
        kept = thinned(whole["video"], whole["following"] == 0, most or len(whole["video"]))
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, whole[name][kept].to(buffer))

    def windows_of(self, action, steps):
        """The windows of an action id with at least so many steps: (W,)."""
        return (self.starts & (self.following >= steps) & (self.action == action)).nonzero()[:, 0]

    def knows(self, action, steps):
        """Whether there are windows of the actions (B,) with at least so many steps: (B,) bool."""
        return torch.isin(action, self.action[self.starts & (self.following >= steps)].unique().to(action.dtype))

    def windows(self, first, mirrored, steps):
        """The poses of windows, first and mirrored (...) -> (..., T + 1, J, 2) float32; the last frame of a video repeats."""
        ahead = torch.arange(steps + 1, device=first.device)
        poses = self.poses[first[..., None] + torch.minimum(ahead, self.following[first][..., None].long())].float()
        return torch.where(mirrored[..., None, None, None], mirror_pose(poses), poses)

    def nearest(self, pose, action, count, steps, own=None):
        """Find the k = `count` nearest windows of the same action and enough steps, the best one of each video.

        pose (B, J, 2), action (B,), own None or (B,) videos that are left out -> :class:`Neighbours`.
        """
        shape = len(pose), count
        first, distance = action.new_zeros(shape), pose.new_full(shape, float("inf"))
        mirrored = torch.zeros(shape, dtype=torch.bool, device=pose.device)
        on_cpu = action.cpu()
        for number in on_cpu.unique().tolist():
            windows = self.windows_of(number, steps)                                 # (W,)
            if not len(windows):
                continue
            columns, videos = grouped(self.video[windows])                           # (V, most windows of a video), (V,)
            known = descriptor(self.poses[windows].float())                          # (W, 2 J + 3)
            for rows in (on_cpu == number).nonzero()[:, 0].to(pose.device).split(QUERIES):
                both = torch.stack([torch.cdist(descriptor(seen), known) for seen in (pose[rows], mirror_pose(pose[rows]))], -1)
                both = torch.cat([both, both.new_full((len(rows), 1, 2), float("inf"))], 1)              # (b, W + 1, 2)
                best, which = both[:, columns].flatten(2).min(-1)                    # (b, V) each
                if own is not None:
                    best = best.masked_fill(own[rows, None] == videos, float("inf"))
                near, video = best.topk(min(count, len(videos)), largest=False)      # (b, <= k)
                which = which.gather(1, video)
                some = rows[:, None], torch.arange(near.shape[1], device=pose.device)
                first[some], mirrored[some], distance[some] = windows[columns[video, which // 2]], which % 2 == 1, near
        return Neighbours(first, mirrored, distance)


def grouped(video):
    """Positions of W windows by their videos (W,): (V, most windows of a video), filled up with W; and the videos (V,)."""
    videos, inverse, counts = video.unique(return_inverse=True, return_counts=True)
    order = inverse.argsort(stable=True)
    column = torch.arange(len(video), device=video.device) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    table = order.new_full((len(videos), int(counts.max())), len(video))
    table[inverse[order], column] = order
    return table, videos


def thinned(video, last, most):
    """Choose about `most` of F frames: (F,) bool.

    A list with every second or third frame of a long video holds several tracks of it that differ by a frame. Equally many tracks
    of each video are kept, as many as possible, and at least one.

    Args:
        video: (F,) the frames' videos; the frames of a track follow each other.
        last: (F,) bool, whether a frame is the last of its track.
    """
    track, of_track = last.cumsum(0) - last.long(), video[last]                      # (F,), (tracks,)
    number = torch.arange(len(of_track)) - torch.searchsorted(of_track, of_track)    # among the tracks of the video
    counts = torch.bincount(number[track]).cumsum(0)                                 # frames with 1, 2, ... tracks of each video
    return (number < max(1, int((counts <= most).sum())))[track]


def frames_of(data):
    """The frames of the windows of one list as the buffers of :class:`MotionLibrary`: a dict."""
    numbers, known = torch.from_numpy(data.cached), {}                               # (N, T + 1)
    videos = torch.tensor([known.setdefault((paths[0].rpartition("/")[0], tuple(crop)), len(known))
                           for paths, crop in zip(data.rows.frames, data.crop.tolist())])
    count = int(numbers.max()) + 1
    poses, after, first = torch.zeros(count, *data.poses.shape[2:]), torch.arange(count), torch.ones(count, dtype=torch.bool)
    video, action, starts = torch.zeros(count, dtype=torch.int64), torch.zeros(count, dtype=torch.int64), ~first
    poses[numbers], video[numbers] = data.poses, videos[:, None].expand_as(numbers)
    action[numbers], starts[numbers[:, 0]] = data.action[:, None].expand_as(numbers), True
    here, following = numbers[:, :-1].flatten(), numbers[:, 1:].flatten()
    moving = here != following                                                       # a padded window repeats its last frame
    after[here[moving]], first[following[moving]] = following[moving], False
    first = first.nonzero()[:, 0]
    tracks = [first[video[first].argsort(stable=True)]]                              # first frames, then those that follow them
    while (after[tracks[-1]] != tracks[-1]).any():
        tracks.append(after[tracks[-1]])
    frames = torch.stack(tracks, 1)                                                  # (tracks, longest)
    smooth = torch.cat([poses[frames[:, :1]], poses[frames], poses[frames[:, -1:]]], 1)
    smooth = (smooth[:, :-2] + 2 * smooth[:, 1:-1] + smooth[:, 2:]) / 4
    kept = torch.cat([torch.ones_like(frames[:, :1], dtype=torch.bool), frames[:, 1:] != frames[:, :-1]], 1)
    following = (kept.sum(1, keepdim=True) - kept.cumsum(1)).clamp(max=torch.iinfo(torch.uint8).max)
    order = frames[kept]                                                             # (F,), one track after the other
    return {"poses": smooth[kept], "following": following[kept], "video": video[order], "action": action[order],
            "starts": starts[order]}
