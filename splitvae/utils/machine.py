"""Facts about this machine and process: devices, native bfloat16, memory, and versions of what runs."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from importlib.metadata import version

import torch

__all__ = [
    "default_device",
    "describe_device",
    "describe_versions",
    "find_device",
    "has_fused_adam",
    "has_native_bf16",
    "keep_freed_memory",
    "needs_most_cores",
    "shorten_time_slices",
    "versions",
]


def default_device() -> torch.device:
    """Returns this machine's accelerator, or the CPU where there is none."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator or torch.device("cpu")


def find_device(accelerator: str = "auto") -> torch.device:
    """Returns the device on which a run with this setting `accelerator` computes: "auto", "gpu", "cpu", "cuda" or "mps"."""
    return torch.device(accelerator) if accelerator in ("cpu", "cuda", "mps") else default_device()


def describe_device(accelerator: str = "auto") -> str:
    """Returns the name of the GPU of `find_device`, or the kind of the processor: "x86_64 CPU, AVX512"."""
    device = find_device(accelerator).type
    if device == "cuda":
        return torch.cuda.get_device_name()
    return device if device != "cpu" else f"{platform.machine()} CPU, {torch.backends.cpu.get_cpu_capability()}"


def has_fused_adam(device: torch.device) -> bool:
    """Returns whether a device updates all parameters in one kernel, as `torch.optim.Adam(..., fused=True)` asks for."""
    return device.type in ("cpu", "cuda", "mps")


def has_native_bf16(kind: str) -> bool:
    """Returns whether a kind of device ("cpu", "cuda", "mps") computes in bfloat16 itself instead of emulating it."""
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if kind == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def keep_freed_memory() -> None:
    """Tells glibc to keep freed blocks instead of returning them to the system.

    Each training step frees its activations and allocates them again. Mapped anew they cost a page fault for every 4 kB,
    a quarter of the step of a small network. On systems other than Linux with glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        m_trim_threshold, m_mmap_threshold = -1, -3
        # Older versions of glibc accept no mmap threshold above 32 MB. The trim threshold alone is not enough: to set it
        # fixes the mmap threshold at its minimum.
        if mallopt(m_mmap_threshold, 1 << 30) or mallopt(m_mmap_threshold, 1 << 25):
            mallopt(m_trim_threshold, (1 << 31) - 1)


def needs_most_cores() -> bool:
    """Returns whether the threads of this process need more than half of the cores that it may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * torch.get_num_threads() > cores


def shorten_time_slices() -> None:
    """Asks Linux to give the threads of this process the processor more often and for shorter times.

    The threads of a parallel loop wait for each other, so that one which waits for its core behind another program holds up
    all. With the shortest slice, 0.1 ms instead of about 3 ms, it waits less; the share of the processor is the same. Linux
    has this since 6.12; elsewhere, and where the scheduler or its settings were chosen by somebody, this does nothing.
    """
    numbers = {"x86_64": (314, 315), "aarch64": (274, 275)}.get(platform.machine())  # of sched_setattr and sched_getattr
    if not sys.platform.startswith("linux") or numbers is None or not hasattr(os, "sched_getscheduler"):
        return
    set_number, get_number = numbers
    libc = ctypes.CDLL(None)
    for thread in map(int, os.listdir("/proc/self/task")):
        attributes = _SchedulingAttributes()
        size = ctypes.sizeof(attributes)
        if libc.syscall(get_number, thread, ctypes.byref(attributes), size, 0) == 0 and attributes.policy == os.SCHED_OTHER:
            attributes.size, attributes.runtime = size, 100_000  # nanoseconds
            libc.syscall(set_number, thread, ctypes.byref(attributes), 0)


class _SchedulingAttributes(ctypes.Structure):
    """The structure sched_attr of Linux, in its first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def versions() -> dict[str, str]:
    """Returns the versions of splitvae and torch, as result files record them."""
    return {"splitvae": version("splitvae"), "torch": torch.__version__}


def describe_versions() -> str:
    """Returns the versions of splitvae, torch and Python as one line, as pages show it."""
    return ", ".join(f"{name} {number}" for name, number in {**versions(), "Python": platform.python_version()}.items())
