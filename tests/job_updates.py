"""A script for test_processes: three updates of both modules and of the pose module `mixture`, by every process of a job on its
share of the batches.

They are computed in float64 and saved in the file that is named as the argument. Noise is the same for any number of processes,
but not that of `mixture`, which draws rows of its own.
"""
import sys
from types import SimpleNamespace

import torch

import trainer_actvae
import trainer_actvae_p2inetwork
from utils import processes
from utils.config import load_config

ROWS, Z, SIZE = 4, 8, 32
CHANGES = ["device=cpu", f"actvae.z_dim={Z}", f"imsize={SIZE}", "lr=0.001", "generator.ngf=4", "generator.n_blocks=2",
           "discriminator.ndf=4", "discriminator.n_blocks=1", "vgg_weights=random", "generator.norm_momentum=0.1",
           "weight_decay=0.1"]
MIXTURE = [f"actvae.{key}={value}" for key, value in {"networks": 1, "retrieval_rows": 8, "neighbours": 3, "trunk": 8, "head": 8,
                                                      "terms": 4}.items()]


def train(module, random, *changes):
    def numbers(*shape):
        return torch.randn(shape, generator=random).clamp(-1, 1)

    trainer, losses = module.Trainer(load_config("config/Penn_actvae_p2inetwork.yaml", [*CHANGES, *changes])), []
    for part in trainer.parts.values():                # biases before a batch norm have no gradient but that of weight decay
        for parameter in part.parameters():
            parameter.data += 0.01
    for _ in range(3):
        batch = {"poses": numbers(ROWS, 6, 13, 2), "action": torch.arange(ROWS), "images": numbers(ROWS, 6, 3, SIZE, SIZE),
                 "masks": torch.ones(ROWS, 5, 1, SIZE, SIZE)}
        noise = torch.randn(3 if module is trainer_actvae else 2, 5, ROWS, Z, generator=random)
        own = processes.shard(ROWS)
        further = {} if module is trainer_actvae else {"picks": (0, 2, 3)}
        found = trainer.update({key: value[own] for key, value in batch.items()}, noise=noise[:, :, own], **further)
        losses.append(dict(zip(found, processes.all_reduce_mean(list(found.values())))))
    return {"losses": losses, **{name: module.state_dict() for name, module in trainer.parts.items()}}


def train_mixture(random):
    """The pose module whose buffers are made anew from the training rows, before the first update."""
    videos, frames, targets = 4, 20, 17
    poses = (torch.rand(videos, 1, 13, 2, generator=random) - 0.5
             + 0.02 * torch.randn(videos, frames, 13, 2, generator=random).cumsum(1))
    start = torch.arange(frames).repeat(videos)
    video = torch.arange(videos).repeat_interleave(frames)
    frame = (start[:, None] + torch.arange(targets + 1)).clamp(max=frames - 1)
    crop = torch.zeros(videos * frames, 4)
    data = SimpleNamespace(poses=poses[video[:, None], frame], action=0 * video, crop=crop,
                           cached=(video[:, None] * frames + frame).numpy(),
                           rows=SimpleNamespace(frames=[[f"frames/{number}/1.jpg"] for number in video.tolist()]))
    trainer = trainer_actvae.Trainer(load_config("config/mixture.yaml", ["device=cpu", *MIXTURE]))
    size = trainer.pose_module.prepare(data)["library"]
    own = processes.shard(videos * frames)
    for _ in range(3):
        batch = {"poses": data.poses[own], "action": data.action[own], "extent": torch.ones(videos * frames, 2)[own]}
        found = trainer.update(batch)
    total = int(1e9 * sum(value.double().sum() for value in trainer.pose_module.state_dict().values()))
    return {"library": size, "losses": list(found), "sums": (-processes.all_reduce_max(-total), processes.all_reduce_max(total)),
            **{name: module.state_dict() for name, module in trainer.parts.items()}}


def main():
    torch.set_default_dtype(torch.float64)
    with processes.job():
        random = torch.Generator().manual_seed(1)
        result = {"pose": train(trainer_actvae, random), "p2i": train(trainer_actvae_p2inetwork, random, "sync_batchnorm=true"),
                  "mixture": train_mixture(random)}
        if processes.is_rank_zero():
            torch.save(result, sys.argv[1])
