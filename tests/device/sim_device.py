"""A simulated GPU, the device `sim`, for machines without one. Importing this module registers it, for the whole process.

Its tensors wrap tensors of the CPU, which computes everything. Where CUDA would raise, because tensors are on different devices
or because it lacks an operation, `sim` raises as well, and names the line of the project. It counts, line by line, what makes the
CPU wait: reads of values, and copies that are not `non_blocking`, as `torch.cuda.set_sync_debug_mode` finds them.
Autocast has CUDA's lists. Speed, memory, streams and CUDA's rounding are not simulated.
"""
import collections
import re
import sys
import threading
from pathlib import Path

import torch
from torch.utils import backend_registration as registration
from torch.utils._python_dispatch import return_and_correct_aliasing

ROOT = f"{Path(__file__).resolve().parents[2]}/"
WAITS = collections.Counter()                      # (operator, place) -> times
MISMATCHES = []                                    # texts, also of errors that the project has caught
HALF = (torch.bfloat16, torch.float16)
COPIES = {"copy_", "_to_copy", "_copy_from"}
READS = {"_local_scalar_dense", "nonzero", "_unique2", "unique_consecutive", "unique_dim_consecutive", "unique_dim",
         "masked_select", "equal", "repeat_interleave", "bincount"}
INDEXED = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}                # indices may be on the CPU
TAKES_NUMBERS = {"fill", "fill_", "masked_fill", "masked_fill_", *INDEXED}  # 0-dim tensors of the CPU, like pointwise operators
AUTOCAST_H = Path(torch.__file__).parent / "include/ATen/autocast_mode.h"
OF_FLOATS = ("mm", "bmm", "addmm", "baddbmm", "mv", "dot", "convolution", "upsample_bi", "avg_pool2d", "_adaptive_avg_pool2d",
             "grid_sampler", "_cdist_forward")     # CUDA has no kernels of these for integers
CREATORS = ("arange", "range", "linspace", "logspace", "randperm", "eye", "empty", "empty_strided")    # the others call these


MODULE = registration._DummyBackendModule()        # what `torch.sim` is
MODULE.get_amp_supported_dtype = lambda: list(HALF)
registration._setup_privateuseone_for_python_backend("sim", backend_module=MODULE)
SIM = torch.device("sim", 0)


def place():
    """The innermost line of the project on the stack, in a backward pass that of the thread which waits for it."""
    for frame in (sys._getframe(1), sys._current_frames()[threading.main_thread().ident]):
        while frame:
            name = frame.f_code.co_filename
            if name.startswith(ROOT) and name != __file__ and "site-packages" not in name:
                return f"{name.removeprefix(ROOT)}:{frame.f_lineno}"
            frame = frame.f_back
    return "?"


def wait(name):
    WAITS[name, place()] += 1


def fail(name, text):
    """CUDA would raise here."""
    MISMATCHES.append(f"{place()}: {name}: {text}")
    raise RuntimeError(MISMATCHES[-1])


class Sim(torch.Tensor):
    """A tensor on the device."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        self = torch.Tensor._make_wrapper_subclass(cls, inner.size(), strides=inner.stride(), dtype=inner.dtype, device=SIM,
                                                   storage_offset=inner.storage_offset())
        self.on_cpu = inner
        return self

    @classmethod
    def __torch_dispatch__(cls, operator, types, args=(), kwargs=None):
        return run(operator, args, kwargs or {})

    @property
    def data(self):
        return self.detach()

    @data.setter
    def data(self, value):
        if not isinstance(value, Sim):
            fail("data", "a tensor of the CPU in place of one of the device")
        torch._C.TensorBase.data.__set__(self, value)       # shape and strides
        self.on_cpu = value.on_cpu

    def tolist(self):
        wait("tolist")
        return self.on_cpu.tolist()

    def numpy(self, *, force=False):
        fail("numpy", "a tensor of the device")

    def __format__(self, spec):
        return format(self.item(), spec)

    def __reduce_ex__(self, protocol):                      # saved as what `map_location="cpu"` makes of it
        wait("save")
        value = self.on_cpu.detach()
        return (torch.nn.Parameter(value, self.requires_grad) if hasattr(self, "_is_param") else value).__reduce_ex__(protocol)


def changed(change, value):
    """An argument or result of an operator, with `change` applied to its tensors."""
    if isinstance(value, (list, tuple)):
        return type(value)([changed(change, part) for part in value])
    return change(value) if isinstance(value, torch.Tensor) else value


def check(operator, name, args, kwargs, ours, others):
    """Raise where CUDA would, if an operator is called with tensors `ours` of the device and `others` of the CPU."""
    if (ours or kwargs.get("device") == SIM) and any(isinstance(value, torch.Generator) for value in (*args, *kwargs.values())):
        fail(name, "a generator of the CPU")
    if name.startswith(OF_FLOATS) and not all(value.is_floating_point() for value in ours):
        fail(name, f"no kernel for {[value.dtype for value in ours]}")
    if name in INDEXED:                                     # what is indexed, and what is put there
        others = [value for value in others if any(value is one for one in (args[0], *args[2:]))]
    elif name in COPIES:
        return
    takes_numbers = torch.Tag.pointwise in operator.tags or name in TAKES_NUMBERS
    first = args[0] if operator._schema.is_mutable or name in INDEXED else None
    if ours and any(value.dim() or not takes_numbers or value is first for value in others):
        fail(name, f"tensors on different devices; those on the CPU have the shapes {[tuple(value.shape) for value in others]}")


def run(operator, args, kwargs):
    """Call an operator with tensors of the device."""
    name = operator._schema.name.removeprefix("aten::")
    ours, others = [], []

    def opened(value):
        (ours if isinstance(value, Sim) else others).append(value)
        return getattr(value, "on_cpu", value)

    opened_args = changed(opened, args)
    options = {key: "cpu" if key == "device" else changed(opened, value) for key, value in kwargs.items() if key != "pin_memory"}
    check(operator, name, args, kwargs, ours, others)
    to_cpu = "device" in kwargs and torch.device(kwargs["device"] or SIM).type == "cpu"
    blocking = name in COPIES and not kwargs.get("non_blocking") and args[2:3] != (True,)
    indices = [value for value in args[1] if value is not None] if name in INDEXED else []
    if (name in READS or blocking and (to_cpu or others)
            or any(not isinstance(value, Sim) or value.dtype in (torch.bool, torch.uint8) for value in indices)):
        wait(name)
    found = operator(*opened_args, **options)
    if to_cpu or name == "copy_" and not isinstance(args[0], Sim):
        return found
    found, shares = changed(Sim, found), operator.is_view or operator._schema.is_mutable
    return return_and_correct_aliasing(operator, args, kwargs, found) if shares else found


# ---- kernels of the dispatch key itself, for tensors that begin on the device ----

KERNELS = torch.library.Library("aten", "IMPL")


def copy_from(source, target, non_blocking=False):          # of lists, which PyTorch copies below Python
    wait("tensor of a list")
    target.on_cpu.copy_(getattr(source, "on_cpu", source))
    return target


KERNELS.impl("_copy_from", copy_from, "PrivateUse1")
for packet in (getattr(torch.ops.aten, name) for name in CREATORS):
    for operator in (getattr(packet, overload) for overload in packet.overloads()):
        if any(argument.name == "device" for argument in operator._schema.arguments):            # not of those with `out`
            KERNELS.impl(operator.name(), lambda *args, operator=operator, **given: run(operator, args, {**given, "device": SIM}),
                         "PrivateUse1")

# ---- autocast, with CUDA's lists as PyTorch's header has them ----

OTHERS = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")
OTHERS.fallback(torch.library.fallthrough_kernel)


def autocasting(operator, kind):
    def call(*args, **kwargs):
        given, low, wide = set(), torch.get_autocast_dtype("sim"), torch.float32

        def cast(value):
            return value.to(target) if target and value.device == SIM and value.dtype in (*HALF, wide) else value

        changed(lambda value: given.add(value.dtype), args)
        target = {"LOWER_PRECISION_FP": low, "FP32": wide, "PROMOTE": wide if wide in given else low}.get(kind)
        if not target and not given.isdisjoint(HALF):                                # sums and the like
            kwargs.setdefault("dtype", wide)
        with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)):
            return operator(*changed(cast, args), **kwargs)
    return call


for kind in ("LOWER_PRECISION_FP", "FP32", "FP32_SET_OPT_DTYPE", "PROMOTE"):
    macro = AUTOCAST_H.read_text().split(f"#define AT_FORALL_{kind}(_)")[1].split("\n\n")[0]
    for name, overload in re.findall(r"_\((\w+)(?:, (\w+))?\)", macro):
        operator = getattr(getattr(torch.ops.aten, name, None), overload or "default", None)
        if operator:
            KERNELS.impl(operator.name(), autocasting(operator, kind), "AutocastPrivateUse1")
