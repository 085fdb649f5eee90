"""A script for test_processes: three updates of both modules, by every process of a job on its share of the batches.

They are computed in float64, with noise that is the same for any number of processes, and saved in the file that is named as
the argument.
"""
import sys

import torch

import trainer_actvae
import trainer_actvae_p2inetwork
from utils import processes
from utils.config import load_config

ROWS, Z, SIZE = 4, 8, 32
CHANGES = ["device=cpu", f"actvae.z_dim={Z}", f"imsize={SIZE}", "lr=0.001", "generator.ngf=4", "generator.n_blocks=2",
           "discriminator.ndf=4", "discriminator.n_blocks=1", "vgg_weights=random", "generator.norm_momentum=0.1",
           "weight_decay=0.1"]


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


def main():
    torch.set_default_dtype(torch.float64)
    with processes.job():
        random = torch.Generator().manual_seed(1)
        result = {"pose": train(trainer_actvae, random), "p2i": train(trainer_actvae_p2inetwork, random, "sync_batchnorm=true")}
        if processes.is_rank_zero():
            torch.save(result, sys.argv[1])
