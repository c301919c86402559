"""The training images: which are held out for validation, and the batches of each epoch, at random or by groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..config import Config
from ..data.images import Images
from ..data.labels import get_group_labels
from ..errors import UserError, setting
from ..models.groups import Groups, as_groups
from ..models.inference import inference_batch_size
from ..models.vae import VAE
from .fabric import pixel_storage_device

__all__ = ["EpochOrder", "TrainingImages", "count_held_out", "grouped_epoch_order"]


class EpochOrder(NamedTuple):
    """The order of the images in an epoch.

    Arguments:
        rows: The row numbers of the images, shape (M,).
        groups: The group of each of these images, any integers, shape (M,), on the CPU; None if the latent needs no groups.
    """

    rows: Tensor
    groups: Tensor | None = None

    def part(self, start: int, size: int) -> tuple[Tensor, Groups | None]:
        """Returns the rows of a batch and their groups; a group that extends beyond the batch is cut.

        Arguments:
            start: The position of the first image.
            size: The number of images.
        """
        rows, groups = self.rows[start : start + size], self.groups
        return rows, None if groups is None else as_groups(groups[start : start + size], len(rows), groups.device)

    def to(self, device: torch.device) -> EpochOrder:
        """Returns the same order with its rows on a device."""
        return self._replace(rows=self.rows.to(device))


class TrainingImages:
    """The training images as bytes, divided into those that are trained on and those held out for validation.

    Arguments:
        images: The images, in the model's shape.
        config: The settings.
        vae: The model, whose latent may need groups.
        device: The device of the training.

    Raises:
        UserError: If the latent needs groups and the images have none that fit.
    """

    def __init__(self, images: Images, config: Config, vae: VAE, device: torch.device) -> None:
        self.source, self.device = images, device
        self.seed, self.batch_size = config.training.seed, config.training.batch_size
        self.validation_batch_size = inference_batch_size(vae)
        self.mirror, self.group_members, self.needs_pairs = config.data.mirror, config.data.group_members, vae.needs_pairs
        labels = _group_labels(images, config, vae)
        order, count = self._division(len(images), labels), count_held_out(len(images), config)
        count -= count % 2 if self.needs_pairs else 0
        self.held_out_rows, self.training_rows = order[:count].sort().values, order[count:].sort().values
        # All pixels, which are never copied on the CPU: a set larger than memory lies in a file (data/mapped.py).
        self.pixels = images.pixels.to(pixel_storage_device(images.pixels, device))
        self.labels = None if labels is None else labels[self.training_rows]
        self.held_out_labels = None if labels is None else labels[self.held_out_rows]

    def __len__(self) -> int:
        return len(self.training_rows)

    @property
    def held_out_count(self) -> int:
        """The number of held-out images."""
        return len(self.held_out_rows)

    def batches_per_epoch(self, processes: int) -> int:
        """Returns the number of batches of each process in an epoch."""
        return len(self.epoch_order(0).rows) // (self.batch_size * processes)

    def epoch_order(self, epoch: int) -> EpochOrder:
        """Returns the order of an epoch, which is determined by the seed and the number of the epoch."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        if self.labels is None:
            order = EpochOrder(torch.randperm(len(self), generator=generator))
        else:
            order = self._grouped_order(self.labels, generator)
        return order._replace(rows=self.training_rows[order.rows]).to(self.pixels.device)

    def batch(self, order: EpochOrder, start: int) -> tuple[Tensor, Groups | None]:
        """Returns a batch of images, mirrored at random if the settings say so, and their groups.

        Arguments:
            order: The order of the epoch.
            start: The position of the first image in this order.

        Returns:
            The images, float32 in [0, 1] with shape (B, C, H, W), and the groups; None if the latent needs no groups.
        """
        rows, group = order.part(start, self.batch_size)
        x = self._read(rows).float().div_(255)
        if self.mirror:
            flip = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
            x = torch.where(flip, x.flip(3), x)
        return x.contiguous(memory_format=torch.channels_last), None if group is None else group.to(x.device)

    def held_out_batches(self) -> Iterator[tuple[Tensor, Groups | None]]:
        """Yields batches of held-out images and their groups, grouped as in training; they are the same each time."""
        order = self.held_out_order()
        order = order._replace(rows=self.held_out_rows[order.rows]).to(self.pixels.device)
        size = self.validation_batch_size if self.held_out_labels is None else self.batch_size
        for start in range(0, len(order.rows), size):
            rows, group = order.part(start, size)
            x = self._read(rows).float().div_(255)
            yield x.contiguous(memory_format=torch.channels_last), None if group is None else group.to(x.device)

    def held_out_order(self) -> EpochOrder:
        """Returns the order of the held-out images, numbers of `held_out_rows`, which is the same each time.

        Groups are as large as in training, since the KL of a content counts once for all images of its group: the smaller
        groups that remain are left out, batches cut groups where those of training do, and the last batch is filled up
        with the first images.
        """
        if self.held_out_labels is None or self.labels is None:
            return EpochOrder(torch.arange(self.held_out_count))
        members, size = self.members, self.batch_size
        has_whole = bool(members and (self.held_out_labels.unique(return_counts=True)[1] >= members).any())
        generator = torch.Generator().manual_seed(self.seed)
        order = grouped_epoch_order(self.held_out_labels, members, generator, self.needs_pairs or has_whole)
        assert order.groups is not None
        count = len(order.rows)
        place = torch.arange(count if count < size else -(-count // size) * size)
        if members and not self.needs_pairs and (self.labels.unique(return_counts=True)[1] % members).any():
            place += members // 2  # in training a smaller group shifts those that follow it
        return EpochOrder(order.rows[place % count], order.groups[place % count])

    def _division(self, count: int, labels: Tensor | None) -> Tensor:
        """Returns the rows of all images in a random order, of which the first are held out: pairs, if these are needed."""
        generator = torch.Generator().manual_seed(self.seed)
        if labels is None or not self.needs_pairs:
            return torch.randperm(count, generator=generator)
        pairs = grouped_epoch_order(labels, 2, generator, whole_groups=True).rows
        is_single = torch.ones(count, dtype=torch.bool).index_fill(0, pairs, False)
        return torch.cat((pairs, is_single.nonzero().flatten()))

    def _read(self, rows: Tensor) -> Tensor:
        """Returns the pixels of some rows on the device. A GPU fetches them while the program goes on."""
        if self.device.type != "cuda" or self.pixels.device.type == "cuda":
            return self.pixels[rows].to(self.device)
        pinned = torch.empty((len(rows), *self.pixels.shape[1:]), dtype=torch.uint8, pin_memory=True)
        torch.index_select(self.pixels, 0, rows, out=pinned)
        return pinned.to(self.device, non_blocking=True)

    @property
    def members(self) -> int:
        """The number of images in a group; 0 if all images of a label in a batch are a group."""
        return 2 if self.needs_pairs else self.group_members

    def note(self) -> str:
        """Returns a note if held-out images are too few for groups as large as in training; else an empty text."""
        if self.held_out_labels is None or not self.held_out_count:
            return ""
        largest = int(self.held_out_labels.unique(return_counts=True)[1].max())
        if self.held_out_count >= self.batch_size if self.members == 0 else largest >= self.members:
            return ""
        return (
            f"{self.held_out_count} held-out images make smaller groups than those of training, whose contents count for "
            f"more images; the validation loss cannot be compared with that of training. Hold out more "
            f"with {setting('validation')}, at most a tenth of all images."
        )

    def _grouped_order(self, labels: Tensor, generator: torch.Generator) -> EpochOrder:
        """Returns a random order of training images in groups, as the settings and the latent need them."""
        return grouped_epoch_order(labels, self.members, generator, whole_groups=self.needs_pairs)


def grouped_epoch_order(labels: Tensor, members: int, generator: torch.Generator, whole_groups: bool = False) -> EpochOrder:
    """Returns a random order of images in groups, on the CPU; all images of a group have the same label.

    With members = n > 0, the images of each label are divided at random into groups of n and, if some remain, a smaller
    group; then the groups are shuffled. With members = 0, images are shuffled one by one, and all images of a label that
    fall in the same batch are a group.

    Arguments:
        labels: The label of each image, shape (N,).
        members: The number of images in a group, or 0.
        generator: The random stream.
        whole_groups: Whether to leave out the smaller groups.
    """
    rows = torch.randperm(len(labels), generator=generator)
    if members == 0:
        return EpochOrder(rows, labels[rows])
    rows = rows[labels[rows].sort(stable=True).indices]  # by label, shuffled within each
    _, label, sizes = labels[rows].unique(return_inverse=True, return_counts=True)
    place = torch.arange(len(rows)) - (sizes.cumsum(0) - sizes)[label]
    if whole_groups:
        whole = place < (sizes // members * members)[label]
        rows, label, place = rows[whole], label[whole], place[whole]
    group = (label * len(labels) + place // members).unique(return_inverse=True)[1]
    shuffled = torch.randperm(int(group.max()) + 1, generator=generator)[group]
    groups, places = shuffled.sort(stable=True)
    return EpochOrder(rows[places], groups)


def count_held_out(count: int, config: Config) -> int:
    """Returns how many of `count` images are held out for validation: as many as in the settings, at most a tenth."""
    return min(config.data.validation, count // 10)


def _group_labels(images: Images, config: Config, vae: VAE) -> Tensor | None:
    """Returns the group of each image, any integers, shape (N,); None if the latent needs no groups."""
    if not vae.uses_groups:
        return None
    labels = get_group_labels(images, config.data.group_by)
    if vae.needs_pairs:
        values, counts = labels.unique(return_counts=True)
        if (single := values[counts < 2]).numel():
            name = images.classes[int(single[0])] if labels is images.labels and images.classes else int(single[0])
            raise UserError(
                f"{images.source} has only one image in group {name} (of {len(single)} such groups), and latent='adaptive' "
                "compares pairs; give each group at least two images, or leave these groups out."
            )
        if config.training.batch_size % 2:
            odd = config.training.batch_size
            raise UserError(
                f"batch_size={odd} is odd, and latent='adaptive' needs pairs; type {setting('batch_size', odd + 1)}."
            )
    return labels
