"""The training images on their device, cut into batches: what is held out, each epoch's order, and groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..config import Config
from ..data.images import Images
from ..data.labels import get_group_labels
from ..errors import UserError
from ..models.groups import Groups, as_groups
from ..models.vae import VAE
from .fabric import pixel_storage_device

__all__ = ["EpochOrder", "TrainingImages", "grouped_epoch_order", "held_out_count"]

VALIDATION_BATCH = 500  # images


class EpochOrder(NamedTuple):
    """The order of the images in an epoch.

    rows: The rows of the images, shape (M,). groups: The group of each place, shape (M,), on the CPU; None where images
    share nothing.
    """

    rows: Tensor
    groups: Tensor | None = None

    def part(self, start: int, size: int) -> tuple[Tensor, Groups | None]:
        """Returns the rows of one batch and their `Groups`; a group that the end of the batch cuts is smaller."""
        rows, groups = self.rows[start : start + size], self.groups
        return rows, None if groups is None else as_groups(groups[start : start + size], len(rows), groups.device)

    def to(self, device: torch.device) -> EpochOrder:
        """Returns the same order with its rows on the device of the images."""
        return self._replace(rows=self.rows.to(device))


class TrainingImages:
    """The training images as bytes on their device, without those that are held out for validation.

    Arguments:
        images: The images, in the model's shape.
        config: The settings.
        vae: The model, whose latent decides whether images are grouped.
        device: The device of the training.

    Raises:
        UserError: For images whose groups are unknown where the latent needs them.
    """

    def __init__(self, images: Images, config: Config, vae: VAE, device: torch.device) -> None:
        self.source, self.device = images, device
        self.seed, self.batch_size = config.training.seed, config.training.batch_size
        self.mirror, self.group_members, self.needs_pairs = config.data.mirror, config.data.group_members, vae.needs_pairs
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(self.seed))
        count = held_out_count(len(images), config)
        held_out_rows, training_rows = order[:count].sort().values, order[count:].sort().values
        storage = pixel_storage_device(images.pixels, device)
        self.held_out, self.pixels = images.pixels[held_out_rows].to(storage), images.pixels[training_rows].to(storage)
        labels = _labels_of_groups(images, config, vae)
        self.labels = None if labels is None else labels[training_rows]
        self.held_out_labels = None if labels is None else labels[held_out_rows]

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def held_out_count(self) -> int:
        """The number of held-out images."""
        return len(self.held_out)

    def batches_per_epoch(self, processes: int) -> int:
        """Returns the number of batches that each process takes in an epoch."""
        return len(self.epoch_order(0).rows) // (self.batch_size * processes)

    def epoch_order(self, epoch: int) -> EpochOrder:
        """Returns the order of an epoch, which follows from the seed and the epoch's number."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        if self.labels is None:
            order = EpochOrder(torch.randperm(len(self.pixels), generator=generator))
        else:
            order = self._grouped(self.labels, generator)
        return order.to(self.pixels.device)

    def batch(self, order: EpochOrder, start: int) -> tuple[Tensor, Groups | None]:
        """Returns the batch at a place of an order, mirrored at random where that is set: images and their groups."""
        rows, group = order.part(start, self.batch_size)
        x = self.pixels[rows].to(self.device, non_blocking=True).float().div_(255)
        if self.mirror:
            flip = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
            x = torch.where(flip, x.flip(3), x)
        return x.contiguous(memory_format=torch.channels_last), None if group is None else group.to(x.device)

    def held_out_batches(self) -> Iterator[tuple[Tensor, Groups | None]]:
        """Yields the held-out images in batches, in groups of the same kind as in training, the same in every epoch."""
        order, size = EpochOrder(torch.arange(len(self.held_out))), VALIDATION_BATCH
        if self.held_out_labels is not None:
            generator, size = torch.Generator().manual_seed(self.seed), self.batch_size
            order = self._grouped(self.held_out_labels, generator)
        order = order.to(self.held_out.device)
        for start in range(0, len(order.rows), size):
            rows, group = order.part(start, size)
            x = self.held_out[rows].to(self.device).float().div(255)
            yield x.contiguous(memory_format=torch.channels_last), None if group is None else group.to(x.device)

    def _grouped(self, labels: Tensor, generator: torch.Generator) -> EpochOrder:
        members = 2 if self.needs_pairs else self.group_members
        return grouped_epoch_order(labels, members, generator, whole_groups=self.needs_pairs)


def grouped_epoch_order(labels: Tensor, members: int, generator: torch.Generator, whole_groups: bool = False) -> EpochOrder:
    """Returns a random order of images in groups of one label, on the CPU.

    Arguments:
        labels: The label of each image, shape (N,).
        members: The number of images in a group: the images of a label fall into groups of that size at random, the rest
            makes a smaller one, and the groups are shuffled. 0 shuffles the images, and those of a label that meet in a
            batch are a group.
        generator: The random stream.
        whole_groups: Whether to leave out smaller groups.
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
    number = (label * len(labels) + place // members).unique(return_inverse=True)[1]
    shuffled = torch.randperm(int(number.max()) + 1, generator=generator)[number]
    groups, places = shuffled.sort(stable=True)
    return EpochOrder(rows[places], groups)


def held_out_count(count: int, config: Config) -> int:
    """Returns how many of `count` training images the validation loss takes: those of the settings, at most a tenth."""
    return min(config.data.validation, count // 10)


def _labels_of_groups(images: Images, config: Config, vae: VAE) -> Tensor | None:
    """Returns the group of each training image, (N,), or None where the latent needs none."""
    if not vae.uses_groups:
        return None
    labels = get_group_labels(images, config.data.group_by)
    if vae.needs_pairs:
        values, counts = labels.unique(return_counts=True)
        if (single := values[counts < 2]).numel():
            name = images.classes[int(single[0])] if labels is images.labels and images.classes else int(single[0])
            raise UserError(
                f"{images.source} has only one image in group {name} (of {len(single)} such groups), and latent='adaptive' "
                "compares pairs; give each group two images at least, or leave those groups out."
            )
        if config.training.batch_size % 2:
            odd = config.training.batch_size
            raise UserError(f"pairs fill no batch of {odd}; type --batch-size {odd + 1}.")
    return labels
