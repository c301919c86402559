"""What all extractors share: the protocol, any module as an extractor, and `extract_features`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..utils.memory import MEASURED_IMAGES, evaluation_mode, images_per_batch

__all__ = ["Extractor", "ModuleFeatures", "deterministic_float32", "device_of", "extract_features", "fingerprint"]

MOST_IMAGES = 250  # that are computed at once
RANGE_TOLERANCE = 1e-3  # how far rounding may move the pixels of a decoder out of [0, 1]


class Extractor(Protocol):
    """A callable that turns float images (B, C, H, W) in [0, 1] into float32 features (B, dim).

    It reads RGB images, unless it has an attribute `channels` that says otherwise.
    """

    @property
    def name(self) -> str:
        """The name of the extractor."""

    @property
    def dim(self) -> int:
        """The number of features."""

    @property
    def note(self) -> str:
        """One line that says which other numbers a distance in these features can be compared with."""

    @property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the SHA-256 of the weights and options."""

    def __call__(self, x: Tensor, /) -> Tensor: ...


class ModuleFeatures(nn.Module):
    """Creates an extractor whose features are the output of any module.

    Arguments:
        module: The module, float (B, C, H, W) in [0, 1] -> (B, dim) or (B, dim, 1, 1). It is not copied.
        name: The name of the extractor.
        shape: The shape (C, H, W) of images that the module reads. If C is 1, the module may also read their RGB version.

    Raises:
        UserError: If the module cannot read such images, or does not return a vector for each.
    """

    def __init__(self, module: nn.Module, name: str, shape: tuple[int, int, int] = (3, 64, 64)) -> None:
        super().__init__()
        self.module, self.name = module, name
        self.note = f"features of {name}: comparable only with numbers from the same module"
        self.channels, self.dim = self._find_channels_and_dim(shape)

    def _find_channels_and_dim(self, shape: tuple[int, int, int]) -> tuple[int, int]:
        """Returns how many channels the module reads, and how many features it gives, by a forward pass."""
        image_channels, *size = shape
        for channels in (1, 3) if image_channels == 1 else (image_channels,):
            x = torch.full((2, channels, *size), 0.5, device=device_of(self))
            try:
                with evaluation_mode(self), deterministic_float32(x.device):
                    return channels, self(x).shape[1]
            except UserError:
                raise
            except Exception as error:  # a module may raise any exception
                reason = ([line for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]
        raise UserError(
            f"{self.name} cannot read images of {image_channels} channels and {size[0]}x{size[1]} pixels "
            f"({reason.strip()}): give a module that can, or from Python the shape it reads, "
            "ModuleFeatures(module, name, shape=(C, H, W))."
        )

    @property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the SHA-256 of the module's weights and of its `repr`."""
        return fingerprint(self.module, repr(self.module))

    def forward(self, x: Tensor) -> Tensor:
        y = self.module(x)
        if not isinstance(y, Tensor) or y.ndim < 2 or len(y) != len(x) or y.shape[1] != y.flatten(1).shape[1]:
            what = f"a tensor of shape {tuple(y.shape)}" if isinstance(y, Tensor) else f"a {type(y).__name__}"
            raise UserError(
                f"{self.name} makes {what} of {len(x)} images: an extractor must give each image a vector, (B, dim)."
            )
        return y.flatten(1).float()


def extract_features(
    extractor: Extractor,
    images: Tensor | Iterable[Tensor],
    batch_size: int | None = None,
    *,
    quantise: bool = True,
    notes: list[str] | None = None,
) -> Tensor:
    """Returns the features of images, float64 (N, dim) on the CPU. The size of the batches does not matter.

    Arguments:
        extractor: The extractor. It is used in evaluation mode, without gradients or autocast, on its own device.
        images: A tensor (N, C, H, W) or batches of it, uint8 or float in [0, 1]. Gray images are repeated to RGB if the
            extractor reads RGB.
        batch_size: The number of images computed at once; by default as many as memory allows, at most 250.
        quantise: Whether float images are rounded to 8 bits first, as if they had been written to files. Published tools
            read files or round, so that a distance without it is comparable with none of theirs.
        notes: A list that receives a line if the images were repeated to RGB.

    Raises:
        UserError: If there are no images, if the extractor does not read their channels, if values lie outside [0, 1], or
            if features are not finite.
    """
    device = device_of(extractor)
    rows: list[Tensor] = []
    with evaluation_mode(extractor), deterministic_float32(device):
        for batch in [images] if isinstance(images, Tensor) else images:
            if batch_size is None and len(batch):
                batch_size = _measured_batch_size(extractor, batch)
            for chunk in batch.split(batch_size) if len(batch) else ():
                x = _match_channels(_to_float(chunk.to(device), quantise), extractor, notes)
                rows.append(extractor(x.contiguous(memory_format=torch.channels_last)).cpu().double())
    features = torch.cat(rows) if rows else torch.empty(0, extractor.dim)
    if not len(features):
        raise UserError("there are no images to take features of: give at least 1.")
    if len(bad := (~features.isfinite().all(1)).nonzero()):
        raise UserError(
            f"the features {extractor.name} of {len(bad)} of {len(features)} images are not finite, first of image "
            f"{int(bad[0])}: check whether its pixels are finite, and the extractor's weights."
        )
    return features


def _measured_batch_size(extractor: Extractor, images: Tensor) -> int:
    """Returns the number of images that an extractor computes at once; images that it cannot read are refused later."""
    channels = int(getattr(extractor, "channels", 3))
    is_read = images.ndim == 4 and images.shape[1] in (1, channels)
    if len(images) <= max(MEASURED_IMAGES) or not is_read or not isinstance(extractor, nn.Module):
        return MOST_IMAGES
    return images_per_batch(extractor, (channels, *images.shape[2:]), MOST_IMAGES)


def _to_float(x: Tensor, quantise: bool) -> Tensor:
    """Returns images as float32 in [0, 1]."""
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
    """Returns images with the channels that an extractor reads."""
    expected = int(getattr(extractor, "channels", 3))
    channels = x.shape[1] if x.ndim == 4 else None
    if channels == 1 and expected == 3:
        note = f"gray images were repeated to RGB for the features {extractor.name}"
        if notes is not None and note not in notes:
            notes.append(note)
        return x.expand(-1, 3, -1, -1)
    if channels != expected:
        raise UserError(
            f"the features {extractor.name} are those of images (N, {expected}, H, W), but these have the shape "
            f"{tuple(x.shape)}: give images of {expected} channel{'s' if expected > 1 else ''}"
            f"{', or of 1' if expected == 3 else ''}."
        )
    return x


# ---------------------------------------------------------------- helpers of extractors


def fingerprint(module: nn.Module, *options: str) -> str:
    """Returns the first 16 hex digits of the SHA-256 of a module's parameters and buffers, and of options."""
    digest = hashlib.sha256("\n".join(options).encode())
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


@contextmanager
def deterministic_float32(device: torch.device) -> Iterator[None]:
    """Computes the block without gradients or autocast, with convolutions in float32 (not TF32) and deterministic."""
    cudnn = torch.backends.cudnn
    exact = cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.no_grad(), torch.autocast(device.type, enabled=False), exact:
        yield


def device_of(extractor: Extractor) -> torch.device:
    """Returns the device of an extractor's weights; the CPU if it has none."""
    if isinstance(extractor, nn.Module):
        for value in (*extractor.parameters(), *extractor.buffers()):
            return value.device
    return torch.device("cpu")
