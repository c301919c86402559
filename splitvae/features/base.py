"""TODO docstring of features.base."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from ..errors import UserError

__all__ = ["Extractor", "ModuleFeatures", "deterministic_float32", "extract_features", "fingerprint"]


RANGE_TOLERANCE = 1e-3  # by how much rounding may carry a painted value out of [0, 1]


class Extractor(Protocol):
    """`extractor(x)` gives float32 features (B, dim) of float images (B, C, H, W) in [0, 1].

    It reads RGB, unless it has an attribute `channels` that says otherwise.
    """

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def dim(self) -> int:
        """The number of features."""

    @property
    def note(self) -> str:
        """One line: what numbers from it are comparable with."""

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the SHA-256 of its weights and options."""

    def __call__(self, x: Tensor, /) -> Tensor: ...


class ModuleFeatures(nn.Module):
    """The output of any module as features; (B, dim, 1, 1) is flattened.

    Arguments:
        module: (B, C, H, W) float in [0, 1] -> (B, dim); it is used as it is, in evaluation mode.
        name: what to call it.
        shape: (C, H, W) of an image it reads, or whose RGB version it reads, by which `dim` is found.

    Raises:
        UserError: if it reads no such images, or makes something else of them than a vector each.
    """

    def __init__(self, module: nn.Module, name: str, shape: tuple[int, int, int] = (3, 64, 64)) -> None:
        super().__init__()
        self.module, self.name = module, name
        self.note = f"features of {name}: comparable only with numbers from the same module"
        self.channels, self.dim = self._probe(shape)

    def _probe(self, shape: tuple[int, int, int]) -> tuple[int, int]:
        """How many channels it reads, and how many features it gives."""
        channels, *size = shape
        for tried in (1, 3) if channels == 1 else (channels,):
            x = torch.full((2, tried, *size), 0.5, device=_device_of(self))
            try:
                with _evaluation_mode(self), deterministic_float32(x.device):
                    return tried, self(x).shape[1]
            except UserError:
                raise
            except Exception as error:  # a module may raise what it likes
                reason = ([line for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]
        raise UserError(
            f"{self.name} cannot read images of {channels} channels and {size[0]}x{size[1]} pixels ({reason.strip()}): "
            "give a module that can, or from Python the shape it reads, ModuleFeatures(module, name, shape=(C, H, W))."
        )

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the SHA-256 of its weights and of its description."""
        return fingerprint(self.module, repr(self.module))

    def forward(self, x: Tensor) -> Tensor:
        y = self.module(x)
        if not isinstance(y, Tensor) or y.ndim < 2 or len(y) != len(x) or y.shape[1] != y.flatten(1).shape[1]:
            what = f"a tensor of shape {tuple(y.shape)}" if isinstance(y, Tensor) else f"a {type(y).__name__}"
            raise UserError(
                f"{self.name} makes {what} of {len(x)} images: an extractor gives each image a vector, (B, dim)."
            )
        return y.flatten(1).float()


def extract_features(
    extractor: Extractor,
    images: Tensor | Iterable[Tensor],
    size: int = 250,
    *,
    quantise: bool = False,
    notes: list[str] | None = None,
) -> Tensor:
    """Features of images, float64 (N, dim) on the CPU, one row an image, whatever the size of the batches.

    Arguments:
        extractor: what makes them, used in evaluation mode, without gradients or autocast, on the device where it is.
        images: uint8, or float in [0, 1]: a tensor (N, C, H, W), or batches of it. Gray images are repeated to RGB
            where the extractor reads RGB.
        size: images that are computed at once.
        quantise: round float images to 8 bits first, as if they had been written to files.
        notes: where to put a line about what was done to the images.

    Raises:
        UserError: for no images, channels that the extractor does not read, values outside [0, 1], features that are
            not finite.
    """
    device = _device_of(extractor)
    rows: list[Tensor] = []
    with _evaluation_mode(extractor), deterministic_float32(device):
        for batch in [images] if isinstance(images, Tensor) else images:
            for chunk in batch.split(size) if len(batch) else ():
                x = _match_channels(_to_float(chunk.to(device), quantise), extractor, notes)
                rows.append(extractor(x.contiguous(memory_format=torch.channels_last)).cpu().double())
    found = torch.cat(rows) if rows else torch.empty(0, extractor.dim)
    if not len(found):
        raise UserError("there are no images to take features of: give at least 1.")
    if len(bad := (~found.isfinite().all(1)).nonzero()):
        raise UserError(
            f"the features {extractor.name} of {len(bad)} of {len(found)} images are not finite, first of image "
            f"{int(bad[0])}: look whether its pixels are, and whether the extractor's weights are."
        )
    return found


def _to_float(x: Tensor, quantise: bool) -> Tensor:
    """Images as float32 in [0, 1]."""
    if x.dtype != torch.uint8:
        low, high = map(float, x.aminmax()) if x.numel() else (0.0, 1.0)
        if not x.is_floating_point() or low < -RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
            raise UserError(
                f"the images are {x.dtype} with values from {low:.4g} to {high:.4g}: give uint8, or floats in [0, 1]."
            )
        if not quantise:
            return x.float()
        x = x.float().mul(255).round().clamp(0, 255)
    return x.float().div(255)


def _match_channels(x: Tensor, extractor: Extractor, notes: list[str] | None) -> Tensor:
    """Images with the channels that an extractor reads."""
    reads = int(getattr(extractor, "channels", 3))
    have = x.shape[1] if x.ndim == 4 else None
    if have == 1 and reads == 3:
        note = f"gray images were repeated to RGB for the features {extractor.name}"
        if notes is not None and note not in notes:
            notes.append(note)
        return x.expand(-1, 3, -1, -1)
    if have != reads:
        raise UserError(
            f"the features {extractor.name} are those of images (N, {reads}, H, W), but these have the shape "
            f"{tuple(x.shape)}: give images of {reads} channel{'s' if reads > 1 else ''}"
            f"{', or of 1' if reads == 3 else ''}."
        )
    return x


# ---------------------------------------------------------------- what extractors share


def fingerprint(module: nn.Module, *options: str) -> str:
    """16 hex digits of the SHA-256 of a module's weights and statistics, and of options."""
    digest = hashlib.sha256("\n".join(options).encode())
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


@contextmanager
def deterministic_float32(device: torch.device) -> Iterator[None]:
    """Without gradients or autocast, with convolutions in float32 rather than TF32, and by deterministic algorithms."""
    cudnn = torch.backends.cudnn
    exact = cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.no_grad(), torch.autocast(device.type, enabled=False), exact:
        yield


@contextmanager
def _evaluation_mode(extractor: Extractor) -> Iterator[None]:
    """In evaluation mode, and afterwards in the mode before."""
    if not isinstance(extractor, nn.Module):
        yield
        return
    training = [module for module in extractor.modules() if getattr(module, "training", False)]  # frozen scripts: no mode
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _device_of(extractor: Extractor) -> torch.device:
    """Where an extractor is; the CPU for one without weights."""
    if isinstance(extractor, nn.Module):
        for value in (*extractor.parameters(), *extractor.buffers()):
            return value.device
    return torch.device("cpu")
