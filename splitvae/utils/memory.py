"""How much memory a forward pass needs, and how many images of it fit into a budget.

The need is measured, once for each module and shape of input: passes over two and over three images are made in evaluation
mode, and every tensor that an operation creates is counted until it is freed. What grows with the number of images follows
from the network itself, whatever its layers are. Not counted are weights, tensors made of weights alone, and the workspace
of a convolution.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["INFERENCE_BYTES", "MEASURED_IMAGES", "evaluation_mode", "images_per_batch", "live_bytes", "peak_memory"]

INFERENCE_BYTES = 1 << 30  # what a forward pass without gradients may need beside the weights
MEASURED_IMAGES = (2, 3)  # some operations treat a single image as another case

_BYTES_OF_MODULE: weakref.WeakKeyDictionary[nn.Module, dict[tuple[int, ...], int]] = weakref.WeakKeyDictionary()
_BYTES_OF_KEY: dict[str, dict[tuple[int, ...], int]] = {}


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that operations create, until they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.live, self.history = 0, list[int]()  # the bytes now, and after each operation
        self.sizes: dict[int, int] = {}  # by the address of the storage's C++ object

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        self._count((args, kwargs), created=False)  # weights and inputs, of which a result may be a view
        result = func(*args, **kwargs)
        self._count(result, created=True)
        self.history.append(self.live)
        return result

    def _count(self, values: Any, created: bool) -> None:
        for value in tree_leaves(values):
            if isinstance(value, Tensor):
                storage = value.untyped_storage()
                if storage._cdata not in self.sizes:
                    self.sizes[storage._cdata] = storage.nbytes() * created
                    self.live += self.sizes[storage._cdata]
                    weakref.finalize(storage, self._free, storage._cdata)

    def _free(self, key: int) -> None:
        self.live -= self.sizes.pop(key)


def live_bytes(run: Callable[[], object]) -> list[int]:
    """Returns the bytes of the tensors that a function has created and not yet freed, after each of its operations."""
    with _LiveBytes() as counter:
        run()
    return counter.history


def images_per_batch(
    module: nn.Module,
    shape: tuple[int, ...],
    most: int,
    run: Callable[[Tensor], object] | None = None,
    key: str | None = None,
    budget: int | None = None,
) -> int:
    """Returns how many images a module computes at once without gradients within a budget, at least 1 and at most `most`.

    Arguments:
        module: The module.
        shape: The shape (C, H, W) of an image, float32.
        most: The largest result.
        run: What is computed of images (B, C, H, W); by default the module itself.
        key: What modules of the same need have in common, so that it is measured once; by default the module itself.
        budget: The bytes that the pass may need beside the weights; by default `INFERENCE_BYTES`.
    """
    known = _BYTES_OF_MODULE.setdefault(module, {}) if key is None else _BYTES_OF_KEY.setdefault(key, {})
    if shape not in known:
        known[shape] = _uncompiled(lambda: _measure(module, shape, run or module))
    return max(1, min(most, (INFERENCE_BYTES if budget is None else budget) // max(1, known[shape])))


def _uncompiled(measure: Callable[[], int]) -> int:
    """Returns what a function returns, with all modules as they are without torch.compile.

    The compiler takes a third of the time of `import splitvae.config`. Where nothing has imported it, nothing is compiled.
    """
    if "torch._dynamo" not in sys.modules:
        return measure()
    with torch.compiler.set_stance("force_eager"):
        return torch.compiler.disable(measure)()


def _measure(module: nn.Module, shape: tuple[int, ...], run: Callable[[Tensor], object]) -> int:
    """Returns the bytes of a forward pass for one image, with the image itself."""
    device = next((value.device for value in (*module.parameters(), *module.buffers())), torch.device("cpu"))
    few, many = (torch.full((count, *shape), 0.5, device=device) for count in MEASURED_IMAGES)
    with torch.no_grad(), evaluation_mode(module):
        before, after = live_bytes(lambda: run(few)), live_bytes(lambda: run(many))
    if len(before) != len(after):  # other operations for another number of images
        return max(after) // len(many) + many[0].nbytes
    growth = max((b - a for a, b in zip(before, after, strict=True)), default=0)
    return growth // (len(many) - len(few)) + many[0].nbytes


def peak_memory(device: torch.device) -> int:
    """Returns the largest number of bytes that were in use so far: of the GPU's memory, or of this process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    try:  # unlike ru_maxrss, this does not begin with the memory of the program that started this one
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError, ValueError):
        return _resident_peak()


def _resident_peak() -> int:
    """Returns the largest resident memory of this process in bytes where the system tells it, else 0."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


@contextmanager
def evaluation_mode(module: object) -> Iterator[None]:
    """Sets evaluation mode for the block, and each part's own mode afterwards; anything but a module is left alone."""
    parts = module.modules() if isinstance(module, nn.Module) else ()
    training = [part for part in parts if getattr(part, "training", False)]  # frozen scripts lack it
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True
