"""For test_device: operations on tensors of two devices, one on each line, that CUDA refuses or accepts."""
import os
from pathlib import Path

import torch
import torch.nn.functional as F


def operations(gpu, cpu, one, generator):
    yield lambda: gpu + cpu                                                # refused
    yield lambda: gpu + one
    yield lambda: one - gpu
    yield lambda: cpu.add_(gpu)                                            # refused
    yield lambda: one.add_(gpu.sum())                                      # refused
    yield lambda: torch.cat([gpu, cpu])                                    # refused
    yield lambda: torch.stack([gpu.sum(), one])                            # refused
    yield lambda: torch.where(gpu > 0, gpu, one)
    yield lambda: torch.where(cpu > 0, gpu, 0)                             # refused
    yield lambda: gpu.masked_fill(gpu > 0, one)
    yield lambda: gpu.masked_fill(cpu > 0, 0)                              # refused
    yield lambda: gpu[cpu.long()]
    yield lambda: cpu[gpu.long()]                                          # refused
    yield lambda: gpu.index_put_((gpu.long(),), one)
    yield lambda: gpu.index_put_((gpu.long(),), cpu)                       # refused
    yield lambda: gpu.gather(0, cpu.long())                                # refused
    yield lambda: F.embedding(cpu.long(), gpu)                             # refused
    yield lambda: F.linear(gpu, cpu)                                       # refused
    yield lambda: gpu.long() @ gpu.long()                                  # refused
    yield lambda: gpu.copy_(cpu)
    yield lambda: cpu.copy_(gpu)
    yield lambda: gpu.numpy()                                              # refused
    yield lambda: gpu.normal_(generator=generator)                         # refused
    yield lambda: torch.randn(2, device=gpu.device, generator=generator)   # refused
    yield lambda: torch.randperm(2, device=gpu.device, generator=generator)      # refused
    yield lambda: (gpu.requires_grad_() * 2).sum().backward()


def main():
    gpu, refused = torch.ones(2, 2, device=os.environ.get("TEST_DEVICE", "sim")), []
    for operation in operations(gpu, torch.ones(2, 2), torch.tensor(1.0), torch.Generator()):
        try:
            operation()
        except (RuntimeError, TypeError):
            refused.append(operation.__code__.co_firstlineno)
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert refused == [number for number, line in enumerate(lines, 1) if line.endswith("# refused")], refused
    assert gpu.grad.tolist() == [[2, 2], [2, 2]]
