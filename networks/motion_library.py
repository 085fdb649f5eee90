"""A library of real motions, and the motions in it that begin with the pose most like a given one.

The library holds every frame of the training rows once, smoothed a little in time, because half of the acceleration of annotated
joints is jitter. The frames of a video follow each other, so that its windows, which overlap, share their frames. A window is
named by its first frame.

Axes: B rows, T steps, J = 13 joints, F frames, W windows of an action, V videos of an action, k neighbours of a row. Poses are
normalised picture coordinates in [-1, 1].
"""
from typing import NamedTuple

import torch
from torch import nn

from pose.skeleton import body_size, mirror_pose

PLACE = 0.15              # weight of a person's place and size in the distance of two poses, against that of its joints
QUERIES = 256             # rows whose distances are in memory together
MOST_FOLLOWING = 255      # frames after a frame that are counted


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
        self.register_buffer("following", torch.zeros(frames, dtype=torch.uint8))        # frames of the same video after this one
        self.register_buffer("video", torch.zeros(frames, dtype=torch.int32))
        self.register_buffer("action", torch.zeros(frames, dtype=torch.uint8))
        self.register_buffer("starts", torch.zeros(frames, dtype=torch.bool))            # whether a row begins here

    def __len__(self):
        return len(self.poses)

    def fill(self, data, most=0):
        """Take the motions of the training rows in place of those that are here.

        Args:
            data: :class:`dataset.image_loader2.PennActionPairs` or :class:`dataset.mixture.TrainingPairs`.
            most: of more frames so many are taken at most, see :func:`thinned`; 0: all.
        """
        parts, videos = [frames_of(rows) for rows in getattr(data, "sets", [data])], 0
        for part in parts:
            part["video"] += videos
            videos = int(part["video"].max()) + 1
        whole = {name: torch.cat([part[name] for part in parts]) for name, _ in self.named_buffers()}
        kept = thinned(whole["video"], whole["following"] == 0, most or len(whole["video"]))
        for name, buffer in list(self.named_buffers()):
            setattr(self, name, whole[name][kept].to(buffer))

    def windows_of(self, action, steps):
        """The windows of an action, a number, with at least so many steps: (W,)."""
        return (self.starts & (self.following >= steps) & (self.action == action)).nonzero()[:, 0]

    def knows(self, action, steps):
        """Whether there are windows of the actions (B,) with at least so many steps: (B,) bool."""
        return torch.isin(action, self.action[self.starts & (self.following >= steps)].unique().to(action.dtype))

    def windows(self, first, mirrored, steps):
        """The poses of windows whose numbers are `first` (...): (..., T + 1, J, 2) float32; the last frame of a video repeats."""
        ahead = torch.arange(steps + 1, device=first.device)
        numbers = first[..., None] + torch.minimum(ahead, self.following[first][..., None].long())
        return mirrored_where(mirrored, self.poses[numbers].float())

    def nearest(self, pose, action, count, steps, own=None):
        """The nearest windows of the same action, the best one of each video.

        Args:
            pose: (B, J, 2).
            action: (B,) int64 ids.
            count: k.
            steps: that a window needs.
            own: (B,) numbers of videos that are left out, one for each row, or None.
        Returns:
            :class:`Neighbours`.
        """
        shape = len(pose), count
        first, distance = action.new_zeros(shape), pose.new_full(shape, float("inf"))
        mirrored = torch.zeros(shape, dtype=torch.bool, device=pose.device)
        for number in action.unique().tolist():
            windows = self.windows_of(number, steps)                                 # (W,)
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


def thinned(video, last, most):
    """Choose at most `most` frames: (F,) bool.

    Where a clip takes every second or third frame of a long video, the library holds several tracks of it that differ by a
    frame. Of each video equally many tracks are taken, as many as possible. If one is too many, videos are left out, evenly
    spaced, because those with neighbouring numbers often show the same film.

    Args:
        video: (F,) the frames' videos; the frames of a track follow each other.
        last: (F,) bool, whether a frame is the last of its track.
    """
    track = last.cumsum(0) - last.long()                                             # (F,)
    of_track = video[last]                                                           # (tracks,)
    number = torch.arange(len(of_track)) - torch.searchsorted(of_track, of_track)    # among the tracks of the video
    for count in range(int(number.max()) + 1, 0, -1):
        kept = (number < count)[track]
        if kept.sum() <= most:
            return kept
    videos = video.unique()
    videos = videos[torch.linspace(0, len(videos) - 1, max(1, int(len(videos) * most / int(kept.sum())))).round().long()]
    return kept & torch.isin(video, videos)


def videos_of(data):
    """The number of each row's video, (N,), in the order of first use, and the videos by number: (folder of frames, crop)."""
    known = {}
    rows = torch.tensor([known.setdefault((paths[0].rpartition("/")[0], tuple(crop)), len(known))
                         for paths, crop in zip(data.rows.frames, data.crop.tolist())])
    return rows, list(known)


def frames_of(data):
    """The frames of the rows of one list as the buffers of :class:`MotionLibrary`, a dict."""
    numbers = torch.from_numpy(data.cached)                                          # (N, T + 1)
    count = int(numbers.max()) + 1
    poses, after, first = torch.zeros(count, *data.poses.shape[2:]), torch.arange(count), torch.ones(count, dtype=torch.bool)
    video, action, starts = torch.zeros(count, dtype=torch.int64), torch.zeros(count, dtype=torch.int64), ~first
    poses[numbers], video[numbers] = data.poses, videos_of(data)[0][:, None].expand_as(numbers)
    action[numbers], starts[numbers[:, 0]] = data.action[:, None].expand_as(numbers), True
    before, next_one = numbers[:, :-1].flatten(), numbers[:, 1:].flatten()
    moving = before != next_one                                                      # a padded row repeats its last frame
    after[before[moving]] = next_one[moving]
    first[next_one[moving]] = False
    first = first.nonzero()[:, 0]
    chains = [first[video[first].argsort(stable=True)]]                              # first frames, then those that follow them
    while (after[chains[-1]] != chains[-1]).any():
        chains.append(after[chains[-1]])
    frames = torch.stack(chains, 1)                                                  # (chains, longest)
    smooth = torch.cat([poses[frames[:, :1]], poses[frames], poses[frames[:, -1:]]], 1)
    smooth = (smooth[:, :-2] + 2 * smooth[:, 1:-1] + smooth[:, 2:]) / 4
    kept = torch.cat([torch.ones_like(frames[:, :1], dtype=torch.bool), frames[:, 1:] != frames[:, :-1]], 1)
    following = (kept.sum(1, keepdim=True) - kept.cumsum(1)).clamp(max=MOST_FOLLOWING)
    order = frames[kept]                                                             # (F,), one video after the other
    return {"poses": smooth[kept], "following": following[kept], "video": video[order], "action": action[order],
            "starts": starts[order]}
