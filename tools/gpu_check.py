"""Check the project on a GPU in about five minutes, and write one file to attach to a report: `python -m tools.gpu_check`.

Every kind of both modules is trained for some updates in fp32, bf16 and fp16. The first losses are compared with the CPU's; time,
memory and the lines that make the CPU wait are measured. With CUDA, tests/device runs on it; with two GPUs, two processes train.
"""
import argparse
import os
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import torch

import trainer_actvae
import trainer_actvae_p2inetwork
from training.trainer import choose_device
from utils import processes
from utils.config import load_config
from utils.errors import command

ROOT = Path(__file__).resolve().parents[1]
KINDS = {                # module, configuration, overrides, and further ones for tiny networks
    "lstm_vae": (trainer_actvae, "Penn_actvae", [], ["actvae.z_dim=8"]),
    "mixture": (trainer_actvae, "mixture", ["actvae.dropout=0", "actvae.jitter=0"], ["actvae.trunk=8", "actvae.head=8"]),
    "pose_attention": (trainer_actvae_p2inetwork, "Penn_actvae_p2inetwork",
                       ["vgg_weights=random", "imsize=64", "batch_size=4", "generator.ngf=16", "discriminator.ndf=16"],
                       ["imsize=32", "generator.ngf=4", "generator.n_blocks=1", "discriminator.ndf=4", "image_loss.vgg=0"]),
    "cutout": (trainer_actvae_p2inetwork, "people", ["actvae.library=0", "discriminator.start_iter=0"],
               ["generator.size=16", "imsize=32", "batch_size=2", "generator.compositing_widths=[8, 8, 8, 8]"])}
# how much losses may differ, and how many are compared: on CUDA convolutions use TF32, and in fp16 the scaler omits first steps
PRECISIONS = {"fp32": (0.01, 2), "bf16": (0.1, 1), "fp16": (0.05, 1)}


def trained(kind, device, precision="fp32", tiny=False, updates=2):
    """Train a kind on a batch of noise with people in it -> (losses of each update, what does one more)."""
    module, name, changes, tinier = KINDS[kind]
    config = load_config(ROOT / f"config/{name}.yaml", [*changes, *tinier * tiny, f"device={device}", f"precision={precision}"])
    rows, side, targets = config.batch_size, config.imsize, 1 if config.pairs == "anywhere" else 5
    random, people = torch.Generator().manual_seed(0), torch.zeros(rows, targets + 1, 1, side, side)
    people[..., side // 8:, side // 4:-side // 4] = 1
    batch = {"poses": torch.rand(rows, targets + 1, 13, 2, generator=random) - 0.5, "action": torch.arange(rows) % 9,
             "images": torch.rand(rows, targets + 1, 3, side, side, generator=random) * 2 - 1, "person_masks": people,
             "masks": torch.ones(rows, targets, 1, side, side), "extent": torch.ones(rows, 2)}
    batch = {name: value[processes.shard(rows)] for name, value in batch.items()}
    trainer = module.Trainer(config)

    def update():
        return processes.all_reduce_mean([sum(trainer.update(batch).values())])[0]
    return [update() for _ in range(updates)], update


def waits(update):
    """The lines that make the CPU wait for CUDA in an update, with how often they do."""
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        update()
    torch.cuda.set_sync_debug_mode("default")
    return Counter(f"{Path(each.filename).name}:{each.lineno}" for each in caught if "synchroniz" in str(each.message))


def check(kind, device, tiny, tell):
    """Tell how a kind trains in every precision; returns whether all is well."""
    cuda, well, expected = device.startswith("cuda"), True, trained(kind, "cpu", tiny=tiny)[0]
    for precision, (tolerance, compared) in PRECISIONS.items():
        try:
            found, update = trained(kind, device, precision, tiny, compared)
            error = max(abs(one / other - 1) for one, other in zip(found, expected))
            start, count = time.perf_counter(), 1 if tiny else 20
            for _ in range(count):
                update()                               # reads its loss, and so waits for the device
            spent, well = (time.perf_counter() - start) / count, well and error <= tolerance
            memory = f", {torch.cuda.max_memory_allocated() >> 20} MiB so far" if cuda else ""
            tell(f"{'ok' if error <= tolerance else 'DIFFERS'}  {kind}, {precision}: losses {error:.2g} from the CPU's, at most "
                 f"{tolerance}; {1e3 * spent:.1f} ms an update{memory}")
            for place, times in waits(update).items() if cuda and precision == "fp32" else ():
                tell(f"    the CPU waits {times} times at {place}")
        except Exception:
            well = False
            tell(f"FAILED  {kind}, {precision}\n{traceback.format_exc()}")
    return well


def run(tell, device, *words):
    """Run a module with these words in a process of its own, and tell what it prints; returns whether it ends well."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=os.environ | {"TEST_DEVICE": device}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    tell(f"{'FAILED' if done.returncode else 'ok'}  {' '.join(words)}\n{done.stdout}")
    return not done.returncode


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.gpu_check", description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", default=list(KINDS), help=f"some of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", default="gpu_check.txt", help="the file for the report (default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="tiny networks and few updates")
    options = parser.parse_args()
    choose_device(options.device)                          # one message if there is no such device, not one for each kind
    with processes.job(), open(options.out if processes.is_rank_zero() else os.devnull, "w", encoding="utf-8") as file:
        def tell(text):
            print(text, file=file, flush=True)
            print(text, flush=True)

        gpus = torch.cuda.device_count() if options.device == "cuda" and processes.world_size() == 1 else 0
        tell(f"torch {torch.__version__}, Python {sys.version.split()[0]}, {options.device}, {processes.world_size()} processes")
        for number in range(gpus):
            tell(f"GPU {number}: {torch.cuda.get_device_properties(number)}")
        well = False not in [check(kind, options.device, options.tiny, tell) for kind in options.kinds]
        well &= not gpus or run(tell, options.device, "pytest", "-q", "tests/device")
        well &= gpus < 2 or run(tell, options.device, "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m",
                                "tools.gpu_check", "lstm_vae", "pose_attention", "--tiny", "--out", os.devnull)
        tell("all is well" if well else "not all is well")
    return 0 if well else 1


if __name__ == "__main__":
    command(main)
