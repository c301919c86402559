"""TODO docstring of data.labels."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import UserError, nearest
from .images import Images

__all__ = ["get_group_labels", "get_labels"]


def get_group_labels(images: Images, name: str = "") -> Tensor:
    """The group of each image, (N,) int64: its class, or the value of the attributes `name` ("Male" or "Male,Smiling").

    Raises UserError where images have no labels, or attributes of which none is named.
    """
    labels, source = images.labels, images.source
    if labels is None:
        raise UserError(
            f"{source} has no labels, and a grouped latent must know which images share their content. Give a folder with "
            "one subfolder a group, an .npz file with `images` and `labels`, or splitvae.Images with labels; or train "
            "without groups: --latent gaussian."
        )
    if len(labels) != len(images):
        raise UserError(f"{source} has {len(labels)} labels for {len(images)} images; give one an image.")
    if labels.ndim == 1:
        if name:
            raise UserError(f"{source} has one class an image and no attributes to group by; leave --group-by away.")
        return labels
    if not name:
        shown = ", ".join(images.classes[:6])
        raise UserError(f"{source} has {labels.shape[1]} attributes ({shown} ...); say which make groups: --group-by NAME.")
    columns = []
    for part in name.split(","):
        if part not in images.classes:
            raise UserError(f"{source} has no attribute {part!r}; {nearest(part, images.classes)}")
        columns.append(images.classes.index(part))
    # A binary number whose first digit is the first attribute: the same in every part of the data.
    return (labels[:, columns] != 0).long() @ 2 ** torch.arange(len(columns)).flip(0)


def get_labels(images: Images) -> Tensor:
    """The labels of images, (N,) classes or (N, A) attributes; raises UserError where there are none."""
    if images.labels is None:
        raise UserError(
            f"{images.source} has no labels; categories need a folder with a subfolder for each class, an .npz with the "
            "array 'labels', or a table with a column 'label'."
        )
    return images.labels
